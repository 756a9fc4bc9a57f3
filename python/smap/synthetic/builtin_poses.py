"""Poses that are made up: walking, standing about, crouching."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .assets import BONES, F32, PARENTS

CLIPS, POSES_PER_CLIP = 30, 10


def turn(axis: int, degrees: float) -> NDArray[np.float64]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    out = np.eye(3)
    out[a, a] = out[b, b] = c
    out[a, b], out[b, a] = -s, s
    return out


_Local = dict[str, NDArray[np.float64]]


def _walk(rng: np.random.Generator, phase: float) -> _Local:
    swing, local = 32 * math.sin(phase), {}
    for side, sign in (("Left", 1), ("Right", -1)):
        leg, knee = sign * swing, max(0.0, 45 * math.sin(phase * sign + 1.2))
        local[f"{side}UpLeg"] = turn(0, leg)
        local[f"{side}Leg"] = turn(0, knee)
        local[f"{side}Arm"] = turn(0, -0.8 * leg) @ turn(2, -78 * sign)
        local[f"{side}ForeArm"] = turn(1, -sign * rng.uniform(10, 60))
    return local


def _stand(rng: np.random.Generator, phase: float) -> _Local:
    local = {"Spine1": turn(0, rng.uniform(-5, 25)), "Spine2": turn(1, rng.uniform(-30, 30))}
    for side, sign in (("Left", 1), ("Right", -1)):
        local[f"{side}Arm"] = turn(0, rng.uniform(-70, 20)) @ turn(2, -sign * rng.uniform(-60, 85))
        local[f"{side}ForeArm"] = turn(1, -sign * rng.uniform(0, 120))
        local[f"{side}UpLeg"] = turn(2, sign * rng.uniform(-2, 14)) @ turn(0, rng.uniform(-15, 5))
        local[f"{side}Leg"] = turn(0, rng.uniform(0, 20))
    return local


def _crouch(rng: np.random.Generator, phase: float) -> _Local:
    local, bend = _stand(rng, phase), rng.uniform(40, 100)
    for side, sign in (("Left", 1), ("Right", -1)):
        local[f"{side}UpLeg"] = turn(2, sign * rng.uniform(0, 20)) @ turn(0, -bend)
        local[f"{side}Leg"] = turn(0, bend * rng.uniform(0.9, 1.2))
    local["Spine"] = turn(0, 0.4 * bend)
    return local


_MOTIONS: tuple[Callable[[np.random.Generator, float], _Local], ...] = (_walk, _stand, _crouch)


def rotations(pose: int) -> F32:
    """``(22, 3, 3)`` global rotations of pose ``clip * POSES_PER_CLIP + frame``."""
    clip, frame = divmod(pose, POSES_PER_CLIP)
    rng = np.random.default_rng((clip, frame))
    local = _MOTIONS[clip % len(_MOTIONS)](rng, 2 * math.pi * frame / POSES_PER_CLIP)
    local["Neck"] = turn(1, rng.uniform(-35, 35)) @ turn(0, rng.uniform(-15, 20))
    out = np.zeros((len(BONES), 3, 3))
    for k, (name, parent) in enumerate(zip(BONES, PARENTS, strict=True)):
        above = np.eye(3) if parent < 0 else out[parent]
        out[k] = above @ local.get(name, np.eye(3))
    return out.astype(np.float32)
