"""What is behind the people: stills, panoramas, rooms of a floor and a wall.

``draw_background`` chooses, without looking at any picture; ``backdrop_layers`` turns the choice into what
``ops.backdrop`` takes once the pictures' sizes are known.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..ops.backdrop import LAYER_SIZE, LAYERS, Layer
from .assets import F32, Assets
from .config import SceneConfig
from .scene import Scene, yaw_matrix

Array = NDArray[np.float64]


class Surface(IntEnum):
    """What a layer of a background is."""

    NONE = 0
    STILL = 1
    WALL = 2
    FLOOR = 3
    PANORAMA = 4


class Background(NamedTuple):
    """Of one picture or, with a first axis, of several.

    ``surfaces`` ``(2,)`` and ``images`` ``(2,)`` of the pack; ``planes`` ``(2, 3, 3)`` takes pixels (x, y, 1) to
    homogeneous texture coordinates before the picture's size is known; ``shares`` ``(2, 4)`` places and mirrors; the
    floor shows ``contrast`` ``(3,)`` on (x, y, 1), at most ``most``, against its mean, and begins where ``line``
    ``(3,)`` is positive; ``colours`` ``(6,)``: gain and offset of each channel.
    """

    surfaces: NDArray[np.int64]
    images: NDArray[np.int64]
    planes: Array
    shares: Array
    contrast: Array
    most: Array
    line: Array
    colours: F32


def draw_background(pack: Assets, config: SceneConfig, scene: Scene, rng: np.random.Generator) -> Background:
    """A random background of the scene's kind."""
    x0, y0 = scene.window[:2]
    camera = scene.view.camera
    # Directions in the world, Y up, of the window's pixels (x, y, 1).
    to_pixel = np.array([[1 / camera.fx, 0, (x0 - camera.cx) / camera.fx], [0, 1 / camera.fy, 0], [0, 0, 1.0]])
    to_pixel[1, 2] = (y0 - camera.cy) / camera.fy
    rays = scene.view.rotation.T @ to_pixel
    surfaces, images = np.zeros(LAYERS, np.int64), np.zeros(LAYERS, np.int64)
    planes, shares = np.zeros((LAYERS, 3, 3)), np.zeros((LAYERS, 4))
    contrast, most, line = np.zeros(3), np.ones(1), np.zeros(3)
    stills = pack.stills(config.split)

    def still() -> int:
        return int(stills[rng.integers(len(stills))])

    if scene.background == "panorama" and scene.light.panorama is not None:
        surfaces[0], images[0] = Surface.PANORAMA, scene.light.panorama
        planes[0] = panorama_turn(scene.light.yaw) @ rays
    elif scene.background == "room":
        distance = max((-float(p.ground[1]) for p in scene.people), default=3.0) + rng.uniform(0.6, 8)
        surfaces[:], images[0] = (Surface.WALL, Surface.FLOOR), still()
        width = max(2.2 * distance * config.width / 2 / camera.fx * rng.uniform(0.8, 1.5), 3.0)
        ahead = -rays[2] / distance  # the wall is where this is 1
        left = (rng.uniform(-0.5, 0.5) - 0.5) * width
        planes[0] = (rays[0] - left * ahead) / width, -(scene.view.height * ahead + rays[1]) / width, ahead
        images[1] = still()
        shares[1, :3] = rng.uniform(0.3, 0.9), rng.random(), rng.random()
        if rng.random() < 0.5:  # a plainer floor
            most[0] = rng.uniform(0.1, 0.5)
        period = rng.uniform(1.0, 5.0)
        down = -rays[1] / scene.view.height  # the floor is where this is 1
        planes[1] = (rays[0] - rng.uniform(-9, 9) * down) / period, (rays[2] - rng.uniform(-9, 9) * down) / period, down
        # A pixel shows the floor where its ray meets the ground before the wall. Far floor fades to its mean: the tile
        # is finer than a pixel there.
        line, contrast = down - ahead, 8 * down * most
    else:
        surfaces[0], images[0] = Surface.STILL, still()
        zoom = rng.uniform(0.45, 1.0)  # share of the still that is seen
        shares[0] = zoom, rng.random(), rng.random(), rng.random() < 0.5
        planes[0] = (1, 0, x0), (0, 1, y0), (0, 0, 1)
    return Background(surfaces, images, planes, shares, contrast, most, line, _recolour(rng))


