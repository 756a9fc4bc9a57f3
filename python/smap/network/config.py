"""Sizes and units of a network: what a weights file must say besides its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import index
from typing import Any, Literal

from ..skeleton import SMAP15, Skeleton

STRIDE = 4  # input pixels per map pixel


@dataclass(frozen=True)
class NetworkConfig:
    """Settings of ``Hourglass``. The defaults are the small network of the default weights; ``paper()`` the paper's.

    Args:
        skeleton: names the output channels.
        stages: encoder-decoder pairs in a row.
        block: residual block of the encoders: "basic" (two 3x3) or "bottleneck" (1x1, 3x3, 1x1).
        blocks: of the four encoder layers at 1/4, 1/8, 1/16 and 1/32.
        encoder_channels: likewise.
        decoder_channels: of every decoder unit and head.
        stem_channels: after the first convolution, at 1/2.
        averaged_scales: finest scales whose heatmaps and PAFs are averaged at inference, 1 to 4.
        release_layout: build the layers exactly as the authors' release does: 7x7 stem with a max-pool, a bias before
            each normalisation, a normalisation behind each head, ``align_corners`` resizing, and coarse scales resized
            to full size for the losses. False: two 3x3 stem convolutions, none of the redundant layers, pixel-centre
            resizing (as in the rest of this library), coarse scales supervised at their own size.
        root_depth: the root depth head holds "log" or "linear" normalised depth (units: ``RawMaps``).
        limb_depth_scale: raw limb depth per metre.
        input_size: ``(width, height)`` of the network's input unless the caller chooses another, pixels.
        training_width: input width the weights were trained at, pixels. A network cannot tell a wide canvas from a near
            person; at another width the root depth is multiplied by ``width / training_width``.
        precision: the fastest arithmetic the weights are known to keep their maps in (see ``network.prepare``).

    Raises:
        TypeError: a count is not an integer.
        ValueError: a value is out of its range.
    """

    skeleton: Skeleton = SMAP15
    stages: int = 1
    block: Literal["basic", "bottleneck"] = "basic"
    blocks: tuple[int, int, int, int] = (1, 2, 3, 2)
    encoder_channels: tuple[int, int, int, int] = (48, 96, 160, 256)
    decoder_channels: int = 64
    stem_channels: int = 32
    averaged_scales: int = 1
    release_layout: bool = False
    root_depth: Literal["log", "linear"] = "log"
    limb_depth_scale: float = 4.0
    input_size: tuple[int, int] = (576, 352)
    training_width: int = 576
    precision: Literal["float32", "bfloat16"] = "bfloat16"

    def __post_init__(self) -> None:
        for name, length in (("blocks", 4), ("encoder_channels", 4), ("input_size", 2)):
            values = tuple(index(v) for v in getattr(self, name))
            object.__setattr__(self, name, values)
            if len(values) != length or min(values) < 1:
                raise ValueError(f"{name} must be {length} positive integers, got {values}")
        for name in ("stages", "decoder_channels", "stem_channels", "training_width"):
            if index(getattr(self, name)) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.stages * sum(self.blocks) > 1000:  # a damaged file, which would take hours to build
            raise ValueError(f"stages and blocks must make at most 1000 blocks, got {self.stages} x {self.blocks}")
        for name, choices in (
            ("block", ("basic", "bottleneck")),
            ("averaged_scales", (1, 2, 3, 4)),
            ("root_depth", ("log", "linear")),
            ("precision", ("float32", "bfloat16")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {choices}, got {getattr(self, name)!r}")
        if not 0 < self.limb_depth_scale < float("inf"):
            raise ValueError(f"limb_depth_scale must be positive, got {self.limb_depth_scale}")
        if any(v % STRIDE for v in self.input_size):
            raise ValueError(f"input_size must be multiples of {STRIDE}, got {self.input_size}")

    @classmethod
    def small(cls, skeleton: Skeleton = SMAP15) -> NetworkConfig:
        """The default weights' configuration: one stage, plain 3x3 convolutions, for real time on a CPU."""
        return cls(skeleton=skeleton)

    @classmethod
    def paper(cls, stages: int = 3, skeleton: Skeleton = SMAP15) -> NetworkConfig:
        """The paper's network as released: 91,318,696 parameters in 3 stages, 26,050,488 in 1, at 832x512."""
        return cls(
            skeleton=skeleton,
            stages=stages,
            block="bottleneck",
            blocks=(3, 4, 6, 3),
            encoder_channels=(256, 512, 1024, 2048),
            decoder_channels=256,
            stem_channels=64,
            averaged_scales=3,
            release_layout=True,
            root_depth="linear",
            limb_depth_scale=1.0,
            input_size=(832, 512),
            training_width=832,
            precision="float32",
        )

    @property
    def stem_out(self) -> int:
        """Channels that enter a stage, at 1/4."""
        return self.stem_channels if self.release_layout else self.encoder_channels[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``from_dict`` inverts."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        lists = {name: list(value) for name, value in values.items() if isinstance(value, tuple)}
        return values | lists | {"skeleton": self.skeleton.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetworkConfig:
        """Raises: ValueError when a field is unknown or does not fit; missing fields take their defaults."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"network configuration must have known fields only, got {sorted(unknown)}")
        values = dict(values)
        if "skeleton" in values:
            values["skeleton"] = Skeleton.from_dict(values["skeleton"])
        return cls(**values)
