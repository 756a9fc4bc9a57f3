"""People and backgrounds made up from nothing, so that scenes work without a pack: capsules in coloured clothes."""

from __future__ import annotations

import colorsys
import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..ops.rasterize import MeshFlag
from ..ops.shade import REGIONS
from . import builtin_poses
from .assets import (
    ARMS,
    BONES,
    F32,
    FEET,
    FOREARMS,
    HANDS,
    HEAD,
    LEGS,
    SHINS,
    SKIN,
    TORSO,
    U8,
    Avatar,
    Geometry,
    Mesh,
    Panorama,
    Split,
    Splits,
    held_out,
    vertex_normals,
)
from .builtin_poses import CLIPS, POSES_PER_CLIP
from .meshes import MeshPool
from .objects import OBJECT_TRIANGLES, OBJECT_UV, OBJECT_VERTICES
from .textures import OBJECT_TEXTURES, Stills, TexturePool

_BONE = {name: i for i, name in enumerate(BONES)}
AVATARS, STILLS = 16, 40
_PATCH = 32  # texels along a region's square of the texture
_GRID = 4  # squares along the texture's side

# An adult of 1.75 m in the T-pose, left half and middle: metres, Y up, facing +Z.
_MIDDLE = {
    "Hips": (0, 0.96, 0.0),
    "Spine": (0, 1.02, 0.0),
    "Spine1": (0, 1.12, 0.0),
    "Spine2": (0, 1.24, 0.0),
    "Neck": (0, 1.46, -0.01),
    "Head": (0, 1.54, 0.01),
}
_LEFT = {
    "Shoulder": (0.04, 1.42, 0.0),
    "Arm": (0.17, 1.41, 0.0),
    "ForeArm": (0.45, 1.41, 0.0),
    "Hand": (0.70, 1.41, 0.0),
    "UpLeg": (0.09, 0.92, 0.0),
    "Leg": (0.10, 0.50, 0.0),
    "Foot": (0.10, 0.09, -0.02),
    "ToeBase": (0.10, 0.03, 0.11),
}
_HEAD_TOP = (0.0, 1.75, 0.02)

# Region, bone that carries it, both ends, radii sideways and front to back.
_Part = tuple[int, str, tuple[float, float, float], tuple[float, float, float], float, float]


def _limb_parts(side: str, sign: float) -> list[_Part]:
    def at(name: str, extend: float = 0.0) -> tuple[float, float, float]:
        x, y, z = _LEFT[name]
        return (sign * (x + extend), y, z)

    toe = (sign * 0.10, 0.035, 0.16)
    return [
        (TORSO, f"{side}Shoulder", at("Shoulder"), at("Arm"), 0.065, 0.065),
        (ARMS, f"{side}Arm", at("Arm"), at("ForeArm"), 0.05, 0.05),
        (FOREARMS, f"{side}ForeArm", at("ForeArm"), at("Hand"), 0.04, 0.04),
        (HANDS, f"{side}Hand", at("Hand"), at("Hand", 0.12), 0.03, 0.045),
        (LEGS, f"{side}UpLeg", at("UpLeg"), at("Leg"), 0.085, 0.09),
        (SHINS, f"{side}Leg", at("Leg"), at("Foot"), 0.055, 0.055),
        (FEET, f"{side}Foot", (sign * 0.10, 0.045, -0.05), toe, 0.045, 0.04),
    ]


_PARTS: list[_Part] = [
    (LEGS, "Hips", (0, 0.90, 0), (0, 1.02, 0), 0.16, 0.115),
    (TORSO, "Spine1", (0, 1.02, 0), (0, 1.22, 0), 0.145, 0.10),
    (TORSO, "Spine2", (0, 1.20, 0), (0, 1.38, 0), 0.165, 0.11),
    (SKIN, "Neck", (0, 1.42, -0.01), (0, 1.54, 0.0), 0.055, 0.055),
    (HEAD, "Head", (0, 1.60, 0.015), (0, 1.655, 0.015), 0.08, 0.095),
    *_limb_parts("Left", 1.0),
    *_limb_parts("Right", -1.0),
]


