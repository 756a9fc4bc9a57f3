"""Crowds of the recorded fixtures' generator (``official/fixture_inputs.py``) as scenes with a known answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.network.official import fixture_inputs
from tests.official_maps import NET_WIDTH, as_ours

from smap import Maps

from .association_scenes import PELVIS, STRIDE, Scene

SCALES = 3  # their maps are sums of so many


def official_scene(shared: Path, seed: int, people: int) -> Scene:
    inputs = fixture_inputs(shared)
    scene = inputs.make_scene(seed, n=people)
    ours = as_ours(inputs.LIMBS, *inputs.make_maps(scene, amp=float(SCALES)))
    maps = Maps(ours.heatmaps / SCALES, ours.pafs / SCALES, ours.limb_depths, ours.root_depth)
    joints = np.where(drawn(inputs, scene)[..., None], scene["net2d"] / STRIDE - 0.5, np.nan)
    focal = scene["scale"]["f_x"] * scene["scale"]["scale"]  # input pixels
    return Scene(maps, joints, scene["bodys"][:, PELVIS, 2] / 100 * NET_WIDTH / focal, np.zeros(people, bool))


def drawn(inputs: Any, scene: dict[str, Any]) -> NDArray[np.bool_]:
    """``(P, J)`` joints that left a blob: ``make_maps`` does not tell, so its random numbers are drawn once more."""
    visible = inputs.scene_net_bodys(scene)[:, :, 3]
    random = inputs.Rng(f"maps:{scene['seed']}")
    random.n(0.35, (*visible.shape, 2))
    out = np.zeros(visible.shape, bool)
    for at, v in np.ndenumerate(visible):
        random.u()
        if v == 1:
            random.u()
        out[at] = not (v == 0 or random.p(0.35 if v == 1 else 0.015))
        random.u()
    return out
