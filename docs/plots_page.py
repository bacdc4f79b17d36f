"""Write ``.dvc/vega/page.html``, in which ``dvc plots`` puts its plots: Vega stands in the page.

DVC's own page loads Vega from a server, so that without a network it is empty. The files are those
of npm, which this asks for them, in these versions: ``make plots-page``.
"""

import subprocess
import tempfile
from pathlib import Path

PAGE = Path(__file__).parents[1] / ".dvc" / "vega" / "page.html"
VERSIONS = {"vega": "5.33.1", "vega-lite": "5.23.0", "vega-embed": "6.29.0"}
"""The last of the major versions that DVC's templates are for."""
LICENCES = {"vega": ("vega-view", "d3-array")}
"""Packages with the licence texts of one that has none: Vega is made of its parts, and of D3's."""

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>dvc plots</title>
%s
<style>body { font-family: sans-serif; background: white; color: #222222; }</style>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def page(packages: Path) -> str:
    """Return the page, with the scripts of packages that npm has put in a folder."""
    return TEMPLATE % "\n".join(_script(packages, name) for name in VERSIONS)


def _script(packages: Path, name: str) -> str:
    code = (packages / name / "build" / f"{name}.min.js").read_text(encoding="utf-8")
    # It ends a script wherever it stands; a map of the source is in another file.
    code = code.replace("</script", r"<\/script").partition("\n//# sourceMappingURL")[0]
    told = [f"{name} {VERSIONS[name]}, https://github.com/vega/{name}"]
    told += [_licence(packages / each) for each in LICENCES.get(name, (name,))]
    return "<script>\n/* " + "\n\n".join(told) + f"\n*/\n{code.strip()}\n</script>"


def _licence(package: Path) -> str:
    return (package / "LICENSE").read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asked = [f"{name}@{version}" for name, version in VERSIONS.items()]
        words = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent"]
        subprocess.run([*words, *asked], check=True)  # noqa: S603
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(Path(folder, "node_modules")), encoding="utf-8")
