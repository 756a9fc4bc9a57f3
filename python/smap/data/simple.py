"""This project's simple JSON: one object per image, easy to write by hand or from any tool."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import DatasetError
from ..files import replacing
from ..sample import Sample
from ..skeleton import SMAP15
from .authors import image_of
from .base import Dataset, OnError, Problems, folder, identifier, numbers
from .streaming import stream_json
from .table import TableBuilder

JOINTS = SMAP15.num_joints
ANNOTATIONS = "annotations.json"


def read_simple(path: str | Path, *, on_error: OnError = "raise") -> Dataset:
    """Images of a folder, annotated in ``annotations.json`` (a list) or in one JSON file each.

    A record is::

        {"image": "a.jpg", "width": 640, "height": 480, "K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
         "people": [{"joints2d": [[x, y] * 15], "vis": [v * 15], "joints3d_m": [[X, Y, Z] * 15]}],
         "ignore": [[x0, y0, x1, y1]], "unannotated_people": 0}

    Pixels; metres in the camera frame; vis 0 not labelled or outside, 1 occluded, 2 visible. ``K`` (default: the
    paper's guess), ``joints3d_m``, ``ignore`` and the count of people nobody annotated may be missing; a null joint has
    no position, and neither has one of only zeros with vis 0. Everything else a record holds goes to ``Sample.extra``.

    Args:
        path: the folder, or the list itself.

    Raises:
        DatasetError: there are no annotations, or a record is damaged.
    """
    path = Path(path)
    root = path.parent if path.is_file() else folder(path)
    list_file = path if path.is_file() else root / ANNOTATIONS
    builder = TableBuilder(root, list_file if list_file.is_file() else root, Problems(on_error))
    for file, name, record in _records(root, list_file, builder.problems):
        with builder.problems.record(file, name):
            _add(builder, record)
    return builder.build()


def _records(root: Path, list_file: Path, problems: Problems) -> Iterator[tuple[Path, str, Any]]:
    if list_file.is_file():
        for number, (key, record) in enumerate(stream_json(list_file)):
            if key:
                raise DatasetError(f"{list_file}: the file must be a list of images, got an object with {key!r}")
            yield list_file, f"image {number} ({identifier(record, 'image')})", record
        return
    files = sorted(root.glob("*.json"))
    if not files:
        raise DatasetError(f"{root}: the folder must have {ANNOTATIONS} or one .json file for each image, got neither")
    for file in files:
        record = None
        with problems.record(file, "the file"):
            record = json.loads(file.read_text())
        if isinstance(record, dict) and "image" in record:  # licences and the like may lie beside the annotations
            yield file, f"image {record['image']}", record


def _rows(record: Mapping[str, Any], key: str, width: int) -> NDArray[np.float64]:
    """``(15, width)``, NaN for null."""
    rows = [[np.nan] * width if row is None else row for row in record[key]]
    finite = [[0.0] * width if row is None else row for row in record[key]]
    numbers({key: finite}, key, (JOINTS, width))
    return np.array(rows, np.float64)


def _add(builder: TableBuilder, record: Mapping[str, Any]) -> None:
    width, height, camera = int(record["width"]), int(record["height"]), None
    if record.get("K") is not None:
        matrix = numbers(record, "K", (3, 3))
        camera = Camera(matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    people = [_person(person) for person in record["people"]]
    ignored = numbers(record, "ignore", (-1, 4)) if "ignore" in record else np.zeros((0, 4))
    extra = {name: value for name, value in record.items() if name not in KNOWN_FIELDS}
    extra["unannotated_people"] = int(record.get("unannotated_people", record.get("unlabelled_people", 0)))
    key = record["image"]
    builder.add_image(key, key, width, height, camera, extra)
    for joints_2d, joints_3d, marks in people:
        builder.add_person(key, joints_2d, joints_3d, marks)
    for box in ignored:
        builder.add_ignored(key, box)


KNOWN_FIELDS = ("image", "width", "height", "K", "people", "ignore")


def _person(person: Mapping[str, Any]) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any]]:
    joints_2d, marks = _rows(person, "joints2d", 2), numbers(person, "vis", (JOINTS,))
    if not np.isin(marks, (0, 1, 2)).all():
        raise ValueError(f"vis must be 0, 1 or 2, got {marks[~np.isin(marks, (0, 1, 2))][0]}")
    unlabelled = marks == 0
    joints_2d[unlabelled & (joints_2d == 0).all(-1)] = np.nan
    joints_3d = None
    if person.get("joints3d_m") is not None:
        joints_3d = _rows(person, "joints3d_m", 3)
        joints_3d[unlabelled & (joints_3d == 0).all(-1)] = np.nan
    return joints_2d, joints_3d, marks


def write_simple(samples: Iterable[Sample], root: str | Path) -> int:
    """Write samples of any data set as ``root/annotations.json``, image by image; returns their number.

    Images are not copied: they are named relative to ``root`` where they lie below it, else by their whole path.

    Raises:
        ValueError: a sample's image is not a file, or its skeleton is not this library's.
    """
    root, count = Path(root), 0
    root.mkdir(parents=True, exist_ok=True)
    with replacing(root / ANNOTATIONS) as partial, partial.open("w") as out:
        out.write("[")
        for sample in samples:
            record = sample.to_record(image_of(sample, root))
            out.write((",\n" if count else "\n") + json.dumps(record, allow_nan=False))
            count += 1
        out.write("\n]\n")
    return count
