"""Relative depth of every limb of every person, read from the limb-depth maps (paper Sec. 3.3)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)


def read_limb_depths(
    limb_depths: Tensor,
    xy: Tensor,
    people: Tensor,
    limbs: Tensor,
    stride: int = 4,
    samples: int = 10,
    child_alone: bool = True,
) -> Tensor:
    """A robust mean of the limb-depth map along each limb: samples clipped to their 10th and 90th percentile.

    Args:
        limb_depths: ``(B, L, h, w)`` float32, float16 or bfloat16 metres, depth of the child minus that of the parent.
        xy: ``(B, J, K, 2)`` float32 peaks in map pixels.
        people: ``(B, P, J)`` int64 peak index of each joint, -1 for none; one beyond K counts as none.
        limbs: ``(L, 2)`` int64 parent and child joint.
        stride: input pixels per map pixel; samples are rounded to input pixels, ties to even, as the release does.
        samples: points along a limb, 1 to 32.
        child_alone: a limb whose parent was not found takes the value at its child's pixel; otherwise it counts 0.

    Returns:
        ``(B, P, L)`` float32 metres; 0 for limbs whose child was not found.

    Raises:
        ValueError: a shape, dtype, device or number does not fit.
    """
    values: Tensor = torch.ops.smap.read_limb_depths(limb_depths, xy, people, limbs, stride, samples, child_alone)
    return values


def reference(
    limb_depths: Tensor,
    xy: Tensor,
    people: Tensor,
    limbs: Tensor,
    stride: int = 4,
    samples: int = 10,
    child_alone: bool = True,
) -> Tensor:
    """One limb at a time, with numpy's percentile."""
    batch, count = limb_depths.shape[:2]
    values = torch.zeros(batch, people.shape[1], count)
    height, width = limb_depths.shape[2:]

    def read(b: int, limb: int, point: Tensor) -> float:
        column, row = (torch.round((point + 0.5) * stride) // stride).long().tolist()
        pixel = limb_depths[b, limb, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
        return float(pixel)

    for b in range(batch):
        for p in range(people.shape[1]):
            for limb, (parent, child) in enumerate(limbs.tolist()):
                start, end = int(people[b, p, parent]), int(people[b, p, child])
                if end < 0 or (start < 0 and not child_alone):
                    continue
                tip = xy[b, child, end]
                if start < 0:
                    values[b, p, limb] = read(b, limb, tip)
                    continue
                base = xy[b, parent, start]
                steps = torch.linspace(0, 1, samples) if samples > 1 else torch.zeros(1)
                line = np.array([read(b, limb, base + (tip - base) * t) for t in steps])
                values[b, p, limb] = float(np.clip(line, *np.percentile(line, [10, 90])).mean())
    return values


@torch.library.register_fake("smap::read_limb_depths")
def _(
    limb_depths: Tensor, xy: Tensor, people: Tensor, limbs: Tensor, stride: int, samples: int, child_alone: bool
) -> Tensor:
    shape = (people.shape[0], people.shape[1], limb_depths.shape[1])
    return limb_depths.new_empty(shape, dtype=torch.float32)
