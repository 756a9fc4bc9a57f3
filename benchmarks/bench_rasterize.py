"""Drawing pictures of five people: `pytest benchmarks/bench_rasterize.py --benchmark-enable`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from smap.ops.rasterize import Instance, MeshFlag, rasterize
from smap.ops.shade import LIGHT_SIZE, REGIONS, shade

PEOPLE = 5
TRIANGLES = 9120  # of a body


def ellipsoids(width: int, height: int, pictures: int) -> dict[str, Any]:
    """Five person-sized ellipsoids of 9120 triangles in each picture."""
    columns, rows = 96, 49
    phi, theta = np.meshgrid(np.linspace(0, 2 * np.pi, columns), np.linspace(0, np.pi, rows))
    unit = np.stack([np.sin(theta) * np.cos(phi), -np.cos(theta), np.sin(theta) * np.sin(phi)], -1).reshape(-1, 3)
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    quads = np.stack([a, a + columns, a + columns + 1, a + 1], -1)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    faces = np.concatenate([faces, faces])[:TRIANGLES]
    screens, instances = [], []
    for i in range(pictures * PEOPLE):
        place = np.array([(i % PEOPLE - 2) * 0.9, 0, 3 + (i % PEOPLE)])
        points = unit * (0.28, 0.9, 0.2) + place
        xy = points[:, :2] / points[:, 2:] * width + (width / 2, height / 2)
        screens.append(np.concatenate([xy, 1 / points[:, 2:]], -1))
        flags = int(MeshFlag.CULL_BACK | MeshFlag.REGIONS)
        instances.append([i // PEOPLE, i * len(unit), 0, 0, len(faces), 0, flags, i * len(faces)])
    size, levels = 512, 8
    texels = np.random.default_rng(0).integers(0, 256, sum(4 * (size >> k) ** 2 for k in range(levels)), np.uint8)
    return {
        "screen": torch.from_numpy(np.concatenate(screens).astype(np.float32)),
        "uv": torch.from_numpy(np.stack([phi / (2 * np.pi), theta / np.pi], -1).reshape(-1, 2).astype(np.float32)),
        "triangles": torch.from_numpy(faces),
        "instances": torch.tensor(instances, dtype=torch.int32),
        "texels": torch.from_numpy(texels),
        "textures": torch.tensor([[0, size, levels]]),
        "normals": torch.from_numpy(np.tile(unit, (pictures * PEOPLE, 1)).astype(np.float32)),
    }


def shading(width: int, height: int, pictures: int, device: torch.device) -> tuple[torch.Tensor, ...]:
    """Materials, patterns, lights and background of these pictures, as ``shade`` takes them."""
    materials = torch.zeros(pictures * PEOPLE, REGIONS, 3, 4, device=device)
    materials[..., [0, 1, 2], [0, 1, 2]] = 1
    patterns = torch.zeros(len(materials), 4, device=device)
    lights = torch.zeros(pictures, LIGHT_SIZE, device=device)
    lights[:, :3] = 2
    lights[:, 33:] = torch.tensor([0.6, 0.12 * width])
    return materials, patterns, lights, torch.zeros(pictures, height, width, 3, dtype=torch.uint8, device=device)


@pytest.mark.benchmark(group="rasterize")
@pytest.mark.parametrize(("width", "height"), [(416, 256), (832, 512)])
@pytest.mark.parametrize("supersample", [1, 2])
@pytest.mark.parametrize("what", ["rasterize", "rasterize + shade"])
def test_five_people(benchmark, device, width: int, height: int, supersample: int, what: str) -> None:
    pictures = 64 if device.type == "cuda" else 1
    scene = {name: value.to(device) for name, value in ellipsoids(width, height, pictures).items()}
    geometry = [scene[name] for name in ("screen", "uv", "triangles", "instances", "texels", "textures")]
    total = int(scene["instances"][:, Instance.TRIANGLE_COUNT].sum())
    materials, patterns, lights, background = shading(width, height, pictures, device)

    def run() -> None:
        visibility = rasterize(*geometry, pictures, height, width, supersample, total)
        if what != "rasterize":
            screen, uv, triangles, instances, texels, textures = geometry
            meshes = (screen, scene["normals"], uv, triangles, instances, materials, patterns, texels, textures)
            shade(visibility, *meshes, lights, background, supersample)
        if device.type == "cuda":
            torch.cuda.synchronize()

    benchmark.extra_info.update(device=str(device), pictures=pictures, size=[width, height], supersample=supersample)
    benchmark(run)
