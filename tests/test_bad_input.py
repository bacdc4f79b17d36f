"""Input that is well-formed and leads nowhere: told in a message, before training if it can be."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import experiment, one_run

from dropout_bench.data.download import Source
from dropout_bench.errors import BenchError
from dropout_bench.report.figures.features import draw
from dropout_bench.report.figures.style import Colours
from dropout_bench.tables.read import Results
from dropout_bench.tables.schema import schemas
from dropout_bench.training.keys import Identity
from dropout_bench.training.sweep import _device, _train


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"variants": ["batch-norm-dropout"], "batch_size": 239}, "leave a batch of one"),
        ({"variants": ["dropout-batch-norm"], "batch_size": 1}, "leave a batch of one"),
        ({"input_dropout": [0.9999999]}, "is 1 in tables"),
        ({"dropout": [0.9999999]}, "is 1 in tables"),
        ({"keep_every_epoch": True, "epochs": 10**9}, "at most 10000 are kept"),
    ],
)
def test_what_would_end_a_training_or_its_tables_is_refused_before(
    settings: dict[str, object], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        experiment(**settings)


def test_what_is_near_to_that_is_accepted() -> None:
    experiment(variants=["batch-norm-dropout"], batch_size=238)
    experiment(variants=["dropout"], batch_size=239)
    experiment(input_dropout=[0.999999])
    experiment(epochs=10**9)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"hidden": [[10**13]], "dropout": [0.5]}, "no memory for a network of"),
        ({"learning_rate": 1e30}, "Diverged: .*; lower learning_rate"),
    ],
)
def test_a_network_that_no_memory_holds_is_told_in_a_line(
    settings: dict[str, object], told: str, raw: Path
) -> None:
    run = one_run(**settings)
    source = Source("mnist", raw, Source.of("mnist", _linked(raw)).digest)
    identity = Identity.here(run, source.digest, _device())
    with pytest.raises(BenchError, match=told) as caught:
        _train(identity, source, False, "run", raw / "no-logs", None)
    assert "\n" not in str(caught.value)


def _linked(raw: Path) -> Path:
    """Return the folder of a project whose data are these."""
    root = raw.parent / "project-of-raw"
    (root / "data").mkdir(parents=True, exist_ok=True)
    if not (root / "data" / "raw").exists():
        (root / "data" / "raw").symlink_to(raw)
    return root


@pytest.mark.parametrize("units", [1, 12, 13])
def test_features_are_drawn_of_any_number_of_units(units: int) -> None:
    asked = experiment(measures=["features"], hidden=[units])
    rows = [
        {**cell.row(), "kind": "feature", "number": number, "pixels": "80" * 28**2}
        for cell in asked.cells()
        for number in range(units)
    ]
    nothing = pd.DataFrame()
    results = Results(
        "small", asked, nothing, nothing, nothing, nothing, nothing, pd.DataFrame(rows), {}
    )
    (image,) = draw(results, Colours([asked])).axes[0].get_images()
    assert np.asarray(image.get_array()).shape == (30 * -(-units // 12), 30 * min(units, 12))


def test_no_training_took_no_time() -> None:
    rows = [
        {
            "experiment": "small", **cell.row(), "seed": seed, "candidate": "", "epochs": 2,
            "seconds": 0.0,
        }
        for cell in experiment().cells()
        for seed in (0, 1)
    ]  # fmt: skip
    rules = schemas(experiment())["timings"]
    with pytest.raises(Exception, match="seconds"):
        rules.validate(pd.DataFrame(rows))
    rules.validate(pd.DataFrame(rows).assign(seconds=0.01))
