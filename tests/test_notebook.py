"""The notebook about tables runs, and says what it says."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from project import PROJECT

from dropout_bench import numerics


@pytest.mark.slow
def test_the_notebook_runs_and_says_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROPOUT_BENCH_STORE", str(tmp_path / "store"))  # all is trained anew
    committed = nbformat.read(PROJECT / "examples" / "table.ipynb", as_version=4)
    executed = copy.deepcopy(committed)
    NotebookClient(executed, timeout=1200, resources={"metadata": {"path": tmp_path}}).execute()
    assert len(verdicts(committed)) == 2
    if numerics.is_pinned():  # else the last digits may be others
        assert verdicts(executed) == verdicts(committed)


def verdicts(notebook: Any) -> list[str]:
    return re.findall(r"<strong>(On your data .*?)</strong>", json.dumps(notebook))
