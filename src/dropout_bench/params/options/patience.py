"""Early stopping."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dropout_bench.params.options.base import Option
from dropout_bench.params.values import PositiveInt

if TYPE_CHECKING:
    import lightning as L


class Patience(Option):
    """Training ends before its time when it no longer helps on images held out."""

    patience: PositiveInt | None = None
    """training ends when the validation loss has not fallen for so many epochs"""

    def check(self, setting: Mapping[str, Any]) -> None:
        """There is a validation loss to watch, and no number of epochs that must be reached."""
        if not setting["validation"]:
            raise ValueError(
                "patience: it watches the validation loss, and validation is 0.0; "
                "set validation above 0"
            )
        if setting["keep_every_epoch"]:
            raise ValueError("patience: keep_every_epoch needs a fixed number of epochs; drop one")

    def callbacks(self) -> "list[L.Callback]":
        """Return Lightning's early stopping."""
        from lightning.pytorch.callbacks import EarlyStopping

        return [EarlyStopping("val/loss", patience=self.patience or 0, check_finite=False)]
