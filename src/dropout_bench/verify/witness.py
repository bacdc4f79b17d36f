"""What was checked where: a page for each verification that somebody else may rely on."""

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dropout_bench.errors import BenchError, one_line
from dropout_bench.training.keys import library_versions
from dropout_bench.verify.findings import Finding, Outcome, outcome


def processor() -> str:
    """Name the processor that this process runs on, an emulated one as the emulator has it."""
    if (told := Path("/proc/cpuinfo")).is_file():
        for line in told.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    return platform.processor() or platform.machine()


def witness(findings: Sequence[Finding], about: Mapping[str, Any]) -> dict[str, Any]:
    """Tell what was checked where, without a name of a person, a machine or a folder."""
    checks: dict[str, dict[str, int]] = {}
    for finding in findings:
        counts = checks.setdefault(finding.check, {"hold": 0, "differ": 0})
        counts["hold" if finding.holds else "differ"] += 1
    found = outcome(findings)
    return {
        **about,
        "outcome": "differs" if found is Outcome.DIFFERS else str(found),
        "checks": checks,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {**library_versions(), "torchvision": version("torchvision")},
    }


def write(told: Mapping[str, Any], path: Path) -> None:
    """Write a witness's page.

    Raises:
        BenchError: the file cannot be written.
    """
    try:
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{path}: cannot be written ({error.strerror}); name another") from error


def processors(folder: Path) -> dict[str, int]:
    """Count the runs that gave the same bits on each processor, over all witnesses in a folder.

    Raises:
        BenchError: a witness cannot be read.
    """
    counts: dict[str, int] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            told = json.loads(path.read_bytes())
            if told["outcome"] == str(Outcome.SAME):
                for name in told["processors"]:
                    counts[name] = counts.get(name, 0) + int(told["drawn"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchError(f"{path}: no witness ({one_line(error)}); remove it") from error
    return counts
