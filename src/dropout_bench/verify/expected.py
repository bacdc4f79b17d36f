"""What a project must be for its report to be what the code says: pipeline, code, data, versions.

A forger may edit ``dvc.yaml``, and DVC then finds nothing to do; so what the pipeline must be
stands here too.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.errors import BenchError, one_line
from dropout_bench.params.file import Params, Suite
from dropout_bench.tables.read import read_versions
from dropout_bench.tables.schema import TABLES
from dropout_bench.training.keys import LIBRARIES
from dropout_bench.verify.findings import Finding

CODE = "reports/code.json"


class Published(NamedTuple):
    """A dataset as its authors published it, unpacked as here.

    Attributes:
        digest: as :func:`dropout_bench.data.arrays.verified_digest` returns it.
        test_per_class: number of test images of each class, by label.
    """

    digest: str
    test_per_class: tuple[int, ...]


PUBLISHED = {
    "mnist": Published(
        "c2027925ed3f4157d3393eb783ba49d27f6a5179e1863d3247e69bbb70b79280",
        (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    ),
    "fashion-mnist": Published(
        "49f2cc3e0e1a1654983791742c02147fa3e627a8d09e4444224d17f755e10fb4", (1000,) * 10
    ),
}
"""Of the archives with the MD5 sums that torchvision has of them."""


class Stage(NamedTuple):
    """What a stage must be: its command, what it depends on, what it makes."""

    command: str
    depends: frozenset[str]
    makes: frozenset[str]


def stages(params: Params, root: Path) -> dict[str, Stage]:
    """Return what each stage of ``dvc.yaml`` must be at least, by name.

    A parameter is written as ``file:key``. A project that uses the package from elsewhere
    (``dropout-bench init``) has neither its source nor archives: its code is the release that
    ``requirements.txt`` names.
    """
    release = (root / "requirements.txt").is_file()
    from_here = not release or (root / "src" / "dropout_bench").is_dir()
    needed: dict[str, Stage] = {}

    def stage(name: str, depends: Iterable[str], makes: Iterable[str]) -> None:
        command = f"dropout-bench {name.replace('@', ' ')}"
        needed[name] = Stage(command, frozenset(depends), frozenset(makes))

    source = "src/dropout_bench" if from_here else "requirements.txt"
    stage("code", [source, "params.yaml:experiments"], [CODE])
    for name in {each for one in params.experiments.values() for each in one.datasets}:
        archives = [f"data/archives/{DATASETS[name].made_by.partition(':')[2]}"] * from_here
        stage(f"download@{name}", [*archives, f"{CODE}:download.{name}"], [f"data/raw/{name}"])
    for name, experiment in params.experiments.items():
        data = [f"data/raw/{each}" for each in experiment.datasets]
        asked, runs, results = f"params.yaml:experiments.{name}", f"runs/{name}", _results(name)
        stage(f"train@{name}", [*data, asked, f"{CODE}:train.{name}"], [runs])
        stage(f"evaluate@{name}", [*data, runs, asked, f"{CODE}:evaluate.{name}"], results)
    stage(
        "report",
        ["claims.yaml", "reports/results", "params.yaml:experiments", f"{CODE}:report"],
        [
            f"reports/{file}"
            for file in ("report.md", "report.html", "findings.md", "registered.json")
        ]
        + ["reports/figures", "reports/metrics.json"],
    )
    return needed


def _results(name: str) -> list[str]:
    files = (*(f"{table}.csv" for table in TABLES), "versions.json")
    return [f"reports/results/{name}/{file}" for file in files]


def pipeline(found: Iterable[Any], params: Params, root: Path) -> Iterator[Finding]:
    """Compare the stages that DVC reads in ``dvc.yaml`` to what they must be."""
    check, place = "the pipeline is what the package says", "dvc.yaml"
    by_name = {stage.name: stage for stage in found}
    wrong = []
    for name, needed in stages(params, root).items():
        stage = by_name.get(name)
        if stage is None:
            wrong.append(f"no stage {name}")
            continue
        frozen = " is frozen" if stage.frozen else ""
        command = "" if stage.cmd == needed.command else f" calls {stage.cmd}"
        outs = {out.def_path for out in stage.outs}
        depends = {each for one in stage.deps for each in _names(one)}
        lacks = [f" does not depend on {each}" for each in sorted(needed.depends - depends)]
        gives = [f" does not make {each}" for each in sorted(needed.makes - outs)]
        wrong += [f"stage {name}{told}" for told in (frozen, command, *lacks, *gives) if told]
    for told in wrong:
        yield Finding(check, place, False, f"{told}; restore it: git checkout -- dvc.yaml")
    if not wrong:
        yield Finding(check, place, True)


def _names(dependency: Any) -> list[str]:
    keys = getattr(dependency, "params", None)
    path = str(dependency.def_path)
    return [path] if keys is None else [f"{path}:{key}" for key in keys]


def code(root: Path, params: Params) -> Iterator[Finding]:
    """Compare the code as it is with what the stages were run with; DVC's cache is not asked."""
    from dropout_bench.stages import code_digests

    check = "the code is what the stages were run with"
    try:
        told = json.loads((root / CODE).read_bytes())
    except (OSError, ValueError) as error:
        yield Finding(check, CODE, False, f"cannot be read ({one_line(error)}); run: dvc repro")
        return
    recorded, now = _flat(told), _flat(code_digests(params))
    wrong = [name for name in sorted(recorded | now) if recorded.get(name) != now.get(name)]
    for name in wrong:
        yield Finding(check, CODE, False, f"{name}: another code; run: dvc repro")
    if not wrong:
        yield Finding(check, CODE, True)


