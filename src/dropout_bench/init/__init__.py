"""A project of one's own: what ``dropout-bench init`` writes."""
