from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from smap.cli import main
from smap.image import read_image
from smap.synthetic import BuiltinPack
from tests.synthetic.tiny_models import write_avatar, write_motion


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


def test_every_split_has_a_name(tmp_path: Path) -> None:
    for split in ("train", "validation", "all"):
        sheet = str(tmp_path / f"{split}.png")
        assert main(["scenes", "--preview", sheet, "--count", "1", "--size", "96x64", "--split", split]) == 0


def test_a_pack_of_own_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(2):
        write_avatar(tmp_path / f"person{i}.glb", number=i)
        write_motion(tmp_path / f"clip{i}.bvh", np.stack([BuiltinPack().rotations(10 * i + f) for f in range(3)]))
        cv2.imwrite(str(tmp_path / f"room{i}.jpg"), np.full((60, 80, 3), 90 + 50 * i, np.uint8))
    files = [str(tmp_path / name) for name in ("person0.glb", "person1.glb", "clip0.bvh", "clip1.bvh")]
    pack = str(tmp_path / "pack")
    command = ["scenes", "pack", "--avatars", *files[:2], "--motions", *files[2:], "--backgrounds", str(tmp_path)]
    assert main([*command, "--out", pack]) == 0
    assert "2 avatars" in capsys.readouterr().out
    assert main(["scenes", "--pack", pack, "--out", str(tmp_path / "set"), "--count", "1", "--size", "96x64"]) == 0
    assert main(command) == 2
    assert "pack must be given --avatars, --motions, --backgrounds and --out" in capsys.readouterr().err


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
        [],
    ):
        assert main(["scenes", *options, "--count", "1"]) == 2, options
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and err.startswith("smap scenes: "), err
