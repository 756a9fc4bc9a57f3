"""What cameras do to a picture: exposure, colour, blur, low resolution, noise and JPEG."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .assets import U8

_NOISE_SIZE = 1024


def degrade(image: U8, strength: float, rng: np.random.Generator) -> U8:
    """A camera's version of a clean picture, of the same size.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        strength: 0 leaves the picture as it is; 1 is meant for training: half of the pictures stay sharp.
        rng: decides which effects, and how much.
    """
    if strength <= 0:
        return image
    height, width = image.shape[:2]
    image = _tone(image, strength, rng)
    kind = rng.random()
    if kind < 0.14 * strength:  # low resolution
        factor = rng.uniform(1.3, 2.6)
        small = (max(8, round(width / factor)), max(8, round(height / factor)))
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    elif kind < 0.38 * strength:  # out of focus
        sigma = rng.uniform(0.3, 1.0) if rng.random() < 0.75 else rng.uniform(1.0, 1.8)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    elif kind < 0.44 * strength:  # moved
        image = np.asarray(cv2.filter2D(image, -1, _motion_kernel(rng)), np.uint8)
    elif kind < 0.6 * strength:  # sharpened by the camera
        soft = cv2.GaussianBlur(image, (0, 0), 1.0)
        amount = rng.uniform(0.2, 0.9)
        image = np.asarray(cv2.addWeighted(image, 1 + amount, soft, -amount, 0), np.uint8)
    if rng.random() < 0.6 * strength:
        image = _noise(image, rng.uniform(1, 5) if rng.random() < 0.8 else rng.uniform(5, 14), rng)
    if rng.random() < 0.65 * strength:
        quality = int(rng.integers(25, 95))
        _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return image


def _tone(image: U8, strength: float, rng: np.random.Generator) -> U8:
    """Exposure, contrast, gamma and white balance as one table per channel; desaturation between."""
    if rng.random() < 0.15 * strength:
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[..., None]
        amount = 1.0 if rng.random() < 0.3 else rng.uniform(0.2, 0.8)
        image = np.asarray(cv2.addWeighted(image, 1 - amount, np.repeat(grey, 3, -1), amount, 0), np.uint8)
    ramp = np.arange(256, dtype=np.float32)[:, None] / 255
    gain = np.exp(rng.normal(0, 0.18) * strength) * np.exp(rng.normal(0, 0.04, 3) * strength)
    value = np.clip(ramp * gain, 0, 1) ** np.exp(rng.normal(0, 0.15) * strength)
    value = (value - 0.5) * np.exp(rng.normal(0, 0.12) * strength) + 0.5 + rng.normal(0, 0.02) * strength
    return np.asarray(cv2.LUT(image, np.clip(value * 255 + 0.5, 0, 255).astype(np.uint8)[None]), np.uint8)


def _motion_kernel(rng: np.random.Generator) -> NDArray[np.float32]:
    size = 2 * int(rng.integers(1, 4)) + 1
    kernel = np.zeros((size, size), np.float32)
    angle, middle = rng.uniform(0, np.pi), size // 2
    offset = np.round(middle * np.array([np.cos(angle), np.sin(angle)])).astype(int)
    start, end = middle - offset, middle + offset
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


@cache
def _noise_tile() -> NDArray[np.int8]:
    """Gaussian noise of standard deviation 24, coarse and fine mixed; drawing it anew costs more than a picture."""
    rng = np.random.default_rng(0)
    fine = rng.normal(0, 1, (_NOISE_SIZE, _NOISE_SIZE, 3)).astype(np.float32)
    coarse = np.asarray(cv2.GaussianBlur(fine[::-1], (0, 0), 0.8))
    mixed = fine + coarse / coarse.std()
    return np.asarray(np.clip(mixed / mixed.std() * 24, -127, 127), np.int8)


def _noise(image: U8, sigma: float, rng: np.random.Generator) -> U8:
    height, width = image.shape[:2]
    tile = _noise_tile()
    y, x = int(rng.integers(_NOISE_SIZE)), int(rng.integers(_NOISE_SIZE))
    if height + y > _NOISE_SIZE or width + x > _NOISE_SIZE:
        tile = np.take(np.take(tile, np.arange(y, y + height), 0, mode="wrap"), np.arange(x, x + width), 1, mode="wrap")
    else:
        tile = tile[y : y + height, x : x + width]
    noisy = cv2.scaleAdd(tile.astype(np.float32), sigma / 24, image.astype(np.float32))
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)
