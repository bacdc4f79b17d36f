"""Folders are written whole, or are as they were."""

import shutil
import threading
from pathlib import Path

import pytest

from dropout_bench.files import whole_folder


def write(folder: Path, text: str, files: int = 20) -> None:
    with whole_folder(folder) as unfinished:
        for number in range(files):
            (unfinished / f"{number}").write_text(text)


def test_a_folder_takes_the_place_of_the_former_one(tmp_path: Path) -> None:
    write(tmp_path / "a", "first", files=3)
    write(tmp_path / "a", "second", files=2)
    assert {p.name: p.read_text() for p in (tmp_path / "a").iterdir()} == dict.fromkeys(
        "01", "second"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_when_writing_fails_the_former_one_stays(tmp_path: Path) -> None:
    write(tmp_path / "a", "first", files=1)
    with pytest.raises(UnicodeEncodeError):
        write(tmp_path / "a", "half of a pair: \ud800")
    assert (tmp_path / "a" / "0").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_when_the_move_fails_the_former_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a", "first", files=1)
    replace = Path.replace

    def fails_once(self: Path, target: Path) -> Path:
        if target == tmp_path / "a" and not self.name.endswith(".former.part"):
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails_once)
    with pytest.raises(PermissionError):
        write(tmp_path / "a", "second", files=1)
    assert (tmp_path / "a" / "0").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_many_writers_at_once_leave_what_one_of_them_wrote(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def again_and_again(text: str) -> None:
        try:
            for _ in range(30):
                write(tmp_path / "a", text)
        except OSError as error:
            failures.append(error)

    writers = [threading.Thread(target=again_and_again, args=(text,)) for text in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failures
    texts = [path.read_text() for path in (tmp_path / "a").iterdir()]
    assert len(texts) == 20
    assert len(set(texts)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    import os

    left = tmp_path / ".a.killed.part"
    fresh = tmp_path / ".a.busy.part"
    for folder in (left, fresh):
        folder.mkdir()
    os.utime(left, (0, 0))
    write(tmp_path / "a", "text")
    assert not left.exists()
    assert fresh.exists(), "another process is writing it"
    shutil.rmtree(fresh)
