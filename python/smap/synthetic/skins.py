"""Which part of a body each texel of its texture shows, and where it shows bare skin."""

from __future__ import annotations

import cv2
import numpy as np

from .assets import ARMS, F32, FEET, HANDS, LEGS, OTHER, SKIN, TORSO, U8


def smooth_regions(regions: U8, size: int) -> U8:
    """The region map at another size, its ragged borders (which follow triangles) straightened."""
    wide = np.asarray(cv2.resize(regions, (size, size), interpolation=cv2.INTER_NEAREST), np.uint8)
    share = [cv2.GaussianBlur((wide == k).astype(np.float32), (0, 0), size * 0.016) for k in range(FEET + 1)]
    stack = np.stack(share)
    # Gaps between islands join the nearest island: samples on a seam fall into them.
    return np.where((wide <= FEET) | (stack.max(0) > 0.1), np.argmax(stack, 0), OTHER).astype(np.uint8)


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
    marked = np.where(bare & np.isin(regions, (TORSO, ARMS, LEGS, FEET)), SKIN, regions).astype(np.uint8)
    flat, index = colours.reshape(-1, 3)[::7], marked.ravel()[::7].astype(np.int64)
    area = np.maximum(np.bincount(index, minlength=8), 1)
    means = np.stack([np.bincount(index, flat[:, c], minlength=8) / area for c in range(3)], -1)
    return marked, np.asarray(skin, np.float32), np.asarray(means, np.float32)
