"""Avatars of a pack that share one mesh: ``avatars.npz``, ``textures.npz``, ``wigs.npz``."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..errors import DatasetError
from ..ops.rasterize import MeshFlag
from .archive import Archive, bone_weights
from .assets import BONES, FEET, OTHER, U8, Avatar, Mesh, vertex_normals
from .skins import find_skin, paint_regions, smooth_regions, split_limbs, vertex_regions
from .textures import MeshRows, TexturePool

WIG_TEXTURE_SIZE = 256


class LibraryAvatars:
    """One body mesh in many shapes, each with a texture, some with hair.

    Args:
        folder: of the pack.
        texture_size: bodies' textures are scaled to this.

    Attributes:
        names: of the avatars.
        uv, triangles: of the body and of each wig, to be joined into the pack's.
        vertex_counts: of every avatar's body and of every wig.
        texture_sizes: of the avatars' textures and of the wigs'.
    """

    def __init__(self, folder: Path, texture_size: int) -> None:
        file = Archive(folder / "avatars.npz")
        self._mean = file.get("mean", (None, 3), "f").astype(np.float32)
        vertices = len(self._mean)
        self._delta = file.get("delta", (None, vertices, 3), "i")
        self._delta_scale = np.float32(file.get("delta_scale", ()))
        count = len(self._delta)
        self._faces = file.get("faces", (None, 3), "iu").astype(np.int32)
        self._weights = bone_weights(file, file.get("wi", (vertices, 4), "u"), file.get("ww", (vertices, 4), "u"))
        self._weld = file.get("weld", (vertices,), "iu").astype(np.int64)
        self._joints = file.get("joints", (count, len(BONES), 3), "f").astype(np.float32)
        self._head_top = file.get("headtop", (count, 3), "f").astype(np.float32)
        self.names = [str(name) for name in file.get("names", (count,), "U")]
        bones = tuple(str(bone) for bone in file.get("bones", (None,), "U"))
        if bones != BONES:
            raise DatasetError(f"'bones' of {file.path} must be {BONES}, got {bones}")
        if self._faces.min(initial=0) < 0 or max(self._faces.max(initial=0), self._weld.max(initial=0)) >= vertices:
            raise DatasetError(f"'faces' and 'weld' of {file.path} must be below {vertices}, got more")
        self.uv = [file.get("uv", (vertices, 2), "u").astype(np.float32) / np.float32(65535)]
        self.triangles = [self._faces]
        self.texture_sizes = [texture_size] * count
        self.vertex_counts = [vertices] * count

        self._textures = Archive(folder / "textures.npz")
        self._texture_blobs = self._textures.blobs(count)
        of_vertex = vertex_regions(self._mean, self._weights, self._joints.mean(0))
        fine = paint_regions(texture_size, self.uv[0], self._faces, of_vertex)
        coarse = _read_regions(folder / "uv_regions.png", texture_size)
        self._regions = smooth_regions(fine if coarse is None else split_limbs(coarse, fine))
        self._wig_of_avatar = np.full(count, -1)
        if (folder / "wigs.npz").exists():
            self._read_wigs(folder)

    def _read_wigs(self, folder: Path) -> None:
        self._wigs = Archive(folder / "wigs.npz")
        self._wig_of_avatar = self._wigs.get("wig_of_avatar", (len(self.names),), "i")
        wigs = int(self._wigs.get("n", ()))
        if self._wig_of_avatar.max(initial=-1) >= wigs:
            raise DatasetError(f"'wig_of_avatar' of {self._wigs.path} must be below n = {wigs}, got more")
        for i in range(wigs):
            points = len(self._wigs.get(f"v{i}", (None, 3), "i"))
            faces = self._wigs.get(f"f{i}", (None, 3), "iu").astype(np.int32)
            if faces.max(initial=0) >= points:
                raise DatasetError(f"'f{i}' of {self._wigs.path} must be below {points}, got {faces.max()}")
            self.uv.append(self._wigs.get(f"u{i}", (points, 2), "f").astype(np.float32))
            self.triangles.append(faces)
            self.vertex_counts.append(points)
        self.texture_sizes += [WIG_TEXTURE_SIZE] * wigs

    def make(self, index: int, rows: MeshRows, pool: TexturePool) -> Avatar:
        """Avatar ``index``; its textures are filled in."""
        vertices = np.asarray(self._mean + self._delta[index] * self._delta_scale, np.float32)
        rgb = self._textures.decode(self._texture_blobs[index], f"texture {index}")[..., :3]
        rgb = np.asarray(cv2.resize(rgb, self._regions.shape, interpolation=cv2.INTER_AREA), np.uint8)
        regions, skin, colours = find_skin(rgb, self._regions)
        pool.fill(rows.first_texture + index, rgb, regions, average_fourth=False)
        body = Mesh(
            np.ascontiguousarray(vertices.T),
            np.ascontiguousarray(vertex_normals(vertices, self._faces, self._weld).T),
            self._weights,
            rows.first_rest[index],
            rows.first_uv[0],
            rows.first_triangle[0],
            len(self._faces),
            rows.first_texture + index,
            int(MeshFlag.CULL_BACK | MeshFlag.REGIONS),
        )
        wig = int(self._wig_of_avatar[index])
        meshes = (body,) if wig < 0 else (body, self._make_wig(wig, rows, pool))
        return Avatar(self.names[index], self._joints[index], self._head_top[index], meshes, skin, colours)

    def _make_wig(self, wig: int, rows: MeshRows, pool: TexturePool) -> Mesh:
        file = self._wigs
        vertices = file.get(f"v{wig}", (None, 3), "i").astype(np.float32) * np.float32(1 / 8000)
        faces, points = self.triangles[1 + wig], len(vertices)
        weights = bone_weights(file, file.get(f"i{wig}", (points, 4), "u"), file.get(f"w{wig}", (points, 4), "u"))
        texture = rows.first_texture + len(self.names) + wig
        if not pool.filled(texture):
            rgba = file.decode(file.get(f"t{wig}", (None,), "u"), f"'t{wig}'")
            alpha = rgba[..., 3] if rgba.shape[2] == 4 else np.full(rgba.shape[:2], 255, np.uint8)
            pool.fill(texture, np.ascontiguousarray(rgba[..., :3]), alpha, average_fourth=True)
        return Mesh(
            np.ascontiguousarray(vertices.T),
            np.ascontiguousarray(vertex_normals(vertices, faces).T),
            weights,
            rows.first_rest[len(self.names) + wig],
            rows.first_uv[1 + wig],
            rows.first_triangle[1 + wig],
            len(faces),
            texture,
            int(MeshFlag.ALPHA_TEST),
        )


def _read_regions(path: Path, size: int) -> U8 | None:
    """The pack's own map of regions 0 to 5, where it has one."""
    if not path.is_file():
        return None
    regions = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if regions is None:
        raise DatasetError(f"{path} must be a picture, got bytes that do not decode")
    regions = cv2.resize(regions, (size, size), interpolation=cv2.INTER_NEAREST)
    return np.where(regions <= FEET, regions, OTHER).astype(np.uint8)
