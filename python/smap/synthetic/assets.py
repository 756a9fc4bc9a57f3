"""What scenes are made of: avatars, poses, backgrounds. ``Pack`` reads them, ``BuiltinPack`` makes them up."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..ops.shade import REGIONS

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Split = Literal["train", "val"]

# The bones that every avatar has; each parent is listed before its children.
BONES = (
    "Hips",
    "Spine",
    "Spine1",
    "Spine2",
    "Neck",
    "Head",
    "LeftShoulder",
    "LeftArm",
    "LeftForeArm",
    "LeftHand",
    "RightShoulder",
    "RightArm",
    "RightForeArm",
    "RightHand",
    "LeftUpLeg",
    "LeftLeg",
    "LeftFoot",
    "LeftToeBase",
    "RightUpLeg",
    "RightLeg",
    "RightFoot",
    "RightToeBase",
)
PARENTS = (-1, 0, 1, 2, 3, 4, 3, 6, 7, 8, 3, 10, 11, 12, 0, 14, 15, 16, 0, 18, 19, 20)

# Regions of a body texture (its fourth channel), each with a colour transform of its own.
# ARMS and LEGS end where short sleeves and trousers do; OTHER is never recoloured.
TORSO, HEAD, HANDS, ARMS, LEGS, FEET, SKIN, FOREARMS, SHINS, OTHER = range(REGIONS)

VALIDATION_SHARE = 0.12


@dataclass(frozen=True)
class Mesh:
    """A skinned mesh in the T-pose: Y up, facing +Z, metres.

    Args:
        vertices: ``(3, V)`` float32.
        normals: ``(3, V)`` float32 unit, outward.
        weights: ``(22, V)`` float32, columns sum to 1, at most four of them not 0.
        first_rest: row of its first vertex in the pack's ``rest``.
        first_uv, first_triangle, triangle_count: the mesh's rows of the pack's ``uv`` and ``triangles``.
        texture: row of the pack's ``textures``.
        flags: ``MeshFlag`` bits.
    """

    vertices: F32
    normals: F32
    weights: F32
    first_rest: int
    first_uv: int
    first_triangle: int
    triangle_count: int
    texture: int
    flags: int


@dataclass(frozen=True)
class Avatar:
    """A person to be posed.

    Args:
        name: unique in the pack.
        joints: ``(22, 3)`` float32, bones of ``BONES`` in the T-pose, metres.
        head_top: ``(3,)`` float32, T-pose.
        meshes: body first, then hair and other attachments.
        skin: ``(3,)`` float32 RGB of the bare skin, display values in [0, 1].
        region_colours: ``(10, 3)`` float32 mean RGB of each region of the texture.
    """

    name: str
    joints: F32
    head_top: F32
    meshes: tuple[Mesh, ...]
    skin: F32
    region_colours: F32


@dataclass(frozen=True)
class Panorama:
    """Surroundings: x right, y down, z towards the centre of the picture.

    Args:
        image: ``(H, 2 H, 3)`` uint8 RGB, equirectangular.
        radiance: ``(9, 3)`` float32 spherical-harmonics coefficients (order as ``ops.shade``).
        key: ``(3,)`` float32 unit vector towards the main light.
    """

    image: U8
    radiance: F32
    key: F32


@dataclass(frozen=True)
class Geometry:
    """What all pictures of a pack share on the renderer's side: see ``ops.rasterize`` and ``ops.skin`` for layouts."""

    rest: Tensor
    bones: Tensor
    weights: Tensor

    uv: Tensor
    triangles: Tensor
    texels: Tensor
    textures: Tensor

    def to(self, device: torch.device) -> Geometry:
        return Geometry(*(tensor.to(device) for tensor in vars(self).values()))


class Assets(Protocol):
    """What ``sample_scene`` and ``render_scene`` need of a pack. Indices are stable; ``split`` None means all."""

    def __hash__(self) -> int: ...
    @property
    def geometry(self) -> Geometry: ...
    def avatars(self, split: Split | None = None) -> NDArray[np.int64]: ...
    def avatar(self, index: int) -> Avatar: ...
    def poses(self, split: Split | None = None) -> NDArray[np.int64]: ...
    def rotations(self, pose: int) -> F32:
        """``(22, 3, 3)`` global rotation of every bone relative to the T-pose."""
        ...

    def stills(self, split: Split | None = None) -> NDArray[np.int64]: ...
    def still(self, index: int) -> U8: ...
    def panoramas(self, split: Split | None = None) -> NDArray[np.int64]: ...
    def panorama(self, index: int) -> Panorama: ...
    def cutouts(self, split: Split | None = None) -> NDArray[np.int64]:
        """Rows of ``geometry.textures`` that hold objects cut out of stills."""
        ...

    def fabrics(self, split: Split | None = None) -> NDArray[np.int64]:
        """Rows of ``geometry.textures`` that hold patterns for clothes: woven ones, then the split's cutouts."""
        ...

    def prepare(self, texture: int) -> None:
        """Fill in a row that ``cutouts`` or ``fabrics`` gave, unless it is."""
        ...


def held_out(groups: Sequence[str], share: float = VALIDATION_SHARE) -> NDArray[np.bool_]:
    """Which items belong to validation, by whole groups: the ``share`` of groups (at least one) with the lowest CRC.

    A group's side depends on the other groups only through the cut: adding items to a group moves nobody.
    """
    names = sorted(set(groups), key=lambda name: (zlib.crc32(name.encode()), name))
    if len(names) < 2:
        return np.zeros(len(groups), np.bool_)
    chosen = set(names[: max(1, round(share * len(names)))])
    return np.array([group in chosen for group in groups], np.bool_)


class Splits:
    """Indices of the items of each split."""

    def __init__(self, train: NDArray[np.bool_], val: NDArray[np.bool_]) -> None:
        self._of: dict[str | None, NDArray[np.int64]] = {
            None: np.arange(len(val)),
            "train": np.flatnonzero(train),
            "val": np.flatnonzero(val),
        }

    @classmethod
    def holding_out(cls, held: NDArray[np.bool_]) -> Splits:
        """Everything trains but what is held out."""
        return cls(~held, held)

    def __getitem__(self, split: Split | None) -> NDArray[np.int64]:
        if split not in self._of:
            raise ValueError(f"split must be 'train', 'val' or None, got {split!r}")
        return self._of[split]

    def __len__(self) -> int:
        return len(self._of[None])


def vertex_normals(vertices: F32, triangles: NDArray[np.int32], weld: NDArray[np.int64] | None = None) -> F32:
    """``(V, 3)`` unit normals, area weighted; vertices with one ``weld`` number share theirs (seams of the texture)."""
    corners = vertices[triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    index = triangles if weld is None else weld[triangles]
    normals = np.stack(
        [np.bincount(index.ravel(), np.repeat(face[:, c], 3), minlength=len(vertices)) for c in range(3)], -1
    )
    if weld is not None:
        normals = normals[weld]
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12), np.float32)


def rotations_of(quaternions: NDArray[np.floating]) -> F32:
    """``(..., 4)`` quaternions x y z w of any length -> ``(..., 3, 3)``."""
    x, y, z, w = np.moveaxis(quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.asarray(np.stack([np.stack(row, -1) for row in rows], -2), np.float32)
