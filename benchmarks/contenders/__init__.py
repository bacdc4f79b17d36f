"""The others: one module each, with a function ``train``, to be read beside one another.

None of them imports the package, whose import pins the numeric environment: they are measured as
they would run by themselves.
"""
