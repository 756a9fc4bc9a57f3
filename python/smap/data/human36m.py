"""Human3.6M in the JSON of the 3DMPPE release (mks0601/3DMPPE_POSENET_RELEASE, data/Human36M)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import DatasetError
from .base import Dataset, OnError, Problems, existing, folder, identifier, numbers
from .joints import HUMAN36M, HUMAN36M_JOINTS, remap, visibility_in
from .table import TableBuilder

MM_TO_M = 1e-3
# Protocol 2, as in the release: subjects and which frames are used.
SPLITS = {"train": ((1, 5, 6, 7, 8), 5), "test": ((9, 11), 64)}

KINDS = ("data", "camera", "joint_3d")
WorldToCamera = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def read_human36m(
    root: str | Path,
    *,
    split: str = "test",
    subjects: Sequence[int] | None = None,
    every: int | None = None,
    on_error: OnError = "raise",
) -> Dataset:
    """``annotations/Human36M_subject<N>_{data,camera,joint_3d}.json``; images in ``images/``.

    Args:
        split: "train" (subjects 1, 5, 6, 7, 8, every 5th frame) or "test" (9, 11, every 64th): protocol 2.
        subjects, every: instead of the split's.

    World coordinates are millimetres. Two forms of the camera files are in circulation, x = R X + t and x = R (X - t);
    the one that puts people into their boxes is used. Every joint inside the image counts as visible: occlusion is not
    annotated. ``Sample.extra``: subject, action, action_index, subaction, camera, frame.

    Raises:
        DatasetError: the folder does not look like that, or a record is damaged.
        ValueError: there is no such split.
    """
    root, problems = folder(root), Problems(on_error)
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    subjects = SPLITS[split][0] if subjects is None else subjects
    every = SPLITS[split][1] if every is None else every
    builder = TableBuilder(root, root / "annotations", problems)
    for subject in subjects:
        _add_subject(builder, int(subject), int(every))
    return builder.build()


def _load(path: Path, what: str) -> Any:
    text = existing(path, what).read_bytes()
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: {what} must be JSON, got an error: {error}") from error


def _add_subject(builder: TableBuilder, subject: int, every: int) -> None:
    files = {kind: builder.root / "annotations" / f"Human36M_subject{subject}_{kind}.json" for kind in KINDS}
    builder.file = existing(files["data"], "the list of images")
    cameras, poses = _load(files["camera"], "the cameras"), _load(files["joint_3d"], "the poses")
    wanted: dict[Any, Mapping[str, Any]] = {}
    transforms: dict[str, WorldToCamera] = {}

    def add_image(builder: TableBuilder, record: Mapping[str, Any]) -> None:
        if int(record["frame_idx"]) % every == 0:
            wanted[record["id"]] = record

    def add_annotation(builder: TableBuilder, record: Mapping[str, Any]) -> None:
        image = wanted.pop(record["image_id"], None)
        if image is None:
            return
        place = [str(image[name]) for name in ("action_idx", "subaction_idx", "frame_idx")]
        world = numbers(poses[place[0]][place[1]], place[2], (HUMAN36M_JOINTS, 3))
        view = str(image["cam_idx"])
        fields = cameras[view]
        camera = Camera(*numbers(fields, "f", (2,)), *numbers(fields, "c", (2,)))
        if view not in transforms:
            transforms[view] = _transform(fields, camera, world, numbers(record, "bbox", (4,)))
        joints_3d = remap(transforms[view](world), HUMAN36M) * MM_TO_M
        joints_2d = camera.project(joints_3d)
        key, width, height = (subject, image["id"]), int(image["width"]), int(image["height"])
        extra = {
            "subject": subject,
            "action": image.get("action_name", ""),
            "action_index": int(image["action_idx"]),
            "subaction": int(image["subaction_idx"]),
            "camera": int(view),
            "frame": int(image["frame_idx"]),
        }
        builder.add_image(key, f"images/{image['file_name']}", width, height, camera, extra)
        builder.add_person(key, joints_2d, joints_3d, visibility_in(joints_2d, width, height))

    builder.read_coco_layout(add_image, add_annotation)
    for image in wanted.values():
        with builder.problems.record(builder.file, f"image {identifier(image)}"):
            raise ValueError("the image must have an annotation, got none")


def _transform(
    fields: Mapping[str, Any], camera: Camera, world: NDArray[np.float64], box: NDArray[np.float64]
) -> WorldToCamera:
    """The reading of R and t that puts this person into their box (x, y, width, height)."""
    rotation, t = numbers(fields, "R", (3, 3)), numbers(fields, "t", (3,))
    readings: tuple[WorldToCamera, ...] = (lambda x: x @ rotation.T + t, lambda x: (x - t) @ rotation.T)
    for transform in readings:
        joints = transform(world)
        if (joints[:, 2] > 0).all():
            x, y = camera.project(joints).T - box[:2, None]
            if ((x >= 0) & (x <= box[2]) & (y >= 0) & (y <= box[3])).mean() > 0.5:
                return transform
    raise ValueError(f"R and t must put the person into their bbox {box.tolist()}, got neither reading to do so")
