"""Loss, accuracy and calibration: the columns of ``runs.csv`` and ``curves.csv``."""

from typing import Literal

from dropout_bench.quantities.quantity import Asked, Quantity, Values, derived

_SPLITS: dict[Literal["train", "val", "test"], str] = {
    "train": "training", "val": "validation", "test": "test",
}  # fmt: skip
_UNITS: dict[str, Literal["nats", "fraction"]] = {"loss": "nats", "accuracy": "fraction"}
CURVES = tuple(
    Quantity(
        f"{split}/{name}", f"{word} {name}", unit, epoch=True, split=split,
        higher_is_better=name == "accuracy",
    )
    for split, word in _SPLITS.items()
    for name, unit in _UNITS.items()
)  # fmt: skip
CALIBRATION = (
    Quantity("test/ece", "calibration error", split="test", higher_is_better=False),
    Quantity("test/brier", "Brier score", split="test", higher_is_better=False),
)


@derived(*CURVES, *CALIBRATION)
def column(asked: Asked) -> Values:
    """Loss and accuracy on the images of a split, and calibration on the test images.

    Loss is the negative log-likelihood −log pₜ of the true class t, averaged over images; accuracy
    the fraction of images whose likeliest class is the true one. ``test/ece`` is the expected
    calibration error: Σ over 15 bins of confidence of share · ǀaccuracy − confidenceǀ (Guo et al.
    2017); ``test/brier`` the Brier score Σₖ (pₖ − yₖ)², averaged over images (Brier 1950).

    Without an epoch they are of the evaluated weights, in evaluation mode; with one, a point of
    the curve, where training figures are those seen while training, with the masks of the moment.
    """
    if asked.epoch is None:
        return asked.rows("runs")[asked.name].to_numpy(dtype=float)
    rows = asked.rows("curves")
    return rows.loc[rows["epoch"] == asked.epoch, asked.name].to_numpy(dtype=float)
