"""What verification finds, and what all of it says together."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Finding:
    """What was checked, of which file or run, and what differs; or how it was compared.

    ``same`` says whether it was compared to the last bit; else it agrees within a tolerance.
    """

    check: str
    place: str
    holds: bool
    told: str = ""
    same: bool = True


class Outcome(StrEnum):
    """What all findings say together."""

    SAME = "holds"
    NEAR = "within tolerance"
    DIFFERS = "DIFFERS"

    @property
    def status(self) -> int:
        """The exit status: 0 only for the same bits; 2 is a wrong call's."""
        return {Outcome.SAME: 0, Outcome.DIFFERS: 1, Outcome.NEAR: 3}[self]


def outcome(findings: Iterable[Finding]) -> Outcome:
    """Return what findings say together: the worst of them."""
    each = {
        Outcome.DIFFERS if not one.holds else Outcome.SAME if one.same else Outcome.NEAR
        for one in findings
    }
    return next(
        one for one in (Outcome.DIFFERS, Outcome.NEAR, Outcome.SAME) if one in each | {one.SAME}
    )


NOT_FOUND = {
    "a sentence of the README or the docs, a picture in docs/, the benchmark": "make test, make "
    "docs, make bench",
    "claims, margins or seeds changed after the runs, in a history that was rewritten": "an older "
    "clone; else: git log -p claims.yaml params.yaml",
    "times": "nothing: they differ from one training to the next",
    "this code, if it is not what it says": "reading it",
}
"""What no check here finds, and what does."""


def as_json(findings: Sequence[Finding], about: Mapping[str, object]) -> str:
    """Write findings for machines."""
    found = outcome(findings)
    told = {
        "holds": found is Outcome.SAME,
        "outcome": "differs" if found is Outcome.DIFFERS else str(found),
        **about,
        "not found here": NOT_FOUND,
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(told, indent=1)
