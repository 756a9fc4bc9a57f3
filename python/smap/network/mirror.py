"""Maps averaged over a picture and its mirror image: steadier, at twice the price."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..maps import MAP_NAMES, Maps
from ..skeleton import Skeleton
from .inference import PreparedNetwork


class MirroredNetwork:
    """A prepared network that also looks at the mirrored picture, and answers with the mean of both.

    What is left in one is right in the other, so this steadies most what a network is unsure of. Called as
    ``PreparedNetwork`` is.
    """

    def __init__(self, network: PreparedNetwork) -> None:
        self._network = network

    @property
    def dtype(self) -> torch.dtype:
        return self._network.dtype

    @property
    def skeleton(self) -> Skeleton:
        return self._network.skeleton

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Maps:
        return mean_of_both(self._network(with_mirror_images(batch)))

    @torch.inference_mode()
    def eager(self, batch: Tensor) -> Maps:
        return mean_of_both(self._network.eager(with_mirror_images(batch)))


def with_mirror_images(batch: Tensor) -> Tensor:
    """``(B, 3, H, W)`` pictures, then their mirror images."""
    return torch.cat([batch, batch.flip(-1)])


def mean_of_both(maps: Maps) -> Maps:
    """What the maps of ``with_mirror_images`` say of the pictures."""
    half = maps.heatmaps.shape[0] // 2  # not len(), which a tracer takes for a constant
    plain, mirrored = maps[:half], maps[half:].mirrored()
    means = {name: (getattr(plain, name) + getattr(mirrored, name)) / 2 for name in MAP_NAMES}
    return replace(plain, **means)
