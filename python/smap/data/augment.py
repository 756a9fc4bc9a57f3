"""A data set's picture as a training picture: scaled to the network's input, turned, zoomed, shifted and mirrored."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..image import read_image
from ..letterbox import PADDING_VALUE, Letterbox
from ..sample import HIDDEN, Sample


@dataclass(frozen=True)
class Augmentation:
    """The authors' ranges (zju3dv/SMAP); ``Augmentation.none()`` only scales.

    Args:
        degrees: largest rotation, either way.
        zoom: least and most, relative to the letterboxed picture.
        shift: of the picture's centre, either way, network-input pixels at a canvas 832 wide; less in proportion below.
        flip: share of mirrored pictures.
        focus: share of windows that lie around a person; the others lie anywhere.
    """

    degrees: float = 10.0
    zoom: tuple[float, float] = (0.8, 1.1)
    shift: float = 40.0
    flip: float = 0.5
    focus: float = 0.72

    def __post_init__(self) -> None:
        if not 0 < self.zoom[0] <= self.zoom[1]:
            raise ValueError(f"zoom must be (least, most), both positive, got {self.zoom}")
        for name in ("flip", "focus"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")

    @classmethod
    def none(cls) -> Augmentation:
        return cls(0.0, (1.0, 1.0), 0.0, 0.0, 0.0)


def training_picture(
    sample: Sample,
    full_size: tuple[int, int],
    size: tuple[int, int],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Sample:
    """``sample`` as a picture of ``size``, in network-input pixels.

    Turning is about the principal point, where it is exactly a roll of the camera; zooming multiplies the focal length,
    and with it divides the normalised depth of Eq. 1.

    Args:
        full_size: ``(width, height)`` of the network's input that the picture is fitted into.
        size: of the result; smaller than ``full_size``: a window of it.
    """
    image = read_image(sample.image) if not isinstance(sample.image, np.ndarray) else sample.image
    box = Letterbox.fit(sample.width, sample.height, full_size)
    scale = box.scale * rng.uniform(*augmentation.zoom)
    angle = math.radians(rng.uniform(-augmentation.degrees, augmentation.degrees))
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    principal = np.array([sample.camera.cx, sample.camera.cy])
    # The letterboxed picture's middle goes to the canvas' middle, then moves.
    middle = np.array([sample.width - 1, sample.height - 1]) / 2
    shift = rng.uniform(-1, 1, 2) * augmentation.shift * full_size[0] / 832
    target = np.array([full_size[0] - 1, full_size[1] - 1]) / 2 + shift
    linear = scale * turn
    offset = target - linear @ middle
    joints = sample.joints_2d.astype(np.float64) @ linear.T + offset
    if tuple(size) != tuple(full_size):
        offset_window = _window(joints, sample.visibility, full_size, size, augmentation, rng)
        offset, joints = offset - offset_window, joints - offset_window
    centre = linear @ principal + offset
    joints_3d = sample.joints_3d.astype(np.float64).copy()
    joints_3d[..., :2] = joints_3d[..., :2] @ turn.T
    pixels = _warp(image, linear, offset, size)
    ignore = _boxes(sample.ignore, linear, offset)
    visibility = sample.visibility.copy()
    camera = Camera(sample.camera.fx * scale, sample.camera.fy * scale, centre[0], centre[1])
    if rng.random() < augmentation.flip:
        width, order = size[0], list(sample.skeleton.flipped_joints)
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        joints = joints[:, order]
        joints[..., 0] = width - 1 - joints[..., 0]
        joints_3d = joints_3d[:, order] * np.array([-1.0, 1.0, 1.0])
        visibility = visibility[:, order]
        ignore = np.stack([width - 1 - ignore[:, 2], ignore[:, 1], width - 1 - ignore[:, 0], ignore[:, 3]], -1)
        camera = Camera(camera.fx, camera.fy, width - 1 - camera.cx, camera.cy)
        if "annotated" in sample.extra:
            annotated = np.asarray(sample.extra["annotated"])[order]
            sample = replace(sample, extra={**sample.extra, "annotated": annotated})
    inside = ((joints >= -0.5) & (joints < np.array(size) - 0.5)).all(-1)
    visibility[~inside] = HIDDEN
    return replace(
        sample,
        image=pixels,
        width=size[0],
        height=size[1],
        camera=camera,
        joints_2d=joints.astype(np.float32),
        joints_3d=joints_3d.astype(np.float32),
        visibility=visibility,
        ignore=ignore.astype(np.float32),
    )


def _window(
    joints: NDArray[np.float64],
    visibility: NDArray[np.uint8],
    full_size: tuple[int, int],
    size: tuple[int, int],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Upper left corner of a window of the full picture."""
    room = np.array(full_size, np.float64) - size
    corner = rng.uniform(0, 1, 2) * room
    seen = (visibility > 0) & np.isfinite(joints).all(-1)
    people = np.flatnonzero(seen.any(1))
    if len(people) and rng.random() < augmentation.focus:
        person = rng.choice(people)
        corner = joints[person][seen[person]].mean(0) + rng.normal(0, 0.1, 2) * size - np.array(size) / 2
    return np.asarray(np.clip(np.round(corner), 0, room))


def _warp(
    image: NDArray[np.uint8], linear: NDArray[np.float64], offset: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """``image_xy -> linear @ image_xy + offset``, whole blocks averaged first below half size, as a warp aliases."""
    scale = math.sqrt(abs(float(np.linalg.det(linear))))
    block = max(1, int(1 / scale))
    if block > 1:
        height, width = image.shape[0] // block * block, image.shape[1] // block * block
        if height and width:
            small = (width // block, height // block)
            image = np.asarray(cv2.resize(image[:height, :width], small, interpolation=cv2.INTER_AREA), np.uint8)
            # Pixel x of the small picture is the middle of block x: (x + 0.5) * block - 0.5 of the large one.
            offset = offset + linear @ np.full(2, (block - 1) / 2)
            linear = linear * block
    affine = np.concatenate([linear, offset[:, None]], 1)
    warped = cv2.warpAffine(image, affine, (size[0], size[1]), flags=cv2.INTER_LINEAR, borderValue=(PADDING_VALUE,) * 3)
    return np.asarray(warped, np.uint8)


def _boxes(boxes: NDArray[np.float32], linear: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """The upright boxes around turned ones."""
    x0, y0, x1, y1 = np.asarray(boxes, np.float64).reshape(-1, 4).T
    corners = np.stack([np.stack([x, y], -1) for x in (x0, x1) for y in (y0, y1)], 1)  # (N, 4, 2)
    moved = corners @ linear.T + offset
    return np.concatenate([moved.min(1), moved.max(1)], -1)
