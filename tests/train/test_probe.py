"""The probe's figures, against loops over people and pixels."""

from __future__ import annotations

import math
import statistics

import pytest
import torch

from smap import SMAP15
from smap.network import ROOT_LOG_OFFSET, ROOT_LOG_SCALE, STRIDE, Hourglass, RawMaps
from smap.network.losses import ScaleTargets
from smap.sample import VISIBLE
from smap.train.batch import Batch, build_targets
from smap.train.probe import Probe

from .tiny import TinyBatches, tiny_config

CONFIG = tiny_config(40)


def problem(seed: int) -> tuple[RawMaps, ScaleTargets, Batch]:
    """Maps near the truth of some people; one has no pelvis, one no trunk at all."""
    batch = TinyBatches(CONFIG, 0, 1)()(30 + seed)
    batch.visibility[:] = VISIBLE
    batch.visibility[0, 0, SMAP15.root] = 0
    batch.visibility[1, 0, :3] = 0
    network = Hourglass(CONFIG.network)
    with torch.no_grad():
        raw = network.raw(torch.zeros(len(batch), 3, *batch.images.shape[1:3]))
    truth = build_targets(batch, raw, SMAP15, CONFIG.loss)[-1][-1]
    random = torch.Generator().manual_seed(seed)

    def near(values: torch.Tensor, spread: float) -> torch.Tensor:
        return values.nan_to_num() + spread * torch.randn(values.shape, generator=random)

    root = ROOT_LOG_SCALE * torch.log(truth.root_depth.clamp_min(1e-3)) + ROOT_LOG_OFFSET
    depths = near(truth.limb_depths * CONFIG.network.limb_depth_scale, 0.3)
    return RawMaps(near(truth.heatmaps, 0.5), near(truth.pafs, 0.1), depths, near(root, 0.2)), truth, batch


def reference(problems: list[tuple[RawMaps, ScaleTargets, Batch]]) -> dict[str, float]:
    right, errors, said, true = [], [], [], []
    for maps, truth, batch in problems:
        xy = (batch.joints + 0.5) / STRIDE - 0.5
        height, width = maps.heatmaps.shape[-2:]

        def cell(b: int, p: int, joint: int, xy: torch.Tensor = xy, size: tuple[int, int] = (height, width)):
            x, y = (math.floor(float(v) + 0.5) for v in xy[b, p, joint])
            return min(max(y, 0), size[0] - 1), min(max(x, 0), size[1] - 1)

        for b in range(len(batch)):
            for p in range(batch.joints.shape[1]):
                visible = batch.visibility[b, p] > 0
                for left, name in enumerate(SMAP15.joints):
                    other = SMAP15.flipped_joints[left]
                    apart = float((xy[b, p, left] - xy[b, p, other]).norm())
                    if name.startswith("left_") and visible[left] and visible[other] and apart > 1.5:
                        heat = maps.heatmaps[b]
                        good = heat[left][cell(b, p, left)] + heat[other][cell(b, p, other)]
                        right.append(bool(good > heat[left][cell(b, p, other)] + heat[other][cell(b, p, left)]))
                order = [SMAP15.root, *(child for _, child in SMAP15.limbs)]
                root = next((joint for joint in order if visible[joint]), None)
                if root is not None and truth.root_weight[b][cell(b, p, root)] == 1:
                    depth = math.exp((float(maps.root_depth[b][cell(b, p, root)]) - ROOT_LOG_OFFSET) / ROOT_LOG_SCALE)
                    is_ = float(truth.root_depth[b][cell(b, p, root)])
                    errors.append(abs(depth - is_) / is_)
        on_limb = (truth.pafs != 0).any(2) & truth.limb_depths.isfinite()
        said += (maps.limb_depths[on_limb] / CONFIG.network.limb_depth_scale).tolist()
        true += truth.limb_depths[on_limb].tolist()
    mean = statistics.fmean(true)
    unexplained = sum((a - b) ** 2 for a, b in zip(said, true, strict=True)) / sum((b - mean) ** 2 for b in true)
    return {
        "left_right": statistics.fmean(right),
        "limb_depth_r2": 1 - unexplained,
        "root_error": sorted(errors)[(len(errors) - 1) // 2],  # torch's median: the lower of two
    }


def test_equals_the_loops() -> None:
    problems = [problem(seed) for seed in range(4)]
    probe = Probe(CONFIG.network)
    for _ in range(2):  # the second time afresh
        for one in problems:
            probe.add(*one)
        assert probe.result() == pytest.approx(reference(problems), rel=1e-4)


def test_of_nothing_it_knows_nothing() -> None:
    assert all(math.isnan(value) for value in Probe(CONFIG.network).result().values())