def panorama_turn(yaw: float) -> Array:
    """World (Y up, -Z ahead) -> panorama (y down, z towards its centre), turned about the vertical."""
    return np.asarray(np.diag([1.0, -1, -1]) @ yaw_matrix(-yaw).astype(np.float64))


def _recolour(rng: np.random.Generator) -> F32:
    """Brightness, contrast and tint."""
    if rng.random() < 0.3:
        return np.array([1, 1, 1, 0, 0, 0], np.float32)
    contrast, gain = rng.uniform(0.7, 1.2), rng.uniform(0.7, 1.2)
    gains = gain * (1 + rng.normal(0, 0.06, 3))
    return np.concatenate([contrast * gains, 128 * (1 - contrast) * gains]).astype(np.float32)


def backdrop_layers(
    recipe: Background, sizes: NDArray[np.int64], full: tuple[int, int], rows: NDArray[np.int64]
) -> F32:
    """``(B, 2, 25)`` layers of ``ops.backdrop``; the floor's mean colour is left 0.

    Args:
        recipe: of B pictures.
        sizes: ``(B, 2, 2)`` width and height of the layers' pictures, texels.
        full: width and height of the full picture.
        rows: ``(B, 2)`` rows of the layers' pictures in the pool.
    """
    wide, tall = sizes[..., 0].astype(np.float64), sizes[..., 1].astype(np.float64)
    kind, share = recipe.surfaces, np.moveaxis(recipe.shares, -1, 0)
    is_still, is_wall, is_floor = kind == Surface.STILL, kind == Surface.WALL, kind == Surface.FLOOR
    zoom = np.minimum(wide / full[0], tall / full[1]) * share[0]  # still pixels per pixel
    left, top = share[1] * (wide - zoom * full[0]), share[2] * (tall - zoom * full[1])
    mirrored = is_still & (share[3] > 0)
    tile = np.floor(np.minimum(wide, tall) * share[0])
    tile_x, tile_y = np.floor(share[1] * (wide - tile + 1)), np.floor(share[2] * (tall - tile + 1))
    # texel = scale * plane + offset, by surface
    scale_x = np.select([mirrored, is_still, is_wall, is_floor], [-zoom, zoom, wide, tile], 1)
    scale_y = np.select([is_still, is_wall, is_floor], [zoom, wide, tile], 1)
    offset_x = np.select([mirrored, is_still, is_floor], [wide - 1 - left, left, tile_x], 0)
    offset_y = np.select([is_still, is_wall, is_floor], [top, tall, tile_y], 0)
    out = np.zeros((*kind.shape, LAYER_SIZE))
    out[..., Layer.IMAGE] = np.where(kind == Surface.NONE, -1, rows)
    out[..., Layer.SPHERE] = kind == Surface.PANORAMA
    across, down, depth = recipe.planes[..., 0, :], recipe.planes[..., 1, :], recipe.planes[..., 2, :]
    matrix = out[..., Layer.MATRIX : Layer.MATRIX + 9].reshape(*kind.shape, 3, 3)
    matrix[..., 0, :] = scale_x[..., None] * across + offset_x[..., None] * depth
    matrix[..., 1, :] = scale_y[..., None] * down + offset_y[..., None] * depth
    matrix[..., 2, :] = depth
    out[..., Layer.MATRIX : Layer.MATRIX + 9] = matrix.reshape(*kind.shape, 9)
    out[..., Layer.CROP : Layer.CROP + 4] = np.stack(
        [np.where(is_floor, v, w) for v, w in ((tile_x, 0), (tile_y, 0), (tile, wide), (tile, tall))], -1
    )
    out[..., Layer.CONTRAST + 2] = 1
    out[..., Layer.MOST] = 1
    out[:, 1, Layer.CONTRAST : Layer.CONTRAST + 3] = recipe.contrast
    out[:, 1, Layer.MOST] = recipe.most[:, 0]
    out[:, 1, Layer.LINE : Layer.LINE + 3] = recipe.line
    return out.astype(np.float32)
