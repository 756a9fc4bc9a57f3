"""Light of a scene as ``ops.shade`` takes it: irradiance in spherical harmonics and a key light, camera frame."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..ops.shade import LIGHT_SIZE
from .assets import F32, Assets
from .background import panorama_turn
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


def scene_light(pack: Assets, scene: Scene) -> tuple[F32, Array]:
    """``(35,)`` float32 light of the picture, and the key light's direction in the world (towards it)."""
    light = scene.light
    if light.panorama is None:
        radiance, key = _SKY, np.array([0.4, -0.8, 0.45])
    else:
        panorama = pack.panorama(light.panorama)
        radiance, key = panorama.radiance.astype(np.float64), panorama.key.astype(np.float64)
    to_camera, world_to_panorama = scene.view.rotation, panorama_turn(light.yaw)
    irradiance = rotate_harmonics(radiance * _DIFFUSE[:, None], world_to_panorama @ to_camera.T)
    key_world = world_to_panorama.T @ key
    key_world /= max(float(np.linalg.norm(key_world)), 1e-9)

    colour = light.level * light.tint
    mean = 0.282095 * float(irradiance[0].mean())
    out = np.zeros(LIGHT_SIZE, np.float32)
    out[:27] = (irradiance * ((1 - light.key_share) / max(mean, 1e-6)) * colour).ravel()
    out[27:30] = to_camera @ key_world
    # A surface that faces the key gets what the sky lost, several times over: a quarter of the sphere's mean faces it.
    out[30:33] = 2.0 * light.key_share * colour
    out[33:] = light.creases, _CREASE_REACH * scene.view.camera.fx
    return out, key_world


def as_behind(lights: Tensor, backgrounds: Tensor, follows: Tensor) -> Tensor:
    """Lights whose colour goes half way to that of what is behind, and their level with it.

    Args:
        lights: ``(B, 35)``.
        backgrounds: ``(B, H, W, 3)`` uint8.
        follows: ``(B,)`` bool; the others stay as they are.
    """
    seen = backgrounds[:, ::8, ::8].float().mean((1, 2)) / 255 + 0.02
    grey = seen.mean(-1, keepdim=True)
    change = (seen / grey) ** 0.4 * (grey / 0.42).clamp(0.45, 1.5) ** 0.6
    change = torch.where(follows[:, None], change, 1)
    out = lights.clone()
    out[:, :27] = (lights[:, :27].view(-1, 9, 3) * change[:, None]).view(-1, 27)
    out[:, 30:33] *= change
    return out
