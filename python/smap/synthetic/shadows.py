"""People's shadows on the ground: limbs projected along the light, drawn as soft round strokes at half size."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..ops.rasterize import NOTHING, Instance, rasterize
from ..skeleton import SMAP15
from .assets import F32
from .resample import blur_matrix, filtered
from .scene import Scene

_LIMB_RADIUS = 0.07  # metres
_NEAREST = 0.2  # metres: what is nearer to the camera casts no shadow
_LIMBS = np.array(SMAP15.limbs)
_RADII = np.where((_LIMBS[:, 0] == SMAP15.root) & (_LIMBS[:, 1] == 0), 1.6, 1.0) * _LIMB_RADIUS
_FARTHEST = 4000.0  # pixels
_CORNERS = 12  # of a stroke's outline: half of them around each end

Array = NDArray[np.float64]


class Shadows(NamedTuple):
    """Of one picture or of several, one after the other.

    ``strokes`` ``(S, 6)`` float32: mask (0 from above, 1 from the key light; of several pictures 2 b or 2 b + 1), both
    ends and the radius, pixels of the mask; ``softness`` ``(1,)``: sigma, likewise; ``depths`` ``(2,)``: share of the
    light that each takes away.
    """

    strokes: F32
    softness: F32
    depths: F32


def no_shadows() -> Shadows:
    return Shadows(np.zeros((0, 6), np.float32), np.ones(1, np.float32), np.zeros(2, np.float32))


def draw_shadows(scene: Scene, joints: Array, key: Array, rng: np.random.Generator) -> Shadows:
    """Shadows under people, and away from the key light.

    Args:
        joints: ``(P, 15, 3)`` in the world.
        key: ``(3,)`` world direction towards the key light.
    """
    if not len(joints) or rng.random() < 0.15:
        return no_shadows()
    depths = np.array([rng.uniform(0.15, 0.45), 0], np.float32)
    strokes = [_strokes(scene, joints, np.array([0.0, 1.0, 0.0]), 0)]
    if key[1] > 0.25 and scene.light.key_share > 0.1:
        depths[1] = min(0.75, 1.2 * scene.light.key_share)
        strokes.append(_strokes(scene, joints, key, 1))
    nearest = max(float(np.median(scene.view.to_camera(joints)[..., 2], -1).min()), 1)
    sigma = min(max(0.05 * scene.view.camera.fx / nearest / 2, 0.8), 5)
    return Shadows(np.concatenate(strokes), np.array([sigma], np.float32), depths)


def _strokes(scene: Scene, joints: Array, towards: Array, mask: int) -> F32:
    x0, y0, w, h = scene.window
    camera = scene.view.camera
    ground = joints - towards * (joints[..., 1:2] / towards[1])
    ground[..., 1] = 0
    seen = scene.view.to_camera(ground)
    z = np.maximum(seen[..., 2], _NEAREST)
    x = np.clip((seen[..., 0] / z * camera.fx + camera.cx - x0) / 2, -_FARTHEST, _FARTHEST)
    y = np.clip((seen[..., 1] / z * camera.fy + camera.cy - y0) / 2, -_FARTHEST, _FARTHEST)
    parent, child = _LIMBS.T
    radius = np.clip(_RADII * camera.fx / z[:, child], 1, 60) / 2
    out = np.stack(
        [np.full_like(radius, mask), x[:, parent], y[:, parent], x[:, child], y[:, child], radius], -1
    ).astype(np.float32)
    behind = (seen[..., 2] <= _NEAREST)[:, _LIMBS].any(-1)
    left, right = np.minimum(x[:, parent], x[:, child]), np.maximum(x[:, parent], x[:, child])
    upper, lower = np.minimum(y[:, parent], y[:, child]), np.maximum(y[:, parent], y[:, child])
    margin = radius + 15  # of the blur
    outside = (right < -margin) | (left > w / 2 + margin) | (lower < -margin) | (upper > h / 2 + margin)
    return np.asarray(out[~(behind | outside)])


def shadow_masks(strokes: Tensor, softness: Tensor, depths: Tensor, height: int, width: int) -> Tensor:
    """``(B, ceil(height / 2), ceil(width / 2))`` share of the light that is left, on the device of the strokes."""
    height, width = (height + 1) // 2, (width + 1) // 2
    pictures = len(depths)
    if not len(strokes):
        return depths.new_ones(pictures, 1, 1)
    covered = _covered(strokes, 2 * pictures, height, width).view(pictures, 2, height, width)
    soft = filtered(covered, blur_matrix(softness, height), blur_matrix(softness, width))
    return (1 - depths[:, :, None, None] * soft).prod(1)


def _covered(strokes: Tensor, masks: int, height: int, width: int) -> Tensor:
    """``(masks, height, width)`` 1 where a stroke is: its outline is a polygon, drawn as triangles."""
    start, end, radius = strokes[:, 1:3], strokes[:, 3:5], strokes[:, 5:]
    along = end - start
    angle = torch.atan2(along[:, 1], along[:, 0])[:, None]
    half = torch.linspace(-math.pi / 2, math.pi / 2, _CORNERS // 2, device=strokes.device)
    turns = torch.cat([angle + half, angle + math.pi + half], 1)  # around the end, then around the start
    ends = torch.cat([end[:, None].expand(-1, _CORNERS // 2, 2), start[:, None].expand(-1, _CORNERS // 2, 2)], 1)
    corners = ends + radius[:, :, None] * torch.stack([turns.cos(), turns.sin()], -1)
    screen = torch.cat([corners, torch.ones_like(corners[..., :1])], -1).view(-1, 3)
    count = len(strokes)
    second = torch.arange(1, _CORNERS - 1, dtype=torch.int32, device=strokes.device)
    fan = torch.stack([torch.zeros_like(second), second, second + 1], -1)
    number = torch.arange(count, dtype=torch.int32, device=strokes.device)
    instances = torch.zeros(count, len(Instance), dtype=torch.int32, device=strokes.device)
    instances[:, Instance.PICTURE] = strokes[:, 0].to(torch.int32)
    instances[:, Instance.FIRST_VERTEX] = number * _CORNERS
    instances[:, Instance.TRIANGLE_COUNT] = len(fan)
    instances[:, Instance.FIRST_ID] = number * len(fan)
    uv = screen.new_zeros(_CORNERS, 2)
    texel = torch.zeros(4, dtype=torch.uint8, device=strokes.device)
    textures = torch.zeros(1, 3, dtype=torch.int64, device=strokes.device)
    textures[:, 1:] = 1
    buffer = rasterize(screen, uv, fan, instances, texel, textures, masks, height, width, 1, count * len(fan))
    return (buffer != NOTHING).float()
