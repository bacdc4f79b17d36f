"""Datasets: where they come from, which images a run sees, and the LightningDataModules."""
