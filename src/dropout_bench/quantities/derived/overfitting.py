"""How much better a network does on what it was trained on, without a look at the test set."""

from dropout_bench.quantities.quantity import Asked, Quantity, Values, derived


@derived(
    Quantity("overfitting/loss", "validation loss − training loss", "nats", split="val"),
    Quantity("overfitting/accuracy", "training − validation accuracy", "fraction", split="val"),
)
def overfitting(asked: Asked) -> Values:
    """The gap on the validation images, both sides in evaluation mode.

    A gain on test images can be set against it: against ``gap`` it cannot, whose noise, that of
    the same test images, is in the gain too.
    """
    held_out, train = (asked.other(f"{split}/{asked.of}") for split in ("val", "train"))
    return held_out - train if asked.of == "loss" else train - held_out
