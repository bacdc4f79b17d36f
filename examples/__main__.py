"""Tries each example and writes what was found to ``README.md`` here: ``python -m examples``."""

import ast
from pathlib import Path

from dropout_bench import trial
from dropout_bench.report.figures.kind import save
from dropout_bench.trials.figure import CAPTION, drawn
from dropout_bench.trials.result import Trial

HERE = Path(__file__).parent
NAMES = ("variational_dropout", "concrete_dropout", "r_drop")
BEGIN = f"""# Three methods from outside

Each of these files knows the public contract alone: a class derived from
`dropout_bench.models.base.MLP` that says what a hidden layer is made of (`hidden_layer`), and where
it needs to, what is lowered (`loss`) and what happens from epoch to epoch (`on_epoch`). Below is
what `dropout-bench try` found of each, on the draws of the report's experiment about kinds of
dropout. This page is written by `python -m examples`, from the results of the runs.

{CAPTION}
"""


def section(name: str, found: Trial) -> str:
    """Write what was found of an example, and draw its figure."""
    (HERE / "figures").mkdir(exist_ok=True)
    save(HERE / "figures" / f"{name}.png", drawn, found)
    about = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or ""
    title, _, rest = about.partition(": ")
    says = rest.partition("\n\n")[0]
    kept = "no law is broken" if all(law.holds != "no" for law in found.laws) else "see its laws"
    told = "\n".join(f"- {each}" for each in (*found.sentences(), *found.notes()))
    return (
        f"## {title}\n\n{says} ([`{name}.py`]({name}.py))\n\n"
        f"    dropout-bench try examples/{name}.py\n\n"
        f"![{found.name} against the known kinds](figures/{name}.png)\n\n"
        f"{told}\n- Of {len(found.laws)} laws checked, {kept}.\n"
    )


def main() -> None:
    """Try them all; what was tried before is not trained again."""
    sections = [section(name, trial(str(HERE / f"{name}.py"))) for name in NAMES]
    (HERE / "README.md").write_text("\n".join([BEGIN, *sections]), encoding="utf-8")


if __name__ == "__main__":
    main()
