"""Marks on a picture, in place: smooth lines, discs, text and skeletons; and pictures side by side on a sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .people import Person
from .sample import HIDDEN, VISIBLE
from .skeleton import Skeleton

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Left, right and centre differ, so that a swap shows at once; by brightness too, for colour-blind eyes.
LEFT: Colour = (255, 140, 25)  # orange
RIGHT: Colour = (45, 155, 255)  # blue
CENTRE: Colour = (120, 225, 95)  # green
UNSEEN: Colour = (215, 30, 40)  # red, of joints that something hides
INK: Colour = (18, 20, 26)  # outlines and label boxes
PAPER: Colour = (250, 250, 250)

SUBPIXEL_BITS = 4  # OpenCV draws at 1/16 px when coordinates carry these extra bits
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_HEIGHT = 22  # px of a capital at scale 1
FARTHEST = 10_000  # px; what lies beyond, of people around the camera, is not drawn


def joint_colours(skeleton: Skeleton) -> tuple[Colour, ...]:
    """RGB of every joint, by the side that its name starts with."""
    sides = {"left": LEFT, "right": RIGHT}
    return tuple(sides.get(name.split("_")[0], CENTRE) for name in skeleton.joints)


def limb_colours(skeleton: Skeleton) -> tuple[Colour, ...]:
    """RGB of every limb: its child's."""
    joints = joint_colours(skeleton)
    return tuple(joints[child] for _, child in skeleton.limbs)


def label(person: Person) -> str:
    """Depth in metres, after ``#id`` if the person has an identity."""
    identity = "" if person.id is None else f"#{person.id} "
    return identity + (f"{person.depth:.1f} m" if np.isfinite(person.depth) else "? m")


def placed(points: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """``(J, 2 or 3)`` -> ``(J,)``: the joints that have a position."""
    return np.asarray(np.isfinite(points).all(-1))


def check_image(image: Any) -> Image:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        got = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f"image must be a uint8 array, got {got}")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"image must be (H, W, 3) with at least one pixel, got {image.shape}")
    return np.ascontiguousarray(image)


def fixed(xy: Any) -> tuple[int, int]:
    x, y = np.rint(np.asarray(xy, np.float64) * (1 << SUBPIXEL_BITS)).astype(int)
    return int(x), int(y)


def draw_line(canvas: Image, a: Any, b: Any, colour: Colour, width: int = 1) -> None:
    """A smooth line between two positions in pixels, in place."""
    cv2.line(canvas, fixed(a), fixed(b), colour, width, cv2.LINE_AA, SUBPIXEL_BITS)


def draw_disc(canvas: Image, xy: Any, radius: float, colour: Colour, outline: int = -1) -> None:
    """A smooth disc, or a ring ``outline`` pixels wide, in place."""
    size = round(max(radius, 0.5) * (1 << SUBPIXEL_BITS))
    cv2.circle(canvas, fixed(xy), size, colour, outline, cv2.LINE_AA, SUBPIXEL_BITS)


def draw_text(canvas: Image, text: str, xy: Any, size: int, *, box: bool = True) -> None:
    """Text ``size`` pixels high with its lower left corner at ``xy``, moved to lie inside the picture, in place."""
    scale, weight = size / FONT_HEIGHT, max(1, round(size / 11))
    (width, height), below = cv2.getTextSize(text, FONT, scale, weight)
    pad = max(2, size // 4)
    x = int(np.clip(xy[0], pad, max(pad, canvas.shape[1] - width - pad)))
    y = int(np.clip(xy[1], height + pad, max(height + pad, canvas.shape[0] - below - 1)))
    if box:
        top, bottom, left, right = max(0, y - height - pad), y + pad, max(0, x - pad), x + width + pad
        area = canvas[top:bottom, left:right]
        area[:] = (area * 0.35 + np.array(INK) * 0.65).astype(np.uint8)
    cv2.putText(canvas, text, (x, y), FONT, scale, PAPER, weight, cv2.LINE_AA)


def draw_truth(
    canvas: Image, joints_2d: NDArray[np.floating[Any]], visibility: NDArray[np.integer[Any]], skeleton: Skeleton
) -> None:
    """Annotated people, in place: limbs in the colours of their sides, joints as dots, red where something hides them.

    Args:
        joints_2d: ``(P, J, 2)`` pixels of the canvas; joints without a position (NaN) are left out.
        visibility: ``(P, J)`` as in ``Sample``.
    """
    joints, limbs = joint_colours(skeleton), limb_colours(skeleton)
    for xy, seen in zip(joints_2d, visibility, strict=True):
        usable = placed(xy) & (np.abs(np.nan_to_num(xy)) < FARTHEST).all(-1)
        for (a, b), colour in zip(skeleton.limbs, limbs, strict=True):
            if usable[a] and usable[b]:
                draw_line(canvas, xy[a], xy[b], colour)
        for joint in np.flatnonzero(usable & (seen != HIDDEN)):
            draw_disc(canvas, xy[joint], 2, joints[joint] if seen[joint] == VISIBLE else UNSEEN)


def scaled_to_fit(image: Image, tile: tuple[int, int]) -> tuple[Image, float]:
    """The whole picture, as large as a tile ``(width, height)`` has room for, and by how much it was scaled."""
    rows, cols = check_image(image).shape[:2]
    scale = min(tile[0] / cols, tile[1] / rows)
    size = (max(1, round(cols * scale)), max(1, round(rows * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(small, np.uint8), scale


def contact_sheet(
    images: Iterable[Image], *, columns: int = 4, tile: tuple[int, int] = (320, 240), captions: Sequence[str] = ()
) -> Image:
    """Pictures side by side, row by row, each scaled to fit its tile.

    Args:
        images: ``(H, W, 3)`` uint8 RGB, any sizes; read one at a time.
        columns: tiles in a row.
        tile: ``(width, height)`` in pixels.
        captions: text into the tiles' lower left corners, in the order of the images; may be shorter.

    Raises:
        ValueError: ``columns`` or ``tile`` is not positive, or there is no image.
    """
    if columns < 1 or min(tile) < 1:
        raise ValueError(f"columns and tile must be at least 1, got {columns} and {tile}")
    width, height = tile
    tiles = []
    for index, image in enumerate(images):
        small, _ = scaled_to_fit(image, tile)
        rows, cols = small.shape[:2]
        cell = np.full((height, width, 3), INK, np.uint8)
        top, left = (height - rows) // 2, (width - cols) // 2
        cell[top : top + rows, left : left + cols] = small
        if index < len(captions):
            draw_text(cell, captions[index], (4, height - 5), max(9, height // 20))
        tiles.append(cell)
    if not tiles:
        raise ValueError("images must be at least one, got none")
    tiles += [np.full_like(tiles[0], INK)] * (-len(tiles) % columns if len(tiles) > columns else 0)
    row = min(columns, len(tiles))
    return np.concatenate([np.concatenate(tiles[i : i + row], 1) for i in range(0, len(tiles), row)])
