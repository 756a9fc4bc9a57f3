"""Colours of a visibility buffer: the second half of rendering scenes."""

from __future__ import annotations

import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)

REGIONS = 8  # colour transforms per mesh
LIGHT_SIZE = 33


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
