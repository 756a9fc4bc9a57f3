"""Patterns of cloth that repeat: stripes, checks, dots, camouflage, weave."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray

from .assets import U8

FABRIC_SIZE = 64  # texels of one repetition

_Plane = NDArray[np.float64]


def fabric_texture(rng: np.random.Generator) -> U8:
    """``(64, 64, 3)`` uint8 RGB whose opposite borders fit together."""
    kind = rng.choice(5, p=[0.35, 0.25, 0.12, 0.14, 0.14])
    weights = (_stripes, _checks, _dots, _camouflage, _weave)[kind](rng)
    colours = np.array([colorsys.hsv_to_rgb(rng.random(), rng.beta(1, 1.5), rng.uniform(0.05, 1)) for _ in range(2)])
    if rng.random() < 0.35:  # black or white with something
        colours[0] = rng.choice([0.05, 0.95])
    mixed = colours[0] + (colours[1] - colours[0]) * weights[..., None]
    return np.asarray(np.clip(mixed * 255, 0, 255), np.uint8)


def _wave(rng: np.random.Generator, sharp: bool) -> _Plane:
    """``(64,)`` in [0, 1]: one to four bands of random width."""
    count, share = int(rng.integers(1, 5)), rng.uniform(0.15, 0.7)
    phase = (np.arange(FABRIC_SIZE) / FABRIC_SIZE * count) % 1
    return (phase < share).astype(np.float64) if sharp else 0.5 + 0.5 * np.cos(2 * np.pi * phase)


def _stripes(rng: np.random.Generator) -> _Plane:
    wave = _wave(rng, rng.random() < 0.8)
    plane = np.broadcast_to(wave, (FABRIC_SIZE, FABRIC_SIZE))
    return plane if rng.random() < 0.35 else plane.T


def _checks(rng: np.random.Generator) -> _Plane:
    across, down = _wave(rng, True), _wave(rng, True)
    if rng.random() < 0.4:  # chess board
        return np.abs(across[None] - down[:, None])
    return (across[None] + down[:, None]) / 2  # tartan


def _dots(rng: np.random.Generator) -> _Plane:
    plane = np.zeros((FABRIC_SIZE, FABRIC_SIZE), np.float32)
    radius, half = int(rng.integers(4, 13)), FABRIC_SIZE // 2
    for x, y in ((half // 2, half // 2), (half + half // 2, half + half // 2)):
        cv2.circle(plane, (x, y), radius, 1.0, -1, cv2.LINE_AA)
    return plane.astype(np.float64)


def _smooth_noise(rng: np.random.Generator, sigma: float) -> _Plane:
    """Noise without a seam, mean 0, deviation 1."""
    frequency = np.fft.fftfreq(FABRIC_SIZE)
    gauss = np.exp(-2 * (np.pi * sigma) ** 2 * (frequency[None] ** 2 + frequency[:, None] ** 2))
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(FABRIC_SIZE, FABRIC_SIZE))) * gauss).real
    return np.asarray((noise - noise.mean()) / noise.std())


def _camouflage(rng: np.random.Generator) -> _Plane:
    noise = _smooth_noise(rng, rng.uniform(2, 6))
    return np.asarray(np.digitize(noise, [-0.7, 0.1, 0.8]) / 3)


def _weave(rng: np.random.Generator) -> _Plane:
    fine = rng.normal(0, 0.2, (FABRIC_SIZE, 1)) + rng.normal(0, 0.2, (1, FABRIC_SIZE))
    return np.asarray(np.clip(0.5 + fine + 0.15 * _smooth_noise(rng, 4), 0, 1))
