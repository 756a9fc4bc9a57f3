"""3x3 convolutions in float32 by minimal filtering, F(4x4, 3x3) (Lavin and Gray, CVPR 2016), on the CPU.

A square of 4x4 outputs takes 36 products of two channels instead of 144. On a GPU torch chooses such ways itself.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from . import _library  # noqa: F401  (registers torch.ops.smap)

LANES = 8  # input channels come in multiples of it
COLUMNS = 16  # output channels whose weights lie together

# G of the paper for the points 0, +-sqrt(1/2), +-sqrt(2) and infinity: a line of three weights -> the six numbers that
# patches are multiplied with.
_SQRT2 = 2**0.5
_TRANSFORM = torch.tensor(
    [[6, 0, 0], [-4, -2 * _SQRT2, -2], [-4, 2 * _SQRT2, -2], [1, _SQRT2, 2], [1, -_SQRT2, 2], [0, 0, 6]],
    dtype=torch.float64,
    device="cpu",
).div(6)


def transform_weight(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Weight ``(O, C, 3, 3)`` and bias ``(O,)`` of a convolution as ``winograd_conv`` wants them: four times the size.

    Returns:
        ``(36, ceil(O / 16), C, 16)`` and ``(ceil(O / 16) * 16,)`` float32, zeros beyond O.
    """
    outputs, inputs = weight.shape[:2]
    padding = -outputs % COLUMNS
    places = torch.einsum("ai,bj,ocij->abco", _TRANSFORM, _TRANSFORM, weight.double().cpu())
    columns = F.pad(places, (0, padding)).reshape(36, inputs, -1, COLUMNS).transpose(1, 2)
    return columns.float().contiguous(), F.pad(bias.float().cpu(), (0, padding))


def winograd_conv(
    x: Tensor, weight: Tensor, bias: Tensor, plus: Tensor | None, outputs: int, relu: bool = False
) -> Tensor:
    """``conv2d(x, ..., padding=1) + plus``, and its ReLU if asked for. No gradients.

    Args:
        x: ``(B, C, H, W)`` float32, C a multiple of 8; channels last, or it is copied.
        weight, bias: of ``transform_weight``.
        plus: ``(B, O, H, W)`` float32, likewise, or None.
        outputs: O.

    Returns:
        ``(B, O, H, W)`` float32, channels last. Rounding errors are some 1e-6 of the largest sum of absolute products
        in the same square of 4x4 outputs, all of which a value that is not finite spoils.

    Raises:
        ValueError: a shape or dtype does not fit.
        NotImplementedError: tensors are on a GPU.
    """
    y: Tensor = torch.ops.smap.winograd_conv(x, weight, bias, plus, outputs, relu)
    return y


def reference(x: Tensor, weight: Tensor, bias: Tensor, plus: Tensor | None, outputs: int, relu: bool = False) -> Tensor:
    """The convolution as it is defined, in float64, with the weight that was transformed."""
    columns = weight.double().transpose(1, 2).flatten(2)[..., :outputs].unflatten(0, (6, 6))  # (6, 6, C, O)
    back = torch.linalg.pinv(_TRANSFORM)
    y = F.conv2d(x.double(), torch.einsum("ia,jb,abco->ocij", back, back, columns), bias[:outputs].double(), padding=1)
    if plus is not None:
        y = y + plus
    return (y.relu() if relu else y).float()


@torch.library.register_fake("smap::winograd_conv")
def _(x: Tensor, weight: Tensor, bias: Tensor, plus: Tensor | None, outputs: int, relu: bool) -> Tensor:
    shape = (x.shape[0], outputs, *x.shape[2:])
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
