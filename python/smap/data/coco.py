"""COCO 2017 keypoints (https://cocodataset.org/#format-data)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .base import Dataset, OnError, Problems, existing, folder, numbers
from .joints import COCO_JOINTS, complete_coco
from .table import TableBuilder

MIN_KEYPOINTS = 3  # as the authors (zju3dv/SMAP, lib/preprocess/create_annot.py)


def read_coco(root: str | Path, *, split: str = "val2017", on_error: OnError = "raise") -> Dataset:
    """People of ``annotations/person_keypoints_<split>.json``; images in ``<split>/`` or ``images/<split>/``.

    Joints as in ``complete_coco``; there is no third dimension, and the camera is the paper's guess. Crowds and people
    with fewer than three labelled joints are ignored regions (``Sample.ignore``), not people.

    Raises:
        DatasetError: the folder does not look like that, or a record is damaged.
    """
    root = folder(root)
    file = existing(root / "annotations" / f"person_keypoints_{split}.json", "the annotations")
    images = f"images/{split}" if (root / "images" / split).is_dir() else split

    def add_image(builder: TableBuilder, record: Mapping[str, Any]) -> None:
        name = f"{images}/{record['file_name']}"
        builder.add_image(record["id"], name, record["width"], record["height"], extra={"id": record["id"]})

    builder = TableBuilder(root, file, Problems(on_error))
    builder.read_coco_layout(add_image, _add_annotation)
    return builder.build()


def _add_annotation(builder: TableBuilder, record: Mapping[str, Any]) -> None:
    if record.get("iscrowd") or record.get("num_keypoints", MIN_KEYPOINTS) < MIN_KEYPOINTS:
        x, y, width, height = numbers(record, "bbox", (4,))
        builder.add_ignored(record["image_id"], np.array([x, y, x + width, y + height]))
        return
    keypoints = numbers(record, "keypoints", (3 * COCO_JOINTS,)).reshape(COCO_JOINTS, 3)
    joints, marks = complete_coco(keypoints)
    builder.add_person(record["image_id"], joints, None, marks)
