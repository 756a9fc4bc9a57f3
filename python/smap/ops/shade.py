"""Colours of a visibility buffer: the second half of rendering scenes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)
from .rasterize import Instance, MeshFlag, ReferenceTriangle, reference_level, unpack

REGIONS = 8  # colour transforms per mesh
LIGHT_SIZE = 33
SAME_SURFACE = 0.05  # metres


def shade(
    visibility: Tensor,
    screen: Tensor,
    normals: Tensor,
    uv: Tensor,
    triangles: Tensor,
    instances: Tensor,
    materials: Tensor,
    texels: Tensor,
    textures: Tensor,
    lights: Tensor,
    background: Tensor,
    supersample: int = 1,
) -> Tensor:
    """Texture, recolour and light what ``rasterize`` found, and lay it over the background. Deterministic.

    Samples of one mesh within 5 cm of depth share one colour per pixel; pixels average their samples in linear light,
    for which the square of the display value stands.

    Args:
        visibility, screen, uv, triangles, instances, texels, textures, supersample: as of ``rasterize``. With
            ``MeshFlag.REGIONS`` the fourth channel of a texture numbers the region of ``materials``; otherwise it is
            the last one.
        normals: ``(V, 3)`` float32 outward, any length, in the frame of the lights.
        materials: ``(I, 8, 3, 4)`` float32, colour' = M [r, g, b, 1] per mesh and region, display colours in [0, 1].
        lights: ``(B, 33)`` float32: nine spherical-harmonics coefficients x RGB of irradiance / pi (order 1, y, z, x,
            xy, yz, 3z^2-1, xz, x^2-y^2), the unit direction towards the key light, its RGB.
        background: ``(B, height, width, 3)`` uint8.

    Returns:
        ``(B, height, width, 3)`` uint8.

    Raises:
        ValueError: a shape, dtype or device does not fit.
    """
    image: Tensor = torch.ops.smap.shade(
        visibility,
        screen,
        normals,
        uv,
        triangles,
        instances,
        materials,
        texels,
        textures,
        lights,
        background,
        supersample,
    )
    return image


def reference(
    visibility: Tensor,
    screen: Tensor,
    normals: Tensor,
    uv: Tensor,
    triangles: Tensor,
    instances: Tensor,
    materials: Tensor,
    texels: Tensor,
    textures: Tensor,
    lights: Tensor,
    background: Tensor,
    supersample: int = 1,
) -> Tensor:
    """Pixel by pixel, in float64."""
    out = background.clone()
    depth, ids = unpack(visibility)
    firsts = instances[:, Instance.FIRST_ID].contiguous()
    for b, y, x in np.ndindex(*background.shape[:3]):
        samples = [(y * supersample + i, x * supersample + j) for i in range(supersample) for j in range(supersample)]
        covered = [s for s in samples if ids[b][s] >= 0]
        if not covered:
            continue
        behind = (background[b, y, x].double() / 255) ** 2
        total = behind * (len(samples) - len(covered))
        while covered:
            first = covered[0]
            row = int(torch.searchsorted(firsts, ids[b][first], right=True)) - 1
            same = [s for s in covered if _same_surface(ids[b], depth[b], first, s, instances[row])]
            triangle = ReferenceTriangle(
                screen, triangles, instances[row], int(ids[b][first] - firsts[row]), supersample
            )
            colour = _surface(
                triangle, first, normals, uv, instances[row], materials[row], texels, textures, lights[b], supersample
            )
            total = total + len(same) * colour
            covered = [s for s in covered if s not in same]
        value = (total / len(samples)).clamp(max=1).sqrt()
        out[b, y, x] = (value * 255 + 0.5).floor().to(torch.uint8)
    return out


def _same_surface(ids: Tensor, depth: Tensor, a: tuple[int, int], b: tuple[int, int], instance: Tensor) -> bool:
    local = int(ids[b] - instance[Instance.FIRST_ID])
    inside = 0 <= local < int(instance[Instance.TRIANGLE_COUNT])
    return inside and abs(float(depth[a]) - float(depth[b])) <= SAME_SURFACE


def _surface(
    t: ReferenceTriangle,
    sample: tuple[int, int],
    normals: Tensor,
    uv: Tensor,
    instance: Tensor,
    materials: Tensor,
    texels: Tensor,
    textures: Tensor,
    light: Tensor,
    supersample: int,
) -> Tensor:
    """``(3,)`` float64 linear colour of one triangle at a sample (row, column)."""
    edges, _ = t.edges(sample[1], sample[0])
    w: Any = np.array(edges) / t.area * t.inverse_depth
    w = w / w.sum()
    n: Any = w @ normals.double().numpy()[int(instance[Instance.FIRST_VERTEX]) + t.corners]
    n = n / np.linalg.norm(n) * (-1 if t.back else 1)
    at: Any = w @ uv.double().numpy()[int(instance[Instance.FIRST_UV]) + t.corners]

    level = t.mip_level(uv, instance, textures, supersample)
    texture = reference_level(texels, textures, int(instance[Instance.TEXTURE]), level).astype(np.float64)
    size = len(texture)
    region = REGIONS - 1
    if instance[Instance.FLAGS] & MeshFlag.REGIONS:
        column, row = np.clip(at * size, 0, size - 1).astype(int)
        region = min(int(texture[row, column, 3]), REGIONS - 1)
    (x, y), last = np.clip(at * size - 0.5, 0, size - 1), size - 1
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, last), min(y0 + 1, last)
    upper = texture[y0, x0, :3] * (1 - (x - x0)) + texture[y0, x1, :3] * (x - x0)
    lower = texture[y1, x0, :3] * (1 - (x - x0)) + texture[y1, x1, :3] * (x - x0)
    rgb = (upper * (1 - (y - y0)) + lower * (y - y0)) / 255
    albedo = np.clip(materials[region].double().numpy() @ np.append(rgb, 1), 0, 1)

    x, y, z = n
    basis = [0.282095, *(0.488603 * n[[1, 2, 0]]), 1.092548 * x * y, 1.092548 * y * z]
    basis += [0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y)]
    values = light.double().numpy()
    irradiance = np.maximum(np.array(basis) @ values[:27].reshape(9, 3), 0)
    irradiance = irradiance + max(float(n @ values[27:30]), 0.0) * values[30:33]
    return torch.from_numpy(albedo**2 * irradiance)


@torch.library.register_fake("smap::shade")
def _(
    visibility: Tensor,
    screen: Tensor,
    normals: Tensor,
    uv: Tensor,
    triangles: Tensor,
    instances: Tensor,
    materials: Tensor,
    texels: Tensor,
    textures: Tensor,
    lights: Tensor,
    background: Tensor,
    supersample: int,
) -> Tensor:
    return torch.empty_like(background)
