"""Positions of 20 people in image and camera frame."""

from __future__ import annotations

import pytest
import torch

from smap import SMAP15
from smap.lift import tree_of
from smap.ops import place_joints


@pytest.mark.benchmark(group="place_joints")
def test_twenty_people(benchmark, device) -> None:
    tree = tree_of(SMAP15, device)
    people = torch.arange(20, device=device)[None, :, None].expand(1, 20, 15)
    args = (
        torch.rand(1, 20, 14, device=device),
        torch.rand(1, 15, 20, 2, device=device),
        torch.rand(1, 15, 20, device=device),
        people,
        torch.rand(1, 20, device=device),
        torch.tensor([[0.25, 0.0, 0.0, 1.0]], device=device),
        torch.tensor([[800.0, 800.0, 415.5, 255.5]], device=device),
        tree.paths,
        tree.order,
    )
    benchmark.extra_info.update(device=str(device), people=20)
    benchmark(place_joints, *args)