def _capsule(start: NDArray[np.float64], end: NDArray[np.float64], wide: float, deep: float) -> tuple[F32, F32]:
    """Vertices ``(rings * columns, 3)`` and uv in [0, 1]: u runs about the axis from the back, v from start to end."""
    axis = end - start
    length = float(np.linalg.norm(axis))
    axis = axis / length
    side = np.cross([0.0, 0.0, 1.0], axis) if abs(axis[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    front = np.cross(axis, side)
    cap = np.linspace(0, math.pi / 2, 4)[:-1]
    heights = np.concatenate([-deep * np.cos(cap), [0.0, length], length + deep * np.sin(cap[1:]), [length + deep]])
    shrink = np.concatenate([np.sin(cap), [1.0, 1.0], np.cos(cap[1:]), [0.0]])
    around = np.linspace(0, 2 * math.pi, 13)  # the last column repeats the first, for the texture's seam
    circle = np.outer(-np.cos(around), front) * deep + np.outer(np.sin(around), side) * wide
    points = start + heights[:, None, None] * axis + shrink[:, None, None] * circle[None]
    u, v = np.meshgrid(around / (2 * math.pi), (heights + deep) / (length + 2 * deep))
    return points.reshape(-1, 3).astype(np.float32), np.stack([u, v], -1).reshape(-1, 2).astype(np.float32)


def _grid_triangles(rows: int, columns: int) -> NDArray[np.int32]:
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    quads = np.stack([a, a + 1, a + columns + 1, a + columns], -1)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def _body() -> tuple[F32, F32, F32, NDArray[np.int32], NDArray[np.int64]]:
    """Vertices, uv, weights ``(22, V)``, triangles and weld numbers of the body in the T-pose."""
    vertices, uv, bones, triangles = [], [], [], []
    count = 0
    for region, bone, start, end, wide, deep in _PARTS:
        points, at = _capsule(np.array(start, np.float64), np.array(end, np.float64), wide, deep)
        faces = _grid_triangles(len(points) // 13, 13)
        centre = (np.array(start) + np.array(end)) / 2
        corners = points[faces]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        if (normal * (corners.mean(1) - centre)).sum() < 0:
            faces = faces[:, ::-1]
        # Inset by a texel so that bilinear lookups stay inside the region's square.
        inside = (at * (_PATCH - 2) + 1) / (_PATCH * _GRID)
        uv.append(inside + np.array([region % _GRID, region // _GRID]) / _GRID)
        vertices.append(points)
        triangles.append(faces + count)
        bones.append(np.full(len(points), _BONE[bone]))
        count += len(points)
    stacked = np.concatenate(vertices).astype(np.float32)
    weights = np.zeros((len(BONES), count), np.float32)
    weights[np.concatenate(bones), np.arange(count)] = 1
    _, weld = np.unique(np.round(stacked, 5), axis=0, return_inverse=True)
    faces = np.concatenate(triangles).astype(np.int32)
    return stacked, np.concatenate(uv).astype(np.float32), weights, faces, weld.ravel().astype(np.int64)


def _joints() -> F32:
    sides = {
        f"{side}{name}": (s * x, y, z) for side, s in (("Left", 1), ("Right", -1)) for name, (x, y, z) in _LEFT.items()
    }
    return np.array([(_MIDDLE | sides)[name] for name in BONES], np.float32)


class BuiltinPack:
    """Plain people without any file: the interface of ``Pack``, its hold-out too. For tests and first tries."""

    def __init__(self) -> None:
        self._vertices, self._uv, self._weights, self._faces, self._weld = _body()
        self.names = [f"Capsule_{i:02d}_Plain" for i in range(AVATARS)]
        self._avatar_splits = Splits.holding_out(held_out([name.rsplit("_", 1)[0] for name in self.names]))
        held_clips = held_out([f"clip {i}" for i in range(CLIPS)])
        self._pose_splits = Splits.holding_out(np.repeat(held_clips, POSES_PER_CLIP))
        self._pool = TexturePool([_PATCH * _GRID] * AVATARS + OBJECT_TEXTURES)
        still_splits = Splits.holding_out(held_out([f"still {i}" for i in range(STILLS)]))
        self._stills = Stills(_still, still_splits, self._pool, AVATARS)
        self._meshes = MeshPool(AVATARS * len(self._vertices), len(OBJECT_UV) + len(self._uv))
        self.geometry = Geometry(
            self._meshes.rest,
            self._meshes.bones,
            self._meshes.weights,
            torch.from_numpy(np.concatenate([OBJECT_UV, self._uv])),
            torch.from_numpy(np.concatenate([OBJECT_TRIANGLES, self._faces])),
            self._pool.texels,
            self._pool.table,
        )
        self._avatars: dict[int, Avatar] = {}

    def __reduce__(self) -> tuple[type[BuiltinPack], tuple[()]]:
        return type(self), ()  # another process makes its own

    def avatars(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._avatar_splits[split]

    def avatar(self, index: int) -> Avatar:
        if index not in self._avatars:
            self._avatars[index] = self._make_avatar(index)
        return self._avatars[index]

    def poses(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._pose_splits[split]

    def rotations(self, pose: int) -> F32:
        return builtin_poses.rotations(pose)

    def stills(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._stills.indices(split)

    def still(self, index: int) -> U8:
        return self._stills.image(index)

    def panoramas(self, split: Split | None = None) -> NDArray[np.int64]:
        return np.zeros(0, np.int64)

    def panorama(self, index: int) -> Panorama:
        raise IndexError(f"panorama must be below 0: the built-in pack has none, got {index}")

    def cutouts(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._stills.cutouts(split)

    def fabrics(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._stills.fabrics(split)

    def prepare(self, texture: int) -> None:
        self._stills.prepare(texture)

    def _make_avatar(self, index: int) -> Avatar:
        rng = np.random.default_rng(index)
        scale = np.float32(rng.uniform(0.9, 1.06))
        girth = np.array([rng.uniform(0.85, 1.2), 1.0, rng.uniform(0.85, 1.2)], np.float32)
        joints = _joints()
        # Thicker about each part's own bone, so that joints stay where they are.
        anchor = joints[np.argmax(self._weights, 0)]
        vertices = (anchor + (self._vertices - anchor) * girth) * scale
        normals = vertex_normals(vertices, self._faces, self._weld)
        rgb, regions, colours = _clothes(rng)
        self._pool.fill(index, rgb, regions, average_fourth=False)
        body = Mesh(
            np.ascontiguousarray(vertices.T),
            np.ascontiguousarray(normals.T),
            self._weights,
            len(OBJECT_VERTICES) + index * len(vertices),
            len(OBJECT_UV),
            len(OBJECT_TRIANGLES),
            len(self._faces),
            index,
            int(MeshFlag.CULL_BACK | MeshFlag.REGIONS),
        )
        self._meshes.add(body)
        head_top = np.array(_HEAD_TOP, np.float32) * scale
        return Avatar(self.names[index], joints * scale, head_top, (body,), colours[SKIN], colours)

    def __repr__(self) -> str:
        return f"BuiltinPack({AVATARS} avatars, {CLIPS * POSES_PER_CLIP} poses, {STILLS} stills)"


_CONTINUES = {FOREARMS: ARMS, SHINS: LEGS}  # one garment


def _clothes(rng: np.random.Generator) -> tuple[U8, U8, F32]:
    """Texture, region numbers and mean colours: one square per region, a face on the head's front."""
    side = _PATCH * _GRID
    rgb = np.zeros((side, side, 3), np.uint8)
    regions = np.zeros((side, side), np.uint8)
    skin = np.array([0.93, 0.76, 0.64]) * rng.uniform(0.35, 1.0) ** np.array([0.6, 1.0, 1.25])
    hair = np.array([0.5, 0.35, 0.2]) * rng.uniform(0.15, 1.3)
    colours = np.zeros((REGIONS, 3))
    for region in range(REGIONS):
        hsv = (rng.random(), rng.uniform(0.05, 0.8), rng.uniform(0.15, 0.95))
        colours[region] = skin if region in (HEAD, HANDS, SKIN) else colorsys.hsv_to_rgb(*hsv)
        if region in _CONTINUES:
            colours[region] = colours[_CONTINUES[region]]
        y, x = region // _GRID * _PATCH, region % _GRID * _PATCH
        patch = np.broadcast_to(colours[region], (_PATCH, _PATCH, 3)).copy()
        patch *= 1 + rng.normal(0, 0.04, (_PATCH, _PATCH, 1))
        if region == HEAD:
            _paint_face(patch, hair)
        if region == TORSO:  # a button tape down the front, another collar
            patch[:, _PATCH // 2 - 1 : _PATCH // 2 + 1] *= 0.6
            patch[-4:] *= 0.75
        rgb[y : y + _PATCH, x : x + _PATCH] = np.clip(patch * 255, 0, 255)
        regions[y : y + _PATCH, x : x + _PATCH] = region
    return rgb, regions, colours.astype(np.float32)


def _paint_face(patch: NDArray[np.float64], hair: NDArray[np.float64]) -> None:
    """u runs about the head from its back, v from chin to crown, in place."""
    middle = _PATCH // 2
    patch[_PATCH * 3 // 4 :] = hair
    patch[_PATCH // 3 :, : _PATCH // 4] = hair
    patch[_PATCH // 3 :, -_PATCH // 4 :] = hair
    for eye in (middle - 4, middle + 3):
        patch[_PATCH // 2 + 1 : _PATCH // 2 + 3, eye - 1 : eye + 2] = 0.95
        patch[_PATCH // 2 + 1 : _PATCH // 2 + 3, eye] = 0.08
        patch[_PATCH // 2 + 4, eye - 1 : eye + 2] = hair
    patch[_PATCH // 3 + 1, middle - 2 : middle + 2] = (0.6, 0.2, 0.2)
    patch[_PATCH // 2 - 3 : _PATCH // 2 + 1, middle - 1 : middle + 1] *= 0.85


def _still(index: int) -> U8:
    """``(240, 320, 3)`` uint8: a gradient with rectangles, discs and speckle."""
    rng = np.random.default_rng((1, index))
    rows = np.linspace(0, 1, 240)[:, None, None]
    image = rng.uniform(30, 230, 3) * (1 - rows) + rng.uniform(30, 230, 3) * rows
    image = np.ascontiguousarray(np.broadcast_to(image, (240, 320, 3)), np.uint8)
    for _ in range(int(rng.integers(4, 40))):
        x, y, w, h = (int(v) for v in rng.integers((0, 0, 4, 4), (320, 240, 120, 90)))
        colour = tuple(float(v) for v in rng.uniform(10, 250, 3))
        if rng.random() < 0.6:
            cv2.rectangle(image, (x, y), (x + w, y + h), colour, -1 if rng.random() < 0.7 else 2)
        else:
            cv2.ellipse(image, (x, y), (w // 2, h // 2), rng.uniform(0, 180), 0, 360, colour, -1)
    speckle = rng.normal(0, rng.uniform(1, 12), (240, 320, 1))
    return np.asarray(np.clip(image + speckle, 0, 255), np.uint8)
