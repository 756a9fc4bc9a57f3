"""Pixels to network input: the only home of the normalisation constants."""

from __future__ import annotations

import torch
from torch import Tensor

from ..constants import constant_tensors

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
    scale, shift = _row(images.shape[2], images.device)
    rows = images.flatten(2).float()  # whole rows: factors of three numbers keep a CPU from using its vectors
    torch.addcmul(shift, rows, scale, out=rows)
    batch: Tensor = rows.unflatten(2, (-1, 3)).permute(0, 3, 1, 2)
    return batch


@constant_tensors  # a copy to the GPU in every call would make the host wait for it
def _row(width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Factor and summand of every number of a row of pixels."""
    scale = [1 / (255 * s) for s in IMAGE_STD]
    shift = [-m / s for m, s in zip(IMAGE_MEAN, IMAGE_STD, strict=True)]
    pixel = torch.tensor([scale, shift], dtype=torch.float32, device=device)
    return pixel[0].repeat(width), pixel[1].repeat(width)
