"""Poses that nobody captured: captured ones with limbs turned at random, and people who sit."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .assets import BONES, F32, PARENTS

_SITTING = 0.2  # share of varied poses
_MOVED = 0.4  # chance of every bone below

# Standard deviation of the turn of a bone and all that hangs on it, degrees about a random axis.
_TURNS = {
    "Spine": 14,
    "Neck": 16,
    **{side + bone: sd for side in ("Left", "Right") for bone, sd in (("Arm", 32), ("ForeArm", 28))},
    **{side + bone: sd for side in ("Left", "Right") for bone, sd in (("UpLeg", 16), ("Leg", 14))},
}


def _below(name: str) -> list[int]:
    """A bone and all that hangs on it."""
    found = [BONES.index(name)]
    for bone, parent in enumerate(PARENTS):  # parents come before their children
        if parent in found:
            found.append(bone)
    return found


_CHAINS = {name: _below(name) for name in (*_TURNS, "LeftFoot", "RightFoot")}


def varied(rotations: F32, rng: np.random.Generator) -> F32:
    """Another pose near this one.

    Args:
        rotations: ``(22, 3, 3)`` global rotation of each bone relative to the T-pose (Y up, looking along +Z).
    """
    out = rotations.copy()
    if rng.random() < _SITTING:
        _sit_down(out, rng)
    for name, degrees in _TURNS.items():
        if rng.random() < _MOVED:
            axis = rng.normal(size=3)
            angle = math.radians(rng.normal(0, degrees))
            out[_CHAINS[name]] = _turn(axis / np.linalg.norm(axis) * angle) @ out[_CHAINS[name]]
    return out


def _sit_down(rotations: F32, rng: np.random.Generator) -> None:
    """Thighs forward, shins down, in place."""
    hips = rotations[0]
    bend, tuck = rng.uniform(65, 100), rng.uniform(-20, 35)
    for side, outwards in (("Left", 1), ("Right", -1)):
        spread = _turn([0, math.radians(outwards * rng.uniform(-5, 30)), 0])
        for name, degrees in (("UpLeg", -bend), ("Leg", tuck), ("Foot", rng.uniform(-15, 10))):
            turn = _turn([math.radians(degrees + rng.normal(0, 6)), 0, 0])
            rotations[_CHAINS[side + name]] = hips @ spread @ turn


def _turn(vector: object) -> F32:
    """Axis times angle -> matrix."""
    return np.asarray(cv2.Rodrigues(np.asarray(vector, np.float64))[0], np.float32)
