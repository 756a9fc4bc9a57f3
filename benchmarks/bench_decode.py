"""Maps -> people: `pytest benchmarks/bench_decode.py --benchmark-enable`; thread CPU time, beside the authors' way."""

from __future__ import annotations

import time

import pytest
import torch

from benchmarks.association_scenes import make_scene
from smap import DecodeConfig, decode
from smap.decode import limb_tables
from smap.ops.associate import reference as associate_reference
from smap.ops.find_peaks import reference as find_peaks_reference

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


@pytest.mark.benchmark(group="decode", timer=time.thread_time)
def test_authors_steps_in_numpy(benchmark) -> None:
    maps, config = make_scene(0, 3).maps, DecodeConfig.official()
    limbs, lengths = limb_tables(maps.skeleton, torch.device("cpu"), True)
    benchmark.extra_info.update(people=3)

    def authors() -> None:
        xy, score, count = find_peaks_reference(maps.heatmaps, config.peak_threshold, 3.0, 127, True)
        associate_reference(
            maps.pafs, maps.limb_depths, maps.root_depth, xy, score, count, limbs, lengths, "depth-aware", 127, 1,
            0.0, False, True, config.length_slack, 3.0, config.sample_threshold, config.counted_share, True,
        )  # fmt: skip

    benchmark.pedantic(authors, rounds=2)
