"""Errors that a user can mend. The command line prints their text alone, never a trace."""

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """What is wrong, where, and what to do about it, in words for the user."""


_LONGEST = 200  # characters of a text that an error repeats
_MOST = 30  # words that an error lists


def shortened(value: object) -> str:
    """Return a value as text, what is too long to be read left out."""
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def one_line(error: BaseException) -> str:
    """Return what an exception of a library says, as a part of a message of ours."""
    return shortened(" ".join(str(error).split()) or type(error).__name__)


def did_you_mean(word: str, possible: Iterable[str]) -> str:
    """Return a hint that names the closest of the ``possible`` words, else all of them."""
    possible = sorted(possible)
    close = difflib.get_close_matches(word, possible, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    more = f", and {len(possible) - _MOST} more" if len(possible) > _MOST else ""
    return f"possible: {', '.join(possible[:_MOST])}{more}"
