"""Poses that nobody captured: captured ones with limbs turned at random, people who sit, bend, crouch, reach or lie."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .assets import BONES, F32, PARENTS

# Shares of varied poses.
_SITTING = 0.2
_EXERCISING = 0.35
_LYING = 0.04

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
_CHEST = BONES.index("Spine2")


def varied(rotations: F32, rng: np.random.Generator) -> F32:
    """Another pose near this one, or one that has little to do with it.

    Args:
        rotations: ``(22, 3, 3)`` global rotation of each bone relative to the T-pose (Y up, looking along +Z).
    """
    out = rotations.copy()
    kind = rng.random()
    if kind < _SITTING:
        _sit_down(out, rng)
    elif kind < _SITTING + _EXERCISING:
        _exercise(out, rng)
    elif kind < _SITTING + _EXERCISING + _LYING:
        out[:] = _about(0, rng.normal(90, 15)) @ _about(1, rng.uniform(0, 360)) @ out
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
        spread = _about(1, outwards * rng.uniform(-5, 30))
        for name, degrees in (("UpLeg", -bend), ("Leg", tuck), ("Foot", rng.uniform(-15, 10))):
            rotations[_CHAINS[side + name]] = hips @ spread @ _about(0, degrees + rng.normal(0, 6))


def _exercise(rotations: F32, rng: np.random.Generator) -> None:
    """Trunk, arms and legs wherever joints let them, in place: people who bend, crouch, kick, reach or climb."""
    hips = rotations[0].copy()
    if rng.random() < 0.8:
        forwards, sideways, twist = rng.normal((28, 0, 0), (42, 24, 18)).tolist()
        bent = _about(0, _within(forwards, -35, 125)) @ _about(2, sideways) @ _about(1, twist)
        rotations[_CHAINS["Spine"]] = hips @ bent @ hips.T @ rotations[_CHAINS["Spine"]]
    together = rng.random() < 0.3  # both legs, and both arms, do much the same
    legs, arms = _leg_angles(rng), _arm_angles(rng)
    for side, outwards in (("Left", 1), ("Right", -1)):
        if rng.random() < 0.7:
            flexed, spread, knee = legs if together else _leg_angles(rng)
            thigh = hips @ _about(0, -flexed) @ _about(2, outwards * spread)
            rotations[_CHAINS[side + "UpLeg"]] = thigh
            rotations[_CHAINS[side + "Leg"]] = thigh @ _about(0, knee)
            rotations[_CHAINS[side + "Foot"]] = thigh @ _about(0, knee + rng.normal(0, 20))
        if rng.random() < 0.8:
            raised, forwards, twist, elbow = arms if together else _arm_angles(rng)
            swung = rotations[_CHEST] @ _about(1, -outwards * forwards) @ _about(2, outwards * raised)
            upper = swung @ _about(0, twist)
            rotations[_CHAINS[side + "Arm"]] = upper
            rotations[_CHAINS[side + "ForeArm"]] = upper @ _about(1, -outwards * elbow)


def _leg_angles(rng: np.random.Generator) -> tuple[float, float, float]:
    """Thigh forwards and outwards from straight down, bend of the knee; degrees."""
    flexed = _within(rng.normal(28, 45), -40, 125)
    knee = abs(rng.normal(0, 20)) if rng.random() < 0.4 else _within(rng.normal(flexed * 0.8, 40), 0, 145)
    return flexed, _within(rng.normal(14, 22), -15, 75), knee


def _arm_angles(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Upper arm upwards and forwards from straight out, its twist, bend of the elbow; degrees."""
    elbow = abs(rng.normal(0, 20)) if rng.random() < 0.5 else rng.uniform(0, 140)
    return rng.uniform(-85, 88), rng.uniform(-30, 120), rng.normal(0, 50), elbow


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _about(axis: int, degrees: float) -> F32:
    """Turn about X, Y or Z."""
    vector = np.zeros(3)
    vector[axis] = math.radians(degrees)
    return _turn(vector)


def _turn(vector: object) -> F32:
    """Axis times angle -> matrix."""
    return np.asarray(cv2.Rodrigues(np.asarray(vector, np.float64))[0], np.float32)
