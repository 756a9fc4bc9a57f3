"""Random scenes: people on the ground who keep their distance, a camera that sees them, things in front of them."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import DatasetError
from ..ops.shade import REGIONS
from ..skeleton import SMAP15
from .assets import F32, Assets
from .body import joints_of, pose_bones, stretches
from .config import SceneConfig
from .scene import Box, Light, Object, Placed, Scene, View, World, yaw_matrix
from .variety import varied
from .wardrobe import dress

# People per picture, before clipping to the configured range; more of them are as likely as the last.
_COUNT_WEIGHTS = np.array([0.18, 0.24, 0.2, 0.14, 0.1, 0.06, 0.04, 0.04])
_ROOT_HEIGHT = 0.9
_JOINT_CLEARANCE = 0.11  # metres between joints of different people
_ATTEMPTS = 12


def sample_scene(pack: Assets, config: SceneConfig, rng: np.random.Generator) -> Scene:
    """Draw a scene. The same generator state gives the same scene.

    Raises:
        DatasetError: the pack has no people, poses or backgrounds of this split.
    """
    for what, items in (("people", pack.avatars), ("poses", pack.poses), ("backgrounds", pack.stills)):
        if not len(items(config.split)):
            raise DatasetError(f"{pack!r} must hold {what} of split {config.split!r}, got none")
    content = _content(config, rng)
    focal = max(content[2:]) / 2 / math.tan(math.radians(rng.uniform(*config.fov)) / 2)
    camera = Camera(focal, focal, (config.width - 1) / 2, (config.height - 1) / 2)
    height = _camera_height(config, rng)
    low, high = config.depth
    anchor = math.exp(rng.uniform(math.log(low * 1.1), math.log(high * 0.95)))
    # The anchor's root lands in the middle part of the picture, lower when it is near: faces matter more than feet.
    row = rng.uniform(-0.25, 0.35 + 0.25 * (anchor < 3)) * content[3]
    pitch = math.atan2(height - _ROOT_HEIGHT, anchor) - math.atan(row / focal)
    roll = math.radians(_clip(rng.normal(0, config.max_roll / 3), -config.max_roll, config.max_roll))
    view = View(camera, _rotation(pitch, roll), height)

    people: list[Placed] = []
    if rng.random() >= config.empty_share:
        fewest, most = config.people
        weights = np.pad(_COUNT_WEIGHTS, (0, max(0, most - len(_COUNT_WEIGHTS))), mode="edge")[:most]
        weights[: fewest - 1] = 0
        count = int(rng.choice(most, p=weights / weights.sum())) + 1
        people = _place_people(pack, config, view, content, anchor, count, rng)
    objects = _place_objects(pack, config, view, people, rng)
    panoramas = pack.panoramas(config.split)
    kinds: list[Literal["still", "panorama", "room"]] = ["still", "room"]
    shares = [0.55, 0.3]
    if len(panoramas) and abs(pitch) < 0.6:
        kinds.append("panorama")
        shares.append(0.15)
    background = kinds[int(rng.choice(len(kinds), p=np.array(shares) / sum(shares)))]
    light = Light(
        _pick(panoramas, rng) if len(panoramas) else None,
        rng.uniform(0, 2 * math.pi),
        rng.uniform(0.6, 1.25),
        rng.uniform(0, 0.6) * (rng.random() < 0.7),
        1 + rng.normal(0, 0.05, 3),
        rng.uniform(0.2, 1.0),
    )
    seed = int(rng.integers(2**62))  # before the window, so that a window shows a part of the full picture
    window = _window(config, view, people, rng)
    return Scene(view, tuple(people), tuple(objects), background, light, window, content, seed)


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


_SHAPES = (9 / 16, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 16 / 9)  # width over height of what cameras take


def _content(config: SceneConfig, rng: np.random.Generator) -> Box:
    """Where the picture lies in the full one."""
    if rng.random() >= config.letterbox_share:
        return 0, 0, config.width, config.height
    shape = _SHAPES[int(rng.integers(len(_SHAPES)))]
    width, height = min(config.width, round(config.height * shape)), min(config.height, round(config.width / shape))
    return (config.width - width) // 2, (config.height - height) // 2, width, height


def _camera_height(config: SceneConfig, rng: np.random.Generator) -> float:
    low, high = config.camera_height
    # Mostly held by hand, sometimes on the floor or under a ceiling; within the limits whatever they are.
    edges = np.clip([low, 1.0, 1.9, high], low, high)
    band = int(rng.choice(3, p=[0.14, 0.66, 0.2]))
    return float(rng.uniform(edges[band], edges[band + 1]))


def _rotation(pitch: float, roll: float) -> World:
    """World to camera, ``pitch`` radians downwards, rows right, down, forward."""
    forward = np.array([0.0, -math.sin(pitch), -math.cos(pitch)])
    down = np.array([0.0, -math.cos(pitch), math.sin(pitch)])
    right = np.array([1.0, 0.0, 0.0])
    c, s = math.cos(roll), math.sin(roll)
    return np.stack([c * right + s * down, c * down - s * right, forward])


def _place_people(
    pack: Assets, config: SceneConfig, view: View, content: Box, anchor: float, count: int, rng: np.random.Generator
) -> list[Placed]:
    avatars, poses = pack.avatars(config.split), pack.poses(config.split)
    fabrics = pack.fabrics(config.split)
    people: list[Placed] = []
    taken = np.empty((count, SMAP15.num_joints, 3))  # world joints
    for index in range(count):
        for _ in range(_ATTEMPTS):
            partner = int(rng.integers(len(people))) if people and rng.random() < config.pair_share else None
            yaw = rng.uniform(0, 2 * math.pi)
            if partner is None:
                ground = _free_spot(config, view, content, anchor, index, rng)
            else:
                direction = rng.uniform(0, 2 * math.pi)
                offset = np.array([math.sin(direction), math.cos(direction)])
                ground = people[partner].ground + rng.uniform(*config.pair_distance) * offset
                if rng.random() < 0.5:  # facing the partner: avatars look along +Z
                    yaw = direction + math.pi + rng.normal(0, 0.3)
            if not _root_is_seen(config, view, content, ground):
                continue
            if any(math.hypot(*(ground - other.ground)) < config.pair_distance[0] for other in people):
                continue
            avatar_index = _pick(avatars, rng)
            avatar = pack.avatar(avatar_index)
            build = stretches(avatar.joints, *body_scales(config, rng))
            turned = yaw_matrix(yaw) @ random_pose(pack, poses, config, rng)
            transforms = np.asarray(turned @ build, np.float32)
            bones = pose_bones(avatar.joints, transforms)
            joints = joints_of(bones, transforms, avatar.joints, avatar.head_top).astype(np.float64)
            joints += (ground[0], 0.03 - bones[:, 1].min(), ground[1])
            if people and _gap(joints, taken[: len(people)]) < _JOINT_CLEARANCE:
                continue
            lift = rng.uniform(0, 0.5) if rng.random() < config.lift_share else 0.0
            taken[len(people)] = joints
            people.append(Placed(avatar_index, transforms, ground, lift, dress(avatar, fabrics, rng, config.headwear)))
            break
    return people


def _pick(items: NDArray[np.int64], rng: np.random.Generator) -> int:
    """What ``rng.choice`` gives, in a tenth of the time."""
    return int(items[rng.integers(len(items))])


def _root_is_seen(config: SceneConfig, view: View, content: Box, ground: World) -> bool:
    """Whether somebody's root there is within the depth range and not far outside the picture."""
    root_x, root_y, root_z = view.to_camera(np.array([ground[0], _ROOT_HEIGHT, ground[1]])).tolist()
    if not config.depth[0] <= root_z <= config.depth[1]:
        return False
    camera = view.camera
    x = (root_x / root_z * camera.fx + camera.cx - content[0]) / content[2]
    y = (root_y / root_z * camera.fy + camera.cy - content[1]) / content[3]
    return bool(-0.1 < x < 1.1 and -0.35 < y < 1.45)


