"""Tries examples, all or those named, and writes what was found of each to ``README.md`` here.

``python -m examples``, or ``python -m examples r_drop``. Results are kept in ``results``.
"""

import ast
import sys
from collections.abc import Sequence
from pathlib import Path

from dropout_bench import trial
from dropout_bench.report.figures.kind import save
from dropout_bench.trials.figure import CAPTION, drawn
from dropout_bench.trials.result import Trial

HERE = Path(__file__).parent
NAMES = ("variational_dropout", "concrete_dropout", "r_drop", "uniform_noise")
DRAWS = 24
BEGIN = f"""# Three published methods, and a layer

Each of these files knows the public contract alone. The three methods are variants: a class derived
from `dropout_bench.models.base.MLP` that says what a hidden layer is made of (`hidden_layer`), and
where it needs to, which loss is minimised (`loss`) and what happens from epoch to epoch
(`on_epoch`). The last is a plain layer, any `nn.Module` that takes a rate;
[`layer.ipynb`](layer.ipynb) goes from it to a verdict in a notebook, and
[`table.ipynb`](table.ipynb) from tables of scikit-learn to a verdict each. Below is what
`dropout-bench try` found, on the draws of the report's experiment about kinds of dropout; [what the
verdicts mean](../docs/own.md#what-the-words-mean). This page is written by `python -m examples`,
from the results of the runs.

{CAPTION}
"""


def section(name: str, found: Trial) -> str:
    """Write what was found of an example, and draw its figure."""
    save(HERE / "results" / f"{name}.png", drawn, found)
    about = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or ""
    title, _, rest = about.partition(": ")
    says = rest[:1].upper() + rest.partition("\n\n")[0][1:]
    kept = "none is broken" if all(law.holds != "no" for law in found.laws) else "see its laws"
    told = "\n".join(f"- {each}" for each in (*found.sentences(), *found.notes()))
    return (
        f"## {title}\n\n{says} ([`{name}.py`]({name}.py))\n\n"
        f"    dropout-bench try examples/{name}.py --draws {found.draws}\n\n"
        f"![{found.name} against the known kinds](results/{name}.png)\n\n"
        f"{told}\n- Of {len(found.laws)} laws checked, {kept}.\n"
    )


def main(names: Sequence[str]) -> None:
    """Try some, and write the page of all that were tried, now or before."""
    (HERE / "results").mkdir(exist_ok=True)
    for name in names:
        found = trial(str(HERE / f"{name}.py"), draws=DRAWS)
        (HERE / "results" / f"{name}.json").write_text(found.model_dump_json(indent=1) + "\n")
    kept = {name: HERE / "results" / f"{name}.json" for name in NAMES}
    sections = [
        section(name, Trial.model_validate_json(file.read_text(encoding="utf-8")))
        for name, file in kept.items()
        if file.is_file()
    ]
    (HERE / "README.md").write_text("\n".join([BEGIN, *sections]), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or NAMES)
