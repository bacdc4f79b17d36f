"""Figures of the report, one file a kind. Their bytes repeat when the tables do."""
