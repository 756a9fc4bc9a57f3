"""Convolutions for the CPU: oneDNN's, with weights in its own layout, the sum and the ReLU in the same pass, or this
library's own, by minimal filtering.
"""

from __future__ import annotations

import platform

import torch
from torch import Tensor, nn

from ..ops.winograd_conv import LANES, transform_weight, winograd_conv
from .blocks import ConvNorm

_KEPT_SIZES = 2  # upright pictures and the others
# Products of channels beyond which transformed weights, four times as large, are no longer worth their memory.
_MOST_FILTERED = 256 * 256


def can_pack(dtype: torch.dtype) -> bool:
    """Whether this torch has oneDNN's fused convolutions, which it keeps for its compiler, for this processor."""
    if dtype == torch.bfloat16 and not getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)():
        return False  # plain torch can, however slowly
    return (
        platform.machine() in ("x86_64", "AMD64")
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")
    )


def pack(network: nn.Module) -> None:
    """Replace every convolution of a folded network by a ``PackedConv`` or ``WinogradConv``, in place.

    Plain torch converts each weight to oneDNN's layout again in every call and passes over the feature map once more
    for the sum and once for the ReLU; ``benchmarks/bench_network.py`` says what that costs.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ConvNorm):
                setattr(parent, name, _packed(child.conv, child.relu))
            elif isinstance(child, nn.Conv2d) and not isinstance(parent, ConvNorm):
                setattr(parent, name, _packed(child, relu=False))


def _packed(conv: nn.Conv2d, relu: bool) -> nn.Module:
    return WinogradConv(conv, relu) if can_filter(conv) else PackedConv(conv, relu)


def can_filter(conv: nn.Conv2d) -> bool:
    """Whether ``WinogradConv`` can do it and, on maps of usual size, is faster than oneDNN."""
    shape = (conv.kernel_size, conv.padding, conv.padding_mode, conv.stride, conv.dilation, conv.groups)
    return (
        shape == ((3, 3), (1, 1), "zeros", (1, 1), (1, 1), 1)
        and conv.bias is not None
        and conv.weight.dtype == torch.float32
        and conv.in_channels % LANES == 0
        and conv.in_channels * conv.out_channels <= _MOST_FILTERED
        and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    )


class WinogradConv(nn.Module):
    """A folded 3x3 ``ConvNorm`` in float32: 36 instead of 144 products for 4x4 outputs.

    Two to three times as fast as oneDNN at the shapes of the default network (``benchmarks/bench_winograd_conv.py``),
    which takes 45 instead of 82 ms at 576x352 (``smap bench``, two Zen 3 cores), and 1.3 to 2 times with AVX-512; with
    two to three times its rounding errors. Its weights are four times as large: those of the paper's network grow from
    351 to 481 MB.
    """

    def __init__(self, conv: nn.Conv2d, relu: bool):
        super().__init__()
        assert conv.bias is not None
        self.weight, self.bias = transform_weight(conv.weight.detach(), conv.bias.detach())
        self.outputs, self.relu = conv.out_channels, relu

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        return winograd_conv(x, self.weight, self.bias, plus, self.outputs, self.relu)


class PackedConv(nn.Module):
    """A folded ``ConvNorm`` for inference on the CPU.

    oneDNN's best layout depends on the size of the picture, though not on their number (with another size's the paper's
    network is up to half slower, with none's four times), so the weight is converted for every new size, and kept for
    the last two.
    """

    def __init__(self, conv: nn.Conv2d, relu: bool):
        super().__init__()
        self.bias = conv.bias
        self.geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self.activation = "relu" if relu else None
        # (C, H, W) -> the weight laid out for it; replaced as a whole, so that threads never see half a change.
        self._packed: dict[torch.Size | None, Tensor] = {None: conv.weight.detach()}

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        weight = self._packed.get(x.shape[1:])
        if weight is None:
            weight = self._pack(x.shape)
        run = torch.ops.mkldnn._convolution_pointwise
        if plus is None:
            y: Tensor = run(x, weight, self.bias, *self.geometry, self.activation or "none", [], None)
        else:
            y = run.binary(x, plus, weight, self.bias, *self.geometry, "add", 1.0, self.activation, [], None)
        return y

    def _pack(self, shape: torch.Size) -> Tensor:
        known = {size: weight for size, weight in self._packed.items() if size is not None}
        any_weight = next(iter(self._packed.values()))
        plain = any_weight.to_dense() if any_weight.is_mkldnn else any_weight
        weight: Tensor = torch.ops.mkldnn._reorder_convolution_weight(plain, *self.geometry, shape)
        self._packed = dict([*known.items(), (shape[1:], weight)][-_KEPT_SIZES:])
        return weight
