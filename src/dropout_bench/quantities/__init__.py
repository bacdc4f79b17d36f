"""Quantities: numbers of each run that claims and figures can name, one file a kind."""
