"""Posed meshes on the screen: what stands before ``rasterize`` when scenes are rendered."""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

from ..camera import NEAREST
from . import _library  # noqa: F401  (registers torch.ops.smap)
from .rasterize import Instance

INFLUENCES = 4  # bones of a vertex


class SkinColumn(IntEnum):
    """Columns of the table beside the instances: what a mesh is made of."""

    FIRST_REST = 0
    POSE = 1


def skin(
    instances: Tensor,
    skins: Tensor,
    rest: Tensor,
    bones: Tensor,
    weights: Tensor,
    poses: Tensor,
    cameras: Tensor,
    vertices: int,
) -> tuple[Tensor, Tensor]:
    """Linear-blend skinning and projection of a batch of meshes.

    Args:
        instances: ``(I, 8)`` int32 of ``rasterize``; ``FIRST_VERTEX`` begins with 0 and rises, and the vertices of a
            mesh end where those of the next begin.
        skins: ``(I, 2)`` int32, columns of ``SkinColumn``: first row of ``rest``, row of ``poses``.
        rest: ``(R, 6)`` float32 positions and normals in the T-pose, metres.
        bones, weights: ``(U, 4)`` uint8 and float32: the bones of a vertex, in the rows of its texture coordinates.
        poses: ``(P, K, 12)`` float32: each bone's 3x4 transform from the T-pose to the camera frame, row by row.
        cameras: ``(B, 4)`` float32 fx, fy, cx, cy of the pictures.
        vertices: how many all meshes have together.

    Returns:
        ``screen`` ``(V, 3)`` float32, pixels and 1/z, which is 0 for vertices nearer than 0.1 m, and ``normals``
        ``(V, 3)`` of any length, in the camera frame. Rows that a table addresses wrongly are 0.

    Raises:
        ValueError: a shape, dtype or device does not fit.
    """
    screen, normals = torch.ops.smap.skin(instances, skins, rest, bones, weights, poses, cameras, vertices)
    return screen, normals


def reference(
    instances: Tensor,
    skins: Tensor,
    rest: Tensor,
    bones: Tensor,
    weights: Tensor,
    poses: Tensor,
    cameras: Tensor,
    vertices: int,
) -> tuple[Tensor, Tensor]:
    """Vertex by vertex, in float64."""
    screen, normals = torch.zeros(vertices, 3), torch.zeros(vertices, 3)
    for i in range(vertices):
        row = int((instances[:, Instance.FIRST_VERTEX] <= i).nonzero().max())
        local = i - int(instances[row, Instance.FIRST_VERTEX])
        at, influence = int(skins[row, SkinColumn.FIRST_REST]) + local, int(instances[row, Instance.FIRST_UV]) + local
        blended = sum(
            w.double() * poses[int(skins[row, SkinColumn.POSE]), int(k)].double().view(3, 4)
            for k, w in zip(bones[influence], weights[influence], strict=True)
        )
        position = blended[:, :3] @ rest[at, :3].double() + blended[:, 3]  # type: ignore[index]
        normals[i] = blended[:, :3] @ rest[at, 3:].double()  # type: ignore[index]
        fx, fy, cx, cy = cameras[int(instances[row, Instance.PICTURE])].double()
        inverse = 1 / position[2] if position[2] > NEAREST else torch.zeros((), dtype=torch.float64)
        screen[i] = torch.stack([position[0] * inverse * fx + cx, position[1] * inverse * fy + cy, inverse])
    return screen, normals


@torch.library.register_fake("smap::skin")
def _(
    instances: Tensor,
    skins: Tensor,
    rest: Tensor,
    bones: Tensor,
    weights: Tensor,
    poses: Tensor,
    cameras: Tensor,
    vertices: int,
) -> tuple[Tensor, Tensor]:
    return rest.new_empty((vertices, 3)), rest.new_empty((vertices, 3))
