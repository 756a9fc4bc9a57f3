"""The check of a download: figures, problems and the contact sheet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from smap.canvas import CENTRE, LEFT, RIGHT
from smap.data import check, open_dataset

from . import miniatures as mini
from .test_readers import BUILDERS, build, damage_json, spoil


@pytest.mark.parametrize("name", BUILDERS)
def test_miniatures_are_understood(name: str, tmp_path: Path) -> None:
    report = check(build(name, tmp_path))
    assert report.images == len(build(name, tmp_path / "again")) and report.people >= 2 and report.skipped == 0
    with_files = name in ("coco", "muco", "authors", "json")
    assert report.ok == with_files and (report.missing_images == 0) == with_files, str(report)
    if name != "coco":
        assert report.joints["pelvis"][1] > 0.5 and 3.5 < report.depth_m[1] < 6
        assert all(0.6 < ratio < 1.5 for ratio in report.limb_ratio.values())
        assert report.reprojection_px < 5
    assert f"{report.images} images, {report.people} people" in str(report)


def test_contact_sheet_shows_the_joints(tmp_path: Path) -> None:
    dataset = build("authors", tmp_path)
    report = check(dataset, tmp_path / "sheets" / "sheet.png", pictures=3)
    assert report.ok, str(report)
    sheet = cv2.imread(str(tmp_path / "sheets" / "sheet.png"))
    assert sheet is not None and sheet.shape == (360, 3 * 360, 3)
    for colour in (LEFT, RIGHT, CENTRE):
        assert (abs(sheet[..., ::-1].astype(int) - colour).sum(-1) < 10).sum() > 5, colour
    again = check(dataset, tmp_path / "sheet2.png", pictures=3)
    assert again.people == report.people
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "sheet2.png")), sheet)


def test_a_sheet_that_cannot_be_written_is_told_from_a_wrong_suffix(tmp_path: Path) -> None:
    dataset = build("authors", tmp_path / "set")
    with pytest.raises(ValueError, match=r"sheet must be a path that OpenCV can write \(\.png\), got .*sheet\.doc"):
        check(dataset, tmp_path / "sheet.doc", pictures=1)
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"sheet\.png"):
        check(dataset, tmp_path / "sheet.png", pictures=1)


def test_regions_far_outside_the_picture_can_be_drawn(tmp_path: Path) -> None:
    mini.simple(tmp_path)
    damage_json(tmp_path / "a.json", lambda v: spoil(v, "ignore", [[-1e12, 10, 1e30, 20]]))
    assert check(open_dataset("json", tmp_path), tmp_path / "sheet.png").ok


def test_wrong_units_are_noticed(tmp_path: Path) -> None:
    mini.simple(tmp_path)

    def to_millimetres(value: dict) -> None:  # type: ignore[type-arg]
        for person in value["people"]:
            person["joints3d_m"] = [row and [1000 * x for x in row] for row in person["joints3d_m"]]

    damage_json(tmp_path / "a.json", to_millimetres)
    report = check(open_dataset("json", tmp_path))
    assert not report.ok and any("must be near its mean length" in text for text in report.problems)


def test_wrong_cameras_sizes_and_files_are_noticed(tmp_path: Path) -> None:
    mini.simple(tmp_path)
    damage_json(tmp_path / "a.json", lambda v: spoil(v, "K", [[100, 0, 0], [0, 100, 0], [0, 0, 1]]))
    mini.picture(tmp_path / "a.jpg", 320, 240)
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    problems = " ".join(check(open_dataset("json", tmp_path)).problems)
    assert "must project onto 2-D joints within" in problems
    assert "the image must be 640 x 480, got 320 x 240" in problems
    assert "b.jpg" in problems
    (tmp_path / "b.jpg").unlink()
    assert check(open_dataset("json", tmp_path)).missing_images == 1


def test_skipped_records_are_reported(tmp_path: Path) -> None:
    mini.simple(tmp_path)
    damage_json(tmp_path / "a.json", lambda v: v.pop("people"))
    report = check(open_dataset("json", tmp_path, on_error="skip"))
    assert report.skipped == 1 and any("'people'" in text for text in report.problems) and report.images == 1
