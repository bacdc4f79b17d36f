"""Figures under another arithmetic: the same but for what a training makes of rounding.

A training amplifies rounding until it is like another draw of batch order and masks. So the
differences d of a cell's figures, run by run, scatter about 0, and their mean over n runs is
refused where ǀmean dǀ > t · s / √n + ε: s is the standard deviation of d within the experiment's
cells, t Student's quantile, for all figures of an experiment together.
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

FALSE_ALARM = 1e-3
"""Chance that an honest experiment is refused, all of its figures together."""
LEAST = 1e-3
"""Differences up to this, and this part of a figure, are none."""
WIDEST = 4.0
"""Of few runs: how far each may be from its figure, in standard deviations over the seeds."""
_FEW = 3
_NO_FIGURES = {"seed", "epoch", "limit", "parameters", "chosen", "learning_rate", "batch_size"}
_NO_FIGURES |= {"train_size", "input_dropout", "best_epoch", "epochs", "at"}
_TABLES: Mapping[str, tuple[str, ...]] = {
    "runs": (), "candidates": ("candidate",), "curves": ("epoch",), "measures": ("metric", "at"),
}  # fmt: skip


def cells(theirs: Path, ours: Path) -> dict[str, list[str]]:
    """Compare the tables in two folders by cell; say of each of ours which figures are far off.

    A figure that is no number is far off. Curves are compared at the epochs that both have.
    """
    found: dict[str, list[str]] = {}
    tests: dict[str, dict[str, pd.DataFrame]] = {}
    for table, by in _TABLES.items():
        for what, rows in _differences(theirs, ours, table, by):
            tests[what] = {str(arm): of for arm, of in rows.groupby("arm", sort=False)}
            for label in tests[what]:
                found.setdefault(label, [])
    count = sum(len(of) for of in tests.values())
    for what, of in tests.items():
        for label, told in _far_off(of, count):
            found[label].append(f"{what}: {told}")
    return found


def _differences(
    theirs: Path, ours: Path, table: str, by: tuple[str, ...]
) -> Iterable[tuple[str, pd.DataFrame]]:
    """Yield each figure of a table, by name, with its rows: arm, seed, theirs, ours, spread."""
    one, other = (pd.read_csv(place / f"{table}.csv") for place in (theirs, ours))
    key = ["arm", "seed", *by]
    how: Literal["inner", "right"] = "inner" if table == "curves" else "right"
    both = one.merge(other, how=how, on=key, suffixes=("", " again"), validate="one_to_one")
    numbers = map(str, other.select_dtypes("number").columns)
    for column in (each for each in numbers if each not in _NO_FIGURES):
        if other[column].isna().all():
            continue
        spread = one.groupby(["arm", *by])[column].std().rename("spread").reset_index()
        rows = both.merge(spread, on=["arm", *by], how="left")
        rows = rows.rename(columns={column: "theirs", f"{column} again": "ours"})
        for place, of in rows.groupby(list(by)) if by else [((), rows)]:
            at = " ".join(map(str, place))
            yield " ".join(filter(None, (table, column, at))), of


def _far_off(of: Mapping[str, pd.DataFrame], count: int) -> Iterable[tuple[str, str]]:
    by_cell = {label: (rows["ours"] - rows["theirs"]).to_numpy() for label, rows in of.items()}
    free = sum(len(each) - 1 for each in by_cell.values())
    squares = sum(((each - each.mean()) ** 2).sum() for each in by_cell.values())
    for label, each in by_cell.items():
        rows, mean = of[label], float(np.mean(each))
        least = LEAST * (1 + abs(float(rows["theirs"].mean())))
        if free >= _FEW:
            t = stats.t.ppf(1 - FALSE_ALARM / (2 * count), free)
            limit = t * math.sqrt(squares / free / len(each)) + least
            far = not abs(mean) <= limit
        else:
            far = not (np.abs(each) <= WIDEST * rows["spread"].fillna(0) + least).all()
        if far:
            yield label, f"{rows['ours'].mean():.6g} in the mean, not {rows['theirs'].mean():.6g}"
