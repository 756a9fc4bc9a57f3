"""Training targets of the network from people (paper Sec. 3.1), on the device, for a whole batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)

SMALLEST_HEAT = 1.2e-4  # lower values of a Gaussian are zero; kSmallestHeat of csrc/ops/make_targets.h, as are the rest
ROOT_REACH = 2
ROOT_WEIGHTS = (1.0, 0.35, 0.0)
FARTHEST = 1e5
SHORTEST_LIMB = 1e-3


class Targets(NamedTuple):
    """What the maps should be. S scales share one size; ``dtype`` is the one asked for, float32 for the root.

    Args:
        heatmaps: ``(B, S, J, h, w)`` in [0, 1]: the highest of the people's Gaussians.
        pafs: ``(B, S, L, 2, h, w)`` unit vectors parent -> child within the half width of a limb, 0 elsewhere; where
            people overlap their mean, weighted to the nearer person.
        limb_depths: ``(B, S, L, h, w)`` metres, child - parent, likewise; NaN where a limb is whose depth is unknown.
        root_depth: ``(B, h, w)`` normalised depth (Eq. 1) in the 5x5 cells around every root, 0 elsewhere. A person
            whose root joint makes no target is rooted at the first joint of the tree that does, with its depth.
        root_weight: ``(B, h, w)`` 1 in the root's cell, 0.35 in the eight around it, 0 elsewhere.
    """

    heatmaps: Tensor
    pafs: Tensor
    limb_depths: Tensor
    root_depth: Tensor
    root_weight: Tensor


def make_targets(
    joints: Tensor,
    depths: Tensor,
    visibility: Tensor,
    depth_scale: Tensor,
    limbs: Tensor,
    scales: Tensor,
    size: tuple[int, int],
    dtype: torch.dtype = torch.float32,
) -> Targets:
    """People in map pixels and metres -> the maps that a network should give for them (paper Sec. 3.1).

    Joints keep their sub-pixel places, each has a Gaussian of height 1 whoever stands beside it, and nothing is
    truncated to integers (the release does otherwise; the README lists the departure). Values of a Gaussian below
    1.2e-4 are zero. Differentiable in ``joints`` through the heatmaps; the other maps give no gradient, since their
    edges are steps.

    Args:
        joints: ``(B, P, J, 2)`` float32 map pixels; NaN where there is no joint, as in padding. Nobody has joints
            beyond 1e5.
        depths: ``(B, P, J)`` float32 metres along z, NaN where unknown.
        visibility: ``(B, P, J)`` uint8; a joint with 0 makes no target.
        depth_scale: ``(B,)`` float32 w / f of Eq. 1: normalised depth per metre.
        limbs: ``(L, 2)`` int64 parent and child, root outwards.
        scales: ``(S, 2)`` float32: sigma of the heatmaps and half width of the limbs, map pixels.
        size: ``(height, width)`` of the maps.
        dtype: of heatmaps, PAFs and limb depths: float32, float16 or bfloat16.

    Raises:
        ValueError: a shape, dtype, device, limb or scale does not fit.
    """
    height, width = size
    return Targets(
        *torch.ops.smap.make_targets(joints, depths, visibility, depth_scale, limbs, scales, height, width, dtype)
    )


def reference(
    joints: Tensor,
    depths: Tensor,
    visibility: Tensor,
    depth_scale: Tensor,
    limbs: Tensor,
    scales: Tensor,
    size: tuple[int, int],
    dtype: torch.dtype = torch.float32,
) -> Targets:
    """The definition, one person at a time, in float64 on the CPU."""
    (height, width), (batch, people, joint_count, _) = size, joints.shape
    limb_count, scale_count = len(limbs), len(scales)
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    heatmaps = torch.zeros(batch, scale_count, joint_count, height, width, dtype=torch.float64)
    pafs = torch.zeros(batch, scale_count, limb_count, 2, height, width, dtype=torch.float64)
    limb_depths = torch.zeros(batch, scale_count, limb_count, height, width, dtype=torch.float64)
    root_depth = torch.zeros(batch, height, width, dtype=torch.float64)
    root_weight = torch.zeros_like(root_depth)
    xy, z = joints.double(), depths.double()
    present = visibility.bool() & (xy.abs() < FARTHEST).all(-1)
    tree = [int(limbs[0, 0]) if limb_count else 0, *(int(child) for _, child in limbs)]
    for b in range(batch):
        for s, (sigma, half_width) in enumerate(scales.tolist()):
            for j in range(joint_count):
                for p in range(people):
                    if present[b, p, j]:
                        square = (x - xy[b, p, j, 0]) ** 2 + (y - xy[b, p, j, 1]) ** 2
                        value = torch.exp(-square / (2 * sigma**2))
                        heatmaps[b, s, j] = torch.maximum(heatmaps[b, s, j], value * (value >= SMALLEST_HEAT))
            for i, (parent, child) in enumerate(limbs.tolist()):
                total, known = torch.zeros_like(x), torch.zeros_like(x)
                for p in range(people):
                    if not (present[b, p, parent] and present[b, p, child]):
                        continue
                    start, vector = xy[b, p, parent], xy[b, p, child] - xy[b, p, parent]
                    length = vector.norm()
                    if length <= SHORTEST_LIMB:
                        continue
                    ux, uy = vector / length
                    rx, ry = x - start[0], y - start[1]
                    along = (rx * ux + ry * uy).clamp(0, float(length))
                    covered = (rx - along * ux) ** 2 + (ry - along * uy) ** 2 < half_width**2
                    has_depth = bool(z[b, p, [parent, child]].isfinite().all())
                    middle = float(z[b, p, [parent, child]].mean().clamp(0.1, 100)) if has_depth else 0.0
                    weight = covered * (middle**-16 if has_depth else 1e-36)
                    pafs[b, s, i, 0] += weight * ux
                    pafs[b, s, i, 1] += weight * uy
                    total += weight
                    if has_depth:
                        limb_depths[b, s, i] += weight * (z[b, p, child] - z[b, p, parent])
                        known += weight
                pafs[b, s, i] /= torch.where(total > 0, total, 1)
                limb_depths[b, s, i] /= torch.where(known > 0, known, 1)
                limb_depths[b, s, i][(total > 0) & (known == 0)] = float("nan")
        nearest = torch.full((height, width), float("inf"), dtype=torch.float64)  # by cells, then by depth
        for p in range(people):
            root = next((j for j in tree if present[b, p, j]), None)
            if root is None or not z[b, p, root].isfinite():
                continue
            cell = (xy[b, p, root] + 0.5).floor()
            cells = torch.maximum((x - cell[0]).abs(), (y - cell[1]).abs())
            order = cells * 1e6 + z[b, p, root]
            mine = (cells <= ROOT_REACH) & (order < nearest)
            nearest[mine] = order[mine]
            root_depth[b][mine] = z[b, p, root] * depth_scale[b].double()
            root_weight[b][mine] = torch.tensor(ROOT_WEIGHTS, dtype=torch.float64)[cells[mine].long()]
    return Targets(heatmaps.to(dtype), pafs.to(dtype), limb_depths.to(dtype), root_depth.float(), root_weight.float())


@torch.library.register_fake("smap::make_targets")
def _(
    joints: Tensor,
    depths: Tensor,
    visibility: Tensor,
    depth_scale: Tensor,
    limbs: Tensor,
    scales: Tensor,
    height: int,
    width: int,
    dtype: torch.dtype,
) -> tuple[Tensor, ...]:
    batch, _, joint_count, _ = joints.shape
    limb_count, scale_count = limbs.shape[0], scales.shape[0]
    return (
        joints.new_empty((batch, scale_count, joint_count, height, width), dtype=dtype),
        joints.new_empty((batch, scale_count, limb_count, 2, height, width), dtype=dtype),
        joints.new_empty((batch, scale_count, limb_count, height, width), dtype=dtype),
        joints.new_empty((batch, height, width)),
        joints.new_empty((batch, height, width)),
    )


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    joints, _, visibility, _, _, scales, *_ = inputs
    ctx.save_for_backward(joints, visibility, scales)
    ctx.mark_non_differentiable(*output[1:])


def _backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    """Each pixel passes its gradient to the person whose Gaussian is highest there (the first of equals)."""
    joints, visibility, scales = ctx.saved_tensors
    height, width = grad.shape[-2:]
    x = torch.arange(width, device=joints.device, dtype=joints.dtype)
    y = torch.arange(height, device=joints.device, dtype=joints.dtype)
    present = (visibility != 0) & (joints.abs() < FARTHEST).all(-1)
    place = torch.where(present[..., None], joints, 0)
    dx, dy = x - place[..., 0, None], y - place[..., 1, None]  # (B, P, J, w), (B, P, J, h)
    result = torch.zeros_like(joints)
    if joints.shape[1] == 0:
        return result, *(None,) * 8
    for s in range(scales.shape[0]):
        variance = scales[s, 0] ** 2
        exponent = dy[..., :, None] ** 2 + dx[..., None, :] ** 2
        value = torch.where(present[..., None, None], torch.exp(exponent / (-2 * variance)), 0)  # (B, P, J, h, w)
        value = torch.where(value < SMALLEST_HEAT, 0, value)
        best = value.argmax(1, keepdim=True)
        mine = torch.zeros_like(value).scatter_(1, best, 1)
        flow = value * mine * grad[:, None, s].to(value.dtype) / variance
        result[..., 0] += (flow * dx[..., None, :]).sum((-2, -1))
        result[..., 1] += (flow * dy[..., :, None]).sum((-2, -1))
    return result, *(None,) * 8


torch.library.register_autograd("smap::make_targets", _backward, setup_context=_setup)
