"""Maps -> people: `pytest benchmarks/bench_decode.py --benchmark-enable`; thread CPU time."""

from __future__ import annotations

import time

import pytest
import torch

from benchmarks.association_scenes import make_scene
from smap import DecodeConfig, decode

torch.set_num_threads(1)


@pytest.mark.parametrize("people", [3, 10, 20, 50])
@pytest.mark.parametrize("association", ["optimal", "depth-aware", "paf"])
@pytest.mark.benchmark(group="decode", timer=time.thread_time)
def test_decode(benchmark, association: str, people: int) -> None:
    maps, config = make_scene(0, people).maps, DecodeConfig(association=association)
    benchmark.extra_info.update(people=people, association=association, shape=list(maps.heatmaps.shape))
    benchmark(decode, maps, config)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.benchmark(group="decode", timer=time.thread_time)
def test_half_precision(benchmark, dtype: torch.dtype) -> None:
    maps = make_scene(0, 20).maps.to(dtype=dtype)
    benchmark.extra_info.update(people=20, dtype=str(dtype))
    benchmark(decode, maps)
