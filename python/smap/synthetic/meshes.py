"""Vertices of all meshes of a pack in one array, as ``ops.skin`` reads them."""

from __future__ import annotations

import numpy as np
import torch

from ..ops.skin import INFLUENCES
from .assets import Mesh
from .objects import OBJECT_NORMALS, OBJECT_VERTICES


class MeshPool:
    """Meshes in the T-pose, those of objects first; pages are taken when a mesh is added.

    Args:
        vertices: of all people's meshes together.
        uv: rows of the pack's texture coordinates, whose vertices share their bones.
    """

    def __init__(self, vertices: int, uv: int) -> None:
        objects = len(OBJECT_VERTICES)
        self._rest = np.empty((objects + vertices, 6), np.float32)
        self._rest[:objects] = np.concatenate([OBJECT_VERTICES, OBJECT_NORMALS], -1)
        self._bones = np.zeros((uv, INFLUENCES), np.uint8)
        self._weights = np.zeros((uv, INFLUENCES), np.float32)
        self._weights[:objects, 0] = 1
        self.rest, self.bones, self.weights = map(torch.from_numpy, (self._rest, self._bones, self._weights))

    def add(self, mesh: Mesh) -> None:
        """Fill in the rows that a mesh was given."""
        count = mesh.vertices.shape[1]
        rows = self._rest[mesh.first_rest : mesh.first_rest + count]
        rows[:, :3], rows[:, 3:] = mesh.vertices.T, mesh.normals.T
        influences = slice(mesh.first_uv, mesh.first_uv + count)
        if not self._weights[influences].any():  # avatars of a library share one mesh
            strongest = np.argsort(-mesh.weights, 0, kind="stable")[:INFLUENCES]
            self._bones[influences] = strongest.T
            self._weights[influences] = np.take_along_axis(mesh.weights, strongest, 0).T
