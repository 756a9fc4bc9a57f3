"""How the joints of each data set map to the library's fifteen.

A map lists, for neck, head top, pelvis, left shoulder ... right ankle, the index in the source, -1 where it has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..skeleton import SMAP15

NONE = -1

# MuCo-3DHP (21 joints) and MuPoTS-3D (their first 17): head top, thorax, right arm, left arm, right leg, left leg,
# pelvis, ... (mks0601/3DMPPE_POSENET_RELEASE, data/MuCo/MuCo.py). The neck is their thorax, as in zju3dv/SMAP issue 3.
MUCO = (1, 0, 14, 5, 6, 7, 11, 12, 13, 2, 3, 4, 8, 9, 10)
MUCO_JOINTS, MUPOTS_JOINTS = 21, 17

# Human3.6M (17 joints): pelvis, right leg, left leg, torso, neck, nose, head, left arm, right arm
# (mks0601/3DMPPE_POSENET_RELEASE, data/Human36M/Human36M.py). Its "head" is the top of the head.
HUMAN36M = (8, 10, 0, 11, 12, 13, 4, 5, 6, 14, 15, 16, 1, 2, 3)
HUMAN36M_JOINTS = 17

# CMU Panoptic: joints15 is this library's order (the skeleton comes from there); joints19 has the nose in the place of
# the head top and adds eyes and ears (CMU-Perceptual-Computing-Lab/panoptic-toolbox, README).
PANOPTIC15 = tuple(range(15))
PANOPTIC19 = (0, NONE, *range(2, 15))

# COCO (17 joints): nose, eyes, ears, then left before right from shoulder to ankle. Neck and pelvis are derived.
COCO = (NONE, NONE, NONE, 5, 7, 9, 11, 13, 15, 6, 8, 10, 12, 14, 16)
COCO_JOINTS = 17
COCO_SHOULDERS, COCO_HIPS = (5, 6), (11, 12)
COCO_NECK_ABOVE_SHOULDERS = 0.185  # of the torso, above the shoulders' middle (zju3dv/SMAP, lib/preprocess)

NECK, PELVIS = SMAP15.joints.index("neck"), SMAP15.root


def remap(values: NDArray[Any], index: tuple[int, ...]) -> NDArray[np.float64]:
    """``(N, source joints, K)`` -> ``(N, 15, K)``, NaN where the source has no such joint."""
    result = np.asarray(values, np.float64)[..., list(index), :]
    result[..., np.array(index) == NONE, :] = np.nan
    return result


def visibility_in(
    joints_2d: NDArray[Any], width: int, height: int, visible: NDArray[Any] | bool = True
) -> NDArray[np.uint8]:
    """Marks of ``Sample.visibility``: 0 without a position or outside the image, else 2 where ``visible``, else 1."""
    x, y = joints_2d[..., 0], joints_2d[..., 1]
    inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)  # NaN compares False
    return np.where(inside, np.where(visible, 2, 1), 0).astype(np.uint8)


def complete_coco(keypoints: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """One person's ``(17, 3)`` x, y, v -> ``(15, 2)`` pixels and ``(15,)`` marks.

    The head top is never known. The pelvis is the middle of the hips. The neck is the middle of the shoulders moved
    away from the hips by 0.185 of the torso; without hips it stays between the shoulders. Both are as visible as the
    least visible joint they come from.
    """
    joints = remap(keypoints[None, :, :2], COCO)[0]
    marks = np.array([0 if i == NONE else keypoints[i, 2] for i in COCO])
    middle = {pair: keypoints[list(pair), :2].mean(0) for pair in (COCO_SHOULDERS, COCO_HIPS)}
    seen = {pair: keypoints[list(pair), 2].min() for pair in (COCO_SHOULDERS, COCO_HIPS)}
    joints[PELVIS], marks[PELVIS] = middle[COCO_HIPS], seen[COCO_HIPS]
    joints[NECK], marks[NECK] = middle[COCO_SHOULDERS], seen[COCO_SHOULDERS]
    if seen[COCO_HIPS] > 0:
        joints[NECK] += COCO_NECK_ABOVE_SHOULDERS * (middle[COCO_SHOULDERS] - middle[COCO_HIPS])
        marks[NECK] = min(marks[NECK], marks[PELVIS])
    joints[marks == 0] = np.nan
    return joints, marks.astype(np.uint8)
