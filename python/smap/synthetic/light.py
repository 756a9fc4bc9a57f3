"""Light of a scene as ``ops.shade`` takes it: irradiance in spherical harmonics and a key light, camera frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..ops.shade import LIGHT_SIZE
from .assets import F32, U8, Assets
from .scene import Scene

Array = NDArray[np.float64]

# Share of each band that a diffuse surface keeps: irradiance / pi from radiance.
_DIFFUSE = np.array([1.0] + [2 / 3] * 3 + [1 / 4] * 5)
_CREASE_REACH = 0.12  # metres
# Soft daylight from above, for packs without panoramas (y points down).
_SKY = np.array([[1.4], [-0.7], [0.0], [0.0], [0.0], [0.0], [-0.1], [0.0], [-0.1]]) * np.ones(3)


def harmonics(directions: Array) -> Array:
    """``(N, 3)`` unit vectors -> ``(N, 9)`` in the order of ``ops.shade``."""
    x, y, z = directions.T
    return np.stack(
        [
            np.full_like(x, 0.282095),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        -1,
    )


def _spread(count: int) -> Array:
    """Directions spread evenly over the sphere."""
    z = 1 - (2 * np.arange(count) + 1) / count
    angle = np.arange(count) * math.pi * (3 - math.sqrt(5))
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], -1)


_DIRECTIONS = _spread(40)
_FIT = np.linalg.pinv(harmonics(_DIRECTIONS))


def rotate_harmonics(coefficients: Array, rotation: Array) -> Array:
    """The function n -> f(rotation n): ``(9, C)`` coefficients; exact, bands do not mix."""
    return np.asarray(_FIT @ (harmonics(_DIRECTIONS @ rotation.T) @ coefficients))


def scene_light(pack: Assets, scene: Scene, background: U8) -> tuple[F32, Array]:
    """``(35,)`` float32 light of the picture, and the key light's direction in the world (towards it)."""
    light = scene.light
    c, s = math.cos(light.yaw), math.sin(light.yaw)
    # World (Y up, -Z ahead) -> panorama (y down, z towards its centre), turned about the vertical.
    world_to_panorama = np.array([[c, 0, -s], [0, -1, 0], [-s, 0, -c]])
    if light.panorama is None:
        radiance, key = _SKY, np.array([0.4, -0.8, 0.45])
    else:
        panorama = pack.panorama(light.panorama)
        radiance, key = panorama.radiance.astype(np.float64), panorama.key.astype(np.float64)
    to_camera = scene.view.rotation
    irradiance = rotate_harmonics(radiance * _DIFFUSE[:, None], world_to_panorama @ to_camera.T)
    key_world = world_to_panorama.T @ key
    key_world /= max(float(np.linalg.norm(key_world)), 1e-9)

    level = light.level
    tint = light.tint.copy()
    if scene.background != "panorama":  # the light's own colour, then half way to the background's
        seen = background[::8, ::8].reshape(-1, 3).mean(0) / 255 + 0.02
        grey = float(seen.mean())
        tint *= (seen / grey) ** 0.4
        level *= float(np.clip(grey / 0.42, 0.45, 1.5)) ** 0.6
    mean = 0.282095 * irradiance[0]
    irradiance = irradiance / max(float(mean.mean()), 1e-6)
    irradiance = irradiance * (1 - light.key_share) * level * tint
    out = np.zeros(LIGHT_SIZE, np.float32)
    out[:27] = irradiance.ravel()
    out[27:30] = to_camera @ key_world
    # A surface that faces the key gets what the sky lost, several times over: a quarter of the sphere's mean faces it.
    out[30:33] = 2.0 * light.key_share * level * tint
    out[33:] = light.creases, _CREASE_REACH * scene.view.camera.fx
    return out, key_world
