"""Triangle soups for the tests of rasterize and shade."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from smap.ops.rasterize import Instance, MeshFlag


def texture_pool(rng: np.random.Generator, count: int, size: int = 16) -> tuple[Tensor, Tensor]:
    """Random RGBA textures with mipmaps; the fourth channel is below 10 in even rows and spread in odd ones."""
    levels = size.bit_length() - 1
    bytes_each = sum(4 * (size >> k) ** 2 for k in range(levels))
    texels = rng.integers(0, 256, (count, bytes_each // 4, 4), dtype=np.uint8)
    texels[::2, :, 3] %= 10
    table = [[i * bytes_each, size, levels] for i in range(count)]
    return torch.from_numpy(texels.ravel()), torch.tensor(table, dtype=torch.int64).reshape(-1, 3)


def instance_table(pictures: list[int], triangles: int, points: int, flags: list[int]) -> Tensor:
    """One mesh of ``triangles`` triangles and ``points`` vertices for each entry, all with triangles of their own."""
    rows = torch.zeros(len(pictures), len(Instance), dtype=torch.int32)
    for i, picture in enumerate(pictures):
        rows[i] = torch.tensor([picture, i * points, i * points, i * triangles, triangles, i, flags[i], i * triangles])
    return rows


def soup(
    seed: int,
    meshes: int = 3,
    points: int = 12,
    triangles: int = 10,
    pictures: int = 2,
    size: tuple[int, int] = (24, 32),
) -> tuple[Tensor, ...]:
    """screen, uv, triangles, instances, texels, textures: some corners outside the picture, some behind the camera."""
    rng = np.random.default_rng(seed)
    count = meshes * points
    xy = rng.uniform(-0.2, 1.2, (count, 2)) * (size[1], size[0])
    depth = rng.uniform(0.5, 9, count)
    inverse = np.where(rng.random(count) < 0.05, -1, 1 / depth)
    screen = torch.from_numpy(np.concatenate([xy, inverse[:, None]], -1).astype(np.float32))
    uv = torch.from_numpy(rng.uniform(0, 1, (count, 2)).astype(np.float32))
    faces = torch.from_numpy(rng.integers(0, points, (meshes * triangles, 3), dtype=np.int32))
    flags = [int([MeshFlag.CULL_BACK | MeshFlag.REGIONS, MeshFlag.ALPHA_TEST, 0][i % 3]) for i in range(meshes)]
    instances = instance_table([i * pictures // meshes for i in range(meshes)], triangles, points, flags)
    return screen, uv, faces, instances, *texture_pool(rng, meshes)
