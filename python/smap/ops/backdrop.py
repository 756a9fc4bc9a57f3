"""What is behind the people: pictures seen as planes or as a sphere around the camera."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)

LAYERS = 2
LAYER_SIZE = 25


class Layer(IntEnum):
    """First columns of a layer's parts."""

    IMAGE = 0  # row of ``images``; negative: no such layer
    SPHERE = 1  # 1: the matrix gives directions (x right, y down, z ahead) in an equirectangular picture
    MATRIX = 2  # 3x3: pixel (x, y, 1) -> homogeneous texel, centres at integers
    CROP = 11  # x0, y0, width, height of the part of the picture that repeats by mirroring, texels
    MEAN = 15  # RGB that the picture fades to, 0 to 255
    CONTRAST = 18  # on (x, y, 1): share of the picture against its mean, limited to [0, MOST]
    MOST = 21
    LINE = 22  # on (x, y, 1): positive where the second layer lies over the first


def backdrop(
    texels: Tensor, images: Tensor, layers: Tensor, colours: Tensor, shadows: Tensor, height: int, width: int
) -> Tensor:
    """Backgrounds of a batch of pictures, with bilinear lookups. Deterministic.

    Args:
        texels: ``(N,)`` uint8, RGB pictures one after the other.
        images: ``(K, 3)`` int64: first byte, width and height of each.
        layers: ``(B, 2, 25)`` float32, columns of ``Layer``.
        colours: ``(B, 6)`` float32 gain and offset of each channel, 0 to 255.
        shadows: ``(B, h, w)`` float32, stretched over the picture: share of the light that is left.
        height, width: of the pictures.

    Returns:
        ``(B, height, width, 3)`` uint8; black where a picture has no layer.

    Raises:
        ValueError: a shape, dtype or device does not fit.
    """
    image: Tensor = torch.ops.smap.backdrop(texels, images, layers, colours, shadows, height, width)
    return image


def reference(
    texels: Tensor, images: Tensor, layers: Tensor, colours: Tensor, shadows: Tensor, height: int, width: int
) -> Tensor:
    """Pixel by pixel, in float64."""
    out = np.zeros((len(layers), height, width, 3))
    for b, y, x in np.ndindex(*out.shape[:3]):
        at: Any = np.array([x, y, 1.0])
        lower, upper = layers[b].double().numpy()
        over = upper[Layer.IMAGE] >= 0 and upper[Layer.LINE : Layer.LINE + 3] @ at > 0
        layer: Any = upper if over else lower
        rgb = np.zeros(3)
        if layer[Layer.IMAGE] >= 0:
            offset, wide, tall = images[int(layer[Layer.IMAGE])].tolist()
            picture = texels[offset : offset + 3 * wide * tall].view(tall, wide, 3).numpy()
            rgb = _looked_up(picture, layer, at)
        rows, columns = shadows.shape[1:]
        light = _bilinear(
            shadows[b, ..., None].double().numpy(),
            (x + 0.5) * columns / width - 0.5,
            (y + 0.5) * rows / height - 0.5,
        )
        gain, offset = colours[b].double().numpy().reshape(2, 3)
        out[b, y, x] = np.clip(gain * rgb + offset, 0, 255) * light
    return torch.from_numpy(np.floor(out + 0.5).astype(np.uint8))


def _looked_up(picture: Any, layer: Any, at: Any) -> Any:
    a, b, c = layer[Layer.MATRIX : Layer.MATRIX + 9].reshape(3, 3) @ at
    tall, wide = picture.shape[:2]
    if layer[Layer.SPHERE] > 0:
        u = (math.atan2(a, c) / (2 * math.pi) + 0.5) * wide - 0.5
        v = (math.atan2(b, math.hypot(a, c)) / math.pi + 0.5) * tall - 0.5
        colour = _bilinear(np.concatenate([picture[:, -1:], picture, picture[:, :1]], 1), u + 1, v)
    else:
        left, top, crop_width, crop_height = layer[Layer.CROP : Layer.CROP + 4]
        colour = _bilinear(picture, _mirrored(a / c, left, crop_width), _mirrored(b / c, top, crop_height))
    share = np.clip(layer[Layer.CONTRAST : Layer.CONTRAST + 3] @ at, 0, layer[Layer.MOST])
    mean = layer[Layer.MEAN : Layer.MEAN + 3]
    return mean + share * (colour - mean)


def _mirrored(u: float, first: float, size: float) -> float:
    t = (u + 0.5 - first) % (2 * size)
    return float(first + min(t, 2 * size - t) - 0.5)


def _bilinear(picture: Any, u: float, v: float) -> Any:
    tall, wide = picture.shape[:2]
    x, y = min(max(u, 0), wide - 1), min(max(v, 0), tall - 1)
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, wide - 1), min(y0 + 1, tall - 1)
    top = picture[y0, x0] * (1 - x + x0) + picture[y0, x1] * (x - x0)
    return top * (1 - y + y0) + (picture[y1, x0] * (1 - x + x0) + picture[y1, x1] * (x - x0)) * (y - y0)


@torch.library.register_fake("smap::backdrop")
def _(
    texels: Tensor, images: Tensor, layers: Tensor, colours: Tensor, shadows: Tensor, height: int, width: int
) -> Tensor:
    return texels.new_empty((layers.shape[0], height, width, 3))
