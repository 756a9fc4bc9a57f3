"""Pictures of scenes with their truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ..camera import Camera
from ..letterbox import PADDING_VALUE
from ..ops.rasterize import NOTHING, Instance, MeshFlag, rasterize, unpack
from ..ops.shade import shade
from ..sample import HIDDEN, OCCLUDED, VISIBLE, Sample
from ..skeleton import SMAP15
from .assets import F32, Assets, Mesh
from .background import background, cast_shadows
from .body import joints_of, pose_bones, skin
from .config import SceneConfig
from .degrade import degrade
from .light import scene_light
from .objects import BOX_TRIANGLES, BOX_UV, BOX_VERTICES, CARD_TRIANGLES, CARD_VERTICES
from .sampling import sample_scene
from .scene import Object, Placed, Scene, yaw_matrix
from .wardrobe import Dress

_NEAR = 0.1  # metres: triangles that reach nearer are not drawn
# A joint counts as visible when its own body's surface lies at most this far in front of it, metres: flesh and clothes
# of an adult at that joint, less than what another limb in front of it adds.
_COVER_OF = {"pelvis": 0.2, "neck": 0.16, "hip": 0.18, "shoulder": 0.14, "wrist": 0.08}
_COVER = np.array([_COVER_OF.get(name.split("_")[-1], 0.1) for name in SMAP15.joints])


@dataclass
class _Batch:
    """Meshes of a picture, gathered for the ops."""

    vertices: list[NDArray[np.float32]] = field(default_factory=list)
    normals: list[NDArray[np.float32]] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    materials: list[F32] = field(default_factory=list)
    patterns: list[tuple[float, float, float, float]] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)  # person of each row, -1 for objects
    points: int = 0
    triangles: int = 0

    def add(
        self,
        vertices: NDArray[np.float32],
        normals: NDArray[np.float32],
        dress: Dress,
        owner: int,
        mesh: tuple[int, int, int, int, int],
    ) -> None:
        """``mesh``: first uv, first triangle, triangle count, texture, flags."""
        first_uv, first_triangle, count, texture, flags = mesh
        self.rows.append([0, self.points, first_uv, first_triangle, count, texture, int(flags), self.triangles])
        self.vertices.append(vertices)
        self.normals.append(normals)
        self.materials.append(dress.material)
        self.patterns.append(dress.pattern)
        self.owner.append(owner)
        self.points += len(vertices)
        self.triangles += count

    def owners(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Person at each sample of a visibility buffer, -1 for objects and the background."""
        out = np.full(keys.shape, -1)
        covered = keys != NOTHING
        firsts = np.array([row[Instance.FIRST_ID] for row in self.rows], np.int64)
        ids = keys[covered] & 0xFFFFFFFF
        if len(ids):
            out[covered] = np.array(self.owner)[np.searchsorted(firsts, ids, side="right") - 1]
        return out


def render_scene(pack: Assets, config: SceneConfig, seed: int) -> Sample:
    """Draw one random scene: picture and exact truth. The same arguments give the same sample, bit for bit.

    Args:
        pack: a ``Pack`` or ``BuiltinPack``.
        config: what scenes look like; with ``config.window`` only that part of the full picture is rendered.
        seed: of everything random in the scene.

    Returns:
        ``image`` ``(h, w, 3)`` uint8; people near to far, those without a visible pixel left out; ``joints_3d`` metres
        in the camera frame; ``visibility`` 0 outside the picture, 1 behind somebody, something or more than about 10 cm
        of the own body, 2 otherwise. ``camera`` belongs to the rendered window. ``extra``: ``full_size`` (width,
        height) of the full picture, whose width is the w of Eq. 1; ``window`` x0, y0, width, height in it, and
        ``content`` likewise, outside which bars are grey; ``pixels`` ``(P,)`` int64 visible pixels of each person in
        the window; ``avatars``, ``camera_height``, ``background``,
        ``seed``.
    """
    rng = np.random.default_rng(seed)
    scene = sample_scene(pack, config, rng)
    return draw_scene(pack, config, scene, name=f"scene {seed}", seed=seed)


