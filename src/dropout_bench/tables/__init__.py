"""The tables in ``reports/results``: their columns, written and read in one place."""
