"""What is behind the people: stills, panoramas, rooms of a floor and a wall, and the shadows on the ground."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..skeleton import SMAP15
from .assets import F32, U8, Assets
from .config import SceneConfig
from .scene import Scene

_PANORAMA_STEP = 8  # pixels between directions that are computed; those between are interpolated
_LIMB_RADIUS = 0.07  # metres, of shadows


def background(pack: Assets, config: SceneConfig, scene: Scene, rng: np.random.Generator) -> U8:
    """The window's background: ``(h, w, 3)`` uint8 RGB."""
    if scene.background == "panorama" and scene.light.panorama is not None:
        image = _panorama(pack.panorama(scene.light.panorama).image, scene)
    elif scene.background == "room":
        image = _room(pack, config, scene, rng)
    else:
        image = _still(_random_still(pack, config, rng), scene, config, rng)
    return _recolour(image, rng)


def _random_still(pack: Assets, config: SceneConfig, rng: np.random.Generator) -> U8:
    return pack.still(int(rng.choice(pack.stills(config.split))))


def _still(still: U8, scene: Scene, config: SceneConfig, rng: np.random.Generator) -> U8:
    """A random part of a still stretched over the full picture; the window's share of it."""
    height, width = still.shape[:2]
    zoom = min(width / config.width, height / config.height) * rng.uniform(0.45, 1.0)  # still pixels per pixel
    free_x, free_y = width - zoom * config.width, height - zoom * config.height
    left, top = rng.uniform(0, max(free_x, 0)), rng.uniform(0, max(free_y, 0))
    x0, y0, w, h = scene.window
    affine = np.array([[zoom, 0, left + zoom * x0], [0, zoom, top + zoom * y0]])
    if rng.random() < 0.5:
        affine[0] = [-zoom, 0, width - 1 - affine[0, 2]]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(still, affine, (w, h), flags=flags, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def _panorama(image: U8, scene: Scene) -> U8:
    x0, y0, w, h = scene.window
    height, width = image.shape[:2]
    xs = np.arange(-_PANORAMA_STEP / 2, w + _PANORAMA_STEP, _PANORAMA_STEP) + (_PANORAMA_STEP - 1) / 2
    ys = np.arange(-_PANORAMA_STEP / 2, h + _PANORAMA_STEP, _PANORAMA_STEP) + (_PANORAMA_STEP - 1) / 2
    camera = scene.view.camera
    rays = np.stack(
        np.broadcast_arrays((xs[None] + x0 - camera.cx) / camera.fx, (ys[:, None] + y0 - camera.cy) / camera.fy, 1.0),
        -1,
    )
    rays = rays @ scene.view.rotation  # camera -> world
    longitude = np.arctan2(rays[..., 0], -rays[..., 2])
    latitude = np.arctan2(-rays[..., 1], np.hypot(rays[..., 0], rays[..., 2]))
    map_x = ((longitude + scene.light.yaw) / (2 * math.pi) + 0.5) * width - 0.5
    map_y = (latitude / math.pi + 0.5) * height - 0.5
    grid = np.stack([map_x, map_y], -1).astype(np.float32)
    # The coarse grid's centres lie step/2 outside the window, so that bilinear enlarging needs no extrapolation.
    rows, columns = grid.shape[:2]
    fine = cv2.resize(grid, (columns * _PANORAMA_STEP, rows * _PANORAMA_STEP), interpolation=cv2.INTER_LINEAR)
    half = _PANORAMA_STEP // 2
    fine = fine[half : half + h, half : half + w]
    across, down = np.ascontiguousarray(fine[..., 0]) % width, np.ascontiguousarray(fine[..., 1])
    return np.asarray(cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.uint8)


def _room(pack: Assets, config: SceneConfig, scene: Scene, rng: np.random.Generator) -> U8:
    """A floor that people stand on and a wall behind them, seen by the scene's camera: the horizon is true."""
    view = scene.view
    x0, y0, w, h = scene.window
    farthest = max((-float(p.ground[1]) for p in scene.people), default=3.0)
    distance = farthest + rng.uniform(0.6, 8)
    wall = _random_still(pack, config, rng)
    wall_width = max(2.2 * distance * config.width / 2 / view.camera.fx * rng.uniform(0.8, 1.5), 3.0)
    wall_height = wall_width * wall.shape[0] / wall.shape[1]
    scale = wall_width / wall.shape[1]
    # Texture pixel (u, v) -> world; the wall stands on the ground.
    shift = rng.uniform(-0.5, 0.5) * wall_width
    wall_plane = np.array([[scale, 0, shift - wall_width / 2], [0, -scale, wall_height], [0, 0, -distance]])
    image = _plane(wall, wall_plane, scene, cv2.BORDER_REFLECT_101)
    floor = _random_still(pack, config, rng)
    size = int(min(floor.shape[:2]) * rng.uniform(0.3, 0.9))
    top, left = int(rng.integers(floor.shape[0] - size + 1)), int(rng.integers(floor.shape[1] - size + 1))
    tile = np.ascontiguousarray(floor[top : top + size, left : left + size])
    if rng.random() < 0.5:  # a plainer floor
        mean = tile.mean((0, 1))
        tile = np.clip(mean + (tile - mean) * rng.uniform(0.1, 0.5), 0, 255).astype(np.uint8)
    period = rng.uniform(1.0, 5.0) / size
    floor_plane = np.array([[period, 0, rng.uniform(-9, 9)], [0, 0, 0], [0, period, rng.uniform(-9, 9)]])
    # The tile repeats by mirroring; WRAP of the mirrored tile takes one step where REFLECT takes one per repetition.
    mirrored = np.concatenate([tile, tile[:, ::-1]], 1)
    ground = _plane(np.concatenate([mirrored, mirrored[::-1]]), floor_plane, scene, cv2.BORDER_WRAP)
    # A pixel shows the floor where its ray meets the ground before the wall: the border is a line.
    xs, ys = np.arange(w, dtype=np.float32) + x0, np.arange(h, dtype=np.float32)[:, None] + y0
    to_world = view.rotation.T @ np.linalg.inv(view.camera.matrix)
    down, ahead = (-to_world[1] / view.height).astype(np.float32), (-to_world[2] / distance).astype(np.float32)
    line = down - ahead
    on_floor = line[0] * xs + (line[1] * ys + line[2]) > 0
    # Far floor fades to its mean: the tile is finer than a pixel there.
    nearness = down[0] * xs + (down[1] * ys + down[2])
    image[on_floor] = tile.mean((0, 1))
    weight = np.where(on_floor, np.clip(nearness * 8, 0, 1), 0).astype(np.float32)
    return np.asarray(cv2.blendLinear(ground, image, weight, 1 - weight), np.uint8)


def _plane(texture: U8, plane: NDArray[np.float64], scene: Scene, border: int) -> U8:
    """A textured plane seen by the window's camera; ``plane`` takes (u, v, 1) to world metres."""
    view = scene.view
    x0, y0, w, h = scene.window
    shift = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1.0]])
    offset = np.zeros((3, 3))
    offset[1, 2] = view.height
    to_pixel = shift @ view.camera.matrix @ view.rotation @ (plane - offset)
    warped = cv2.warpPerspective(texture, to_pixel, (w, h), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, np.uint8)


