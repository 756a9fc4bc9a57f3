"""Association of the peaks of 20 people: thread CPU time."""

from __future__ import annotations

import time

import pytest
import torch

from benchmarks.association_scenes import make_scene
from smap import SMAP15
from smap.decode import ASSOCIATIONS, limb_tables
from smap.ops import associate, find_peaks


@pytest.mark.parametrize("mode", ASSOCIATIONS)
@pytest.mark.benchmark(group="associate", timer=time.thread_time)
def test_twenty_people(benchmark, mode: str) -> None:
    maps = make_scene(0, 20).maps
    peaks = find_peaks(maps.heatmaps, 0.1)
    limbs, lengths = limb_tables(SMAP15, torch.device("cpu"))
    benchmark.extra_info.update(people=20, mode=mode)
    benchmark(associate, maps.pafs, maps.limb_depths, maps.root_depth, *peaks, limbs, lengths, mode)
