"""Posing the meshes of five people: `pytest benchmarks/bench_skin.py --benchmark-enable`."""

from __future__ import annotations

import pytest
import torch

from smap.ops.rasterize import Instance
from smap.ops.skin import SkinColumn, skin

PEOPLE, VERTICES, BONES = 5, 5400, 22  # of an avatar with hair


@pytest.mark.benchmark(group="skin")
def test_five_people(benchmark, device) -> None:
    pictures = 64 if device.type == "cuda" else 1
    count, random = pictures * PEOPLE, torch.Generator().manual_seed(0)
    instances = torch.zeros(count, len(Instance), dtype=torch.int32)
    instances[:, Instance.PICTURE] = torch.arange(count) // PEOPLE
    instances[:, Instance.FIRST_VERTEX] = torch.arange(count) * VERTICES
    skins = torch.zeros(count, len(SkinColumn), dtype=torch.int32)
    skins[:, SkinColumn.POSE] = torch.arange(count)
    poses = torch.rand(count, BONES, 12, generator=random)
    poses[..., 11] += 3
    args = (
        instances,
        skins,
        torch.rand(VERTICES, 6, generator=random),
        torch.randint(BONES, (VERTICES, 4), dtype=torch.uint8, generator=random),
        torch.rand(VERTICES, 4, generator=random).softmax(-1),
        poses,
        torch.tensor([500.0, 500, 288, 176]).expand(pictures, 4),
    )
    on_device = [a.to(device) for a in args]

    def run() -> None:
        skin(*on_device, count * VERTICES)
        if device.type == "cuda":
            torch.cuda.synchronize()

    benchmark.extra_info.update(device=str(device), pictures=pictures, vertices=VERTICES)
    benchmark(run)
