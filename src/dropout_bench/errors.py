"""Errors that a user can mend. The command line prints their text alone, never a trace."""

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """What is wrong, where, and what to do about it, in words for the user."""


def did_you_mean(word: str, possible: Iterable[str]) -> str:
    """Return a hint that names the closest of the ``possible`` words, else all of them."""
    possible = sorted(possible)
    close = difflib.get_close_matches(word, possible, n=1)
    return f'did you mean "{close[0]}"?' if close else f"possible: {', '.join(possible)}"
