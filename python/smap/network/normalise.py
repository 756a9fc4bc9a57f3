"""Pixels to network input: the only home of the normalisation constants."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

# ImageNet statistics of RGB values in [0, 1]; the authors' release uses the same ones per colour.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


def normalise(images: Tensor) -> Tensor:
    """``(B, H, W, 3)`` uint8 RGB -> ``(B, 3, H, W)`` float32, the batch that networks take, on the same device.

    The result lies in channels_last memory, which is what the networks run fastest on.

    Raises:
        TypeError: not uint8.
        ValueError: not ``(B, H, W, 3)``.
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8, got {images.dtype}")
    if images.dim() != 4 or images.shape[3] != 3:
        raise ValueError(f"images must be (B, H, W, 3), got {tuple(images.shape)}")
    compiling = torch.compiler.is_compiling()  # the tensors of a trace are not real and must not outlive it
    scale, shift = (_build_factors if compiling else _factors)(images.device)
    return torch.addcmul(shift, images.float(), scale).permute(0, 3, 1, 2)


def _build_factors(device: torch.device) -> tuple[Tensor, Tensor]:
    scale = torch.tensor([1 / (255 * s) for s in IMAGE_STD], device=device)
    return scale, torch.tensor([-m / s for m, s in zip(IMAGE_MEAN, IMAGE_STD, strict=True)], device=device)


# Kept for good, one pair per device: a copy to the GPU in every call would make the host wait for it.
_factors = cache(_build_factors)
