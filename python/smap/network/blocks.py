"""What the network is built of: convolutions, residual blocks, heads and the units of the way up (paper Sec. 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from .config import NetworkConfig


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, a sum with another tensor if one is given, and, unless told otherwise, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, *, bias: bool, relu: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)  # Identity once ``inference`` has folded it into ``conv``
        self.relu = relu

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        x = self.norm(self.conv(x))
        if plus is not None:
            x = x + plus
        return F.relu(x, inplace=True) if self.relu else x


class Residual(nn.Module):
    """A ResNet block: two 3x3 convolutions ("basic") or 1x1, 3x3, 1x1 with a quarter of the channels ("bottleneck")."""

    def __init__(self, inputs: int, outputs: int, stride: int, config: NetworkConfig):
        super().__init__()
        bias = config.release_layout
        if config.block == "basic":
            plan = [(inputs, outputs, 3, stride), (outputs, outputs, 3, 1)]
        else:
            width = outputs // 4
            plan = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        self.convs = nn.ModuleList(ConvNorm(*sizes, bias=bias) for sizes in plan)
        self.shortcut = (
            ConvNorm(inputs, outputs, 1, stride, bias=bias, relu=False) if stride > 1 or inputs != outputs else None
        )

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for conv in self.convs[:-1]:
            y = conv(y)
        total: Tensor = self.convs[-1](y, plus=x if self.shortcut is None else self.shortcut(x))
        return total


class Head(nn.Module):
    """1x1 convolution to the same number of channels, then a linear 3x3 one to the output."""

    def __init__(self, inputs: int, outputs: int, config: NetworkConfig):
        super().__init__()
        self.hidden = ConvNorm(inputs, inputs, bias=config.release_layout)
        self.output: nn.Module = (
            ConvNorm(inputs, outputs, 3, bias=True, relu=False)
            if config.release_layout
            else nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.float32_output = False  # whatever the dtype of the rest: set by ``inference.fold``

    def forward(self, x: Tensor) -> Tensor:
        y = self.hidden(x)
        maps: Tensor = self.output(y.float() if self.float32_output else y)
        return maps


class DecoderUnit(nn.Module):
    """One scale of the way up: encoder feature plus the coarser unit, the three heads, the next stage's skips."""

    def __init__(self, encoded: int, config: NetworkConfig, *, coarsest: bool, last_stage: bool, finest: bool):
        super().__init__()
        width, bias, skeleton = config.decoder_channels, config.release_layout, config.skeleton
        self.lateral = ConvNorm(encoded, width, bias=bias)
        self.up = None if coarsest else ConvNorm(width, width, bias=bias, relu=False)
        self.maps_2d = Head(width, skeleton.num_joints + 2 * skeleton.num_limbs, config)
        self.limb_depths = Head(width, skeleton.num_limbs, config)
        self.root_depth = Head(width, 1, config)
        if not last_stage:
            self.skip_encoded = ConvNorm(encoded, encoded, bias=bias)
            self.skip_decoded = ConvNorm(width, encoded, bias=bias)
            if finest:
                self.cross = ConvNorm(width, config.stem_out, bias=bias)
        self.align_corners = config.release_layout

    def forward(self, encoded: Tensor, coarser: Tensor | None) -> Tensor:
        above = None
        if self.up is not None and coarser is not None:
            # The 1x1 convolution comes before the resize, which it commutes with, at a quarter of the cost.
            above = resize(self.up(coarser), encoded.shape[-2:], self.align_corners)
        y: Tensor = self.lateral(encoded, plus=above)
        return y

    def skip(self, encoded: Tensor, decoded: Tensor) -> Tensor:
        """What the next stage adds to its encoder layer of this scale."""
        y: Tensor = self.skip_encoded(encoded) + self.skip_decoded(decoded)
        return y


def resize(x: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """Bilinear, or the same tensor when it has this ``(height, width)`` already."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=align_corners)


def initialise(module: nn.Module) -> None:
    """He initialisation; blocks start as identities (last normalisation at zero), heads near zero."""
    if any(p.is_meta for p in module.parameters()):  # drawing numbers for nobody loads all of torch.compile
        return
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, Residual):
        nn.init.zeros_(cast(nn.BatchNorm2d, cast(ConvNorm, module.convs[-1]).norm).weight)
    elif isinstance(module, Head):
        # Start at empty maps, the target of nearly every pixel. (Module.apply visits children first.)
        if isinstance(module.output, ConvNorm):
            nn.init.constant_(cast(nn.BatchNorm2d, module.output.norm).weight, 0.01)
        else:
            nn.init.normal_(cast(nn.Conv2d, module.output).weight, std=0.001)
