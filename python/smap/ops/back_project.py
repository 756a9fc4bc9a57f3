"""Back-projection of image points with depths into the camera frame (paper Sec. 3.3, Eq. 3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)


def back_project(xy: Tensor, depth: Tensor, cameras: Tensor) -> Tensor:
    """Image points and depths -> points in the camera frame: ``[X, Y, Z] = Z K^-1 [x, y, 1]`` (Eq. 3).

    Differentiable, twice too, by backward passes; not by ``torch.func`` or in forward mode.

    Args:
        xy: ``(B, N, 2)`` float32 or float64, image pixels. NaN passes through, and has no gradient.
        depth: ``(B, N)`` metres along z, dtype and device of ``xy``.
        cameras: ``(B, 4)`` fx, fy, cx, cy in image pixels.

    Returns:
        ``(B, N, 3)`` metres: x right, y down, z forward.

    Raises:
        ValueError: a shape, dtype or device does not fit.
    """
    points: Tensor = torch.ops.smap.back_project(xy, depth, cameras)
    return points


def reference(xy: Tensor, depth: Tensor, cameras: Tensor) -> Tensor:
    """Eq. 3 as written, with an explicit inverse of K."""
    batch, count, _ = xy.shape
    points = xy.new_zeros(batch, count, 3)
    for b in range(batch):
        fx, fy, cx, cy = cameras[b]
        one, zero = torch.ones_like(fx), torch.zeros_like(fx)
        k = torch.stack([torch.stack(row) for row in ([fx, zero, cx], [zero, fy, cy], [zero, zero, one])])
        homogeneous = torch.cat([xy[b], xy.new_ones(count, 1)], -1)
        points[b] = depth[b, :, None] * (homogeneous @ torch.linalg.inv(k).T)
    return points


@torch.library.register_fake("smap::back_project")
def _(xy: Tensor, depth: Tensor, cameras: Tensor) -> Tensor:
    return xy.new_empty((*xy.shape[:2], 3))


def _setup(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    xy, depth, cameras = ctx.saved_tensors
    focal, centre = cameras[:, None, :2], cameras[:, None, 2:]
    # Of a point that is not there (NaN) nothing depends on anything, or 0 * NaN would spoil the sums over points.
    known = depth.isfinite() & xy.isfinite().all(-1)
    depth = torch.where(known, depth, 0)
    ray = torch.where(known[..., None], (xy - centre) / focal, 0)
    grad_ray = grad[..., :2] * depth[..., None]
    grad_depth = (grad[..., :2] * ray).sum(-1) + grad[..., 2]
    grad_focal = (-grad_ray * ray / focal).sum(1)
    grad_centre = (-grad_ray / focal).sum(1)
    return grad_ray / focal, grad_depth, torch.cat([grad_focal, grad_centre], -1)


torch.library.register_autograd("smap::back_project", _backward, setup_context=_setup)
