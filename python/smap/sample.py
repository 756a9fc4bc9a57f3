"""One annotated image: what data sets yield and training, evaluation and scene rendering share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .skeleton import SMAP15, Skeleton

HIDDEN, OCCLUDED, VISIBLE = 0, 1, 2  # values of Sample.visibility


@dataclass(frozen=True, eq=False, repr=False)
class Sample:
    """An image with its people in the camera frame.

    Args:
        image: ``(H, W, 3)`` uint8 RGB, or the path of a file that holds it.
        width, height: of the image, pixels.
        camera: intrinsics of the image.
        joints_2d: ``(P, J, 2)`` float32 image pixels; NaN where not annotated.
        joints_3d: ``(P, J, 3)`` float32 metres in the camera frame; NaN where not annotated (2-D data sets: all NaN).
        visibility: ``(P, J)`` uint8: 0 outside the image or not annotated, 1 occluded, 2 visible.
        skeleton: names the joints.
        name: identifies the record in its data set; part of every error message.
        extra: what only this data set has (sequence, frame, occlusion tables, track ids, ...).
        ignore: ``(N, 4)`` float32 boxes x0 y0 x1 y1 in image pixels whose content is not annotated (crowds).

    Raises:
        ValueError: a shape does not fit the number of people or the skeleton.
    """

    image: NDArray[np.uint8] | Path
    width: int
    height: int
    camera: Camera
    joints_2d: NDArray[np.float32]
    joints_3d: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    skeleton: Skeleton = SMAP15
    name: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    ignore: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))

    def __post_init__(self) -> None:
        people, joints = len(self.joints_2d), self.skeleton.num_joints
        for name, shape, dtype in (
            ("joints_2d", (people, joints, 2), np.float32),
            ("joints_3d", (people, joints, 3), np.float32),
            ("visibility", (people, joints), np.uint8),
        ):
            value = np.ascontiguousarray(getattr(self, name), dtype)
            if value.shape != shape:
                raise ValueError(f"{name} of sample {self.name!r} must be {shape}, got {value.shape}")
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """Number of people."""
        return len(self.joints_2d)

    def to_record(self, image: str) -> dict[str, Any]:
        """JSON types: the record of this project's simple JSON, see ``data.read_simple``.

        Args:
            image: where the picture will be.

        Raises: ValueError when the skeleton is not this library's.
        """
        if self.skeleton.joints != SMAP15.joints:
            raise ValueError(f"skeleton of {self.name!r} must be the library's 15 joints, got {self.skeleton}")
        people = []
        for person in range(len(self)):
            fields: dict[str, Any] = {"joints2d": _rows(self.joints_2d[person], 3)}
            fields["vis"] = self.visibility[person].tolist()
            if np.isfinite(self.joints_3d[person]).any():
                fields["joints3d_m"] = _rows(self.joints_3d[person], 5)
            people.append(fields)
        return {
            "image": image,
            "width": self.width,
            "height": self.height,
            "K": self.camera.matrix.tolist(),
            "people": people,
            "ignore": np.round(self.ignore.astype(np.float64), 2).tolist(),
            "unannotated_people": int(self.extra.get("unannotated_people", 0)),
        }

    def __repr__(self) -> str:
        return f"Sample({self.name!r}, {self.width}x{self.height}, {len(self)} people)"


def _rows(values: NDArray[np.float32], digits: int) -> list[Any]:
    """A row of numbers for each joint, None for one that is not annotated."""
    return [np.round(row, digits).tolist() if np.isfinite(row).all() else None for row in values.astype(np.float64)]
