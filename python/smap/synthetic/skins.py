"""Which part of a body each texel of its texture shows, and where it shows bare skin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..ops.shade import REGIONS
from .assets import ARMS, BONES, F32, FEET, FOREARMS, HANDS, HEAD, LEGS, OTHER, SHINS, SKIN, TORSO, U8

SLEEVE, TROUSER = 0.55, 0.75  # where short ones end along the upper arm and the thigh

_BONE = {name: i for i, name in enumerate(BONES)}


def _region(bone: str) -> int:
    stem = bone.removeprefix("Left").removeprefix("Right")
    by_stem = {"Hips": LEGS, "UpLeg": LEGS, "Leg": SHINS, "Foot": FEET, "ToeBase": FEET, "Head": HEAD, "Neck": HEAD}
    return (by_stem | {"Arm": ARMS, "ForeArm": FOREARMS, "Hand": HANDS}).get(stem, TORSO)


_REGION_OF_BONE = np.array([_region(bone) for bone in BONES])


def vertex_regions(vertices: F32, weights: F32, joints: F32) -> NDArray[np.int64]:
    """``(V,)`` region of each vertex of a T-posed body: ``(V, 3)``, ``(22, V)`` and ``(22, 3)``."""
    dominant = weights.argmax(0)
    out = _REGION_OF_BONE[dominant]
    for side in ("Left", "Right"):
        for bone, child, end, beyond in (("Arm", "ForeArm", SLEEVE, FOREARMS), ("UpLeg", "Leg", TROUSER, SHINS)):
            start, axis = joints[_BONE[side + bone]], joints[_BONE[side + child]] - joints[_BONE[side + bone]]
            along = (vertices - start) @ axis / (axis @ axis)
            out[(dominant == _BONE[side + bone]) & (along > end)] = beyond
    return np.asarray(out, np.int64)


def paint_regions(size: int, uv: F32, faces: NDArray[np.integer], of_vertex: NDArray[np.int64]) -> U8:
    """``(size, size)``: the region of every texel that a triangle shows, OTHER elsewhere."""
    out, bits = np.full((size, size), OTHER, np.uint8), 4
    points = np.round((uv * size - 0.5) * (1 << bits)).astype(np.int32)
    for face, (a, b, c) in zip(points[faces], of_vertex[faces], strict=True):
        cv2.fillConvexPoly(out, face, int(b if b == c else a), cv2.LINE_8, bits)
    return out


def split_limbs(regions: U8, fine: U8) -> U8:
    """Forearms and shins of a map that knows only arms and legs, from one painted by ``paint_regions``."""
    out = regions.copy()
    out[(regions == ARMS) & (fine == FOREARMS)] = FOREARMS
    out[(regions == LEGS) & (fine == SHINS)] = SHINS
    return out


def smooth_regions(regions: U8) -> U8:
    """A region map whose ragged borders (they follow triangles) are straightened."""
    sigma = len(regions) * 0.016
    stack = np.stack([cv2.GaussianBlur((regions == k).astype(np.float32), (0, 0), sigma) for k in range(OTHER)])
    # Gaps between islands join the nearest island: samples on a seam fall into them.
    return np.where((regions < OTHER) | (stack.max(0) > 0.1), np.argmax(stack, 0), OTHER).astype(np.uint8)


def find_skin(rgb: U8, regions: U8) -> tuple[U8, F32, F32]:
    """Mark bare skin on clothed regions: the regions with SKIN in them, the skin's colour, all regions' mean colours.

    Skin is what has the chromaticity and about the brightness of the hands.
    """
    colours = rgb.astype(np.float32) / 255
    hands = colours[regions == HANDS]
    skin = np.median(hands, 0) if len(hands) else np.array([0.7, 0.52, 0.43])
    total = colours.sum(-1) + 1e-3
    reference = skin.sum() + 1e-3
    distance = np.abs(colours / total[..., None] - skin / reference).sum(-1)
    bare = (distance < 0.06) & (total > 0.6 * reference) & (total < 1.5 * reference)
    marked = np.where(bare & np.isin(regions, (TORSO, ARMS, FOREARMS, LEGS, SHINS, FEET)), SKIN, regions).astype(
        np.uint8
    )
    flat, index = colours.reshape(-1, 3)[::7], marked.ravel()[::7].astype(np.int64)
    area = np.maximum(np.bincount(index, minlength=REGIONS), 1)
    means = np.stack([np.bincount(index, flat[:, c], minlength=REGIONS) / area for c in range(3)], -1)
    return marked, np.asarray(skin, np.float32), np.asarray(means, np.float32)
