"""Filters along rows and columns as matrices, one pair for each picture of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

_MIRRORED = 32  # pixels beyond the border that count: six sigmas
_NOTHING = 1e-6  # of the middle one: lower weights are none, since a CPU is ten times slower at numbers next to zero


def filtered(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """``(B, C, H, W)`` with columns filtered by ``down`` ``(B, H, H)`` and rows by ``across`` ``(B, W, W)``."""
    return down[:, None] @ (images @ across.transpose(1, 2)[:, None])


def blur_matrix(sigma: Tensor, size: int) -> Tensor:
    """``(B, size, size)``: Gaussian blur along an axis that is mirrored about its border pixels."""
    distance = torch.arange(-size + 1, size, device=sigma.device, dtype=torch.float32)
    weights = torch.exp(-(distance**2) / (2 * sigma.float() ** 2)[:, None])
    weights = weights.masked_fill(weights < _NOTHING, 0)
    matrix = weights.unfold(1, size, 1).flip(1)  # weight of row - column
    near = min((size + 1) // 2, _MIRRORED)
    corner = weights[:, size - 1 :].unfold(1, near, 1)[:, :near]  # weight of row + column
    matrix[:, :near, 1:near] += corner[:, :, 1:]
    matrix[:, -near:, -near:-1] += corner.flip(1, 2)[:, :, :-1]
    return matrix / matrix.sum(-1, keepdim=True)


def coarsening_matrix(factor: Tensor, size: int) -> Tensor:
    """``(B, size, size)``: shrunk ``factor`` times by area, then enlarged again linearly."""
    count = (size / factor.float()).round().clamp(min=min(8, size)).view(-1, 1, 1)
    step = size / count
    place = torch.arange(size, device=factor.device, dtype=torch.float32)
    to, come = place[:, None], place[None]
    begin = torch.maximum(come, to * step)
    shrink = (torch.minimum(come + 1, (to + 1) * step) - begin).clamp(min=0) / step
    middle = ((to + 0.5) / step - 0.5).clamp(min=0)
    enlarge = (1 - (torch.minimum(middle, count - 1) - come).abs()).clamp(min=0)
    return enlarge @ shrink
