"""Things in front of people: boxes and cards with pictures cut out of stills."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CUTOUT_SIZE = 128  # texels


def _box() -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """A unit cube standing on y = 0 with four corners of its own for each face, so that faces stay flat."""
    corners: list[list[float]] = []
    triangles: list[list[int]] = []
    uv: list[list[float]] = []
    for axis in range(3):
        for side in (0.0, 1.0):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            first = len(corners)
            for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
                corner = [0.0, 0.0, 0.0]
                corner[axis], corner[u], corner[v] = side, a, b
                corners.append([corner[0] - 0.5, corner[1], corner[2] - 0.5])
                # Texture upright on the sides: v runs down the world's y.
                across = corner[2] if axis == 0 else corner[0]
                down = 1 - corner[1] if axis != 1 else corner[2]
                uv.append([across, down])
            order = (0, 1, 2, 3) if side else (3, 2, 1, 0)
            triangles += [[first + order[i] for i in t] for t in ((0, 1, 2), (0, 2, 3))]
    return np.array(corners, np.float32), np.array(triangles, np.int32), np.array(uv, np.float32)


def _flat_normals(vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    """Corners belong to one face each."""
    corners = vertices[triangles]
    normals = np.empty_like(vertices)
    normals[triangles] = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, None]
    return normals


BOX_VERTICES, BOX_TRIANGLES, BOX_UV = _box()
# A card in the x-y plane, standing on y = 0 and facing +z.
CARD_VERTICES = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0.5, 1, 0], [-0.5, 1, 0]], np.float32)
CARD_TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
CARD_UV = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)

# Every pack's geometry starts with these: first the box, then the card.
OBJECT_UV = np.concatenate([BOX_UV, CARD_UV])
OBJECT_TRIANGLES = np.concatenate([BOX_TRIANGLES, CARD_TRIANGLES])
OBJECT_VERTICES = np.concatenate([BOX_VERTICES, CARD_VERTICES])
OBJECT_NORMALS = np.concatenate(
    [_flat_normals(BOX_VERTICES, BOX_TRIANGLES), _flat_normals(CARD_VERTICES, CARD_TRIANGLES)]
)


def cutout_texture(still: NDArray[np.uint8], rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A piece of a picture and its outline: ``(128, 128, 3)`` RGB and ``(128, 128)`` alpha."""
    height, width = still.shape[:2]
    side = max(8, int(min(height, width) * rng.uniform(0.25, 0.8)))
    x, y = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
    size = (CUTOUT_SIZE, CUTOUT_SIZE)
    rgb = np.asarray(cv2.resize(still[y : y + side, x : x + side], size, interpolation=cv2.INTER_AREA), np.uint8)
    alpha = np.zeros(size, np.uint8)
    last = CUTOUT_SIZE - 1
    kind = rng.integers(0, 4)
    if kind == 0:  # a panel
        alpha[:] = 255
    elif kind == 1:  # a table: a top and two legs
        top, leg = int(rng.integers(8, 40)), int(rng.integers(6, 20))
        alpha[:top] = 255
        alpha[:, :leg] = alpha[:, -leg:] = 255
    elif kind == 2:  # something rounded
        axes = (int(last * rng.uniform(0.3, 0.5)), int(last * rng.uniform(0.3, 0.5)))
        cv2.ellipse(alpha, (last // 2, last - axes[1]), axes, 0, 0, 360, 255, -1)
    else:  # something ragged, such as a bush
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        radius = last / 2 * rng.uniform(0.55, 1.0, 24)
        points = np.stack([last / 2 + radius * np.cos(angles), last / 2 + radius * np.sin(angles)], -1)
        cv2.fillPoly(alpha, [np.round(points).astype(np.int32)], 255)
    return rgb, alpha
