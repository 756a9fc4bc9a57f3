"""What a scene is: who stands where, seen by which camera, in which light. ``sampling`` makes scenes up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from .assets import F32
from .wardrobe import Dress

World = NDArray[np.float64]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class View:
    """The camera in the world (Y up, ground at 0, camera above the origin looking along -Z).

    Args:
        camera: intrinsics of the full picture.
        rotation: ``(3, 3)`` world to camera frame.
        height: above the ground, metres.
    """

    camera: Camera
    rotation: World
    height: float

    def to_camera(self, points: NDArray[np.floating]) -> World:
        return np.asarray((points - np.array([0.0, self.height, 0.0])) @ self.rotation.T, np.float64)


@dataclass(frozen=True)
class Placed:
    """One person of a scene, standing at ``ground`` once rendered.

    Args:
        avatar: index in the pack.
        transforms: ``(22, 3, 3)`` float32 world rotation of each bone times its stretch.
        ground: ``(2,)`` world x and z of the first bone.
        lift: lowest vertex above the ground, metres.
        clothes: one ``Dress`` per mesh of the avatar.
    """

    avatar: int
    transforms: F32
    ground: World
    lift: float
    clothes: tuple[Dress, ...]


@dataclass(frozen=True)
class Object:
    """A box or card: unit mesh scaled by ``size``, turned by ``yaw``, standing at ``base``."""

    kind: Literal["box", "card"]
    texture: int
    size: World
    yaw: float
    base: World
    material: F32


@dataclass(frozen=True)
class Light:
    """Where light comes from; ``panorama`` None: a made-up sky."""

    panorama: int | None
    yaw: float
    level: float
    key_share: float
    tint: World
    creases: float


@dataclass(frozen=True)
class Scene:
    """All of a picture but its pixels.

    ``window`` and ``content`` are x0, y0, width, height in the full picture: what is rendered, and what is no grey bar.
    """

    view: View
    people: tuple[Placed, ...]
    objects: tuple[Object, ...]
    background: Literal["still", "panorama", "room"]
    light: Light
    window: Box
    content: Box
    seed: int


def yaw_matrix(angle: float) -> F32:
    """Rotation about Y."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)
