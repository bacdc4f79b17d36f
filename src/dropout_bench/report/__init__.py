"""The report: a pure function of the tables in ``reports/results`` and ``claims.yaml``."""
