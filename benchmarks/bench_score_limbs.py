"""Scores of every pair of peaks of 20 people: thread CPU time."""

from __future__ import annotations

import time

import pytest
import torch

from benchmarks.association_scenes import make_scene
from smap import SMAP15
from smap.decode import limb_tables
from smap.ops import find_peaks, score_limbs


@pytest.mark.benchmark(group="score_limbs", timer=time.thread_time)
def test_twenty_people(benchmark) -> None:
    maps = make_scene(0, 20).maps
    xy, _, count = find_peaks(maps.heatmaps, 0.1)
    limbs, _ = limb_tables(SMAP15, torch.device("cpu"))
    benchmark.extra_info.update(people=20, peaks=int(count.sum()))
    benchmark(score_limbs, maps.pafs, xy, count, limbs)