def _recolour(image: U8, rng: np.random.Generator) -> U8:
    """Brightness, contrast and tint, as one table per channel."""
    if rng.random() < 0.3:
        return image
    ramp = np.arange(256, dtype=np.float32)
    contrast, gain = rng.uniform(0.7, 1.2), rng.uniform(0.7, 1.2)
    tint = 1 + rng.normal(0, 0.06, 3)
    table = np.clip(((ramp[:, None] - 128) * contrast + 128) * gain * tint, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table[None]), np.uint8)


def cast_shadows(image: U8, scene: Scene, joints: list[F32], key: NDArray[np.float64], rng: np.random.Generator) -> U8:
    """Darken the ground under people, and away from the key light.

    Args:
        joints: ``(15, 3)`` world joints of every person.
        key: ``(3,)`` world direction towards the key light.
    """
    if not joints or rng.random() < 0.15:
        return image
    shadow = 1 - rng.uniform(0.15, 0.45) * _shadow_mask(scene, joints, np.array([0.0, 1.0, 0.0]))
    if key[1] > 0.25 and scene.light.key_share > 0.1:
        shadow *= 1 - min(0.75, 1.2 * scene.light.key_share) * _shadow_mask(scene, joints, key)
    factor = np.asarray(shadow * 255, np.uint8)
    return np.asarray(cv2.multiply(image, cv2.merge([factor] * 3), scale=1 / 255), np.uint8)


def _shadow_mask(scene: Scene, joints: list[F32], towards: NDArray[np.float64]) -> NDArray[np.float32]:
    """Limbs projected on the ground along a direction, soft, in [0, 1]; drawn at half size."""
    x0, y0, w, h = scene.window
    mask = np.zeros(((h + 1) // 2, (w + 1) // 2), np.uint8)
    focal = scene.view.camera.fx
    limbs: list[tuple[Any, Any, int]] = []
    for person in joints:
        ground = person - towards * (person[:, 1:2] / towards[1])
        ground[:, 1] = 0
        seen = scene.view.to_camera(ground)
        z = seen[:, 2]
        xy = scene.view.camera.project(np.where(z[:, None] > 0.2, seen, [0, 0, 1])) - (x0, y0)
        points = np.round(np.clip(xy / 2, -4000, 4000) * 8).astype(np.int32)
        for parent, child in SMAP15.limbs:
            if z[parent] > 0.2 and z[child] > 0.2:
                radius = _LIMB_RADIUS * (1.6 if parent == SMAP15.root and child == 0 else 1)
                thickness = int(np.clip(radius * focal / z[child], 1, 60))
                limbs.append((points[parent], points[child], thickness))
    for a, b, thickness in limbs:
        cv2.line(mask, tuple(int(i) for i in a), tuple(int(i) for i in b), 255, thickness, cv2.LINE_8, 3)
    nearest = min(float(np.median(scene.view.to_camera(p)[:, 2])) for p in joints)
    sigma = float(np.clip(0.05 * focal / max(nearest, 1) / 2, 0.8, 5))
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma), np.uint8)
    grown = cv2.resize(mask, (w, h), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown / np.float32(255), np.float32)
