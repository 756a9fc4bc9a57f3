"""Clothes, skin and hair of other colours: a colour transform for each region of an avatar's textures."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..ops.shade import REGIONS
from .assets import ARMS, F32, FEET, FOREARMS, HANDS, HEAD, LEGS, SHINS, SKIN, TORSO, Avatar

_PATTERN_SHARE = 0.4
_LUMA = np.array([0.299, 0.587, 0.114])
_PLAIN = np.eye(3, 4)  # changes no colour
_QUARTER_TURN = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])  # about the grey axis
_HAIR = np.array(
    [[0.09, 0.07, 0.06], [0.2, 0.13, 0.08], [0.36, 0.22, 0.12], [0.6, 0.45, 0.25], [0.45, 0.2, 0.1], [0.6, 0.6, 0.6]]
)


@dataclass(frozen=True)
class Dress:
    """How a mesh is coloured; both as ``ops.shade`` takes them.

    Args:
        material: ``(10, 3, 4)`` float32 colour transform of each region.
        pattern: texture row, repeats, strength, set of regions.
    """

    material: F32
    pattern: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 0.0)


def dress(
    avatar: Avatar, fabrics: NDArray[np.int64], rng: np.random.Generator, headwear: float = 0.0
) -> tuple[Dress, ...]:
    """Random clothes, skin tone and hair: one ``Dress`` per mesh of the avatar.

    Args:
        fabrics: texture rows.
        headwear: chance that hair or scalp is coloured as a cap or a hood, or with the face as a helmet or a mask.
    """
    body = np.empty((REGIONS, 3, 4), np.float32)
    body[:] = _PLAIN
    tone = _PLAIN * (rng.uniform(0.8, 1.12) * (1 + rng.normal(0, 0.03, 3)))[:, None]
    top = _garment(avatar, TORSO, rng)
    sleeves = top if rng.random() < 0.85 else _garment(avatar, ARMS, rng)
    trousers = top if rng.random() < 0.1 else _garment(avatar, LEGS, rng)
    body[TORSO], body[[ARMS, FOREARMS]], body[[LEGS, SHINS]] = top, sleeves, trousers
    body[FEET] = _garment(avatar, FEET, rng)
    bare = _bare(rng)
    for region in bare:
        body[region] = _towards(avatar.region_colours[region], tone[:, :3] @ avatar.skin, 0.5)
    for region in (HEAD, HANDS, SKIN):
        body[region] = tone
    upper = {TORSO, ARMS, FOREARMS} if sleeves is top else {TORSO}
    wearing = (upper if rng.random() < 0.75 else {LEGS, SHINS}) - bare
    pattern = _pattern(fabrics, wearing, rng) if rng.random() < _PATTERN_SHARE else (0.0, 1.0, 0.0, 0.0)
    colour = _HAIR[rng.integers(len(_HAIR))] * rng.uniform(0.7, 1.3)
    # Hair textures are dark grey strands: scale them to the colour, with a floor so that they do not stay black.
    hair = np.empty((REGIONS, 3, 4), np.float32)
    hair[:, :, :3], hair[:, :, 3] = colour[:, None] * (_LUMA * 2.2), colour * 0.45
    if headwear and rng.random() < headwear:
        hair[:] = _towards(np.full(3, 0.25), _any_colour(rng), 0.8)
        if len(avatar.meshes) == 1 or rng.random() < 0.4:
            body[HEAD] = _towards(avatar.region_colours[HEAD], _any_colour(rng), rng.uniform(0.2, 0.8))
    return (Dress(body, pattern), *[Dress(hair)] * (len(avatar.meshes) - 1))


def _bare(rng: np.random.Generator) -> set[int]:
    """Regions that show skin: short and no sleeves, shorts, bare legs, bathing dress."""
    bare: set[int] = set()
    kind = rng.random()
    if kind < 0.05:
        bare |= {TORSO, ARMS, FOREARMS}
    elif kind < 0.15:
        bare |= {ARMS, FOREARMS}
    elif kind < 0.5:
        bare.add(FOREARMS)
    kind = rng.random()
    if kind < 0.08:
        bare |= {LEGS, SHINS}
    elif kind < (0.6 if TORSO in bare else 0.25):
        bare.add(SHINS)
    if rng.random() < (0.4 if SHINS in bare else 0.03):
        bare.add(FEET)
    return bare


def _pattern(
    fabrics: NDArray[np.int64], wearing: set[int], rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Woven in small repetitions and multiplied in, or printed in few and in colours of its own."""
    strength = rng.uniform(0.4, 1.0) if rng.random() < 0.5 else -rng.uniform(0.6, 1.0)
    repeats = math.exp(rng.uniform(math.log(3), math.log(24)))
    return float(rng.choice(fabrics)), repeats, strength, float(sum(1 << region for region in wearing))


def _garment(avatar: Avatar, region: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """As it is, another hue, or another colour with the cloth's folds kept."""
    kind = rng.random()
    if kind < 0.25:
        return np.asarray(_PLAIN * rng.uniform(0.8, 1.25))
    if kind < 0.5:
        return _hue_turn(rng.uniform(0, 2 * math.pi), rng.uniform(0.5, 1.4), rng.uniform(0.75, 1.3))
    return _towards(avatar.region_colours[region], _any_colour(rng), rng.uniform(0.6, 1.1))


def _any_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    saturation = rng.beta(1.2, 2.2)
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.06, 0.98)))


def _towards(mean: NDArray[np.floating], colour: NDArray[np.floating], contrast: float) -> NDArray[np.float64]:
    """Take a region whose mean colour is ``mean`` to ``colour``; its brightness detail scales by ``contrast``."""
    level = float(_LUMA @ mean)
    gain = min(contrast / max(level, 0.04), 3.0)
    out = np.empty((3, 4))
    out[:, :3], out[:, 3] = colour[:, None] * (_LUMA * gain), colour * (1 - gain * level)
    return out


def _hue_turn(angle: float, saturation: float, gain: float) -> NDArray[np.float64]:
    """Rotation about the grey axis, then saturation and brightness."""
    c, s = math.cos(angle), math.sin(angle)
    third, root = 1 / 3, math.sqrt(1 / 3)
    turn = c * _PLAIN[:, :3] + (1 - c) * third + s * root * _QUARTER_TURN
    out = np.zeros((3, 4))
    out[:, :3] = gain * (saturation * turn + (1 - saturation) * third)
    return out
