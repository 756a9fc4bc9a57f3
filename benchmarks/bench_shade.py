"""Colouring drawn pictures of five people: `pytest benchmarks/bench_shade.py --benchmark-enable`."""

from __future__ import annotations

import pytest
import torch

from smap.ops.rasterize import Instance, rasterize
from smap.ops.shade import shade

from .bench_rasterize import ellipsoids, shading


@pytest.mark.benchmark(group="shade")
@pytest.mark.parametrize(("width", "height"), [(416, 256), (832, 512)])
@pytest.mark.parametrize("supersample", [1, 2])
def test_five_people(benchmark, device, width: int, height: int, supersample: int) -> None:
    pictures = 64 if device.type == "cuda" else 1
    scene = {name: value.to(device) for name, value in ellipsoids(width, height, pictures).items()}
    screen, uv, triangles, instances, texels, textures = (
        scene[name] for name in ("screen", "uv", "triangles", "instances", "texels", "textures")
    )
    total = int(instances[:, Instance.TRIANGLE_COUNT].sum())
    materials, patterns, lights, background = shading(width, height, pictures, device)
    meshes = (screen, scene["normals"], uv, triangles, instances, materials, patterns, texels, textures)
    visibility = rasterize(
        screen, uv, triangles, instances, texels, textures, pictures, height, width, supersample, total
    )

    def run() -> None:
        shade(visibility, *meshes, lights, background, supersample)
        if device.type == "cuda":
            torch.cuda.synchronize()

    benchmark.extra_info.update(device=str(device), pictures=pictures, size=[width, height], supersample=supersample)
    benchmark(run)
