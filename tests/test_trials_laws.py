"""What laws find of kinds of dropout that keep them, and of some that do not."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from outsiders import LAYER, write

from dropout_bench import check_variant
from dropout_bench.errors import BenchError
from dropout_bench.models.variants import variant_class
from dropout_bench.params.variants import VARIANTS
from dropout_bench.trials.newcomer import find

SCALED = {"classic-dropout", "standout"}
"""Kinds that scale in evaluation."""
DRAW = "torch.rand_like(x)"
BROKEN = {
    "the same output twice in evaluation": LAYER.replace("not self.training or ", ""),
    "identity in evaluation": LAYER.replace("not self.training or self.p == 0", "self.p == 0")
    .replace(DRAW, "torch.full_like(x, 0.9)"),
    "at rate 0": LAYER.replace("or self.p == 0", "").replace("(1 - self.p)", "(0.9 - self.p)"),
    "finite": LAYER.replace("(1 - self.p)", "(x - x)"),
    "the same bits twice": LAYER.replace(
        DRAW, "torch.rand(x.shape, generator=torch.Generator().manual_seed(__import__('time')"
        ".perf_counter_ns()))"),
    "Python's random": LAYER.replace(DRAW, "torch.full_like(x, __import__('random').random())"),
    "numpy.random": LAYER.replace(
        DRAW, "torch.full_like(x, __import__('numpy').random.random())"),
    "another order": "SEEN = []\n" + LAYER.replace(
        "super().__init__()", "super().__init__(); SEEN.append(1)"
    ).replace("(1 - self.p)", "(len(SEEN) % 4 - self.p)"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_known_kind_keeps_the_laws(name: str) -> None:
    broken = [law.law for law in check_variant(variant_class(name)).broken]
    assert broken == (["identity in evaluation"] if name in SCALED else [])


def test_a_layer_that_keeps_them_does(tmp_path: Path) -> None:
    cls = find(str(write(tmp_path, my=LAYER))).load()
    laws = check_variant(cls)
    assert laws
    assert "identity in evaluation" in str(laws)


@pytest.mark.parametrize("law", sorted(BROKEN))
def test_a_law_that_is_broken_is_told_with_what_it_means(law: str, tmp_path: Path) -> None:
    laws = check_variant(find(str(write(tmp_path, my=BROKEN[law]))).load())
    assert not laws
    (told,) = [each for each in laws.broken if law in each.law]
    assert told.means


def test_what_is_not_promised_is_not_broken(tmp_path: Path) -> None:
    honest = BROKEN["identity in evaluation"].replace(
        "    def __init__", "    identity_in_evaluation = False\n\n    def __init__"
    )
    laws = check_variant(find(str(write(tmp_path, my=honest))).load())
    assert [law.told for law in laws.laws if law.law == "identity in evaluation"] == [
        "not promised"
    ]
    assert laws


def test_a_variant_may_not_draw_from_torch_s_global_generator(tmp_path: Path) -> None:
    text = LAYER + (
        "\nfrom dropout_bench.models.base import MLP\n"
        "class Its(MLP):\n"
        "    def hidden_layer(self, linear, rate, number):\n"
        "        return [linear, nn.ReLU(), MyDropout(rate)]\n"
    )
    (told,) = check_variant(find(str(write(tmp_path, my=text))).load()).broken
    assert told.law == "nothing drawn from torch's global generator"
    assert "self.masks" in told.means


def test_what_cannot_be_trained_is_told_with_its_line(tmp_path: Path) -> None:
    wrong = LAYER.replace("return x * (", "return x @ (")
    with pytest.raises(BenchError, match=r"cannot be trained: RuntimeError: .* \(my.py, line 14\)"):
        check_variant(find(str(write(tmp_path, my=wrong))).load())


def test_the_caller_s_threads_and_random_numbers_stay_as_they_are() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        draws: list[Callable[[], object]] = [
            lambda: torch.rand(1).item(), random.random, lambda: np.random.random(),  # noqa: NPY002
        ]  # fmt: skip
        for draw in draws:
            torch.manual_seed(1)
            random.seed(1)
            np.random.seed(1)  # noqa: NPY002
            expected = draw()
            torch.manual_seed(1)
            random.seed(1)
            np.random.seed(1)  # noqa: NPY002
            check_variant(variant_class("dropout"))
            assert draw() == expected
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
