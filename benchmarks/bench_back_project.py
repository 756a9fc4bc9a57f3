"""Back-projection of 50 people: `pytest benchmarks/bench_back_project.py`."""

from __future__ import annotations

import pytest
import torch

from smap.ops import back_project


@pytest.mark.benchmark(group="back_project")
def test_fifty_people(benchmark, device) -> None:
    xy, depth = torch.rand(1, 750, 2, device=device), torch.rand(1, 750, device=device)
    camera = torch.tensor([[500.0, 500.0, 320.0, 240.0]], device=device)
    benchmark.extra_info.update(device=str(device), shape=list(xy.shape))
    benchmark(back_project, xy, depth, camera)
