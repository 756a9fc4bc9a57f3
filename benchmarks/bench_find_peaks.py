"""Peaks of the heatmaps of 20 people, 128x208: thread CPU time."""

from __future__ import annotations

import time

import pytest
import torch

from benchmarks.association_scenes import make_scene
from smap.ops import find_peaks


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.benchmark(group="find_peaks", timer=time.thread_time)
def test_twenty_people(benchmark, dtype: torch.dtype) -> None:
    heatmaps = make_scene(0, 20).maps.heatmaps.to(dtype)
    benchmark.extra_info.update(people=20, shape=list(heatmaps.shape), dtype=str(dtype))
    benchmark(find_peaks, heatmaps, 0.1)


@pytest.mark.benchmark(group="find_peaks", timer=time.thread_time)
def test_upright(benchmark) -> None:
    """The maps of an upright picture, 104x64: rows of two blocks."""
    heatmaps = make_scene(0, 20).maps.heatmaps[..., :104, :64].contiguous()
    benchmark.extra_info.update(shape=list(heatmaps.shape))
    benchmark(find_peaks, heatmaps, 0.1)