def _gap(joints: World, others: World) -> float:
    """Metres between the nearest joints of one person ``(J, 3)`` and others ``(N, J, 3)``."""
    apart = joints - others[:, :, None]
    return math.sqrt(float(np.einsum("njki,njki->njk", apart, apart).min()))


def _free_spot(
    config: SceneConfig, view: View, content: Box, anchor: float, index: int, rng: np.random.Generator
) -> World:
    """A place on the ground whose root is seen, near the anchor's distance more often than not."""
    low, high = config.depth
    if index == 0:
        distance = anchor
    elif rng.random() < 0.5:
        distance = anchor * rng.uniform(0.75, 1.4)
    else:
        distance = math.exp(rng.uniform(math.log(low), math.log(high)))
    column = rng.uniform(0.12, 0.88) if index == 0 else rng.uniform(-0.08, 1.08)
    lateral = (column - 0.5) * content[2] / view.camera.fx * distance
    return np.array([lateral, -distance])


def random_pose(pack: Assets, poses: NDArray[np.int64], config: SceneConfig, rng: np.random.Generator) -> F32:
    """Rotations ``(22, 3, 3)`` of one of these poses of the pack, varied as the configuration says."""
    pose = pack.rotations(_pick(poses, rng))
    return varied(pose, rng) if config.pose_variety and rng.random() < config.pose_variety else pose