def _flat(digests: Any) -> dict[str, str]:
    flat: dict[str, str] = {}
    for stage, one in digests.items() if isinstance(digests, dict) else ():
        named = one if isinstance(one, dict) else {"": one}
        flat |= {f"{stage}@{name}".rstrip("@"): str(digest) for name, digest in named.items()}
    return flat


def versions(root: Path, suites: Iterable[Suite]) -> Iterator[Finding]:
    """Check that all experiments have one data, one arithmetic, and the libraries of the lock."""
    check = "data, arithmetic and versions are the same, and the pinned ones"
    known = {name: one.digest for name, one in PUBLISHED.items()}
    wrong: list[tuple[str, str]] = []
    shared: dict[str, str] = locked(root / "requirements.lock")
    for suite in suites:
        for name in suite.experiments:
            place = suite.reports / "results" / name / "versions.json"
            try:
                told = read_versions(root / place.parent)
            except BenchError as error:
                wrong.append((str(place), str(error)))
                continue
            for what in ("device", "torchvision", *LIBRARIES):
                own = told.get(what, "not told")
                if (other := shared.setdefault(what, own)) != own:
                    wrong.append((str(place), f"{what} is {own}, elsewhere {other}"))
            for part in told["data"].split(", "):
                dataset, _, digest = part.partition(" ")
                if (right := known.setdefault(dataset, digest)) != digest:
                    source = "as published" if dataset in PUBLISHED else "elsewhere"
                    wrong.append((str(place), f"{dataset} is {digest}, {source} {right}"))
    for where, told_of in wrong:
        yield Finding(check, where, False, told_of)
    if not wrong:
        pinned = "" if (root / "requirements.lock").is_file() else "; no requirements.lock here"
        yield Finding(check, "versions.json", True, f"{shared.get('device', '')}{pinned}")


def locked(path: Path) -> dict[str, str]:
    """Read the versions that ``requirements.lock`` pins, of the libraries that runs depend on."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pins = dict(line.split("==", 1) for line in lines if "==" in line)
    return {name: pins[name].strip() for name in ("torchvision", *LIBRARIES) if name in pins}


FILES = {"report.md", "report.html", "findings.md", "metrics.json", "registered.json", "timings.md"}
OF_PIPELINE = {"code.json", "benchmark.json", "benchmark.md"}


def files(
    root: Path, suite: Suite, suites: Iterable[Suite], ignored: Callable[[Path], bool]
) -> Iterator[Finding]:
    """Check that reports hold what belongs there and nothing else, and no link.

    What Git ignores is no part of them. Pictures are known by making them again.
    """
    check, name = "reports hold what belongs there", str(suite.reports)
    reports = root / suite.reports
    others = {root / each.reports for each in suites} - {reports}
    wrong = []
    for path in _within(reports, others):
        place = path.relative_to(reports)
        if path.is_symlink():
            wrong.append((place, "a link, where a report holds files; remove it"))
        elif not (path.is_file() and _belongs(place, suite)) and not ignored(path):
            wrong.append((place, "no part of a report; remove it"))
    for place, told in wrong:
        yield Finding(check, f"{name}/{place}", False, told)
    if not wrong:
        yield Finding(check, name, True)


def _within(folder: Path, without: set[Path]) -> Iterator[Path]:
    """List what lies in a folder but for some folders; links are not followed."""
    if folder.is_symlink():
        yield folder
        return
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        if path in without:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _within(path, without)
        else:
            yield path


def _belongs(place: Path, suite: Suite) -> bool:
    whole = suite.reports == Path("reports")
    match place.parts:
        case (file,):
            return file in FILES or (whole and file in OF_PIPELINE)
        case ("figures", file):
            return file.endswith(".png")
        case ("timings", file):
            return file.removesuffix(".csv") in suite.experiments
        case ("results", name, _):
            return name in suite.experiments and f"reports/{place.as_posix()}" in _results(name)
    return False
