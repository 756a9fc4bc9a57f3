from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smap.files import held, replacing, write_whole


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    texts = [str(digit) * 100_000 for digit in range(4)]

    def write(text: str) -> set[bool]:
        seen = set()
        for _ in range(50):
            write_whole(path, text)
            seen.add(path.read_text() in texts)
        return seen

    with ThreadPoolExecutor(4) as threads:
        assert set().union(*threads.map(write, texts)) == {True}
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("ne")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(FileExistsError, match="must not be in use by another run"), held(tmp_path):
        pass
    with held(tmp_path):
        pass
