"""What any kind of dropout must hold to, if its runs are to be compared draw by draw."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from torch import Tensor, nn

from dropout_bench.errors import BenchError, one_line
from dropout_bench.models.base import MLP
from dropout_bench.models.variants import variant_class
from dropout_bench.streams import Stream, stream_seed
from dropout_bench.trials.placed import Place, as_variant

_SHAPE, _CLASSES, _HIDDEN, _IMAGES = (8, 8), 4, (16, 8), 24
_STEPS = 3  # in each of two epochs
RATES = (0.2, 0.5)


class Law(NamedTuple):
    """A law, whether it holds (None: it is not promised), and what it means if it does not."""

    law: str
    holds: bool | None
    means: str = ""

    @property
    def told(self) -> str:
        """Say whether it holds."""
        return {True: "yes", False: "no", None: "not promised"}[self.holds]


@dataclass(frozen=True)
class Laws:
    """The laws with what was found; true where none is broken."""

    name: str
    laws: tuple[Law, ...]

    def __bool__(self) -> bool:
        return not self.broken

    @property
    def broken(self) -> list[Law]:
        """Those that do not hold."""
        return [law for law in self.laws if law.holds is False]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table("law", "holds", "what it means", title=f"Laws: {self.name}", box=None)
        for law in self.laws:
            table.add_row(law.law, law.told, law.means)
        yield table

    def __str__(self) -> str:
        return "\n".join(
            f"{law.told}: {law.law}{f' – {law.means}' if law.means else ''}" for law in self.laws
        )

    __repr__ = __str__


def check_variant(
    cls: type[nn.Module],
    place: Place = "after-activation",
    rates: Sequence[float] = RATES,
) -> Laws:
    """Check a variant, or a plain layer in its place, on a small network and made-up images.

    Args:
        cls: a variant (derived from :class:`dropout_bench.models.base.MLP`), or a
            :class:`torch.nn.Module` whose constructor takes a rate.
        place: where a plain layer stands.
        rates: rates to check it at, besides 0.

    Returns:
        The laws, true if none is broken: ``assert check_variant(MyDropout)``.

    Raises:
        BenchError: it cannot be built, or cannot be trained.
    """
    variant = cls if issubclass(cls, MLP) else as_variant(cls, place)
    with _host_left_alone():
        try:
            return Laws(cls.__name__, tuple(_Checker(variant, tuple(rates)).laws()))
        except BenchError:
            raise
        except Exception as error:
            where = _line_of(error)
            raise BenchError(
                f"{cls.__name__}: a small network of it cannot be trained: "
                f"{type(error).__name__}: {one_line(error)}{where}"
            ) from error


def _line_of(error: BaseException) -> str:
    """Name the innermost line of outside code that raised."""
    trace, found = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "site-packages" not in file and "dropout_bench" not in file:
            found = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return found


@contextmanager
def _host_left_alone() -> Iterator[None]:
    """Give this process's threads and random states back as they were."""
    threads, python, numpy = torch.get_num_threads(), random.getstate(), np.random.get_state()  # noqa: NPY002
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=()):
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


State = dict[str, Tensor]


