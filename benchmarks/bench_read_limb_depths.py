"""Limb depths of 20 people on a 128x208 map."""

from __future__ import annotations

import pytest
import torch

from smap import SMAP15
from smap.ops import read_limb_depths


@pytest.mark.benchmark(group="read_limb_depths")
def test_twenty_people(benchmark, device) -> None:
    maps = torch.rand(1, 14, 128, 208, device=device)
    xy = torch.rand(1, 15, 20, 2, device=device) * 100
    people = torch.arange(20, device=device)[None, :, None].expand(1, 20, 15)
    limbs = torch.tensor(SMAP15.limbs, device=device)
    benchmark.extra_info.update(device=str(device), shape=list(maps.shape), people=20)
    benchmark(read_limb_depths, maps, xy, people, limbs)
