"""Every reader on a miniature copy of its data set: metres, joints, cameras, marks, and what is said of damage."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from smap import SMAP15, DatasetError, Sample
from smap.data import FORMATS, Dataset, open_dataset, read_authors, read_simple, write_authors, write_simple
from smap.data.joints import complete_coco

from . import miniatures as mini

ROOT = SMAP15.root
BUILDERS: dict[str, tuple[Callable[[Path], Path], dict[str, Any]]] = {
    "coco": (mini.coco, {}),
    "muco": (mini.muco, {}),
    "mupots": (mini.mupots, {"annotation": "annot3"}),
    "panoptic": (mini.panoptic, {"split": None}),
    "human36m": (mini.human36m, {"subjects": [9]}),
    "authors": (mini.authors, {}),
    "json": (mini.simple, {}),
}


def build(name: str, root: Path, **more: Any) -> Dataset:
    builder, options = BUILDERS[name]
    return open_dataset(name, builder(root), **options, **more)


def same(a: Sample, b: Sample) -> bool:
    arrays = ("joints_2d", "joints_3d", "visibility", "ignore")
    fields = ("image", "width", "height", "camera", "name", "extra")
    return all(np.array_equal(getattr(a, n), getattr(b, n), equal_nan=True) for n in arrays) and all(
        getattr(a, n) == getattr(b, n) for n in fields
    )


# --- what all have in common ---


def test_every_format_has_a_miniature() -> None:
    assert set(BUILDERS) == set(FORMATS)


@pytest.mark.parametrize("name", BUILDERS)
def test_reading_is_repeatable_and_pickles(name: str, tmp_path: Path) -> None:
    dataset = build(name, tmp_path)
    copy = pickle.loads(pickle.dumps(dataset))
    assert len(copy) == len(dataset) > 1 and repr(dataset)
    for i in range(len(dataset)):
        assert same(dataset[i], copy[i]) and same(dataset[i], dataset[i - len(dataset)])
    assert [s.name for s in dataset] == [dataset[i].name for i in range(len(dataset))]
    with pytest.raises(IndexError, match="sample must be below"):
        dataset[len(dataset)]


@pytest.mark.parametrize("name", [n for n in BUILDERS if n != "panoptic"])  # its lens bends: a test of its own
def test_three_dimensions_project_onto_two(name: str, tmp_path: Path) -> None:
    judged = 0
    for sample in build(name, tmp_path):
        known = np.isfinite(sample.joints_2d).all(-1) & np.isfinite(sample.joints_3d).all(-1)
        projected = sample.camera.project(sample.joints_3d[known])
        np.testing.assert_allclose(projected, sample.joints_2d[known], atol=0.05)
        judged += known.sum()
        assert not sample.visibility[~np.isfinite(sample.joints_2d).all(-1)].any()
        assert sample.joints_3d.dtype == np.float32 and sample.visibility.dtype == np.uint8
    assert judged > 10 or name == "coco"


@pytest.mark.parametrize("name", [n for n in BUILDERS if n != "coco"])
def test_people_come_back_in_metres(name: str, tmp_path: Path) -> None:
    sample = next(s for s in build(name, tmp_path) if np.isfinite(s.joints_3d).any())
    truth = mini.people()[: len(sample)]
    known = np.isfinite(sample.joints_3d[: len(truth)])
    assert known.mean() > 0.8
    np.testing.assert_allclose(sample.joints_3d[: len(truth)][known], truth[known], atol=1e-4)


@pytest.mark.parametrize("name", BUILDERS)
def test_an_empty_folder_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=str(tmp_path)):
        open_dataset(name, tmp_path)
    with pytest.raises(DatasetError, match="nowhere"):
        open_dataset(name, tmp_path / "nowhere")


def test_unknown_formats_and_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="format must be one of"):
        open_dataset("imagenet", tmp_path)
    with pytest.raises(ValueError, match="on_error must be"):
        open_dataset("coco", mini.coco(tmp_path / "coco"), on_error="ignore")
    for name, options in (("human36m", {"split": "val"}), ("panoptic", {"split": "all"}), ("authors", {"split": "x"})):
        with pytest.raises(ValueError, match="split must be one of"):
            open_dataset(name, BUILDERS[name][0](tmp_path / name), **options)
    for name, (make, *_) in BUILDERS.items():
        with pytest.raises(ValueError, match=rf"options of {name} must be of .*on_error.*, got colour$"):
            open_dataset(name, make(tmp_path / f"{name} again"), colour="red")
    with pytest.raises(ValueError, match="annotation must be"):
        open_dataset("mupots", mini.mupots(tmp_path / "mupots"), annotation="annot2")


def test_subsets_follow_their_seed(tmp_path: Path) -> None:
    dataset = build("mupots", tmp_path)
    names = [s.name for s in dataset.shuffled(3)]
    assert names == [s.name for s in dataset.shuffled(3)] and sorted(names) == sorted(s.name for s in dataset)
    assert any(names != [s.name for s in dataset.shuffled(seed)] for seed in range(4, 8))
    assert [s.name for s in dataset.shuffled(3, 2)] == names[:2]
    assert same(dataset.subset([4, 1])[1], dataset[1])


def test_data_loader_workers_see_the_same_samples(tmp_path: Path) -> None:
    dataset = build("muco", tmp_path)
    loaded = list(DataLoader(dataset, batch_size=None, num_workers=2, collate_fn=None))
    assert all(same(a, b) for a, b in zip(loaded, dataset, strict=True))


# --- damage ---


def damage_json(file: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


def spoil(value: dict[str, Any], key: str, new: Any) -> None:
    value[key] = new


Damage = tuple[str, str, Callable[[Any], None], str]
DAMAGED: dict[str, Damage] = {
    "coco keypoints": (
        "coco",
        "annotations/person_keypoints_val2017.json",
        lambda v: spoil(v["annotations"][0], "keypoints", [1, 2, 3]),
        r"annotation 1: keypoints must have the shape \(51\), got \(3,\)",
    ),
    "coco orphan": (
        "coco",
        "annotations/person_keypoints_val2017.json",
        lambda v: spoil(v["annotations"][1], "image_id", 99),
        "annotation 2: image_id must name an image of the file, got 99",
    ),
    "coco list": (
        "coco",
        "annotations/person_keypoints_val2017.json",
        lambda v: spoil(v["annotations"][1], "image_id", [1]),
        "annotation 2: unhashable type",
    ),
    "coco text": (
        "coco",
        "annotations/person_keypoints_val2017.json",
        lambda v: spoil(v["annotations"], 0, "person"),
        "annotation person",
    ),
    "muco camera": (
        "muco",
        "MuCo-3DHP.json",
        lambda v: spoil(v["images"][1], "f", [0, 0]),
        "image 9: camera fx must be positive",
    ),
    "muco nan": (
        "muco",
        "MuCo-3DHP.json",
        lambda v: spoil(v["annotations"][3]["keypoints_cam"], 4, [float("nan"), 0, 1]),
        "annotation 3: keypoints_cam must be finite in single precision, got nan",
    ),
    "muco field": (
        "muco",
        "MuCo-3DHP.json",
        lambda v: v["annotations"][0].pop("keypoints_img"),
        "annotation 0: the record must have the field 'keypoints_img'",
    ),
    "human36m frame": (
        "human36m",
        "annotations/Human36M_subject9_joint_3d.json",
        lambda v: v["2"]["1"].pop("64"),
        "the record must have the field '64'",
    ),
    "human36m camera": (
        "human36m",
        "annotations/Human36M_subject9_camera.json",
        lambda v: spoil(v["2"], "t", [0, 0, -9e6]),
        "must put the person into their bbox",
    ),
    "authors columns": (
        "authors",
        "train.json",
        lambda v: spoil(v["root"][0], "bodys", [[[0.0] * 9] * 15]),
        r"image 0 \(images/0.jpg\): bodys must have 11 columns, got 9",
    ),
    "authors mark": (
        "authors",
        "train.json",
        lambda v: spoil(v["root"][1]["bodys"][0][3], 3, 7),
        "bodys column 3 must be 0, 1 or 2, got 7",
    ),
    "json shape": (
        "json",
        "a.json",
        lambda v: v["people"][1]["joints2d"].pop(),
        r"image a.jpg: joints2d must have the shape \(15, 2\), got \(14, 2\)",
    ),
    "json mark": ("json", "a.json", lambda v: spoil(v["people"][0]["vis"], 3, -1), "vis must be 0, 1 or 2, got -1"),
    "json size": ("json", "b.json", lambda v: spoil(v, "width", 0), "width and height must be positive, got 0 x 480"),
    "json infinite size": (
        "json",
        "a.json",
        lambda v: spoil(v, "width", math.inf),
        "image a.jpg: the record's numbers must be finite, got .* infinity",
    ),
    "json huge size": ("json", "a.json", lambda v: spoil(v, "height", 10**12), "width and height must be at most"),
    "json infinite count": (
        "json",
        "a.json",
        lambda v: spoil(v, "unannotated_people", math.inf),
        "image a.jpg: the record's numbers must be finite, got .* infinity",
    ),
    "json huge camera": ("json", "a.json", lambda v: spoil(v["K"][0], 0, 10**400), "K must be numbers of shape"),
    "json huge region": (
        "json",
        "a.json",
        lambda v: spoil(v, "ignore", [[0, 0, 1, 10**300]]),
        r"ignore must be finite in single precision, got 1e\+300",
    ),
    "json huge mark": ("json", "a.json", lambda v: spoil(v["people"][0]["vis"], 3, 10**400), "vis must be numbers of"),
    "panoptic joints": (
        "panoptic",
        "160906_pizza1/hdPose3d_stage1/body3DScene_00000100.json",
        lambda v: spoil(v["bodies"][0], "joints15", [1.0] * 57),
        r"body3DScene_00000100.json: camera 00_16: joints15 must have the shape \(60\), got \(57,\)",
    ),
    "panoptic bodies": (
        "panoptic",
        "160906_pizza1/hdPose3d_stage1/body3DScene_00000100.json",
        lambda v: v.pop("bodies"),
        "the record must have the field 'bodies'",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_named_or_skipped_and_counted(case: str, tmp_path: Path) -> None:
    name, file, change, message = DAMAGED[case]
    whole = len(list(build(name, tmp_path / "whole")))
    BUILDERS[name][0](tmp_path / "damaged")
    damage_json(tmp_path / "damaged" / file, change)
    options = BUILDERS[name][1]
    with pytest.raises(DatasetError, match=message):
        list(open_dataset(name, tmp_path / "damaged", **options))
    skipping = open_dataset(name, tmp_path / "damaged", **options, on_error="skip")
    rest = list(skipping)
    assert skipping.problems.count >= 1 and len(rest) <= whole and rest
    assert any(Path(file).name.split("_")[0] in text for text in skipping.problems.messages)


@pytest.mark.parametrize(("name", "file"), [("coco", "annotations/person_keypoints_val2017.json"), ("json", "a.json")])
def test_a_cut_off_file_is_named(name: str, file: str, tmp_path: Path) -> None:
    BUILDERS[name][0](tmp_path)
    path = tmp_path / file
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DatasetError, match=path.name):
        open_dataset(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("coco", "annotations/person_keypoints_val2017.json"),
        ("human36m", "annotations/Human36M_subject9_camera.json"),
        ("authors", "train.json"),
        ("json", "a.json"),
        ("json", "annotations.json"),
        ("panoptic", "160906_pizza1/calibration_160906_pizza1.json"),
    ],
)
@pytest.mark.parametrize("data", [b"[" * 10**5, b'{"root": [' + b"1" * 5000 + b"]}", b"\xff\xd8\xff\xe0"])
def test_a_file_that_python_cannot_read_is_named(name: str, file: str, data: bytes, tmp_path: Path) -> None:
    BUILDERS[name][0](tmp_path)
    (tmp_path / file).write_bytes(data)
    with pytest.raises(DatasetError, match=Path(file).name):
        open_dataset(name, tmp_path, **BUILDERS[name][1])


def test_a_damaged_record_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    whole = list(build("authors", tmp_path))
    damage_json(tmp_path / "train.json", lambda v: spoil(v["root"][0], "img_width", 10**12))
    rest = list(open_dataset("authors", tmp_path, on_error="skip"))
    assert len(rest) == 2 and all(same(a, b) for a, b in zip(rest, whole[1:], strict=True))


def test_a_mat_file_that_is_none_is_named(tmp_path: Path) -> None:
    mini.mupots(tmp_path)
    (tmp_path / "TS1" / "annot.mat").write_bytes(b"not a mat file" * 20)
    with pytest.raises(DatasetError, match=r"TS1.annot\.mat: the file must be a MATLAB 5 file"):
        open_dataset("mupots", tmp_path)


# --- COCO ---


def test_coco_people_crowds_and_half_bodies(tmp_path: Path) -> None:
    first, half, empty = build("coco", tmp_path)
    truth = mini.COCO_CAMERA.project(mini.people())
    body = [j for j in range(15) if j not in (0, 1, 2)]
    np.testing.assert_allclose(first.joints_2d[:, body], truth[:, body], atol=0.01)
    np.testing.assert_allclose(first.joints_2d[:, 2], (truth[:, 6] + truth[:, 12]) / 2, atol=0.01)
    shoulders = (truth[:, 3] + truth[:, 9]) / 2
    np.testing.assert_allclose(
        first.joints_2d[:, 0], shoulders + 0.185 * (shoulders - (truth[:, 6] + truth[:, 12]) / 2), atol=0.01
    )
    assert np.isnan(first.joints_2d[:, 1]).all() and np.isnan(first.joints_3d).all()
    np.testing.assert_array_equal(first.ignore, [[300, 100, 500, 150], [0, 0, 20, 20]])
    assert first.image == tmp_path / "val2017" / "000000000001.jpg" and first.extra == {"id": 1}

    np.testing.assert_allclose(half.joints_2d[0, 0], (truth[1, 3] + truth[1, 9]) / 2, atol=0.01)
    assert half.visibility[0].tolist() == [1, 0, 0, 2, 2, 2, 0, 0, 0, 1, 2, 2, 0, 0, 0]
    assert np.isnan(half.joints_2d[0, [2, 6, 7, 8]]).all()
    assert len(empty) == 0 and empty.camera == mini.COCO_CAMERA


def test_coco_marks_of_derived_joints_are_the_weakest() -> None:
    keypoints = np.full((17, 3), 2.0)
    keypoints[11, 2] = 1
    _, marks = complete_coco(keypoints)
    assert marks[2] == 1 and marks[0] == 1
    keypoints[5, 2] = 0
    joints, marks = complete_coco(keypoints)
    assert marks[0] == 0 and np.isnan(joints[0]).all() and np.isnan(joints[3]).all()


def test_coco_annotations_may_come_before_images(tmp_path: Path) -> None:
    expected = list(build("coco", tmp_path))
    file = tmp_path / "annotations" / "person_keypoints_val2017.json"
    value = json.loads(file.read_text())
    file.write_text(json.dumps({key: value[key] for key in ("annotations", "info", "images")}))
    assert all(same(a, b) for a, b in zip(open_dataset("coco", tmp_path), expected, strict=True))


# --- MuCo, MuPoTS ---


def test_muco_marks(tmp_path: Path) -> None:
    first, second = build("muco", tmp_path)
    assert first.visibility[:, 5].tolist() == [1, 1] and first.visibility[0, 4] == 2
    assert len(second) == 3 and (second.joints_2d[2, :, 0] < 0).any()
    outside = second.joints_2d[2, :, 0] < -0.5
    assert not second.visibility[2, outside].any() and second.visibility[2, ~outside].all()
    assert first.camera == mini.MUCO_CAMERA


def test_mupots_frames_people_and_annotations(tmp_path: Path) -> None:
    mini.mupots(tmp_path)
    dataset = open_dataset("mupots", tmp_path)
    assert [len(s) for s in dataset] == [2, 1, 0] * 2
    first = dataset[0]
    np.testing.assert_allclose(first.joints_3d, 1.05 * mini.people(), atol=1e-5)
    for name in ("fx", "fy", "cx", "cy"):
        assert getattr(first.camera, name) == pytest.approx(getattr(mini.MUPOTS_CAMERA, name), rel=1e-6)
    assert first.visibility[0, 5] == 1 and first.visibility[0, 4] == 2
    assert first.extra == {"sequence": "TS1", "frame": 0, "unannotated_people": 0}
    assert dataset[1].extra["unannotated_people"] == 1
    assert first.image == tmp_path / "TS1" / "img_000000.jpg"
    assert (first.width, first.height) == (2048, 2048) and (dataset[3].width, dataset[3].height) == (1920, 1080)
    assert len(open_dataset("mupots", tmp_path, sequences=["TS6"])) == 3


def test_mupots_skips_one_damaged_person(tmp_path: Path) -> None:
    from scipy.io import loadmat, savemat

    mini.mupots(tmp_path, ("TS1",))
    file = tmp_path / "TS1" / "annot.mat"
    cells = loadmat(file)["annotations"]
    cells[0, 1] = {"annot2": np.zeros((2, 16)), "annot3": np.zeros((3, 17)), "isValidFrame": [[1]]}
    savemat(file, {"annotations": cells})
    with pytest.raises(DatasetError, match=r"annotations\{1, 2\}: annot2 must have the shape \(2, 17\), got \(2, 16\)"):
        open_dataset("mupots", tmp_path)
    dataset = open_dataset("mupots", tmp_path, on_error="skip")
    assert len(dataset[0]) == 1 and dataset.problems.count == 1


def test_mupots_single_person_sequences_keep_their_shape(tmp_path: Path) -> None:
    from scipy.io import loadmat, savemat

    mini.mupots(tmp_path, ("TS1",))
    for name, key in (("annot.mat", "annotations"), ("occlusion.mat", "occlusion_labels")):
        cells = loadmat(tmp_path / "TS1" / name)[key]
        savemat(tmp_path / "TS1" / name, {key: cells[:, :1]})
    assert [len(s) for s in open_dataset("mupots", tmp_path)] == [1, 1, 0]


# --- Panoptic ---


def test_panoptic_distortion_is_opencv_s(tmp_path: Path) -> None:
    for sample in build("panoptic", tmp_path):
        if not len(sample):
            continue
        joints = sample.joints_3d.reshape(-1, 3).astype(np.float64)
        known = np.isfinite(joints).all(-1)
        matrix, zero = sample.camera.matrix, np.zeros(3)
        expected, _ = cv2.projectPoints(joints[known], zero, zero, matrix, np.array(mini.DISTORTION))
        np.testing.assert_allclose(sample.joints_2d.reshape(-1, 2)[known], expected[:, 0], atol=0.02)


def test_panoptic_views_and_marks(tmp_path: Path) -> None:
    dataset = build("panoptic", tmp_path)
    assert len(dataset) == 8 and [len(s) for s in dataset][2:4] == [0, 0]
    first = dataset[0]
    assert first.extra["camera"] == 16 and dataset[1].extra["camera"] == 30 and first.extra["activity"] == "Pizza"
    np.testing.assert_allclose(first.joints_3d[:2, :5], mini.people()[:, :5], atol=1e-5)
    assert np.isnan(first.joints_3d[:, 5]).all() and not first.visibility[:, 5].any()
    outside = first.joints_2d[2, :, 0] < -0.5
    assert outside.any() and not first.visibility[2, outside].any()
    assert first.image == tmp_path / "160906_pizza1" / "hdImgs" / "00_16" / "00_16_00000100.jpg"


def test_panoptic_coco19_has_no_head_top(tmp_path: Path) -> None:
    mini.panoptic(tmp_path, model="joints19")
    sample = open_dataset("panoptic", tmp_path, split=None)[0]
    assert np.isnan(sample.joints_3d[:, 1]).all() and np.isfinite(sample.joints_3d[:, 0]).all()


def test_panoptic_test_split_takes_the_paper_s_share(tmp_path: Path) -> None:
    from smap.data.panoptic import SPLITS

    for sequence in SPLITS["test"]:
        mini.panoptic(tmp_path, sequence, frames=8)
    dataset = open_dataset("panoptic", tmp_path, images_per_activity=8)
    counts: dict[str, int] = {}
    for sample in dataset:
        counts[sample.extra["activity"]] = counts.get(sample.extra["activity"], 0) + 1
    assert counts == {"Haggling": 8, "Mafia": 8, "Ultimatum": 8, "Pizza": 8}
    pizza = [s.extra["frame"] for s in dataset if s.extra["activity"] == "Pizza" and s.extra["camera"] == 16]
    assert pizza[0] == 100 and pizza[-1] == 170 and len(pizza) == 4
    with pytest.raises(DatasetError, match="160224_haggling1"):
        open_dataset("panoptic", tmp_path, split="train")


def test_panoptic_behind_the_camera_is_nowhere_in_the_image(tmp_path: Path) -> None:
    mini.panoptic(tmp_path)
    file = tmp_path / "160906_pizza1" / "hdPose3d_stage1" / "body3DScene_00000100.json"
    calibration = mini.panoptic_camera(16)
    behind = (np.array([[0, 0, -300.0]] * 15) - np.ravel(calibration["t"])) @ np.array(calibration["R"])
    values = np.concatenate([behind, np.ones((15, 1))], -1).ravel().tolist()
    damage_json(file, lambda v: spoil(v["bodies"][0], "joints15", values))
    sample = open_dataset("panoptic", tmp_path, split=None)[0]
    assert np.isnan(sample.joints_2d[0]).all() and not sample.visibility[0].any()
    np.testing.assert_allclose(sample.joints_3d[0, 0], [0, 0, -3], atol=1e-5)


# --- Human3.6M ---


@pytest.mark.parametrize("form", ["R X + t", "R (X - t)"])
def test_human36m_reads_both_forms_of_its_cameras(form: str, tmp_path: Path) -> None:
    mini.human36m(tmp_path, (9, 11), form)
    dataset = open_dataset("human36m", tmp_path)
    assert len(dataset) == 8
    np.testing.assert_allclose(dataset[0].joints_3d, mini.people(1), atol=1e-5)
    assert dataset[0].camera == mini.HUMAN36M_CAMERA
    assert dataset[0].extra["frame"] == 0 and {s.extra["subject"] for s in dataset} == {9, 11}
    assert dataset[0].image == tmp_path / "images" / dataset[0].name.removeprefix("images/")
    assert len(open_dataset("human36m", tmp_path, subjects=[11], every=1)) == 6


# --- the authors' and the simple JSON ---


def test_authors_columns(tmp_path: Path) -> None:
    first, flat, empty = build("authors", tmp_path)
    assert first.camera == mini.AUTHORS_CAMERA
    assert first.visibility[0, 5] == 1 and first.visibility[0, 8] == 0 and np.isnan(first.joints_2d[0, 8]).all()
    assert (
        np.isfinite(first.joints_3d).all() and np.isnan(flat.joints_3d).all() and np.isfinite(flat.joints_2d[0, 0, 0])
    )
    assert len(empty) == 0
    assert (
        len(read_authors(tmp_path, split="train")) == 2
        and len(read_authors(tmp_path / "train.json", split="test")) == 1
    )


def test_authors_old_columns_have_one_focal_length(tmp_path: Path) -> None:
    mini.authors(tmp_path)
    damage_json(
        tmp_path / "train.json",
        lambda v: spoil(v["root"][0], "bodys", [[row[:8] for row in body] for body in v["root"][0]["bodys"]]),
    )
    camera = read_authors(tmp_path)[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (1500, 1500, 960, 540)


def test_simple_json_joints_that_are_missing(tmp_path: Path) -> None:
    first, second = build("json", tmp_path)
    assert np.isnan(first.joints_2d[0, [5, 8]]).all() and np.isnan(first.joints_3d[0, [5, 8]]).all()
    assert first.extra["unannotated_people"] == 1 and first.extra["source"] == "miniature"
    assert len(second) == 0 and second.ignore.tolist() == [[1, 2, 30, 40]]


@pytest.mark.parametrize("name", BUILDERS)
def test_writing_simple_json_keeps_everything(name: str, tmp_path: Path) -> None:
    dataset = build(name, tmp_path / "source")
    assert write_simple(dataset, tmp_path / "out") == len(dataset)
    for ours, theirs in zip(read_simple(tmp_path / "out"), dataset, strict=True):
        np.testing.assert_allclose(ours.joints_2d, theirs.joints_2d, atol=1e-3)
        np.testing.assert_allclose(ours.joints_3d, theirs.joints_3d, atol=1e-5)
        np.testing.assert_array_equal(ours.visibility, theirs.visibility)
        np.testing.assert_array_equal(ours.ignore, theirs.ignore)
        assert ours.camera == theirs.camera and Path(ours.image).resolve() == Path(theirs.image).resolve()


@pytest.mark.parametrize("name", ["muco", "mupots", "human36m"])
def test_writing_the_authors_json_keeps_what_it_can(name: str, tmp_path: Path) -> None:
    dataset = build(name, tmp_path)
    assert write_authors(dataset, tmp_path / "out.json", dataset="MUCO", validation=True) == len(dataset)
    for ours, theirs in zip(read_authors(tmp_path / "out.json", split="test"), dataset, strict=True):
        seen = theirs.visibility > 0
        np.testing.assert_allclose(ours.joints_2d[seen], theirs.joints_2d[seen], atol=1e-3)
        np.testing.assert_allclose(ours.joints_3d, theirs.joints_3d, atol=1e-5)
        np.testing.assert_array_equal(ours.visibility, theirs.visibility)
        assert Path(ours.image).resolve() == Path(theirs.image).resolve()
        if len(theirs):
            assert ours.camera.fx == pytest.approx(theirs.camera.fx, abs=1e-3)


def test_pictures_without_a_file_cannot_be_written(tmp_path: Path) -> None:
    sample = build("json", tmp_path)[0]
    array = Sample(
        np.zeros((480, 640, 3), np.uint8),
        640,
        480,
        sample.camera,
        sample.joints_2d,
        sample.joints_3d,
        sample.visibility,
    )
    with pytest.raises(ValueError, match="must be a file"):
        write_simple([array], tmp_path / "out")


def test_real_folders_open(shared: Path) -> None:
    calibrated, coco = read_simple(shared / "real" / "calibrated3d"), read_simple(shared / "real" / "coco2d")
    assert len(calibrated) == 26 and len(coco) == 27
    assert sum(len(s) for s in coco) == 70 and all(1 <= len(s) <= 2 for s in calibrated)
    assert all(Path(s.image).is_file() for s in (*calibrated, *coco))
    depths = np.concatenate([s.joints_3d[:, ROOT, 2] for s in calibrated])
    assert 2.5 < depths.min() < depths.max() < 7
