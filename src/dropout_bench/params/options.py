"""What any variant can be combined with."""

from typing import Annotated, Literal

from pydantic import Field

from dropout_bench.params.values import NotNegative, Positive, PositiveInt, Strict


class Options(Strict):
    """What any variant can be combined with. All of it is off by default."""

    weight_decay: NotNegative = 0.0
    """decoupled weight decay, per step and unit of step size"""
    l2: NotNegative = 0.0
    """factor λ of an L2 penalty λ/2 · Σ w² in the loss"""
    l1: NotNegative = 0.0
    """factor λ of an L1 penalty λ · Σ |w| in the loss"""
    max_norm: Positive | None = None
    """largest norm of the weights into a hidden unit"""
    patience: PositiveInt | None = None
    """training ends when the validation loss has not fallen for so many epochs"""
    input_noise: NotNegative = 0.0
    """standard deviation of noise on the normalised pixels, in training"""
    shift: Annotated[int, Field(ge=0, lt=8, strict=True)] = 0
    """training images are moved at random by up to so many pixels"""
    learning_rate_decay: Literal["none", "linear"] = "none"
    """linear: the step size falls from epoch to epoch, towards 0 after the last one"""
