"""The joint tables, against the names that the data sets' publishers give."""

from __future__ import annotations

import numpy as np
import pytest

from smap import SMAP15
from smap.data.joints import COCO, HUMAN36M, MUCO, MUPOTS_JOINTS, NONE, PANOPTIC15, PANOPTIC19, remap, visibility_in

# mks0601/3DMPPE_POSENET_RELEASE: data/MuCo/MuCo.py, data/Human36M/Human36M.py, data/MSCOCO/MSCOCO.py;
# CMU-Perceptual-Computing-Lab/panoptic-toolbox: README.md.
SIDES = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
MUCO_NAMES = (
    *("head_top", "thorax", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow"),
    *("left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis"),
    *("spine", "head", "right_hand", "left_hand", "right_toe", "left_toe"),
)
HUMAN36M_NAMES = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "torso", "neck"),
    *("nose", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
)
COCO_NAMES = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *(f"{side}_{part}" for part in SIDES for side in ("left", "right")),
)
PANOPTIC_NAMES = ("neck", "nose", "body_center", *(f"{side}_{part}" for side in ("left", "right") for part in SIDES))
OTHER_NAMES = {"thorax": "neck", "head": "head_top", "body_center": "pelvis"}


@pytest.mark.parametrize(
    ("table", "names", "without"),
    [
        (MUCO, MUCO_NAMES, ()),
        (HUMAN36M, HUMAN36M_NAMES, ()),
        (COCO, COCO_NAMES, ("neck", "head_top", "pelvis")),
        (PANOPTIC19, PANOPTIC_NAMES, ("head_top",)),
    ],
    ids=["MuCo", "Human3.6M", "COCO", "Panoptic19"],
)
def test_every_joint_comes_from_the_one_of_its_name(
    table: tuple[int, ...], names: tuple[str, ...], without: tuple[str, ...]
) -> None:
    for ours, theirs in zip(SMAP15.joints, table, strict=True):
        if ours in without:
            assert theirs == NONE, ours
        else:
            assert OTHER_NAMES.get(names[theirs], names[theirs]) == ours
    assert max(MUCO) < MUPOTS_JOINTS and tuple(range(15)) == PANOPTIC15


def test_remap_and_marks() -> None:
    values = np.arange(2 * 19 * 2, dtype=float).reshape(2, 19, 2)
    mapped = remap(values, PANOPTIC19)
    assert np.isnan(mapped[:, 1]).all() and (mapped[:, 2] == values[:, 2]).all() and mapped.shape == (2, 15, 2)
    xy = np.array([[-0.6, 5], [-0.5, 5], [9.49, 5], [9.5, 5], [5, -0.6], [np.nan, 5]])
    assert visibility_in(xy, 10, 10).tolist() == [0, 2, 2, 0, 0, 0]
    assert visibility_in(xy, 10, 10, np.array([1, 0, 1, 1, 1, 1]) > 0).tolist() == [0, 1, 2, 0, 0, 0]
