"""Colours of a visibility buffer: the second half of rendering scenes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)
from .rasterize import Instance, MeshFlag, ReferenceTriangle, reference_level, unpack

REGIONS = 10  # colour transforms per mesh
LIGHT_SIZE = 35
CREASE_NEAR, CREASE_DEPTH, CREASE_FARTHEST = 0.02, 0.2, 0.3  # metres
SAME_SURFACE = 0.05  # metres


def shade(
    visibility: Tensor,
    screen: Tensor,
    normals: Tensor,
    uv: Tensor,
    triangles: Tensor,
    instances: Tensor,
    materials: Tensor,
    patterns: Tensor,
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
        materials: ``(I, 10, 3, 4)`` float32, colour' = M [r, g, b, 1] per mesh and region, display colours in [0, 1].
        patterns: ``(I, 4)`` float32, a second texture per mesh: its row of ``textures``, how often it repeats over the
            unit square, strength (0 none, up to 1 multiplied in, down to -1 in place of the colour), and the regions
            that wear it as the sum of 2^region.
        lights: ``(B, 35)`` float32: nine spherical-harmonics coefficients x RGB of irradiance / pi (order 1, y, z, x,
            xy, yz, 3z^2-1, xz, x^2-y^2), the unit direction towards the key light, its RGB, how much creases darken
            (0 to 1) and how far they reach (metres times focal length in pixels).
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
        patterns,
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
    patterns: Tensor,
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
            material = (materials[row], patterns[row])
            colour = _surface(
                triangle, first, normals, uv, instances[row], material, texels, textures, lights[b], supersample
            )
            total = total + len(same) * colour * _openness(depth[b], first, lights[b], supersample)
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
    material: tuple[Tensor, Tensor],
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

    number = int(instance[Instance.TEXTURE])
    level = t.mip_level(uv, instance, textures, supersample)
    texture = reference_level(texels, textures, number, level).astype(np.float64)
    region = REGIONS - 1
    if instance[Instance.FLAGS] & MeshFlag.REGIONS:
        column, row = np.clip(at * len(texture), 0, len(texture) - 1).astype(int)
        region = min(int(texture[row, column, 3]), REGIONS - 1)
    materials, (print_row, repeats, strength, wearing) = material[0], material[1].tolist()
    colour = materials[region].double().numpy() @ np.append(_bilinear(texture, at), 1)
    if int(wearing) >> region & 1 and strength:
        level = t.mip_level(uv, instance, textures, supersample, int(print_row), repeats)
        texture = reference_level(texels, textures, int(print_row), level).astype(np.float64)
        pattern = _bilinear(texture, at * repeats - np.floor(at * repeats))
        colour = colour * (1 + strength * (2 * pattern - 1)) if strength > 0 else colour - strength * (pattern - colour)
    albedo = np.clip(colour, 0, 1)

    x, y, z = n
    basis = [0.282095, *(0.488603 * n[[1, 2, 0]]), 1.092548 * x * y, 1.092548 * y * z]
    basis += [0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y)]
    values = light.double().numpy()
    irradiance = np.maximum(np.array(basis) @ values[:27].reshape(9, 3), 0)
    irradiance = irradiance + max(float(n @ values[27:30]), 0.0) * values[30:33]
    return torch.from_numpy(albedo**2 * irradiance)


def _bilinear(texture: Any, at: Any) -> Any:
    """RGB in [0, 1] of a ``(size, size, 4)`` texture."""
    last = len(texture) - 1
    x, y = np.clip(at * len(texture) - 0.5, 0, last)
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, last), min(y0 + 1, last)
    upper = texture[y0, x0, :3] * (1 - (x - x0)) + texture[y0, x1, :3] * (x - x0)
    lower = texture[y1, x0, :3] * (1 - (x - x0)) + texture[y1, x1, :3] * (x - x0)
    return (upper * (1 - (y - y0)) + lower * (y - y0)) / 255


def _openness(depth: Tensor, sample: tuple[int, int], light: Tensor, supersample: int) -> float:
    """Share of the light that reaches a sample: what rises around it in opposite pairs takes the rest."""
    strength, reach = light[33:35].tolist()
    here = float(depth[sample])
    radius = float(np.clip(np.float32(reach) / np.float32(here) * np.float32(supersample), 1, 48))
    far, near = int(radius + 0.5), int(radius / 2 + 0.5)
    rise = 0.0
    for dx, dy in ((far, 0), (0, far), (near, near), (near, -near)):
        pair = -CREASE_NEAR
        for sign in (-1, 1):
            y, x = sample[0] + sign * dy, sample[1] + sign * dx
            inside = 0 <= y < depth.shape[0] and 0 <= x < depth.shape[1]
            pair += float(np.clip(here - float(depth[y, x]) if inside else -np.inf, -CREASE_FARTHEST, CREASE_FARTHEST))
        rise += float(np.clip(pair, 0, CREASE_DEPTH))
    return float(1 - max(strength, 0) * rise / (4 * CREASE_DEPTH))


@torch.library.register_fake("smap::shade")
def _(
    visibility: Tensor,
    screen: Tensor,
    normals: Tensor,
    uv: Tensor,
    triangles: Tensor,
    instances: Tensor,
    materials: Tensor,
    patterns: Tensor,
    texels: Tensor,
    textures: Tensor,
    lights: Tensor,
    background: Tensor,
    supersample: int,
) -> Tensor:
    return background.new_empty(background.shape)
