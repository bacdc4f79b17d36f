"""Write what was found into the README, between its marks, as ``reports/findings.md`` has it."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]
MARKS = "<!-- found: written by make docs -->\n", "<!-- end of found -->"


def written(readme: str, found: str) -> str:
    """Return the README with what was found in the place of what stands between its marks."""
    begin, end = MARKS
    before, _, rest = readme.partition(begin)
    _, _, after = rest.partition(end)
    block = re.sub(r"\]\((figures/)", r"](reports/\1", found)
    return f"{before}{begin}{block}{end}{after}"


if __name__ == "__main__":
    path = PROJECT / "README.md"
    found = (PROJECT / "reports" / "findings.md").read_text(encoding="utf-8")
    path.write_text(written(path.read_text(encoding="utf-8"), found), encoding="utf-8")
