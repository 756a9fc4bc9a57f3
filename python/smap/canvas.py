"""Marks on a picture, in place: smooth lines, discs and text, and the colours of a body's sides."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .people import Person
from .skeleton import Skeleton

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Left, right and centre differ, so that a swap shows at once; by brightness too, for colour-blind eyes.
LEFT: Colour = (255, 140, 25)  # orange
RIGHT: Colour = (45, 155, 255)  # blue
CENTRE: Colour = (120, 225, 95)  # green
INK: Colour = (18, 20, 26)  # outlines and label boxes
PAPER: Colour = (250, 250, 250)

SUBPIXEL_BITS = 4  # OpenCV draws at 1/16 px when coordinates carry these extra bits
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_HEIGHT = 22  # px of a capital at scale 1


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
