"""How fast the project is, beside other ways to train the same network on the same machine.

``python -m benchmarks.run`` measures and writes ``reports/benchmark.md``. Everything that is timed
runs in a process of its own, and nothing here but :mod:`benchmarks.ours` knows the package.
"""
