"""The tables of ``method.md`` that are of simulated data, whose truth is known.

``python docs/simulated.py`` computes them and writes them between their marks; ``make docs`` does.
"""

import itertools
from pathlib import Path

from dropout_bench.analysis.rule import LOOKS
from dropout_bench.analysis.simulation import SHAPES, SHARED, SKEWED, coverage, simulate

PAGE = Path(__file__).parent / "method.md"

SAMPLES = 40_000
"""For each coverage; its standard error is then 0.15 % at most."""

LEDGERS, CLAIMS = 1000, 68
"""For each line of the table of simulated ledgers."""

EFFECTS = (0.0, 0.25, 0.5, 1.0)


def coverage_table() -> str:
    """Tell how often the 95 % interval covers the mean, by the shape of the values."""
    lines = [f"| differences | {' | '.join(f'{draws} draws' for draws in LOOKS)} |"]
    lines += ["|---|" + "---|" * len(LOOKS)]
    for shape in SHAPES:
        shares = [f"{100 * coverage(shape, draws, SAMPLES):.1f} %" for draws in LOOKS]
        lines.append(f"| {shape} | {' | '.join(shares)} |")
    return "\n".join(lines)


def simulation_table() -> str:
    """Tell what the rule makes of ledgers, by the shape of the differences and the effect."""
    lines = [
        "| differences | effect, sd | false verdicts | effects found "
        "| no relevant difference found where there is none | mean draws |",
        "|---|---|---|---|---|---|",
    ]
    kinds = [(shape, shape, SHARED) for shape in SHAPES]
    kinds.append((f"{SKEWED}, nothing shared", SKEWED, 0.0))
    for (title, shape, shared), effect in itertools.product(kinds, EFFECTS):
        one = simulate(effect, CLAIMS, LEDGERS, shape, shared=shared)
        lines.append(
            f"| {title} | {effect:g} | {100 * one.false:.1f} % "
            f"| {f'{100 * one.found:.0f} %' if effect else '–'} "
            f"| {100 * one.same:.0f} % | {one.draws:.0f} |"
        )
    return "\n".join(lines)


def with_table(page: str, mark: str, table: str) -> str:
    """Put a table between ``<!-- mark -->`` and the next ``<!-- end -->`` of a page."""
    head, begin, rest = page.partition(f"<!-- {mark} -->\n")
    _, end, tail = rest.partition("<!-- end -->")
    return f"{head}{begin}{table}\n{end}{tail}"


if __name__ == "__main__":
    text = PAGE.read_text()
    text = with_table(text, "coverage", coverage_table())
    PAGE.write_text(with_table(text, "simulation", simulation_table()))
