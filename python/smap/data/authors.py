"""The JSON that the authors' code trains on (zju3dv/SMAP, lib/preprocess/data_format.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import DatasetError
from ..files import replacing
from ..sample import Sample
from ..skeleton import SMAP15
from .base import Dataset, OnError, Problems, identifier, numbers
from .streaming import stream_json
from .table import TableBuilder

CM_TO_M = 1e-2
JOINTS = SMAP15.num_joints
COLUMNS = 11  # x, y, Z, v, X, Y, Z, fx, fy, cx, cy
OLD_COLUMNS = 8  # x, y, Z, v, X, Y, Z, f: the centre is the image's (their test.py still reads these)


def read_authors(path: str | Path, *, split: str = "all", on_error: OnError = "raise") -> Dataset:
    """Images of ``{"root": [{img_paths, img_width, img_height, dataset, isValidation, bodys}]}``.

    Args:
        path: the JSON file, or a folder with exactly one; ``img_paths`` are below the file's folder.
        split: "all", "train" (isValidation 0) or "test" (any other).

    ``bodys`` is people x 15 joints x 11 columns: x, y in pixels, Z (cm), v (0 not labelled, 1 occluded, 2 visible),
    X, Y, Z (cm), fx, fy, cx, cy (pixels). The joints are this library's. A joint with v = 0 has no position in the
    image, one whose X, Y, Z are all zero none in space (2-D data sets).

    Raises:
        DatasetError: there is no such file, or a record is damaged.
        ValueError: there is no such split.
    """
    if split not in ("all", "train", "test"):
        raise ValueError(f"split must be one of all, train, test, got {split!r}")
    path = Path(path)
    file = path if path.is_file() else only_json(path)
    builder = TableBuilder(file.parent, file, Problems(on_error))
    for number, (key, record) in enumerate(stream_json(file)):
        if key != "root":
            raise DatasetError(f"{file}: the file must hold one list named 'root', got {key!r}")
        with builder.problems.record(file, f"image {number} ({identifier(record, 'img_paths')})"):
            if split == "all" or (split == "test") == bool(record.get("isValidation", 0)):
                _add(builder, number, record)
    return builder.build()


def only_json(root: Path) -> Path:
    """The only JSON file of a folder.

    Raises:
        DatasetError: there is none or more than one.
    """
    files = sorted(root.glob("*.json")) if root.is_dir() else []
    if len(files) != 1:
        raise DatasetError(f"{root}: the folder must have exactly one .json file, got {[f.name for f in files]}")
    return files[0]


def _add(builder: TableBuilder, key: int, record: Mapping[str, Any]) -> None:
    width, height = int(record["img_width"]), int(record["img_height"])
    bodies = record["bodys"]
    columns = len(bodies[0][0]) if len(bodies) else COLUMNS
    if columns not in (COLUMNS, OLD_COLUMNS):
        raise ValueError(f"bodys must have {COLUMNS} columns, got {columns}")
    values = numbers(record, "bodys", (-1, JOINTS, columns))
    camera = _camera(values, width, height)
    marks = values[..., 3]
    if not np.isin(marks, (0, 1, 2)).all():
        raise ValueError(f"bodys column 3 must be 0, 1 or 2, got {marks[~np.isin(marks, (0, 1, 2))][0]}")
    joints_2d = np.where(marks[..., None] > 0, values[..., :2], np.nan)
    joints_3d = np.where((values[..., 4:7] != 0).any(-1, keepdims=True), values[..., 4:7] * CM_TO_M, np.nan)
    extra = {name: record[name] for name in ("dataset", "image_id", "cam_id", "isValidation") if name in record}
    builder.add_image(key, record["img_paths"], width, height, camera, extra)
    for person in range(len(values)):
        builder.add_person(key, joints_2d[person], joints_3d[person], marks[person])


def _camera(values: NDArray[np.float64], width: int, height: int) -> Camera | None:
    if not len(values):
        return None
    if values.shape[-1] == COLUMNS:
        return Camera(*values[0, 0, 7:11])
    return Camera(values[0, 0, 7], values[0, 0, 7], width / 2, height / 2)


def write_authors(samples: Iterable[Sample], file: str | Path, *, dataset: str, validation: bool = False) -> int:
    """Write samples for the authors' training code; images are named relative to the file's folder.

    A joint with a place but outside the image keeps it with v = 0, as the authors want; a person's fx ... cy are the
    image's. Returns the number of images. Samples whose image is an array have no name and are refused.

    Raises:
        ValueError: a sample's image is not a file.
    """
    file, count = Path(file), 0
    with replacing(file) as partial, partial.open("w") as out:
        out.write('{"root": [')
        for sample in samples:
            bodies = np.zeros((len(sample), JOINTS, COLUMNS))
            bodies[..., :2] = np.nan_to_num(sample.joints_2d)
            bodies[..., 3] = sample.visibility
            bodies[..., 4:7] = np.nan_to_num(sample.joints_3d) / CM_TO_M
            bodies[..., 2] = bodies[..., 6]
            bodies[..., 7:] = (sample.camera.fx, sample.camera.fy, sample.camera.cx, sample.camera.cy)
            record = {
                "img_paths": image_of(sample, file.parent),
                "img_width": sample.width,
                "img_height": sample.height,
                "dataset": dataset,
                "isValidation": int(validation),
                "bodys": np.round(bodies, 4).tolist(),
            }
            out.write((",\n" if count else "\n") + json.dumps(record, allow_nan=False))
            count += 1
        out.write("\n]}\n")
    return count


def image_of(sample: Sample, root: Path) -> str:
    """A path that ``root / path`` leads back to the sample's image.

    Raises: ValueError when the image is not a file.
    """
    if not isinstance(sample.image, Path):
        raise ValueError(f"image of {sample.name!r} must be a file, got an array")
    image, root = sample.image.resolve(), root.resolve()
    return image.relative_to(root).as_posix() if image.is_relative_to(root) else str(image)
