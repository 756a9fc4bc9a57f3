"""Scenes as arrays: all that a renderer needs of them, and their truth but for what hides what.

Everything random is in a plan, so that pictures may be drawn elsewhere, many at a time: see ``renderer``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ops.rasterize import MeshFlag
from ..ops.shade import REGIONS
from ..skeleton import SMAP15
from .assets import BONES, F32, Assets, Avatar
from .background import Background, draw_background
from .body import joints_of, pose_bones
from .config import SceneConfig
from .degrade import Effects, draw_effects
from .light import scene_light
from .objects import BOX_TRIANGLES, BOX_VERTICES, CARD_TRIANGLES, CARD_VERTICES
from .scene import Object, Placed, Scene, yaw_matrix
from .shadows import Shadows, draw_shadows

# Metres around the joints within which all of a body is, clothes and hair too.
_REACH = 0.5
_BEHIND = 0.6  # metres: of people nearer than this the outline is not foreseen


class Part(IntEnum):
    """Columns of ``Plan.parts``: one mesh of one picture."""

    PICTURE = 0
    PERSON = 1  # row of ``joints``, -1 for objects
    FIRST_REST = 2
    VERTEX_COUNT = 3
    FIRST_UV = 4
    FIRST_TRIANGLE = 5
    TRIANGLE_COUNT = 6
    TEXTURE = 7
    FLAGS = 8
    POSE = 9
    AVATAR = 10  # whose mesh it is, -1 for objects


@dataclass(frozen=True)
class Plan:
    """B pictures of one size; people of a picture stand together, near to far.

    Args:
        size: ``(width, height)`` of the pictures, pixels.
        full_size: of the full pictures that they are windows of.
        supersample: samples per pixel along each axis.
        cameras: ``(B, 4)`` float32 fx, fy, cx, cy of the window.
        contents: ``(B, 4)`` left, top, right, bottom of what is no grey bar, pixels of the window.
        backgrounds, shadows, effects: see these.
        lights: ``(B, 35)`` float32, see ``ops.shade``.
        follows: ``(B,)`` bool: the light takes its colour from what is behind.
        parts: ``(M, 11)`` int64 columns of ``Part``, by picture.
        materials, patterns: ``(M, 10, 3, 4)`` and ``(M, 4)`` float32 of each part, see ``ops.shade``.
        poses: ``(Q, 22, 12)`` float32, see ``ops.skin``.
        pictures: ``(N,)`` int64 picture of each person.
        people: ``(N,)`` int64 place of each person in ``Scene.people``.
        joints: ``(N, 15, 3)`` float64 metres in the camera frame.
    """

    size: tuple[int, int]
    full_size: tuple[int, int]
    supersample: int
    cameras: F32
    contents: NDArray[np.int64]
    backgrounds: Background
    shadows: Shadows
    effects: Effects
    lights: F32
    follows: NDArray[np.bool_]
    parts: NDArray[np.int64]
    materials: F32
    patterns: F32
    poses: F32
    pictures: NDArray[np.int64]
    people: NDArray[np.int64]
    joints: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cameras)

    def project(self) -> NDArray[np.float64]:
        """``(N, 15, 2)`` joints in pixels of the window."""
        cameras = self.cameras.astype(np.float64)[self.pictures, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.joints[..., :2] / self.joints[..., 2:] * cameras[..., :2] + cameras[..., 2:])

    @staticmethod
    def join(plans: Sequence[Plan]) -> Plan:
        """Several plans as one.

        Raises:
            ValueError: sizes or supersampling differ.
        """
        first = plans[0]
        if len(plans) == 1:
            return first
        same = ("size", "full_size", "supersample")
        for plan in plans:
            if any(getattr(plan, name) != getattr(first, name) for name in same):
                raise ValueError(f"plans must share {', '.join(same)}, got others")

        def offsets(counts: list[int]) -> NDArray[np.int64]:
            return np.cumsum([0, *counts[:-1]])

        pictures = offsets([len(p) for p in plans])
        people, poses = offsets([len(p.joints) for p in plans]), offsets([len(p.poses) for p in plans])
        values: dict[str, Any] = {name: getattr(first, name) for name in same}
        for f in fields(Plan):
            if f.name in same:
                continue
            parts = [getattr(p, f.name) for p in plans]
            if isinstance(parts[0], tuple):
                values[f.name] = type(parts[0])(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
            else:
                values[f.name] = np.concatenate(parts)
        rows = values["parts"]
        of_part = np.repeat(np.arange(len(plans)), [len(p.parts) for p in plans])
        rows[:, Part.PICTURE] += pictures[of_part]
        rows[:, Part.PERSON] += np.where(rows[:, Part.PERSON] >= 0, people[of_part], 0)
        rows[:, Part.POSE] += poses[of_part]
        values["pictures"] += np.repeat(pictures, [len(p.joints) for p in plans])
        strokes = values["shadows"].strokes
        strokes[:, 0] += 2 * np.repeat(pictures, [len(p.shadows.strokes) for p in plans])
        return Plan(**values)


def plan_scene(pack: Assets, config: SceneConfig, scene: Scene) -> Plan:
    """The plan of one picture. The same arguments give the same plan."""
    rng = np.random.default_rng(scene.seed)
    x0, y0, width, height = scene.window
    full = scene.view.camera
    camera = np.array([[full.fx, full.fy, full.cx - x0, full.cy - y0]], np.float32)
    count = len(scene.people)
    world = np.zeros((count, SMAP15.num_joints, 3))
    bones = np.zeros((count, len(BONES), 12), np.float32)
    for index, person in enumerate(scene.people):
        world[index], bones[index] = _pose(scene, person, pack.avatar(person.avatar))
    joints = scene.view.to_camera(world)
    order = np.argsort(joints[:, SMAP15.root, 2], kind="stable")
    parts: list[list[int]] = []
    materials: list[F32] = []
    patterns: list[tuple[float, ...]] = []
    poses: list[F32] = []
    for row, index in enumerate(order):
        person = scene.people[index]
        if not _may_be_seen(joints[index], camera[0], width, height):
            continue
        for mesh, clothes in zip(pack.avatar(person.avatar).meshes, person.clothes, strict=True):
            part = [0, row, mesh.first_rest, mesh.vertices.shape[1], mesh.first_uv, mesh.first_triangle]
            parts.append([*part, mesh.triangle_count, mesh.texture, mesh.flags, len(poses), person.avatar])
            materials.append(clothes.material)
            patterns.append(clothes.pattern)
        poses.append(bones[index])
    for thing in scene.objects:
        parts.append(_object_part(thing, len(poses)))
        materials.append(thing.material)
        patterns.append((0.0, 1.0, 0.0, 0.0))
        poses.append(_object_pose(scene, thing))
    background = draw_background(pack, config, scene, rng)
    light, key = scene_light(pack, scene)
    shadows = draw_shadows(scene, world, key, rng)
    effects = draw_effects(config.degrade, rng)
    return Plan(
        (width, height),
        (config.width, config.height),
        config.supersample,
        camera,
        np.array([_content_in_window(scene)], np.int64),
        Background._make(column[None] for column in background),
        Shadows(shadows.strokes, shadows.softness, shadows.depths[None]),
        Effects._make(column[None] for column in effects),
        light[None],
        np.array([scene.background != "panorama"]),
        np.array(parts, np.int64).reshape(-1, len(Part)),
        np.array(materials, np.float32).reshape(-1, REGIONS, 3, 4),
        np.array(patterns, np.float32).reshape(-1, 4),
        np.array(poses, np.float32).reshape(-1, len(BONES), 12),
        np.zeros(count, np.int64),
        np.asarray(order, np.int64),
        joints[order],
    )


def _pose(scene: Scene, person: Placed, avatar: Avatar) -> tuple[NDArray[np.float64], F32]:
    """A person on the ground: 15 joints in the world, and the bones' transforms to the camera frame."""
    positions = pose_bones(avatar.joints, person.transforms)
    moved = (person.transforms @ avatar.joints[..., None])[..., 0]
    shift = positions - moved  # of vertices, by bone
    body = avatar.meshes[0]
    # Heights of all vertices: the second rows of the transforms, blended.
    heights = np.concatenate([person.transforms[:, 1], shift[:, 1:2]], -1).T @ body.weights
    x, y, z = body.vertices
    lowest = float((heights[0] * x + heights[1] * y + heights[2] * z + heights[3]).min())
    place = np.array([person.ground[0], person.lift - lowest, person.ground[1]])
    joints = joints_of(positions, person.transforms, avatar.joints, avatar.head_top) + place
    rotation = scene.view.rotation
    moves = np.empty((len(BONES), 3, 4), np.float32)
    moves[..., :3] = rotation.astype(np.float32) @ person.transforms
    moves[..., 3] = scene.view.to_camera(shift + place)
    return joints, moves.reshape(-1, 12)