def body_scales(config: SceneConfig, rng: np.random.Generator) -> tuple[F32, F32]:
    """Scales of the 22 bones along and across themselves: size, limb proportions and girth."""
    child = rng.random() < config.child_share
    size = rng.uniform(*config.child_scale) if child else _clip(rng.normal(0.98, config.build_sd), 0.85, 1.12)
    along, across = np.full(22, size, np.float32), np.full(22, size, np.float32)
    arms, legs, trunk = rng.normal(1, 0.03, 3)
    girth = _clip(rng.normal(1, 0.06), 0.85, 1.2)
    along[1:5] *= trunk
    along[[7, 8, 11, 12]] *= arms
    along[[14, 15, 18, 19]] *= legs
    across[[1, 2, 3, 7, 8, 11, 12, 14, 15, 18, 19]] *= girth
    if child:
        along[5] *= rng.uniform(1.05, 1.3)  # children's heads are large for their size
    return along, across


def _place_objects(
    pack: Assets, config: SceneConfig, view: View, people: list[Placed], rng: np.random.Generator
) -> list[Object]:
    cutouts = pack.cutouts(config.split)
    if not len(cutouts) or rng.random() >= config.clutter_share:
        return []
    objects = []
    for _ in range(int(rng.integers(1, 4))):
        if people:
            target = people[int(rng.integers(len(people)))].ground
            base = target * rng.uniform(0.45, 0.9) + rng.normal(0, 0.25, 2)
        else:
            base = np.array([rng.uniform(-2, 2), -rng.uniform(1.5, 8)])
        if base[1] > -0.9:
            continue
        size = np.array([rng.uniform(0.25, 1.3), rng.uniform(0.2, 1.3), rng.uniform(0.25, 0.9)])
        bottom = rng.uniform(0, 1.0) if rng.random() < 0.15 else 0.0
        table = rng.random() < 0.25
        if table:  # a top at table height, with or without a cloth
            size = np.array([rng.uniform(0.8, 2.0), rng.uniform(0.04, 0.4), rng.uniform(0.5, 1.1)])
            bottom = 0.75 - size[1]
        material = np.zeros((REGIONS, 3, 4), np.float32)
        material[:, [0, 1, 2], [0, 1, 2]] = rng.uniform(0.6, 1.2) * (1 + rng.normal(0, 0.08, 3))
        objects.append(
            Object(
                "box" if table or rng.random() < 0.3 else "card",
                _pick(cutouts, rng),
                size,
                rng.uniform(-0.8, 0.8),
                np.array([base[0], bottom, base[1]]),
                material,
            )
        )
    return objects


def _window(config: SceneConfig, view: View, people: list[Placed], rng: np.random.Generator) -> Box:
    if config.window is None:
        return 0, 0, config.width, config.height
    w, h = config.window
    x, y = rng.uniform(0, config.width), rng.uniform(0, config.height)
    if people and rng.random() < config.window_focus:
        ground = people[int(rng.integers(len(people)))].ground
        root = view.to_camera(np.array([ground[0], _ROOT_HEIGHT + rng.uniform(-0.3, 0.5), ground[1]]))
        x, y = view.camera.project(root) + rng.normal(0, 0.15, 2) * (w, h)
    left = int(_clip(round(x - w / 2), 0, config.width - w))
    top = int(_clip(round(y - h / 2), 0, config.height - h))
    return left, top, w, h
