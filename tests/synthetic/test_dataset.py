from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from smap import DatasetError
from smap.canvas import INK
from smap.synthetic import BuiltinPack, SceneConfig, preview, render_scene, write_dataset

SMALL = SceneConfig(width=96, height=64, degrade=0)


def test_records_hold_the_truth(builtin: BuiltinPack, tmp_path: Path) -> None:
    assert write_dataset(builtin, tmp_path, 3, SMALL, seed=10, progress=False) == 3
    for number in range(3):
        record = json.loads((tmp_path / f"{number:06d}.json").read_text())
        sample = render_scene(builtin, SMALL, 10 + number)
        assert (record["width"], record["height"], record["seed"]) == (96, 64, 10 + number)
        assert record["full_size"] == [96, 64]
        np.testing.assert_allclose(record["K"], sample.camera.matrix)
        assert len(record["people"]) == len(sample)
        for p, person in enumerate(record["people"]):
            np.testing.assert_allclose(person["joints2d"], sample.joints_2d[p], atol=1e-3)
            np.testing.assert_allclose(person["joints3d_m"], sample.joints_3d[p], atol=1e-5)
            assert person["vis"] == sample.visibility[p].tolist()
        grey = cv2.imread(str(tmp_path / record["image"]), cv2.IMREAD_GRAYSCALE).astype(int)  # JPEG blurs colours
        assert np.abs(grey - cv2.cvtColor(np.asarray(sample.image), cv2.COLOR_RGB2GRAY)).mean() < 8


def test_goes_on_where_it_stopped(builtin: BuiltinPack, tmp_path: Path) -> None:
    write_dataset(builtin, tmp_path, 2, SMALL, progress=False)
    (tmp_path / "000001.json").unlink()  # killed between the picture and its record
    first = (tmp_path / "000000.json").stat().st_mtime_ns
    assert write_dataset(builtin, tmp_path, 4, SMALL, progress=False) == 3
    assert (tmp_path / "000000.json").stat().st_mtime_ns == first
    assert len(list(tmp_path.glob("*.json"))) == len(list(tmp_path.glob("*.jpg"))) == 4
    assert not list(tmp_path.glob(".*.partial"))


def test_other_settings_are_refused(builtin: BuiltinPack, tmp_path: Path) -> None:
    write_dataset(builtin, tmp_path, 1, SMALL, progress=False)
    with pytest.raises(DatasetError, match="must hold the same settings as this run to go on, got others"):
        write_dataset(builtin, tmp_path, 1, SceneConfig(width=128, height=64), progress=False)


@pytest.mark.parametrize(
    ("kwargs", "message"), [({"count": -1}, "count must be"), ({"count": 1, "quality": 0}, "quality")]
)
def test_says_what_is_wrong(builtin: BuiltinPack, tmp_path: Path, kwargs: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_dataset(builtin, tmp_path, config=SMALL, **kwargs)


def test_preview_shows_every_scene(builtin: BuiltinPack, tmp_path: Path) -> None:
    file = tmp_path / "sheet.png"
    preview(builtin, file, SMALL, count=5, columns=2, seed=3, skeletons=False)
    sheet = cv2.imread(str(file))[..., ::-1]
    assert sheet.shape == (3 * 64, 2 * 96, 3)
    np.testing.assert_array_equal(sheet[:64, 96:], render_scene(builtin, SMALL, 4).image)
    assert (sheet[128:, 96:] == INK).all()
    preview(builtin, file, SMALL, count=5, columns=2, seed=3)
    assert not np.array_equal(sheet, cv2.imread(str(file))[..., ::-1])
    with pytest.raises(ValueError, match="path must end in a picture format's suffix"):
        preview(builtin, tmp_path / "sheet.nothing", SMALL, count=1)
    with pytest.raises(ValueError, match="count and columns must be at least 1"):
        preview(builtin, file, SMALL, count=0)
