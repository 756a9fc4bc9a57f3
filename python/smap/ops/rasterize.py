"""Which triangle is nearest at every sample of a batch of pictures: the first half of rendering scenes."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)

NOTHING = 0x7FF0 << 48  # no triangle at this sample
ALPHA_THRESHOLD = 0.35


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


class ReferenceTriangle:
    """One projected triangle, snapped and wound as the compiled one, in numpy: exact integers, float32 depths.

    ``usable`` is False for what is not drawn: degenerate, culled, behind the camera.
    """

    def __init__(self, screen: Tensor, triangles: Tensor, instance: Tensor, local: int, supersample: int) -> None:
        row: Any = instance.numpy()
        corners = triangles[row[Instance.FIRST_TRIANGLE] + local].numpy()
        at: Any = screen.numpy()[row[Instance.FIRST_VERTEX] + corners]
        self.usable, self.back = False, False
        if not ((at[:, 2] > 0) & (np.abs(at[:, :2]) < 2**20).all(1)).all():
            return
        samples = (at[:, :2] + np.float32(0.5)) * np.float32(supersample) - np.float32(0.5)
        xy = np.floor(samples * np.float32(256) + np.float32(0.5)).astype(np.int64)
        (ax, ay), (bx, by) = (xy[1:] - xy[0]).tolist()
        area = ax * by - ay * bx
        self.back = area > 0
        if area == 0 or (self.back and row[Instance.FLAGS] & MeshFlag.CULL_BACK):
            return
        order = [0, 1, 2] if area > 0 else [0, 2, 1]
        self.xy, self.inverse_depth, self.corners = xy[order], at[order, 2], corners[order]
        self.area, self.usable = abs(area), True

    def edges(self, px: Any, py: Any) -> tuple[list[Any], Any]:
        """The three edge functions at samples, and which of the samples are covered (top-left rule)."""
        values, covered = [], np.ones(np.broadcast(px, py).shape, bool)
        for k in range(3):
            a, b = self.xy[(k + 1) % 3], self.xy[(k + 2) % 3]
            dx, dy = b - a
            value = dx * (py * 256 - a[1]) - dy * (px * 256 - a[0])
            owned = dy < 0 or (dy == 0 and dx > 0)
            covered &= value >= 0 if owned else value > 0
            values.append(value)
        return values, covered

    def mip_level(
        self,
        uv: Tensor,
        instance: Tensor,
        textures: Tensor,
        supersample: int,
        texture: int | None = None,
        repeats: float = 1,
    ) -> int:
        """The level at which a texel of the instance's texture, or of another one, is about as large as a pixel."""
        t: Any = uv.numpy()[int(instance[Instance.FIRST_UV]) + self.corners]
        _, size, levels = textures[int(instance[Instance.TEXTURE]) if texture is None else texture].tolist()
        (ax, ay), (bx, by) = t[1] - t[0], t[2] - t[0]
        texels = np.float32(abs(ax * by - ay * bx)) * (np.float32(size) * np.float32(repeats)) ** 2
        pixels = np.float32(self.area) / np.float32(256 * supersample) ** 2
        level = 0
        while level < levels - 1 and texels > 2 * pixels:
            texels, level = texels / 4, level + 1
        return level


def reference_level(texels: Tensor, textures: Tensor, texture: int, level: int) -> Any:
    """One mipmap as ``(size, size, 4)`` numpy uint8."""
    offset, size, _ = textures[texture].tolist()
    for skipped in range(level):
        offset += 4 * (size >> skipped) ** 2
    size >>= level
    return texels[offset : offset + 4 * size * size].view(size, size, 4).numpy()


def reference(
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
    """Every triangle against every sample."""
    out = np.full((pictures, height * supersample, width * supersample), NOTHING, np.int64)
    px, py = np.meshgrid(np.arange(out.shape[2]), np.arange(out.shape[1]))
    for instance in instances:
        for local in range(int(instance[Instance.TRIANGLE_COUNT])):
            t = ReferenceTriangle(screen, triangles, instance, local, supersample)
            if not t.usable:
                continue
            edges, covered = t.edges(px, py)
            scale = np.float32(1) / np.float32(t.area)
            w = [e.astype(np.float32) * scale * z for e, z in zip(edges, t.inverse_depth, strict=True)]
            inverse_depth = w[0] + w[1] + w[2]
            covered &= inverse_depth > 0
            if instance[Instance.FLAGS] & MeshFlag.ALPHA_TEST:
                level = t.mip_level(uv, instance, textures, supersample)
                texture = reference_level(texels, textures, int(instance[Instance.TEXTURE]), level)
                at: Any = uv.numpy()[int(instance[Instance.FIRST_UV]) + t.corners]
                with np.errstate(divide="ignore", invalid="ignore"):
                    u, v = ((w[0] * c[0] + w[1] * c[1] + w[2] * c[2]) / inverse_depth for c in at.T)
                size = np.float32(len(texture))
                column, row = (np.nan_to_num(np.clip(c * size, 0, size - 1)).astype(np.int64) for c in (u, v))
                covered &= texture[row, column, 3] >= ALPHA_THRESHOLD * 255
            bits = np.where(covered, inverse_depth, np.float32(1)).astype(np.float32).view(np.int32).astype(np.int64)
            key = (0x7F800000 - bits) << 32 | (int(instance[Instance.FIRST_ID]) + local)
            buffer = out[int(instance[Instance.PICTURE])]
            buffer[covered] = np.minimum(buffer, key)[covered]
    return torch.from_numpy(out)


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