def draw_scene(pack: Assets, config: SceneConfig, scene: Scene, *, name: str = "scene", seed: int = 0) -> Sample:
    """The picture and truth of a given scene; see ``render_scene``."""
    rng = np.random.default_rng(scene.seed)
    x0, y0, width, height = scene.window
    full = scene.view.camera
    camera = Camera(full.fx, full.fy, full.cx - x0, full.cy - y0)

    batch, world_joints, joints = _Batch(), [], []
    for index, person in enumerate(scene.people):
        in_world, in_camera = _add_person(pack, scene, person, index, batch)
        world_joints.append(in_world)
        joints.append(in_camera)
    for thing in scene.objects:
        _add_object(pack, scene, thing, batch)

    behind = background(pack, config, scene, rng)
    lights, key = scene_light(pack, scene, behind)
    behind = cast_shadows(behind, scene, world_joints, key, rng)
    image, buffer = behind, np.full((height * config.supersample, width * config.supersample), NOTHING, np.int64)
    if batch.rows:
        image, buffer = _draw(pack, batch, camera, behind, lights, config.supersample)
    image = degrade(image, config.degrade, rng)
    left, top, right, bottom = _content_in_window(scene)
    bars = np.ones((height, width), np.bool_)
    bars[top:bottom, left:right] = False
    if bars.any():
        image = np.where(bars[..., None], np.uint8(PADDING_VALUE), image)

    shown = batch.owners(buffer[:: config.supersample, :: config.supersample][~bars])
    pixels = np.bincount(shown[shown >= 0], minlength=len(joints))
    stack = np.stack(joints) if joints else np.zeros((0, SMAP15.num_joints, 3))
    kept = [i for i in np.argsort(stack[:, SMAP15.root, 2], kind="stable") if pixels[i] > 0]
    joints_2d = camera.project(stack)
    visibility = _visibility(stack, joints_2d, buffer, batch, config.supersample)
    inside = (joints_2d >= (left - 0.5, top - 0.5)) & (joints_2d < (right - 0.5, bottom - 0.5))
    visibility[~inside.all(-1)] = HIDDEN
    return Sample(
        image,
        width,
        height,
        camera,
        joints_2d[kept].astype(np.float32),
        stack[kept].astype(np.float32),
        visibility[kept],
        name=name,
        extra={
            "full_size": (config.width, config.height),
            "window": scene.window,
            "content": scene.content,
            "pixels": pixels[kept],
            "avatars": [scene.people[i].avatar for i in kept],
            "camera_height": scene.view.height,
            "background": scene.background,
            "seed": seed,
        },
    )


def _content_in_window(scene: Scene) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is no bar, in pixels of the window."""
    (x0, y0, width, height), (x, y, w, h) = scene.window, scene.content
    left, top = min(max(x - x0, 0), width), min(max(y - y0, 0), height)
    return left, top, min(max(x + w - x0, left), width), min(max(y + h - y0, top), height)


def _add_person(
    pack: Assets, scene: Scene, person: Placed, index: int, batch: _Batch
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Pose a person on the ground; 15 joints in the world and in the camera frame."""
    avatar, rotation = pack.avatar(person.avatar), scene.view.rotation
    world = pose_bones(avatar.joints, person.transforms)
    # Vertices go straight to the camera frame; the world's height is a dot product away.
    to_camera = rotation.astype(np.float32)
    positions, transforms = world @ to_camera.T, to_camera @ person.transforms
    posed = [skin(mesh, avatar.joints, positions, transforms) for mesh in avatar.meshes]
    lowest = float((posed[0][0] @ to_camera[:, 1]).min())
    place = np.array([person.ground[0], person.lift - lowest, person.ground[1]])
    origin = scene.view.to_camera(place)
    for mesh, (vertices, normals), dress in zip(avatar.meshes, posed, person.clothes, strict=True):
        vertices += origin.astype(np.float32)
        if dress.pattern[2]:
            pack.prepare(int(dress.pattern[0]))
        batch.add(vertices, normals, dress, index, _mesh_row(mesh))
    joints = joints_of(world, person.transforms, avatar.joints, avatar.head_top)
    in_world = joints + place.astype(np.float32)
    return in_world, joints.astype(np.float64) @ rotation.T + origin


