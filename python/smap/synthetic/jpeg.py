"""JPEG's loss, without its bytes: 8x8 cosine transforms, quantised as libjpeg does, with halved chroma."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

# Annex K of the standard (ITU-T T.81), quality 50.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """What is left after coding and decoding.

    Args:
        images: ``(B, 3, H, W)`` float32 RGB, 0 to 255.
        quality: ``(B,)`` 1 to 100.

    Returns:
        ``(B, 3, H, W)`` float32, 0 to 255.
    """
    height, width = images.shape[2:]
    whole = images
    if width % 16 or height % 16:
        whole = functional.pad(images, (0, -width % 16, 0, -height % 16), mode="replicate")
    ycc = _mix(whole, _TO_YCC)
    luma = _quantised(ycc[:, :1] - 128, _table(_LUMINANCE, quality)) + 128
    chroma = _quantised(functional.avg_pool2d(ycc[:, 1:], 2), _table(_CHROMINANCE, quality))
    chroma = functional.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    return _mix(torch.cat([luma, chroma], 1), _TO_RGB).clamp_(0, 255)[:, :, :height, :width]


def _mix(images: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    batch, channels, height, width = images.shape
    return (images.new_tensor(matrix) @ images.reshape(batch, channels, -1)).view(batch, -1, height, width)


def _table(base: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """``(B, 1, 1, 8, 8)`` steps of quantisation."""
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).floor()
    steps = ((quality.new_tensor(base) * scale[:, None, None] + 50) / 100).floor().clamp(1, 255)
    return steps[:, None, None]


def _cosines(like: Tensor) -> Tensor:
    """``(8, 8)`` orthonormal: frequencies x places."""
    frequency, place = torch.arange(8, dtype=torch.float64)[:, None], torch.arange(8, dtype=torch.float64)
    basis = torch.cos((2 * place + 1) * frequency * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis.to(like)


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """``(B, C, H, W)`` through the transform of each 8x8 block, rounded to ``steps``, and back."""
    batch, channels, height, width = planes.shape
    cosines = _cosines(planes)
    rows = planes.reshape(batch, channels, height, width // 8, 8) @ cosines.T
    blocks = cosines @ rows.view(batch, channels, height // 8, 8, width)
    steps = steps.repeat(1, 1, 1, 1, width // 8)
    rows = cosines.T @ (blocks.div_(steps).round_().mul_(steps))
    return (rows.view(batch, channels, height, width // 8, 8) @ cosines).view(batch, channels, height, width)
