"""The splits of a dataset, and what is told of a network on each: ``train/loss``, ``test/ece``."""

SPLITS = ("train", "val", "test")
OF_SPLIT = tuple(f"{split}/{metric}" for split in SPLITS for metric in ("loss", "accuracy"))
"""What is told of every split: mean negative log-likelihood, in nats, and accuracy, a fraction."""
METRICS = (*OF_SPLIT, "test/ece", "test/brier")
"""All that is told of a trained network: besides, how well its probabilities are calibrated."""
