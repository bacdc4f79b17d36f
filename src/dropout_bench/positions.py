"""Where entries of a YAML file stand in its text: to show them, or to change one and no more."""

import warnings
from itertools import takewhile

from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node


def entry(text: str, *keys: str) -> tuple[Node, Node] | None:
    """Return the nodes of a key and of its value, by the keys that lead there.

    Their marks tell where they stand; those of an alias's value, where its anchor is. None where
    the key is not written there: what comes by ``<<`` is not.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReusedAnchorWarning)  # legal YAML
        node = YAML(typ="safe", pure=True).compose(text)
    found = None
    for name in keys:
        pairs = node.value if isinstance(node, MappingNode) else []
        found = next(((key, value) for key, value in pairs if key.value == name), None)
        if found is None:
            return None
        node = found[1]
    return found


def lines(text: str, *keys: str) -> dict[int, str]:
    """Return the lines of an entry by their numbers, from 1; none where it is not written."""
    if (found := entry(text, *keys)) is None:
        return {}
    key, value = found
    first, stop = key.start_mark.line, value.end_mark.line
    # A block ends where the next entry begins, anything else within its last line.
    if not isinstance(value, CollectionNode) or value.flow_style:
        stop += value.end_mark.column > 0
    block = text.splitlines()[first : max(stop, first + 1)]
    after = takewhile(lambda line: line.strip()[:1] in {"", "#"}, reversed(block[1:]))
    block = block[: len(block) - len(list(after))]
    return dict(enumerate(block, start=first + 1))
