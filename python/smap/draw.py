"""People drawn into their picture, and pictures laid out on a sheet (``contact_sheet``)."""

from __future__ import annotations

import numpy as np

from .canvas import (
    INK,
    Image,
    check_image,
    contact_sheet,
    draw_disc,
    draw_line,
    draw_text,
    joint_colours,
    label,
    limb_colours,
    placed,
)
from .people import People, Person

__all__ = ["contact_sheet", "draw_person", "overlay"]


def overlay(image: Image, people: People, *, labels: bool = True) -> Image:
    """A copy of the picture with everyone drawn into it, nearer people over farther ones.

    Orange is the person's left, blue the right, green the middle of the body. A joint that was seen is a disc, one that
    was completed is a ring and its limb is thin. The label is the depth of the root in metres, after ``#id`` if the
    people have identities; without a root it is that of the first joint down the tree.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        people: positions in this image's pixels; joints without one (NaN) are left out.

    Raises:
        TypeError: the image is not a uint8 array.
        ValueError: the image is not ``(H, W, 3)`` with at least one pixel.
    """
    canvas = check_image(image).copy()
    for person in sorted(people, key=lambda person: person.depth, reverse=True):
        draw_person(canvas, person, label(person) if labels else "")
    return canvas


def draw_person(canvas: Image, person: Person, text: str = "") -> None:
    """Draw one person into ``canvas``, in place."""
    # Far outside the picture a position only says where its limb leaves it; OpenCV's integers would overflow.
    reach = 4.0 * max(canvas.shape[:2])
    xy = np.clip(person.joints_2d.astype(np.float64), -reach, reach)
    known = placed(person.joints_2d)
    if not known.any():
        return
    extent = float(np.ptp(xy[known], axis=0).max())
    width = int(np.clip(round(min(extent / 60, max(canvas.shape[:2]) / 160)), 1, 12))
    limbs = [
        (xy[a], xy[b], colour, width if person.detected[a] and person.detected[b] else max(1, width // 2))
        for (a, b), colour in zip(person.skeleton.limbs, limb_colours(person.skeleton), strict=True)
        if known[a] and known[b]
    ]
    for a, b, _, thick in limbs:  # a dark rim keeps the colours readable on any background
        draw_line(canvas, a, b, INK, thick + 2)
    for a, b, colour, thick in limbs:
        draw_line(canvas, a, b, colour, thick)
    radius = width * 0.9 + 1.2
    for joint, colour in enumerate(joint_colours(person.skeleton)):
        if not known[joint]:
            continue
        if person.detected[joint]:
            draw_disc(canvas, xy[joint], radius + 1, INK)
            draw_disc(canvas, xy[joint], radius, colour)
        else:
            draw_disc(canvas, xy[joint], radius + 0.5, INK)
            draw_disc(canvas, xy[joint], radius, colour, outline=max(1, width // 2))
    if text:
        size = int(np.clip(extent / 14, 10, max(12, canvas.shape[0] / 28)))
        top = xy[known][xy[known][:, 1].argmin()]
        draw_text(canvas, text, (top[0] - 0.3 * size * len(text), top[1] - radius - 0.7 * size), size)
