from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smap import DatasetError
from smap.synthetic import Pack, SceneConfig, render_scene
from smap.synthetic.assets import HANDS, SKIN, TORSO, held_out
from smap.synthetic.skins import find_skin

from .small_pack import write_pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pack(tmp_path)
    return tmp_path


def test_a_small_pack_renders(folder: Path) -> None:
    pack = Pack.load(folder, texture_size=32)
    assert repr(pack) == f"Pack({str(folder)!r}, 4 avatars, 6 poses, 9 stills, 3 panoramas)"
    for seed in range(6):
        sample = render_scene(pack, SceneConfig(width=96, height=64), seed)
        assert sample.image.shape == (64, 96, 3)


def test_a_recombined_pose_of_both_sides_belongs_to_neither(folder: Path) -> None:
    pack = Pack.load(folder, texture_size=32)
    train, val = set(pack.poses("train").tolist()), set(pack.poses("val").tolist())
    assert len(train | val) == 6 - (3 not in train | val)
    assert (0 in train) == (1 in train)  # a mirrored clip goes with the captured one


def test_two_outfits_of_one_person_stay_together(folder: Path) -> None:
    val = set(Pack.load(folder, texture_size=32).avatars("val").tolist())
    assert (0 in val) == (1 in val)


def test_a_split_without_anybody_is_said(tmp_path: Path) -> None:
    files = write_pack(tmp_path)
    files["poses"]["src"] = np.array(["01"] * 6)
    np.savez_compressed(tmp_path / "poses.npz", **files["poses"])
    pack = Pack.load(tmp_path, texture_size=32)
    assert len(render_scene(pack, SceneConfig(width=96, height=64, split="train"), 0).image) == 64
    with pytest.raises(DatasetError, match="must hold poses of split 'val', got none"):
        render_scene(pack, SceneConfig(split="val"), 0)


def test_one_source_of_two_stills_is_one_group(folder: Path) -> None:
    (folder / "stills.json").write_text(json.dumps([{"src": f"photo {i // 3}"} for i in range(9)]))
    val = Pack.load(folder, texture_size=32).stills("val").tolist()
    assert len(val) == 3
    assert len({i // 3 for i in val}) == 1


def test_hold_out_keeps_its_choice_when_groups_are_copied() -> None:
    groups = [f"g{i}" for i in range(40)]
    held = held_out(groups)
    assert held.sum() == round(0.12 * 40)
    np.testing.assert_array_equal(held_out(groups + groups), np.tile(held, 2))
    assert not held_out(["only"]).any()


def test_bare_arms_are_found() -> None:
    skin, cloth = (200, 150, 120), (40, 60, 160)
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[:] = cloth
    rgb[:2] = skin
    rgb[4:6] = np.array(skin) * 0.9
    regions = np.full((8, 8), TORSO, np.uint8)
    regions[:2] = HANDS
    marked, colour, means = find_skin(rgb, regions)
    assert (marked[4:6] == SKIN).all()
    assert (marked[6:] == TORSO).all()
    np.testing.assert_allclose(colour, np.array(skin) / 255, atol=0.01)
    np.testing.assert_allclose(means[TORSO], np.array(cloth) / 255, atol=0.01)


@pytest.mark.parametrize("name", ["avatars", "textures", "poses"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / f"{name}.npz").unlink()
    with pytest.raises(DatasetError, match=f"{name}.npz must exist in a scene pack, got no such file"):
        Pack.load(folder)


def test_backgrounds_are_needed(folder: Path) -> None:
    (folder / "stills.npz").unlink()
    with pytest.raises(DatasetError, match=r"must hold at least one of stills\.npz"):
        Pack.load(folder)


def test_a_pack_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="must be the folder of a scene pack, got no such folder"):
        Pack.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="texture_size must be a multiple of 4, at least 16, got 10"):
        Pack.load(tmp_path, texture_size=10)


@pytest.mark.parametrize("name", ["avatars", "textures", "poses", "stills", "panoramas"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_file_is_named(folder: Path, name: str, damage: str) -> None:
    file = folder / f"{name}.npz"
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 0xFF
        content[len(content) // 3] ^= 0xFF
    file.write_bytes({"cut": content[: len(content) // 2], "flipped": content, "empty": b"", "text": b"hello"}[damage])
    with pytest.raises(DatasetError, match=f"{name}.npz must be a whole .npz archive, got a damaged one"):
        Pack.load(folder)


@pytest.mark.parametrize(
    ("file", "array", "value", "message"),
    [
        ("avatars", "faces", None, "must hold 'faces'"),
        ("avatars", "uv", np.zeros((3, 2), np.uint16), r"'uv' of .* must have shape"),
        ("avatars", "faces", np.full((2, 3), 9999, np.uint16), "must be below"),
        ("avatars", "bones", np.array(["Root"]), "'bones' of .* must be"),
        ("avatars", "wi", np.full((1, 4), 99, np.uint8), "must have shape"),
        ("avatars", "names", np.array([1, 2, 3, 4]), "'names' of .* must have shape"),
        ("poses", "q", np.zeros((6, 21, 4), np.int16), "'q' of .* must have shape"),
        ("textures", "offset", np.array([0, 10, 5, 20, 30]), "'offset' of .* must rise"),
        ("stills", "offset", np.array([0, 10**9]), "'offset' of .* must rise"),
        ("panoramas", "sh9", np.zeros((3, 4, 3), np.float32), "'sh9' of .* must have shape"),
    ],
)
def test_wrong_content_is_named(tmp_path: Path, file: str, array: str, value: Any, message: str) -> None:
    arrays = write_pack(tmp_path)[file]
    changed = {k: v for k, v in arrays.items() if k != array} | ({} if value is None else {array: value})
    np.savez_compressed(tmp_path / f"{file}.npz", **changed)
    with pytest.raises(DatasetError, match=message):
        Pack.load(tmp_path)


def test_a_picture_that_does_not_decode_is_named(tmp_path: Path) -> None:
    arrays = write_pack(tmp_path)["stills"]
    arrays["data"][:200] = 7
    np.savez_compressed(tmp_path / "stills.npz", **arrays)
    with pytest.raises(DatasetError, match=r"background 0 of .*stills.npz must be a picture"):
        Pack.load(tmp_path).still(0)


def test_notes_that_do_not_fit_are_named(folder: Path) -> None:
    (folder / "stills.json").write_text('[{"src": "a"}]')
    with pytest.raises(DatasetError, match=r"stills\.json must describe 9 pictures, got 1"):
        Pack.load(folder)
    (folder / "stills.json").write_text("{}}")
    with pytest.raises(DatasetError, match=r"stills\.json must be a list of objects with 'src'"):
        Pack.load(folder)