class _Checker:
    def __init__(self, variant: type[MLP], rates: tuple[float, ...]) -> None:
        self.variant, self.plain_layer = variant, hasattr(variant, "plain_layer")
        self.base = variant.counterpart
        self.rates = rates if self.base is not None else (0.0,)
        made_up = torch.Generator().manual_seed(0)
        self.images = torch.randn((_IMAGES, *_SHAPE), generator=made_up)
        self.labels = torch.arange(_IMAGES) % _CLASSES

    def laws(self) -> Iterator[Law]:
        yield self.deterministic()
        if self.base is not None:
            yield self.identity()
            yield self.same_start()
            yield self.counterpart()
        yield self.finite()
        yield self.twice()
        yield self.another_order()
        yield from self.from_outside()

    def network(self, rate: float, seed: int = 0, variant: type[MLP] | None = None) -> MLP:
        pixels = _SHAPE[0] * _SHAPE[1]
        # As a run does, whose every other random number comes from its streams.
        outside = stream_seed(seed, Stream.ELSE)
        torch.manual_seed(outside)
        random.seed(outside)
        np.random.seed(outside)  # noqa: NPY002
        return (variant or self.variant)(pixels, _CLASSES, _HIDDEN, rate, seed=seed)

    def trained(self, rate: float, seed: int = 0) -> State:
        """Return the parameters after a short training."""
        state = self._train(self.network(rate, seed)).state_dict()
        return {name: value.clone() for name, value in state.items()}

    def _after(self, rate: float, variant: type[MLP] | None) -> list[Tensor]:
        """Return what a short training makes of the linear maps, and of the logits."""
        network = self._train(self.network(rate, variant=variant)).eval()
        with torch.inference_mode():
            logits = network(self.images)
        return [*(parameter for linear in network.linears for parameter in linear.parameters()),
                logits]  # fmt: skip

    def _train(self, network: MLP) -> MLP:
        """Take some steps in two epochs, by plain gradient descent."""
        network.train()
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
        for progress in (0.0, 1.0):
            network.on_epoch(progress)
            for _ in range(_STEPS):
                loss = network.loss(self.images, self.labels, network(self.images))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        return network

    def deterministic(self) -> Law:
        law = "the same output twice in evaluation"
        for rate in self.rates:
            network = self.network(rate).eval()
            with torch.inference_mode():
                if _bits(network(self.images)) != _bits(network(self.images)):
                    return Law(law, False, f"at rate {rate} it is random in evaluation too: "
                               "one throw is measured; act only in training")  # fmt: skip
        return Law(law, True)

    def identity(self) -> Law:
        law = "identity in evaluation"
        if not getattr(self.variant, "identity_in_evaluation", True):
            return Law(law, None, "the class says identity_in_evaluation = False")
        for rate in self.rates:
            network, plain = self.network(rate).eval(), self._base().eval()
            with torch.inference_mode():
                for ours, theirs in zip(network.linears, plain.linears, strict=True):
                    theirs.load_state_dict(ours.state_dict())
                if not _close(network(self.images), plain(self.images)):
                    return Law(law, False, f"at rate {rate} it changes what passes in evaluation: "
                               "intended where the method scales or averages then (write "
                               "identity_in_evaluation = False); else another network is "
                               "evaluated than was trained")  # fmt: skip
        return Law(law, True)

    def _base(self) -> MLP:
        return self.network(0.0, variant=variant_class(self.base or ""))

    def same_start(self) -> Law:
        law = f"the initial weights of its counterpart ({self.base})"
        for rate in (0.0, *self.rates):
            pairs = zip(self.network(rate).linears, self._base().linears, strict=True)
            if not all(torch.equal(ours.weight, theirs.weight) for ours, theirs in pairs):
                return Law(law, False, "draws are then not paired in their start, and differences "
                           "are noisier: draw what its own parameters start from within "
                           "torch.random.fork_rng()")  # fmt: skip
        return Law(law, True)

    def counterpart(self) -> Law:
        law = f"at rate 0 it is its counterpart ({self.base})"
        base = variant_class(self.base or "")
        ours, theirs = (self._after(0.0, variant) for variant in (None, base))
        if not all(_close(*pair) for pair in zip(ours, theirs, strict=True)):
            return Law(law, False, "a gain over no dropout may then come from something else than "
                       "its noise; let rate 0 change nothing, or name the variant that it is then "
                       "(counterpart)")  # fmt: skip
        return Law(law, True)

    def finite(self) -> Law:
        law = "finite values and gradients"
        kinds: Mapping[str, Tensor] = {
            "ordinary": self.images, "black": self.images * 0, "large": self.images * 100,
        }  # fmt: skip
        for rate in self.rates:
            for kind, images in kinds.items():
                network = self.network(rate).train()
                loss = network.loss(images, self.labels, network(images))
                loss.backward()
                grads = [each.grad for each in network.parameters() if each.grad is not None]
                if not all(value.isfinite().all() for value in (loss, *grads)):
                    return Law(law, False, f"not at rate {rate} with {kind} images: trainings may "
                               "diverge")  # fmt: skip
        return Law(law, True)

    def twice(self) -> Law:
        law = "the same bits twice"
        if all(_same(self.trained(rate), self.trained(rate)) for rate in self.rates):
            return Law(law, True)
        return Law(law, False, "its runs cannot be repeated: something comes from the clock, from "
                   "an unseeded generator, or is kept from one network to the next")  # fmt: skip

    def another_order(self) -> Law:
        law = "the same bits in another order of runs"
        rate = self.rates[-1]
        first, second = self.trained(rate, 0), self.trained(rate, 1)
        others = {seed: self.trained(rate, seed) for seed in (1, 0)}
        if _same(first, others[0]) and _same(second, others[1]):
            return Law(law, True)
        return Law(law, False, "a run depends on those before it in its process: the class, or its "
                   "module, keeps something from one network to the next")  # fmt: skip

    def from_outside(self) -> Iterator[Law]:
        """Look whether a training draws from generators that are not its own."""
        kept: dict[str, Callable[[], Any]] = {
            "Python's random": random.getstate,
            "numpy.random": lambda: repr(np.random.get_state()),  # noqa: NPY002
        }
        if not self.plain_layer:
            kept["torch's global generator"] = lambda: torch.get_rng_state().tolist()
        network = self.network(self.rates[-1]).train()
        states = [{name: state() for name, state in kept.items()}]
        network.on_epoch(0.0)
        network.loss(self.images, self.labels, network(self.images)).backward()
        states.append({name: state() for name, state in kept.items()})
        for before, after in pairwise(states):
            for name in kept:
                means = (
                    f"it draws from {name}, which is not its own: whatever else draws from it "
                    "shifts its numbers; use torch's" + (
                        " generator" if self.plain_layer else ": self.masks(number), a stream"
                    )
                )  # fmt: skip
                same = before[name] == after[name]
                yield Law(f"nothing drawn from {name}", same, "" if same else means)


def _same(one: State, other: State) -> bool:
    bits = ({name: _bits(value) for name, value in each.items()} for each in (one, other))
    return next(bits) == next(bits)


def _bits(values: Tensor) -> bytes:
    """Return the bytes of values: those of NaN are the same, too."""
    return values.detach().cpu().numpy().tobytes()


def _close(one: Tensor, other: Tensor) -> bool:
    """Whether two are the same within rounding."""
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)
