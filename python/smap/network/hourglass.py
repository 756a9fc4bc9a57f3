"""The network: a multi-stage pyramid with three heads at four scales (paper Sec. 3.1).

The paper's size (three stages of ResNet-50 encoders) and the small ones are configurations of one class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from .blocks import ConvNorm, DecoderUnit, Residual, initialise, resize
from .config import STRIDE, NetworkConfig

# Raw output of a "log" root depth head: scale * log(Z w / f) + offset, about zero-mean and unit-variance for people
# between 1 and 12 metres, so that the head starts in the middle of its range.
ROOT_LOG_SCALE, ROOT_LOG_OFFSET = 2.0, -3.0


class RawMaps(NamedTuple):
    """What the heads of one scale say, in training units.

    ``heatmaps`` ``(B, J, h, w)`` in [0, 1]; ``pafs`` ``(B, L, 2, h, w)`` unit vectors parent -> child; ``limb_depths``
    ``(B, L, h, w)`` metres times ``config.limb_depth_scale``; ``root_depth`` ``(B, h, w)``: ``Z w / f`` in metres, or
    ``ROOT_LOG_SCALE * log(Z w / f) + ROOT_LOG_OFFSET`` when ``config.root_depth`` is "log".
    """

    heatmaps: Tensor
    pafs: Tensor
    limb_depths: Tensor
    root_depth: Tensor


class Stage(nn.Module):
    """A ResNet encoder from 1/4 to 1/32 and a decoder back to 1/4."""

    def __init__(self, config: NetworkConfig, *, last: bool):
        super().__init__()
        layers = []
        inputs = config.stem_out
        for i, (count, outputs) in enumerate(zip(config.blocks, config.encoder_channels, strict=True)):
            blocks = [
                Residual(outputs if b else inputs, outputs, 2 if i > 0 and b == 0 else 1, config) for b in range(count)
            ]
            layers.append(nn.Sequential(*blocks))
            inputs = outputs
        self.encoder = nn.ModuleList(layers)
        self.decoder = nn.ModuleList(  # coarse to fine
            DecoderUnit(outputs, config, coarsest=i == 3, last_stage=last, finest=i == 0)
            for i, outputs in reversed(list(enumerate(config.encoder_channels)))
        )

    def forward(self, x: Tensor, skips: Sequence[Tensor] | None) -> tuple[list[Tensor], list[Tensor]]:
        """Features of the four encoder layers (fine to coarse) and the four decoder units (coarse to fine)."""
        encoded = []
        for i, layer in enumerate(self.encoder):
            x = layer(x)
            if skips is not None:
                x = x + skips[i]
            encoded.append(x)
        decoded: list[Tensor] = []
        for unit, feature in zip(self.units, reversed(encoded), strict=True):
            decoded.append(unit(feature, decoded[-1] if decoded else None))
        return encoded, decoded

    @property
    def units(self) -> list[DecoderUnit]:
        """The decoder, coarse to fine."""
        return cast("list[DecoderUnit]", list(self.decoder))


class Hourglass(nn.Module):
    """SMAP's network; see ``NetworkConfig`` for its sizes.

    Input of both methods: ``(B, 3, H, W)`` RGB normalised by ``network.normalise``, H and W multiples of 4 (of 32 for
    the best alignment of the scales). Maps are ``(H / 4, W / 4)``.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        bias, width = config.release_layout, config.stem_channels
        self.stem = nn.Sequential(
            *(
                (ConvNorm(3, width, 7, 2, bias=bias), nn.MaxPool2d(3, 2, 1))
                if config.release_layout
                else (ConvNorm(3, width, 3, 2, bias=bias), ConvNorm(width, config.stem_out, 3, 2, bias=bias))
            )
        )
        self.pyramid = nn.ModuleList(Stage(config, last=s + 1 == config.stages) for s in range(config.stages))
        self.apply(initialise)

    @property
    def stages(self) -> list[Stage]:
        return cast("list[Stage]", list(self.pyramid))

    def raw(self, x: Tensor) -> list[list[RawMaps]]:
        """Outputs of every stage and scale for the losses: ``[stage][scale]``, scales coarse to fine (1/32 to 1/4).

        Each keeps the size of its scale, so that a coarse pixel covers ``2^k`` x ``2^k`` of the finest exactly; with
        ``config.release_layout`` all are resized to the finest, as in the authors' release.
        """
        scales = []
        for stage, decoded in zip(self.stages, self._decode(x), strict=True):
            size = decoded[-1].shape[-2:] if self.config.release_layout else None
            scales.append([self._heads(unit, y, size) for unit, y in zip(stage.units, decoded, strict=True)])
        return scales

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Heatmaps, PAFs, limb depths and root depth as fields of ``Maps`` (shapes and units there).

        Computes only the heads these need: the finest ``averaged_scales`` of the last stage for the 2-D maps, whose
        mean is taken, and the finest alone for the depths.
        """
        config, stage = self.config, self.stages[-1]
        decoded = self._decode(x)[-1]
        finest, unit = decoded[-1], stage.units[-1]
        maps_2d = unit.maps_2d(finest)
        for k in range(2, config.averaged_scales + 1):
            coarse = stage.units[-k].maps_2d(decoded[-k])
            maps_2d = maps_2d + resize(coarse, maps_2d.shape[-2:], config.release_layout)
        heatmaps, pafs = self._split(maps_2d / config.averaged_scales if config.averaged_scales > 1 else maps_2d)
        limb_depths = unit.limb_depths(finest) / config.limb_depth_scale
        root = unit.root_depth(finest)[:, 0].float()
        if config.root_depth == "log":
            root = torch.exp((root - ROOT_LOG_OFFSET) / ROOT_LOG_SCALE)
        # The network sees people in pixels: on a wider canvas the same person looks nearer by the ratio of the widths.
        root = root * (x.shape[-1] / config.training_width)
        return heatmaps, pafs, limb_depths, root

    @torch.no_grad()
    def set_training_width(self, width: int) -> None:
        """As if the weights had been trained at another input width: maps stay as they are, the raw root depth becomes
        what it would be there. For training to go on at that width.
        """
        ratio = width / self.config.training_width
        for stage in self.stages:
            for unit in stage.units:
                output = unit.root_depth.output
                last = output.norm if isinstance(output, ConvNorm) else output
                weight, bias = cast(Tensor, last.weight), cast(Tensor, last.bias)
                if self.config.root_depth == "log":
                    bias.add_(ROOT_LOG_SCALE * math.log(ratio))
                else:
                    weight.mul_(ratio)
                    bias.mul_(ratio)
        self.config = replace(self.config, training_width=width)

    def with_blocks(self, blocks: tuple[int, int, int, int]) -> Hourglass:
        """A deeper network that computes the same: added residual blocks are identities until they are trained.

        Raises:
            ValueError: a layer of the encoder would lose blocks.
        """
        if any(more < now for more, now in zip(blocks, self.config.blocks, strict=True)):
            raise ValueError(f"blocks must be at least {self.config.blocks}, layer by layer, got {blocks}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            deeper = Hourglass(replace(self.config, blocks=blocks))
        deeper.load_state_dict(deeper.state_dict() | self.state_dict())
        return deeper.train(self.training)

    def drop_unused_heads(self) -> None:
        """Delete the heads that ``forward`` does not read, with their weights; ``raw`` no longer works."""
        for stage in self.stages:
            for k, unit in enumerate(reversed(stage.units), start=1):
                last = stage is self.stages[-1]
                if not last or k > self.config.averaged_scales:
                    del unit.maps_2d
                if not last or k > 1:
                    del unit.limb_depths, unit.root_depth

    def _decode(self, x: Tensor) -> list[list[Tensor]]:
        """Decoder features, ``[stage][scale]``."""
        check_batch(x)
        x = self.stem(x)
        skips: list[Tensor] | None = None
        results = []
        for i, stage in enumerate(self.stages):
            encoded, decoded = stage(x, skips)
            results.append(decoded)
            if i + 1 < len(self.stages):
                units = zip(stage.units, reversed(encoded), decoded, strict=True)
                skips = [unit.skip(e, d) for unit, e, d in units][::-1]
                x = stage.units[-1].cross(decoded[-1])
        return results

    def _heads(self, unit: DecoderUnit, y: Tensor, size: Sequence[int] | None) -> RawMaps:
        maps = [unit.maps_2d(y), unit.limb_depths(y), unit.root_depth(y)]
        if size is not None:
            maps = [resize(m, size, self.config.release_layout) for m in maps]
        return RawMaps(*self._split(maps[0]), maps[1], maps[2][:, 0])

    def _split(self, maps_2d: Tensor) -> tuple[Tensor, Tensor]:
        joints, limbs = self.config.skeleton.num_joints, self.config.skeleton.num_limbs
        return maps_2d[:, :joints], maps_2d[:, joints:].unflatten(1, (limbs, 2))


def check_batch(x: Tensor) -> None:
    """Raises: ValueError unless a network can take this shape."""
    if x.dim() != 4 or x.shape[1] != 3 or x.shape[2] % STRIDE or x.shape[3] % STRIDE:
        raise ValueError(f"batch must be (B, 3, H, W), H and W multiples of {STRIDE}, got {tuple(x.shape)}")
