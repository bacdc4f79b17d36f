"""The documents say what the code does."""

import re
from pathlib import Path

from dropout_bench.keys import keys_markdown

PROJECT = Path(__file__).parents[1]


def test_the_list_of_keys_is_that_of_the_schema() -> None:
    assert (PROJECT / "docs" / "keys.md").read_text() == keys_markdown(), "run: make docs"


def test_links_between_documents_lead_somewhere() -> None:
    for page in (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
