"""What all contenders have in common: the network, its training, and where things are."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
RAW = ROOT / "data" / "raw"

PIXELS = 28 * 28
HIDDEN = (256, 128)
CLASSES = 10
DROPOUT = 0.5
LEARNING_RATE = 1e-3
BATCH = 64
MEAN = 0.5
SD = 0.5
TRAIN_SIZE = 60_000
BATCHES = -(-TRAIN_SIZE // BATCH)
