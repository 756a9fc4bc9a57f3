"""A contact sheet of scenes with their skeletons, to look at before training on them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..canvas import contact_sheet, draw_truth
from .assets import Assets
from .config import SceneConfig
from .render import render_scene


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
        ValueError: ``count`` or ``columns`` is not positive, or the suffix names no format.
        OSError: the picture cannot be written.
    """
    if count < 1 or columns < 1:
        raise ValueError(f"count and columns must be at least 1, got {count} and {columns}")
    config = config or SceneConfig()
    tiles = []
    for number in range(seed, seed + count):
        sample = render_scene(pack, config, number)
        tile = np.array(sample.image, np.uint8)
        if skeletons:
            draw_truth(tile, sample.joints_2d, sample.visibility, sample.skeleton)
        tiles.append(tile)
    height, width = tiles[0].shape[:2]
    sheet = contact_sheet(tiles, columns=columns, tile=(width, height))
    try:
        written = cv2.imwrite(str(path), sheet[..., ::-1])
    except cv2.error as error:
        raise ValueError(f"path must end in a picture format's suffix, got {str(path)!r}") from error
    if not written:
        raise OSError(f"{path} must be writable, got an error from the file system")
