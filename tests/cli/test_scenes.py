from __future__ import annotations

import json
from pathlib import Path

import pytest

from smap.cli import main
from smap.image import read_image


def test_preview(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "new" / "sheet.png"
    assert main(["scenes", "--preview", str(sheet), "--count", "2", "--size", "96x64"]) == 0
    assert read_image(sheet).std() > 5
    assert "2 scenes" in capsys.readouterr().out


def test_a_data_set_goes_on_where_it_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["scenes", "--out", str(tmp_path / "set"), "--size", "96x64", "--seed", "5", "--count"]
    assert main([*command, "2"]) == 0
    assert main([*command, "3"]) == 0
    assert [line.split(": ")[1] for line in capsys.readouterr().out.splitlines()] == [
        "2 scenes written",
        "1 scenes written",
    ]
    records = [json.loads(p.read_text()) for p in sorted((tmp_path / "set").glob("0*.json"))]
    assert [r["seed"] for r in records] == [5, 6, 7]
    assert read_image(tmp_path / "set" / records[0]["image"]).shape == (64, 96, 3)


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = str(tmp_path / "sheet.png")
    (tmp_path / "pack").mkdir()
    (tmp_path / "file").touch()
    for options in (
        ["--preview", sheet, "--pack", str(tmp_path / "nowhere")],
        ["--preview", sheet, "--pack", str(tmp_path / "pack")],
        ["--out", str(tmp_path / "file" / "set")],
        ["--preview", sheet, "--size", "4x4"],
        ["--preview", str(tmp_path / "sheet.txt")],
    ):
        assert main(["scenes", *options, "--count", "1"]) == 2, options
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and err.startswith("smap scenes: "), err
