"""What validation chose of an arm."""

import numpy as np

from dropout_bench.quantities.quantity import Asked, Quantity, Values, derived


@derived(Quantity("chosen/dropout", "chosen dropout rate"))
def rate(asked: Asked) -> Values:
    """Rate of the hidden layers of the network that was evaluated; the mean over its layers.

    Where an arm chooses its rate on validation, this is what was chosen.
    """
    texts = asked.rows("runs")["dropout"]
    return np.array([np.mean([float(part) for part in text.split("/")]) for text in texts])
