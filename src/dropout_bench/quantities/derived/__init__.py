"""What is computed from an experiment's tables."""
