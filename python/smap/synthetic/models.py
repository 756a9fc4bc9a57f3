"""Avatars of a pack that have a mesh of their own each: ``models.npz``, as ``build_pack`` writes it.

Arrays, for model i: ``joints (N, 22, 3)`` and ``headtop (N, 3)`` float32 metres, ``names``; for its part p (``body{i}``
opaque, ``sheer{i}`` alpha-tested and possibly missing): ``p_vertices (V, 3)`` float32 metres in the T-pose, ``p_uv
(V, 2)`` float32, ``p_faces (T, 3)``, ``p_bones``/``p_weights (V, 4)`` uint8, ``p_texture`` an encoded picture; for
bodies ``p_regions``, an encoded picture of region numbers.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..errors import DatasetError
from ..ops.rasterize import MeshFlag
from .archive import Archive, bone_weights
from .assets import BONES, Avatar, Mesh, vertex_normals
from .skins import find_skin, smooth_regions
from .textures import MeshRows, TexturePool


class ModelAvatars:
    """As ``LibraryAvatars``, for ``models.npz``."""

    def __init__(self, folder: Path, texture_size: int) -> None:
        self._file = Archive(folder / "models.npz")
        self._joints = self._file.get("joints", (None, len(BONES), 3), "f").astype(np.float32)
        count = len(self._joints)
        self._head_top = self._file.get("headtop", (count, 3), "f").astype(np.float32)
        self.names = [str(name) for name in self._file.get("names", (count,), "U")]
        self._parts = [f"{kind}{i}" for i in range(count) for kind in ("body", "sheer") if self._has(f"{kind}{i}")]
        self.uv, self.triangles = [], []
        self.vertex_counts = []
        for part in self._parts:
            points = len(self._file.get(f"{part}_vertices", (None, 3), "f"))
            faces = self._file.get(f"{part}_faces", (None, 3), "iu").astype(np.int32)
            if faces.max(initial=0) >= points or faces.min(initial=0) < 0:
                raise DatasetError(f"'{part}_faces' of {self._file.path} must be below {points}, got {faces.max()}")
            self.uv.append(self._file.get(f"{part}_uv", (points, 2), "f").astype(np.float32))
            self.triangles.append(faces)
            self.vertex_counts.append(points)
        self.texture_sizes = [texture_size] * len(self._parts)
        self._texture_size = texture_size

    def _has(self, part: str) -> bool:
        return part.startswith("body") or self._file.has(f"{part}_vertices")

    def make(self, index: int, rows: MeshRows, pool: TexturePool) -> Avatar:
        """Avatar ``index``; its textures are filled in."""
        body = self._parts.index(f"body{index}")
        file, size = self._file, (self._texture_size, self._texture_size)
        rgb = file.decode(file.get(f"body{index}_texture", (None,), "u"), f"'body{index}_texture'")[..., :3]
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        regions = file.decode(file.get(f"body{index}_regions", (None,), "u"), f"'body{index}_regions'")[..., 0]
        regions = np.asarray(cv2.resize(np.ascontiguousarray(regions), size, interpolation=cv2.INTER_NEAREST), np.uint8)
        regions, skin, colours = find_skin(rgb, smooth_regions(regions))
        pool.fill(rows.first_texture + body, rgb, regions, average_fourth=False)
        meshes = [self._mesh(body, rows, int(MeshFlag.REGIONS))]  # clothes may be open: both sides are drawn
        if f"sheer{index}" in self._parts:
            sheer = self._parts.index(f"sheer{index}")
            rgba = file.decode(file.get(f"sheer{index}_texture", (None,), "u"), f"'sheer{index}_texture'")
            if rgba.shape[2] != 4:
                raise DatasetError(f"'sheer{index}_texture' of {file.path} must have an alpha channel, got none")
            rgba = np.asarray(cv2.resize(rgba, size, interpolation=cv2.INTER_AREA), np.uint8)
            colour, alpha = np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
            pool.fill(rows.first_texture + sheer, colour, alpha, average_fourth=True)
            meshes.append(self._mesh(sheer, rows, int(MeshFlag.ALPHA_TEST)))
        name, joints, head_top = self.names[index], self._joints[index], self._head_top[index]
        return Avatar(name, joints, head_top, tuple(meshes), skin, colours)

    def _mesh(self, part: int, rows: MeshRows, flags: int) -> Mesh:
        file, name = self._file, self._parts[part]
        vertices = file.get(f"{name}_vertices", (None, 3), "f").astype(np.float32)
        bones = file.get(f"{name}_bones", (len(vertices), 4), "u")
        weights = bone_weights(file, bones, file.get(f"{name}_weights", (len(vertices), 4), "u"))
        # Vertices at one place are one vertex for the light, whatever seam their texture has there.
        _, weld = np.unique(np.round(vertices, 5), axis=0, return_inverse=True)
        normals = vertex_normals(vertices, self.triangles[part], weld.ravel().astype(np.int64))
        return Mesh(
            np.ascontiguousarray(vertices.T),
            np.ascontiguousarray(normals.T),
            weights,
            rows.first_rest[part],
            rows.first_uv[part],
            rows.first_triangle[part],
            len(self.triangles[part]),
            rows.first_texture + part,
            flags,
        )
