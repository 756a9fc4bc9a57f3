"""MuCo-3DHP in the JSON of the 3DMPPE release (mks0601/3DMPPE_POSENET_RELEASE, data/MuCo)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..camera import Camera
from .base import Dataset, OnError, Problems, existing, folder, numbers
from .joints import MUCO, MUCO_JOINTS, remap, visibility_in
from .table import TableBuilder

MM_TO_M = 1e-3


def read_muco(root: str | Path, *, on_error: OnError = "raise") -> Dataset:
    """People of ``MuCo-3DHP.json``; images in ``augmented_set/`` and ``unaugmented_set/`` beside it.

    Every image has ``f`` and ``c`` (pixels); every person ``keypoints_img (21, 2)`` pixels, ``keypoints_cam (21, 3)``
    millimetres in the camera frame and, in most copies, ``keypoints_vis (21,)``: a joint inside the image that is not
    marked visible counts as occluded.

    Raises:
        DatasetError: the folder does not look like that, or a record is damaged.
    """
    root = folder(root)
    file = existing(root / "MuCo-3DHP.json", "the annotations")
    builder = TableBuilder(root, file, Problems(on_error))
    builder.read_coco_layout(_add_image, _add_annotation)
    return builder.build()


def _add_image(builder: TableBuilder, record: Mapping[str, Any]) -> None:
    camera = Camera(*numbers(record, "f", (2,)), *numbers(record, "c", (2,)))
    builder.add_image(record["id"], record["file_name"], record["width"], record["height"], camera)


def _add_annotation(builder: TableBuilder, record: Mapping[str, Any]) -> None:
    width, height = builder.size_of(record["image_id"])
    joints_2d = remap(numbers(record, "keypoints_img", (MUCO_JOINTS, 2)), MUCO)
    joints_3d = remap(numbers(record, "keypoints_cam", (MUCO_JOINTS, 3)), MUCO) * MM_TO_M
    visible: Any = True
    if "keypoints_vis" in record:
        visible = numbers(record, "keypoints_vis", (MUCO_JOINTS,))[list(MUCO)] > 0
    marks = visibility_in(joints_2d, width, height, visible)
    builder.add_person(record["image_id"], joints_2d, joints_3d, marks)
