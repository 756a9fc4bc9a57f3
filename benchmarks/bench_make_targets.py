"""Targets of one picture at the release's five scales: `pytest --benchmark-enable benchmarks/bench_make_targets.py`."""

from __future__ import annotations

import pytest
import torch

from smap import SMAP15
from smap.ops import make_targets

# Sigmas of the release's blur kernels (15, 11, 9, 7, 5) and its half widths, the narrow ones a little wider.
SCALES = [[2.6, 3.0], [2.0, 2.0], [1.7, 1.5], [1.4, 1.25], [1.1, 1.25]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("people", [3, 20])
@pytest.mark.benchmark(group="make_targets")
def test_one_picture(benchmark, device, people: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(people)
    middle = torch.rand(1, people, 1, 2, generator=generator) * torch.tensor([208, 128])
    joints = middle + 8 * torch.randn(1, people, 15, 2, generator=generator)
    depths = 2 + 6 * torch.rand(1, people, 15, generator=generator)
    visibility = torch.full((1, people, 15), 2, dtype=torch.uint8)
    tensors = [joints, depths, visibility, torch.ones(1), torch.tensor(SMAP15.limbs), torch.tensor(SCALES)]
    tensors = [t.to(device) for t in tensors]
    benchmark.extra_info.update(device=str(device), people=people, scales=5, channels=57, size=[128, 208])
    benchmark(make_targets, *tensors, (128, 208), dtype)
