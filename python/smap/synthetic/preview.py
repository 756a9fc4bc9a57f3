"""A contact sheet of scenes with their skeletons, to look at before training on them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..sample import HIDDEN, VISIBLE, Sample
from .assets import U8, Assets
from .config import SceneConfig
from .render import render_scene

_LEFT, _RIGHT, _MIDDLE = (255, 140, 25), (45, 155, 255), (120, 225, 95)
_OCCLUDED = (215, 30, 40)
_BITS = 4  # OpenCV draws at 1/16 px when coordinates carry these extra bits
_FARTHEST = 10_000  # pixels; joints beyond, of people around the camera, are not drawn


def preview(
    pack: Assets,
    path: Path | str,
    config: SceneConfig | None = None,
    *,
    count: int = 24,
    columns: int = 4,
    seed: int = 0,
    skeletons: bool = True,
) -> None:
    """Write ``count`` scenes as one picture, left sides orange, right sides blue, occluded joints red.

    Args:
        path: of the picture; its suffix chooses the format.
        seed: of the first scene; the next ones count up.

    Raises:
        ValueError: ``count`` or ``columns`` is not positive.
        OSError: the picture cannot be written.
    """
    if count < 1 or columns < 1:
        raise ValueError(f"count and columns must be at least 1, got {count} and {columns}")
    config = config or SceneConfig()
    tiles = []
    for number in range(seed, seed + count):
        sample = render_scene(pack, config, number)
        tiles.append(draw_truth(sample) if skeletons else np.asarray(sample.image))
    columns = min(columns, count)
    height, width = tiles[0].shape[:2]
    sheet = np.full((-(-count // columns) * height, columns * width, 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = i // columns * height, i % columns * width
        sheet[y : y + height, x : x + width] = tile
    try:
        written = cv2.imwrite(str(path), sheet[..., ::-1])
    except cv2.error as error:
        raise ValueError(f"path must end in a picture format's suffix, got {str(path)!r}") from error
    if not written:
        raise OSError(f"{path} must be writable, got an error from the file system")


def draw_truth(sample: Sample) -> U8:
    """A copy of the sample's picture with its skeletons."""
    canvas = np.array(sample.image, np.uint8)
    names = sample.skeleton.joints
    sides = [_LEFT if n.startswith("left") else _RIGHT if n.startswith("right") else _MIDDLE for n in names]
    for xy, visibility in zip(sample.joints_2d, sample.visibility, strict=True):
        usable = np.isfinite(xy).all(-1) & (np.abs(xy) < _FARTHEST).all(-1)
        at = np.round(np.where(usable[:, None], xy, 0) * (1 << _BITS)).astype(int).tolist()
        for a, b in sample.skeleton.limbs:
            if usable[a] and usable[b]:
                cv2.line(canvas, at[a], at[b], sides[b], 1, cv2.LINE_AA, _BITS)
        for j, point in enumerate(at):
            if usable[j] and visibility[j] != HIDDEN:
                colour = sides[j] if visibility[j] == VISIBLE else _OCCLUDED
                cv2.circle(canvas, point, 2 << _BITS, colour, -1, cv2.LINE_AA, _BITS)
    return canvas
