"""What cameras do to a picture: exposure, colour, blur, low resolution, noise and JPEG, for a batch on any device."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .assets import F32
from .jpeg import jpeg
from .resample import blur_matrix, coarsening_matrix, filtered

_NOISE_SIZE = 1024
_NOISE_DEVIATION = 24
_MOTION_SIZE = 7
_SHARP_SIGMA = 1.0  # pixels
_LUMA = (0.299, 0.587, 0.114)
SHARP, COARSE, BLURRED, MOVED, SHARPENED = range(5)


class Effects(NamedTuple):
    """Of one picture or, with a first axis, of several.

    ``tone`` ``(7,)``: desaturation, gain of each channel, gamma, contrast, shift; ``lens`` ``(2,)``: one of SHARP to
    SHARPENED, and its factor, sigma or amount; ``motion`` ``(7, 7)``: kernel of MOVED; ``noise`` ``(3,)``: standard
    deviation, row and column of the noise; ``quality`` ``(1,)`` of JPEG, 0 for none.
    """

    tone: F32
    lens: F32
    motion: F32
    noise: F32
    quality: F32


def no_effects() -> Effects:
    tone = np.array([0, 1, 1, 1, 1, 1, 0], np.float32)
    motion = np.zeros((_MOTION_SIZE, _MOTION_SIZE), np.float32)
    return Effects(tone, np.zeros(2, np.float32), motion, np.zeros(3, np.float32), np.zeros(1, np.float32))


def draw_effects(strength: float, rng: np.random.Generator) -> Effects:
    """Random effects.

    Args:
        strength: 0 leaves pictures as they are; 1 is meant for training: half of the pictures stay sharp.
    """
    effects = no_effects()
    if strength <= 0:
        return effects
    tone = effects.tone
    if rng.random() < 0.15 * strength:
        tone[0] = 1.0 if rng.random() < 0.3 else rng.uniform(0.2, 0.8)
    tone[1:4] = np.exp(rng.normal(0, 0.18) * strength) * np.exp(rng.normal(0, 0.04, 3) * strength)
    tone[4], tone[5] = np.exp(rng.normal(0, 0.15) * strength), np.exp(rng.normal(0, 0.12) * strength)
    tone[6] = rng.normal(0, 0.02) * strength
    kind = rng.random()
    if kind < 0.14 * strength:
        effects.lens[:] = COARSE, rng.uniform(1.3, 2.6)
    elif kind < 0.38 * strength:
        effects.lens[:] = BLURRED, rng.uniform(0.3, 1.0) if rng.random() < 0.75 else rng.uniform(1.0, 1.8)
    elif kind < 0.44 * strength:
        effects.lens[0] = MOVED
        _draw_motion(effects.motion, rng)
    elif kind < 0.6 * strength:
        effects.lens[:] = SHARPENED, rng.uniform(0.2, 0.9)
    if rng.random() < 0.6 * strength:
        deviation = rng.uniform(1, 5) if rng.random() < 0.8 else rng.uniform(5, 14)
        effects.noise[:] = deviation, rng.integers(_NOISE_SIZE), rng.integers(_NOISE_SIZE)
    if rng.random() < 0.65 * strength:
        effects.quality[0] = rng.integers(25, 95)
    return effects


def _draw_motion(kernel: F32, rng: np.random.Generator) -> None:
    """A line through the middle, in place."""
    reach, middle = int(rng.integers(1, 4)), _MOTION_SIZE // 2
    angle = rng.uniform(0, np.pi)
    offset = np.round(reach * np.array([np.cos(angle), np.sin(angle)])).astype(int)
    start, end = middle - offset, middle + offset
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0)
    kernel /= kernel.sum()


def degrade(images: Tensor, effects: Effects) -> Tensor:
    """Cameras' versions of clean pictures.

    Args:
        images: ``(B, H, W, 3)`` uint8 RGB.
        effects: of B pictures.

    Returns:
        ``(B, H, W, 3)`` uint8. What an effect does not touch stays as it is, to the bit.
    """
    device, (height, width) = images.device, images.shape[1:3]

    def there(values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device, non_blocking=True)

    tables = _tables(there(effects.tone))
    planes = images.permute(0, 3, 1, 2).reshape(len(images), 3, -1)
    tone, kinds, amounts = effects.tone, effects.lens[:, 0], effects.lens[:, 1]
    planes = _changed(planes, tone[:, 0] > 0, lambda some, rows: _greyer(some, there(tone[rows, 0])))
    value = torch.gather(tables, 2, planes.long()).view(-1, 3, height, width)
    value = _changed(
        value, kinds == COARSE, lambda some, rows: _separable(some, coarsening_matrix, there(amounts[rows]))
    )
    value = _changed(value, kinds == BLURRED, lambda some, rows: _separable(some, blur_matrix, there(amounts[rows])))
    value = _changed(value, kinds == SHARPENED, lambda some, rows: _sharpened(some, there(amounts[rows])))
    value = _changed(value, kinds == MOVED, lambda some, rows: _moved(some, there(effects.motion[rows])))
    value = _changed(value, effects.noise[:, 0] > 0, lambda some, rows: _noisy(some, there(effects.noise[rows])))
    coded = effects.quality[:, 0] > 0
    value = _changed(value, coded, lambda some, rows: jpeg(some.round(), there(effects.quality[rows, 0])))
    return value.clamp(0, 255).add_(0.5).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _changed(value: Tensor, which: NDArray[np.bool_], effect: Callable[[Tensor, NDArray[np.int64]], Tensor]) -> Tensor:
    """The same pictures, some of them through an effect; in place where it is not all of them."""
    rows = np.flatnonzero(which)
    if len(rows) == len(value):
        return effect(value, rows)
    if rows.size:
        chosen = torch.from_numpy(rows).to(value.device)
        value[chosen] = effect(value[chosen], rows)
    return value


def _tables(tone: Tensor) -> Tensor:
    """``(B, 3, 256)`` float32: exposure, white balance, gamma and contrast of every value of a channel."""
    ramp = torch.arange(256, device=tone.device) / 255
    gamma, contrast, shift = tone[:, 4:, None, None].unbind(1)
    value = (ramp * tone[:, 1:4, None]).clamp(0, 1) ** gamma
    return (((value - 0.5) * contrast + 0.5 + shift).clamp(0, 1) * 255).round()


def _greyer(planes: Tensor, amount: Tensor) -> Tensor:
    grey = (planes * planes.new_tensor(_LUMA, dtype=torch.float32)[:, None]).sum(1, keepdim=True)
    return torch.lerp(planes.float(), grey.expand(planes.shape), amount[:, None, None]).round().to(torch.uint8)


def _separable(images: Tensor, matrix: Callable[[Tensor, int], Tensor], amount: Tensor) -> Tensor:
    return filtered(images, matrix(amount, images.shape[2]), matrix(amount, images.shape[3]))


def _sharpened(images: Tensor, amount: Tensor) -> Tensor:
    soft = _separable(images, blur_matrix, torch.full_like(amount, _SHARP_SIGMA))
    return torch.lerp(images, soft, -amount[:, None, None, None]).clamp_(0, 255)


def _moved(images: Tensor, kernels: Tensor) -> Tensor:
    padded = functional.pad(images, (_MOTION_SIZE // 2,) * 4, mode="reflect").transpose(0, 1)
    return functional.conv2d(padded, kernels[:, None], groups=len(kernels)).transpose(0, 1)


def _noisy(images: Tensor, noise: Tensor) -> Tensor:
    height, width = images.shape[2:]
    # Rows of a window as wide as the picture, so that whole rows are copied.
    windows = _noise_tile(images.device, width).unfold(2, width, 1)
    rows = noise[:, 1].long()[:, None] + torch.arange(height, device=images.device)
    tile = windows[:, rows % _NOISE_SIZE, noise[:, 2].long()[:, None]].transpose(0, 1)
    return torch.addcmul(images, tile, (noise[:, 0] / _NOISE_DEVIATION)[:, None, None, None]).clamp_(0, 255)


@lru_cache(maxsize=4)
def _noise_tile(device: torch.device, width: int) -> Tensor:
    """``(3, 1024, 1024 + width)`` float32 that repeats: Gaussian noise, coarse and fine mixed; new noise costs more."""
    rng = np.random.default_rng(0)
    fine = rng.normal(0, 1, (_NOISE_SIZE, _NOISE_SIZE, 3)).astype(np.float32)
    coarse = np.asarray(cv2.GaussianBlur(fine[::-1], (0, 0), 0.8))
    mixed = fine + coarse / coarse.std()
    tile = np.clip(mixed / mixed.std() * _NOISE_DEVIATION, -127, 127).astype(np.int8)
    tile = np.take(tile.transpose(2, 0, 1), np.arange(_NOISE_SIZE + width), 2, mode="wrap")
    return torch.from_numpy(np.ascontiguousarray(tile, np.float32)).to(device)
