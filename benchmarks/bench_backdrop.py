"""Backgrounds of pictures, a wall and a floor: `pytest benchmarks/bench_backdrop.py --benchmark-enable`."""

from __future__ import annotations

import pytest
import torch

from smap.ops.backdrop import LAYER_SIZE, Layer, backdrop

WALL, FLOOR = (800, 600), (512, 512)  # texels


@pytest.mark.benchmark(group="backdrop")
@pytest.mark.parametrize(("width", "height"), [(576, 352), (832, 512)])
def test_wall_and_floor(benchmark, device, width: int, height: int) -> None:
    pictures, random = 64 if device.type == "cuda" else 1, torch.Generator().manual_seed(0)
    sizes = [w * h * 3 for w, h in (WALL, FLOOR)]
    texels = torch.randint(256, (sum(sizes),), dtype=torch.uint8, generator=random)
    images = torch.tensor([[0, *WALL], [sizes[0], *FLOOR]])
    layers = torch.zeros(pictures, 2, LAYER_SIZE)
    layers[..., Layer.IMAGE] = torch.tensor([0.0, 1])
    wall, floor = [1.3, 0, 5, 0, 1.3, 9, 0, 0, 1], [2.1, 0.3, 1, 0.2, -1.7, 60, 0, 0.004, 0.2]
    layers[..., Layer.MATRIX : Layer.MATRIX + 9] = torch.tensor([wall, floor])
    layers[..., Layer.CROP + 2 : Layer.CROP + 4] = torch.tensor([WALL, FLOOR]).float()
    layers[..., Layer.CONTRAST + 2 : Layer.MOST + 1] = 1
    layers[:, 1, Layer.LINE : Layer.LINE + 3] = torch.tensor([0, 1.0, -0.6 * height])
    colours = torch.tensor([1.0, 1, 1, 0, 0, 0]).expand(pictures, 6)
    shadows = torch.rand(pictures, height // 2, width // 2, generator=random)
    args = [a.to(device) for a in (texels, images, layers, colours, shadows)]

    def run() -> None:
        backdrop(*args, height, width)
        if device.type == "cuda":
            torch.cuda.synchronize()

    benchmark.extra_info.update(device=str(device), pictures=pictures, size=[width, height])
    benchmark(run)