def _may_be_seen(joints: NDArray[np.float64], camera: F32, width: int, height: int) -> bool:
    """Whether any of a body can be in the window."""
    x, y, z = joints.T
    nearest = float(z.min())
    if nearest < _BEHIND:
        return float(z.max()) > 0
    reach = _REACH * float(camera[0]) / (nearest - _REACH / 2)
    u, v = x / z * camera[0] + camera[2], y / z * camera[1] + camera[3]
    return bool(u.max() > -reach and u.min() < width + reach and v.max() > -reach and v.min() < height + reach)


def _object_part(thing: Object, pose: int) -> list[int]:
    if thing.kind == "box":
        first, vertices, triangles, flags = (0, 0), len(BOX_VERTICES), len(BOX_TRIANGLES), MeshFlag.CULL_BACK
    else:
        first, vertices, triangles = (len(BOX_VERTICES), len(BOX_TRIANGLES)), len(CARD_VERTICES), len(CARD_TRIANGLES)
        flags = MeshFlag.ALPHA_TEST
    return [0, -1, first[0], vertices, first[0], first[1], triangles, thing.texture, int(flags), pose, -1]


def _object_pose(scene: Scene, thing: Object) -> F32:
    """Objects hang on the first bone."""
    out = np.zeros((len(BONES), 3, 4), np.float32)
    out[0, :, :3] = scene.view.rotation @ yaw_matrix(thing.yaw) * thing.size
    out[0, :, 3] = scene.view.to_camera(thing.base)
    return out.reshape(-1, 12)


def _content_in_window(scene: Scene) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is no bar, in pixels of the window."""
    (x0, y0, width, height), (x, y, w, h) = scene.window, scene.content
    left, top = min(max(x - x0, 0), width), min(max(y - y0, 0), height)
    return left, top, min(max(x + w - x0, left), width), min(max(y + h - y0, top), height)
