"""Pictures behind the figures."""

from pathlib import Path

import numpy as np
from conftest import PER_CLASS, experiment, one_run

from dropout_bench.data.arrays import open_split
from dropout_bench.evaluation.metrics import evaluate
from dropout_bench.evaluation.pictures import EXAMPLES, examples, features
from dropout_bench.training.result import LAST
from dropout_bench.training.run import load_weights, network_of, train


def test_features_are_the_weights_into_the_first_units(raw: Path) -> None:
    run = one_run()
    weights = train(run, raw).files[LAST]
    drawn = evaluate(run, raw, weights, {}, measures=("features",)).features
    weight = load_weights(network_of(run), weights).hidden_weights[0].detach().numpy()
    assert len(drawn) == len(weight) == 16
    bytes_ = np.array([list(unit) for unit in drawn])
    np.testing.assert_allclose((bytes_ - 128) / 127, weight / np.abs(weight).max(), atol=0.5 / 127)
    listed = list(features(experiment(), dict.fromkeys(experiment().jobs(), drawn)))
    assert len(listed) == 2 * 16, "of one seed a cell"
    assert bytes.fromhex(str(listed[3]["pixels"])) == drawn[3]


def test_examples_are_the_images_on_which_most_seeds_differ(raw: Path) -> None:
    settings = experiment(classes=[3, 5, 8], seeds=[0, 1, 2])
    images, labels = open_split(raw / "mnist", "test")
    chosen = np.flatnonzero(np.isin(labels, [3, 5, 8]))
    assert len(chosen) == 3 * PER_CLASS["test"]
    truth = np.array([[3, 5, 8].index(label) for label in labels[chosen]])
    predicted = {}
    for job in settings.jobs():
        answer = truth.copy()
        if any(job.run.dropout):
            answer[20] = (answer[20] + 1) % 3  # wrong with dropout, for every seed
        else:
            answer[7] = (answer[7] + 1) % 3
            answer[4] = (answer[4] + (job.run.seed > 0)) % 3  # for two of three seeds
        predicted[job] = bytes(answer.tolist())
    rows = list(examples(settings, predicted, raw))
    assert len(rows) == 2 * EXAMPLES
    first, second = [row for row in rows if row["kind"] == "right with dropout"][:2]
    (worst,) = [
        row for row in rows if row["kind"] == "right without dropout" and row["number"] == 0
    ]
    for row, place, right in ((first, 7, (3, 0)), (second, 4, (3, 1)), (worst, 20, (0, 3))):
        assert bytes.fromhex(str(row["pixels"])) == images[chosen[place]].tobytes()
        assert (row["right_with"], row["right_without"]) == right
        assert row["true"] == [3, 5, 8][truth[place]]
        assert row["predicted"] == [3, 5, 8][(truth[place] + 1) % 3]


def test_no_examples_where_nobody_asked(raw: Path) -> None:
    assert not list(examples(experiment(), dict.fromkeys(experiment().jobs(), b""), raw))
