"""One run, the store of finished runs, and the sweep over an experiment's runs."""
