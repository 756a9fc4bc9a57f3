"""The authors' association cases as this library's maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from smap import SMAP15, Maps

from .network.official import fixture_inputs

Floats = NDArray[np.float32]

NET_WIDTH = 832  # input pixels, of the authors' canvas


class OfficialCase(NamedTuple):
    """Maps in the authors' range (``map_scale=1``), limbs as in ``SMAP15``; their check sum; the scene they show."""

    maps: Maps
    crc: int
    scene: dict[str, Any]


def official_maps(shared: Path, case: int) -> OfficialCase:
    inputs = fixture_inputs(shared)
    scene, *maps = inputs.make_case(case)
    return OfficialCase(as_ours(inputs.LIMBS, *maps), inputs.crc(*maps), scene)


def as_ours(limbs: list[list[int]], maps: Floats, root_depth: Floats, limb_depths: Floats) -> Maps:
    """``limbs`` are theirs; heatmaps and PAFs keep their range."""
    theirs = [tuple(limb) for limb in limbs]
    order = [theirs.index(limb if limb in theirs else limb[::-1]) for limb in SMAP15.limbs]
    sign = np.array([1 if limb in theirs else -1 for limb in SMAP15.limbs], np.float32)
    pafs = maps[15:].reshape(14, 2, *maps.shape[1:])[order] * sign[:, None, None, None]
    depths = limb_depths[order] * sign[:, None, None] / np.float32(100)
    return Maps(
        torch.from_numpy(maps[None, :15].copy()),
        torch.from_numpy(pafs[None]),
        torch.from_numpy(depths[None]),
        torch.from_numpy((root_depth * np.float32(NET_WIDTH / 100))[None]),
    )
