"""Which triangle is nearest at every sample of a batch of pictures: the first half of rendering scenes."""

from __future__ import annotations

from enum import IntEnum, IntFlag

import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)

NOTHING = 0x7FF0 << 48  # no triangle at this sample


class Instance(IntEnum):
    """Columns of the instance table: one row draws one mesh in one picture."""

    PICTURE = 0
    FIRST_VERTEX = 1
    FIRST_UV = 2
    FIRST_TRIANGLE = 3
    TRIANGLE_COUNT = 4
    TEXTURE = 5
    FLAGS = 6
    FIRST_ID = 7


class MeshFlag(IntFlag):
    """How a mesh is drawn."""

    CULL_BACK = 1
    ALPHA_TEST = 2
    REGIONS = 4


def rasterize(
    screen: Tensor,
    uv: Tensor,
    triangles: Tensor,
    instances: Tensor,
    texels: Tensor,
    textures: Tensor,
    pictures: int,
    height: int,
    width: int,
    supersample: int = 1,
    total: int | None = None,
) -> Tensor:
    """The visibility buffer of a batch of pictures. Deterministic; the order of triangles does not matter.

    A triangle covers a sample whose centre is inside it; an edge that two triangles share is drawn by exactly one.
    Triangles with a corner behind the camera (1/z <= 0 or NaN), without area or with indices out of range are left out.

    Args:
        screen: ``(V, 3)`` float32, x and y in pixels (centres at integers) and 1/z in 1/m.
        uv: ``(U, 2)`` float32 texture coordinates in [0, 1].
        triangles: ``(T, 3)`` int32 indices into a mesh's vertices and uv, counter-clockwise seen from outside.
        instances: ``(I, 8)`` int32, one mesh in one picture a row, columns of ``Instance``; ``FIRST_ID`` is the sum of
            the triangle counts of earlier rows.
        texels: ``(N,)`` uint8, square RGBA textures with their mipmaps one after the other.
        textures: ``(K, 3)`` int64: first byte, size of level 0 in texels, number of levels.
        pictures, height, width: of the buffer, pixels.
        supersample: samples per pixel along each axis, 1 to 4.
        total: number of triangles of all instances; given, it spares a wait for the device.

    Returns:
        ``(B, height * supersample, width * supersample)`` int64 that ``unpack`` reads; ``NOTHING``: no triangle there.

    Raises:
        ValueError: a shape, dtype or device does not fit.
    """
    if total is None:
        total = int(instances[:, Instance.TRIANGLE_COUNT].sum()) if instances.dim() == 2 and len(instances) else 0
    visibility: Tensor = torch.ops.smap.rasterize(
        screen, uv, triangles, instances, texels, textures, pictures, height, width, supersample, total
    )
    return visibility


def unpack(visibility: Tensor) -> tuple[Tensor, Tensor]:
    """Depth in metres (inf where nothing is) and triangle id (-1), both of the shape of ``visibility``."""
    empty = visibility == NOTHING
    bits = (0x7F800000 - (visibility >> 32)).to(torch.int32)
    depth = torch.where(empty, torch.inf, 1 / bits.view(torch.float32))
    return depth, torch.where(empty, -1, visibility & 0xFFFFFFFF)


@torch.library.register_fake("smap::rasterize")
def _(
    screen: Tensor,
    uv: Tensor,
    triangles: Tensor,
    instances: Tensor,
    texels: Tensor,
    textures: Tensor,
    pictures: int,
    height: int,
    width: int,
    supersample: int,
    total: int,
) -> Tensor:
    return screen.new_empty((pictures, height * supersample, width * supersample), dtype=torch.int64)