def _mesh_row(mesh: Mesh) -> tuple[int, int, int, int, int]:
    return mesh.first_uv, mesh.first_triangle, mesh.triangle_count, mesh.texture, mesh.flags


def _add_object(pack: Assets, scene: Scene, thing: Object, batch: _Batch) -> None:
    pack.prepare(thing.texture)
    box = thing.kind == "box"
    shape = BOX_VERTICES if box else CARD_VERTICES
    turned = (shape * thing.size) @ yaw_matrix(thing.yaw).T.astype(np.float64) + thing.base
    vertices = scene.view.to_camera(turned).astype(np.float32)
    faces = BOX_TRIANGLES if box else CARD_TRIANGLES
    corners = vertices[faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.empty_like(vertices)
    normals[faces] = flat[:, None]  # corners belong to one face each
    mesh = (
        (0, 0, len(BOX_TRIANGLES), thing.texture, int(MeshFlag.CULL_BACK))
        if box
        else (len(BOX_UV), len(BOX_TRIANGLES), len(CARD_TRIANGLES), thing.texture, int(MeshFlag.ALPHA_TEST))
    )
    batch.add(vertices, normals, Dress(thing.material), -1, mesh)


def _draw(
    pack: Assets, batch: _Batch, camera: Camera, behind: NDArray[np.uint8], lights: F32, supersample: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Picture ``(h, w, 3)`` and visibility buffer."""
    vertices = np.concatenate(batch.vertices)
    z = vertices[:, 2]
    with np.errstate(divide="ignore"):
        inverse = np.where(z > _NEAR, 1 / z, 0).astype(np.float32)
    screen = np.empty_like(vertices)
    screen[:, 0] = vertices[:, 0] * inverse * camera.fx + camera.cx
    screen[:, 1] = vertices[:, 1] * inverse * camera.fy + camera.cy
    screen[:, 2] = inverse
    geometry = pack.geometry
    meshes = (torch.from_numpy(screen), geometry.uv, geometry.triangles, torch.tensor(batch.rows, dtype=torch.int32))
    height, width = behind.shape[:2]
    texture = (geometry.texels, geometry.textures)
    visibility = rasterize(*meshes, *texture, 1, height, width, supersample, batch.triangles)
    image = shade(
        visibility,
        meshes[0],
        torch.from_numpy(np.concatenate(batch.normals)),
        *meshes[1:],
        torch.from_numpy(np.stack(batch.materials)),
        torch.tensor(batch.patterns, dtype=torch.float32),
        *texture,
        torch.from_numpy(lights)[None],
        torch.from_numpy(behind)[None],
        supersample,
    )
    return image[0].numpy(), visibility[0].numpy()


def _visibility(
    joints: NDArray[np.float64],
    joints_2d: NDArray[np.float64],
    buffer: NDArray[np.int64],
    batch: _Batch,
    supersample: int,
) -> NDArray[np.uint8]:
    """``(P, 15)``: a joint is visible when near its pixel some sample shows its person at about its depth."""
    rows, columns = buffer.shape
    out = np.full(joints.shape[:2], HIDDEN, np.uint8)
    if not len(joints):
        return out
    # Children's bodies are thinner: scale by the trunk.
    trunk = np.linalg.norm(joints[:, 0] - joints[:, 2], axis=-1) / 0.5
    cover = _COVER[None] * np.clip(trunk, 0.5, 1.1)[:, None]
    centre = np.floor((joints_2d + 0.5) * supersample).astype(np.int64)
    inside = (joints[..., 2] > _NEAR) & (centre >= 0).all(-1) & (centre[..., 0] < columns) & (centre[..., 1] < rows)
    out[inside] = OCCLUDED
    person = np.arange(len(joints))[:, None]
    for dy in (-supersample, 0, supersample):
        for dx in (-supersample, 0, supersample):
            x = np.clip(centre[..., 0] + dx, 0, columns - 1)
            y = np.clip(centre[..., 1] + dy, 0, rows - 1)
            keys = buffer[y, x]
            depth = unpack(torch.from_numpy(keys))[0].numpy()
            seen = (batch.owners(keys) == person) & (joints[..., 2] - depth < cover)
            out[inside & seen] = VISIBLE
    return out
