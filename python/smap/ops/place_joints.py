"""Where every joint of every person is, in the image and in the camera frame (paper Sec. 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)
from .back_project import back_project


def place_joints(
    limb_values: Tensor,
    xy: Tensor,
    score: Tensor,
    people: Tensor,
    root_depths: Tensor,
    frames: Tensor,
    cameras: Tensor,
    paths: Tensor,
    order: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sum the limbs' relative depths from the root outwards and take the joints from the map into the camera frame.

    Args:
        limb_values: ``(B, P, L)`` float32 metres, depth of the child minus that of the parent, 0 where unknown.
        xy: ``(B, J, K, 2)`` float32 peaks in map pixels.
        score: ``(B, J, K)`` float32.
        people: ``(B, P, J)`` int64 peak of each joint; what names no peak counts as not found.
        root_depths: ``(B, P)`` float32 normalised depth (Eq. 1) of each person's first found joint in ``order``.
        frames: ``(B, 4)`` float32 scale, offset_x, offset_y with ``map_xy = image_xy * scale + offset``, and the metres
            per unit of normalised depth.
        cameras: ``(B, 4)`` float32 fx, fy, cx, cy in image pixels.
        paths: ``(J, L)`` float32, 1 where the limb lies between the root and the joint, else 0.
        order: ``(J,)`` int64 joints from the root outwards.

    Returns:
        ``(B, P, J, 3)`` metres (x right, y down, z forward) and ``(B, P, J, 2)`` image pixels, NaN where the joint was
        not found; ``(B, P, J)`` scores, 0 there, and their means ``(B, P)``, to which a score adds 1 at most.
        Differentiable in all floating-point arguments but ``frames`` and ``paths``.

    ``torch.ops.smap.place_joints`` itself has no gradient.

    Raises:
        ValueError: a shape, dtype or device does not fit.
    """
    args = (limb_values, xy, score, people, root_depths, frames, cameras, paths, order)
    if torch.is_grad_enabled() and any(t.requires_grad for t in (limb_values, xy, score, root_depths, cameras)):
        torch.ops.smap.place_joints(*(t.detach() for t in args))  # refuses what does not fit
        return reference(*args)  # torch's own operations, whose gradients it knows; three times slower
    placed: tuple[Tensor, Tensor, Tensor, Tensor] = torch.ops.smap.place_joints(*args)
    return placed


def reference(
    limb_values: Tensor,
    xy: Tensor,
    score: Tensor,
    people: Tensor,
    root_depths: Tensor,
    frames: Tensor,
    cameras: Tensor,
    paths: Tensor,
    order: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """With gathers, sums and ``back_project``."""
    if not score.shape[2]:  # a peak that nobody has, to gather from
        xy, score = xy.new_zeros(*xy.shape[:2], 1, 2), score.new_zeros(*score.shape[:2], 1)
        people = people.clamp(max=-1)
    found = (people >= 0) & (people < score.shape[2])
    index = torch.where(found, people, 0).transpose(1, 2)  # (B, J, P)
    map_xy = xy.gather(2, index[..., None].expand(-1, -1, -1, 2)).transpose(1, 2)
    scores = torch.where(found, score.gather(2, index).transpose(1, 2), 0.0)
    anchor = order[found[:, :, order].int().argmax(-1)]
    between = paths - paths[anchor][:, :, None]  # (B, P, J, L)
    relative = torch.where(between != 0, between * limb_values[:, :, None], 0.0).sum(-1)
    depth = (root_depths * frames[:, 3:])[..., None] + relative
    image_xy = (map_xy - frames[:, None, None, 1:3]) / frames[:, None, None, :1]
    depth = torch.where(found, depth, torch.nan)
    image_xy = torch.where(found[..., None], image_xy, torch.nan)
    points = back_project(image_xy.flatten(1, 2), depth.flatten(1, 2), cameras)
    return points.unflatten(1, people.shape[1:]), image_xy, scores, scores.clamp(max=1).mean(-1)


@torch.library.register_fake("smap::place_joints")
def _(
    limb_values: Tensor,
    xy: Tensor,
    score: Tensor,
    people: Tensor,
    root_depths: Tensor,
    frames: Tensor,
    cameras: Tensor,
    paths: Tensor,
    order: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    grid = people.shape
    return xy.new_empty((*grid, 3)), xy.new_empty((*grid, 2)), xy.new_empty(grid), xy.new_empty(grid[:2])
