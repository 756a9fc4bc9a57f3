"""Every op on a GPU: on any stream, in a CUDA graph, without making the host wait, and the same every time.

Those between people and maps give what they give on the CPU, bit by bit; tests/ops holds those that draw to within a
step of 255.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from smap.decode import ASSOCIATIONS

from .problems import EVERY_NAME, NAMES, drawings, every, on_gpu, problems, tensors

pytestmark = pytest.mark.cuda
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def run(name: str, args: list[Any]) -> list[Tensor]:
    return tensors(getattr(torch.ops.smap, name)(*args))


def assert_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.cpu(), b.cpu(), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_equals_the_cpu(name: str, dtype: torch.dtype) -> None:
    for seed in range(6):
        args = problems(seed, dtype, batch=1 + seed % 3, count=(0, 1, 5, 12, 20, 30)[seed])[name]
        assert_equal(run(name, on_gpu(args)), run(name, args))


@pytest.mark.parametrize("capacity", [1, 5, 127])
@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("levels", [4, 1000])
def test_peaks_of_noise(capacity: int, official: bool, levels: int) -> None:
    """Plateaus, ties, more peaks than there is room for; any size and stride, one map too large for shared memory."""
    for seed, (height, width) in enumerate([(128, 208), (1, 1), (7, 33), (300, 1), (700, 600)]):
        noise = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
        noise = (noise * levels).floor() / levels
        for dtype in DTYPES:
            heatmaps = noise.to(dtype)
            args = [0.3, 1.0, capacity, official]
            expected = run("find_peaks", [heatmaps, *args])
            assert_equal(run("find_peaks", [heatmaps.cuda(), *args]), expected)
            transposed = heatmaps.cuda().transpose(2, 3).contiguous().transpose(2, 3)
            assert_equal(run("find_peaks", [transposed, *args]), expected)


@pytest.mark.parametrize("mode", ASSOCIATIONS)
@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("max_people", [3, 40])
@pytest.mark.parametrize("peaks", [8, 40, 400])  # all, nothing but the greedy ones, nothing fits shared memory
def test_associations(mode: str, official: bool, max_people: int, peaks: int) -> None:
    for seed in range(8):
        rules = {
            "min_joints": 1 + seed % 3,
            "min_score": 0.1 * (seed % 4),
            "max_overlap": 1.0 - 0.3 * (seed % 3),
            "half_bodies": seed % 2 == 0,
            "ordinal_prior": seed % 3 > 0,
        }
        settings = {"mode": mode, "official": official, "max_people": max_people, **rules}
        args = problems(seed, count=4 * seed + 1, peaks=peaks, **settings)["associate"]
        assert_equal(run("associate", on_gpu(args)), run("associate", args))


@pytest.mark.parametrize("name", EVERY_NAME)
def test_runs_on_the_current_stream(name: str) -> None:
    """Inputs are written late on a side stream; an op that ran on another one would read the old values."""
    sources = on_gpu(every(1)[name])
    expected = run(name, sources)
    late = [torch.zeros_like(a) if isinstance(a, Tensor) else a for a in sources]
    work = torch.rand(4096, 4096, device="cuda")
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(20):
            work = work @ work * 1e-3
        for to, source in zip(late, sources, strict=True):
            if isinstance(to, Tensor):
                to.copy_(source)
        results = run(name, late)
    stream.synchronize()
    assert_equal(results, expected)


@pytest.mark.parametrize("name", EVERY_NAME)
def test_replays_with_other_inputs(name: str) -> None:
    args = on_gpu(every(1)[name])
    run(name, args)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = run(name, args)
    for seed in (2, 3):
        fresh = on_gpu(every(seed)[name])
        for to, source in zip(args, fresh, strict=True):
            if isinstance(to, Tensor):
                to.copy_(source)
        for result in results:
            result.fill_(77)  # everything is written in every replay
        graph.replay()
        assert_equal(results, run(name, fresh))


@pytest.mark.parametrize("name", EVERY_NAME)
def test_does_not_make_the_host_wait(name: str) -> None:
    args = on_gpu(every(1)[name])
    run(name, args)
    torch.cuda.set_sync_debug_mode("error")
    try:
        run(name, args)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_same_every_time() -> None:
    for name, args in (problems(5, count=30) | drawings(5)).items():
        args = on_gpu(args)
        first = run(name, args)
        for _ in range(5):
            assert_equal(run(name, args), first)
