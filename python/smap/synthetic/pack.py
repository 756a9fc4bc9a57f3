"""A scene pack on disk: avatars, textures, poses and backgrounds in a few ``.npz`` files."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import DatasetError
from ..ops.rasterize import MeshFlag
from .assets import (
    ARMS,
    BONES,
    F32,
    FEET,
    HANDS,
    LEGS,
    OTHER,
    SKIN,
    TORSO,
    U8,
    Avatar,
    Geometry,
    Mesh,
    Panorama,
    Split,
    chosen,
    held_out,
    rotations_of,
    vertex_normals,
)
from .objects import OBJECT_TRIANGLES, OBJECT_UV
from .textures import OBJECT_TEXTURES, Stills, TexturePool

STILL_FILES = ("stills.npz", "stills_more.npz", "stills_extra.npz")
WIG_TEXTURE_SIZE = 256


class Archive:
    """An ``.npz`` file whose every array is checked: problems are ``DatasetError`` and name the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise DatasetError(f"{path} must exist in a scene pack, got no such file")
        try:
            with np.load(path, allow_pickle=False) as archive:
                self._arrays = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise DatasetError(f"{path} must be a whole .npz archive, got a damaged one ({error})") from error

    def get(self, name: str, shape: tuple[int | None, ...], kinds: str = "fiu") -> NDArray[Any]:
        """The array of this name, shape (None is free) and dtype kind."""
        if name not in self._arrays:
            raise DatasetError(f"{self.path} must hold {name!r}, got {sorted(self._arrays)[:12]}")
        value = self._arrays[name]
        fits = value.ndim == len(shape) and all(
            want in (None, got) for want, got in zip(shape, value.shape, strict=True)
        )
        if not fits or value.dtype.kind not in kinds:
            raise DatasetError(f"{name!r} of {self.path} must have shape {shape}, got {value.shape} {value.dtype}")
        return cast("NDArray[Any]", value)

    def blobs(self, count: int | None = None) -> list[U8]:
        """The compressed pictures stored as ``data`` and ``offset``."""
        offset = self.get("offset", (None if count is None else count + 1,), "iu")
        data = self.get("data", (None,), "u")
        if not len(offset) or offset[0] < 0 or (np.diff(offset) <= 0).any() or offset[-1] > len(data):
            raise DatasetError(f"'offset' of {self.path} must rise within 'data', got {offset[:3]}...{offset[-1:]}")
        return [data[a:b] for a, b in pairwise(offset)]

    def decode(self, blob: U8, what: str) -> U8:
        """RGB or RGBA."""
        image = cv2.imdecode(blob, cv2.IMREAD_UNCHANGED)
        if image is None:
            raise DatasetError(f"{what} of {self.path} must be a picture, got bytes that do not decode")
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, -1)
        order = [2, 1, 0] if image.shape[2] == 3 else [2, 1, 0, 3]
        return np.ascontiguousarray(image[..., order], np.uint8)


class Pack:
    """A scene pack; see ``Assets`` for what it offers. Pictures are decoded when first used and kept.

    Hold-out is by person (avatar name without its last part), by motion clip and by background, never by picture.
    """

    def __init__(self, path: Path, texture_size: int) -> None:
        self.path = path
        self._read_avatars(texture_size)
        self._read_poses()
        self._read_backgrounds()
        self._build_geometry(texture_size)
        self._avatar_cache: dict[int, Avatar] = {}
        self._panorama_cache: dict[int, Panorama] = {}

    @classmethod
    def load(cls, path: Path | str, *, texture_size: int = 512) -> Pack:
        """Read a pack.

        Args:
            path: folder with ``avatars.npz``, ``textures.npz``, ``poses.npz`` and at least one of ``stills*.npz``;
                ``wigs.npz``, ``panoramas.npz``, ``uv_regions.png`` are used when there.
            texture_size: avatars' textures are scaled to this; 512 takes 1.4 MB for each avatar that is drawn.

        Raises:
            DatasetError: a file is missing, incomplete or damaged; the message names it.
            ValueError: ``texture_size`` is not a multiple of 4 that is at least 16.
        """
        if texture_size < 16 or texture_size % 4:
            raise ValueError(f"texture_size must be a multiple of 4, at least 16, got {texture_size}")
        folder = Path(path)
        if not folder.is_dir():
            raise DatasetError(f"{folder} must be the folder of a scene pack, got no such folder")
        return cls(folder, texture_size)

    # --- reading ---

    def _read_avatars(self, texture_size: int) -> None:
        file = Archive(self.path / "avatars.npz")
        self._mean = file.get("mean", (None, 3), "f").astype(np.float32)
        vertices = len(self._mean)
        self._delta = file.get("delta", (None, vertices, 3), "i")
        self._delta_scale = float(file.get("delta_scale", ()))
        count = len(self._delta)
        self._faces = file.get("faces", (None, 3), "iu").astype(np.int32)
        self._uv = file.get("uv", (vertices, 2), "u").astype(np.float32) / 65535
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
        self._avatar_val = held_out([name.rsplit("_", 1)[0] for name in self.names])

        self._texture_file = Archive(self.path / "textures.npz")
        self._texture_blobs = self._texture_file.blobs(count)
        regions_path = self.path / "uv_regions.png"
        self._regions: U8 = np.full((texture_size, texture_size), OTHER, np.uint8)
        if regions_path.is_file():
            regions = cv2.imread(str(regions_path), cv2.IMREAD_GRAYSCALE)
            if regions is None:
                raise DatasetError(f"{regions_path} must be a picture, got bytes that do not decode")
            self._regions = smooth_regions(np.asarray(regions, np.uint8), texture_size)

        self._wig_of_avatar = np.full(count, -1)
        self._wig_count = 0
        if (self.path / "wigs.npz").exists():
            self._wigs = Archive(self.path / "wigs.npz")
            self._wig_of_avatar = self._wigs.get("wig_of_avatar", (count,), "i")
            self._wig_count = int(self._wigs.get("n", ()))
            if self._wig_of_avatar.max(initial=-1) >= self._wig_count:
                raise DatasetError(
                    f"'wig_of_avatar' of {self._wigs.path} must be below n = {self._wig_count}, got more"
                )

    def _read_poses(self) -> None:
        file = Archive(self.path / "poses.npz")
        self._quaternions = file.get("q", (None, len(BONES), 4), "i")
        sources = [str(s).replace("_mirror", "") for s in file.get("src", (len(self._quaternions),), "U")]
        clips = sorted({clip for source in sources for clip in source.split("+")})
        val = {clip for clip, held in zip(clips, held_out(clips), strict=True) if held}
        held = [[clip in val for clip in source.split("+")] for source in sources]
        # A pose put together from clips of both sides belongs to neither.
        self._pose_val = np.array([all(h) for h in held])
        self._pose_train = np.array([not any(h) for h in held])

    def _read_backgrounds(self) -> None:
        self._still_blobs: list[tuple[Archive, U8]] = []
        groups = []
        for name in STILL_FILES:
            if (self.path / name).exists():
                file = Archive(self.path / name)
                blobs = file.blobs()
                self._still_blobs += [(file, blob) for blob in blobs]
                groups += still_sources(file.path, len(blobs))
        if not self._still_blobs:
            raise DatasetError(f"{self.path} must hold at least one of {', '.join(STILL_FILES)}, got none")
        self._still_val = held_out(groups)
        self._panorama_blobs: list[U8] = []
        self._panorama_val = np.zeros(0, np.bool_)
        if (self.path / "panoramas.npz").exists():
            self._panorama_file = Archive(self.path / "panoramas.npz")
            self._panorama_blobs = self._panorama_file.blobs()
            count = len(self._panorama_blobs)
            names = [str(name) for name in self._panorama_file.get("names", (count,), "U")]
            self._radiance = self._panorama_file.get("sh9", (count, 9, 3), "f").astype(np.float32)
            self._keys = self._panorama_file.get("key_dir", (count, 3), "f").astype(np.float32)
            self._panorama_val = held_out(names)

    def _build_geometry(self, texture_size: int) -> None:
        uv, triangles = [OBJECT_UV, self._uv], [OBJECT_TRIANGLES, self._faces]
        for i in range(self._wig_count):
            points = len(self._wigs.get(f"v{i}", (None, 3), "i"))
            faces = self._wigs.get(f"f{i}", (None, 3), "iu").astype(np.int32)
            if faces.max(initial=0) >= points:
                raise DatasetError(f"'f{i}' of {self._wigs.path} must be below {points}, got {faces.max()}")
            uv.append(self._wigs.get(f"u{i}", (points, 2), "f").astype(np.float32))
            triangles.append(faces)
        self._first_uv = np.concatenate([[0], np.cumsum([len(x) for x in uv])])
        self._first_triangle = np.concatenate([[0], np.cumsum([len(x) for x in triangles])])
        avatars = len(self.names)
        self._pool = TexturePool([texture_size] * avatars + [WIG_TEXTURE_SIZE] * self._wig_count + OBJECT_TEXTURES)
        self._stills = Stills(self._decode_still, self._still_val, self._pool, avatars + self._wig_count)
        self.geometry = Geometry(
            torch.from_numpy(np.ascontiguousarray(np.concatenate(uv), np.float32)),
            torch.from_numpy(np.ascontiguousarray(np.concatenate(triangles), np.int32)),
            self._pool.texels,
            self._pool.table,
        )

    # --- Assets ---

    def avatars(self, split: Split | None = None) -> NDArray[np.int64]:
        return chosen(self._avatar_val, split)

    def avatar(self, index: int) -> Avatar:
        if index not in self._avatar_cache:
            self._avatar_cache[index] = self._make_avatar(index)
        return self._avatar_cache[index]

    def poses(self, split: Split | None = None) -> NDArray[np.int64]:
        every = np.ones(len(self._pose_val), np.bool_)
        chosen(self._pose_val, split)  # checks the name
        return np.asarray(np.flatnonzero({None: every, "train": self._pose_train, "val": self._pose_val}[split]))

    def rotations(self, pose: int) -> F32:
        return rotations_of(self._quaternions[pose].astype(np.float64))

    def stills(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._stills.indices(split)

    def still(self, index: int) -> U8:
        return self._stills.image(index)

    def panoramas(self, split: Split | None = None) -> NDArray[np.int64]:
        return chosen(self._panorama_val, split)

    def panorama(self, index: int) -> Panorama:
        if index not in self._panorama_cache:
            image = self._panorama_file.decode(self._panorama_blobs[index], f"panorama {index}")[..., :3]
            self._panorama_cache[index] = Panorama(
                np.ascontiguousarray(image), self._radiance[index], self._keys[index]
            )
        return self._panorama_cache[index]

    def cutouts(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._stills.cutouts(split)

    def fabrics(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._stills.fabrics(split)

    def prepare(self, texture: int) -> None:
        self._stills.prepare(texture)

    def _decode_still(self, index: int) -> U8:
        file, blob = self._still_blobs[index]
        return np.ascontiguousarray(file.decode(blob, f"background {index}")[..., :3])

    # --- avatars ---

    def _make_avatar(self, index: int) -> Avatar:
        vertices = np.asarray(self._mean + self._delta[index] * np.float32(self._delta_scale), np.float32)
        normals = vertex_normals(vertices, self._faces, self._weld)
        body = Mesh(
            np.ascontiguousarray(vertices.T),
            np.ascontiguousarray(normals.T),
            self._weights,
            int(self._first_uv[1]),
            int(self._first_triangle[1]),
            len(self._faces),
            index,
            MeshFlag.CULL_BACK | MeshFlag.REGIONS,
        )
        rgb = self._texture_file.decode(self._texture_blobs[index], f"texture {index}")[..., :3]
        size = self._regions.shape
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        regions, skin, means = find_skin(rgb, self._regions)
        self._pool.fill(index, rgb, regions, average_fourth=False)
        avatar = Avatar(self.names[index], self._joints[index], self._head_top[index], (body,), skin, means)
        wig = int(self._wig_of_avatar[index])
        return avatar if wig < 0 else replace(avatar, meshes=(body, self._make_wig(wig)))

    def _make_wig(self, wig: int) -> Mesh:
        file = self._wigs
        vertices = file.get(f"v{wig}", (None, 3), "i").astype(np.float32) * np.float32(1 / 8000)
        faces = file.get(f"f{wig}", (None, 3), "iu").astype(np.int32)
        points = len(vertices)
        weights = bone_weights(file, file.get(f"i{wig}", (points, 4), "u"), file.get(f"w{wig}", (points, 4), "u"))
        texture = len(self.names) + wig
        if not self._pool.filled(texture):
            rgba = file.decode(file.get(f"t{wig}", (None,), "u"), f"'t{wig}'")
            alpha = rgba[..., 3] if rgba.shape[2] == 4 else np.full(rgba.shape[:2], 255, np.uint8)
            self._pool.fill(texture, np.ascontiguousarray(rgba[..., :3]), alpha, average_fourth=True)
        return Mesh(
            np.ascontiguousarray(vertices.T),
            np.ascontiguousarray(vertex_normals(vertices, faces).T),
            weights,
            int(self._first_uv[2 + wig]),
            int(self._first_triangle[2 + wig]),
            len(faces),
            texture,
            int(MeshFlag.ALPHA_TEST),
        )

    def __repr__(self) -> str:
        return (
            f"Pack({str(self.path)!r}, {len(self.names)} avatars, {len(self._quaternions)} poses, "
            f"{len(self._still_blobs)} stills, {len(self._panorama_blobs)} panoramas)"
        )


def bone_weights(file: Archive, bones: NDArray[np.integer], weights: NDArray[np.integer]) -> F32:
    """Four bones a vertex -> ``(22, V)``."""
    if bones.max(initial=0) >= len(BONES):
        raise DatasetError(f"bone numbers of {file.path} must be below {len(BONES)}, got {bones.max()}")
    dense = np.zeros((len(BONES), len(bones)), np.float32)
    np.add.at(dense, (bones.T, np.arange(len(bones))[None]), weights.T.astype(np.float32))
    return np.asarray(dense / np.maximum(dense.sum(0), 1e-6), np.float32)


def still_sources(path: Path, count: int) -> list[str]:
    """Where each picture comes from, as the ``.json`` beside the file tells: the same picture twice is one group."""
    notes = path.with_suffix(".json")
    if not notes.is_file():
        return [f"{path.name}:{i}" for i in range(count)]
    try:
        sources = [str(note["src"]) for note in json.loads(notes.read_text())]
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{notes} must be a list of objects with 'src', got other content ({error})") from error
    if len(sources) != count:
        raise DatasetError(f"{notes} must describe {count} pictures, got {len(sources)}")
    return sources


def smooth_regions(regions: U8, size: int) -> U8:
    """The region map at another size, its ragged borders (which follow triangles) straightened."""
    wide = np.asarray(cv2.resize(regions, (size, size), interpolation=cv2.INTER_NEAREST), np.uint8)
    share = [cv2.GaussianBlur((wide == k).astype(np.float32), (0, 0), size * 0.016) for k in range(FEET + 1)]
    stack = np.stack(share)
    # Gaps between islands join the nearest island: samples on a seam fall into them.
    return np.where((wide <= FEET) | (stack.max(0) > 0.1), np.argmax(stack, 0), OTHER).astype(np.uint8)


def find_skin(rgb: U8, regions: U8) -> tuple[U8, F32, F32]:
    """Mark bare skin on clothed regions: the regions with SKIN in them, the skin's colour, all regions' mean colours.

    Skin is what has the chromaticity and about the brightness of the hands.
    """
    colours = rgb.astype(np.float32) / 255
    hands = colours[regions == HANDS]
    skin = np.median(hands, 0) if len(hands) else np.array([0.7, 0.52, 0.43])
    total = colours.sum(-1) + 1e-3
    reference = skin.sum() + 1e-3
    distance = np.abs(colours / total[..., None] - skin / reference).sum(-1)
    bare = (distance < 0.06) & (total > 0.6 * reference) & (total < 1.5 * reference)
    marked = np.where(bare & np.isin(regions, (TORSO, ARMS, LEGS, FEET)), SKIN, regions).astype(np.uint8)
    flat, index = colours.reshape(-1, 3)[::7], marked.ravel()[::7].astype(np.int64)
    area = np.maximum(np.bincount(index, minlength=8), 1)
    means = np.stack([np.bincount(index, flat[:, c], minlength=8) / area for c in range(3)], -1)
    return marked, np.asarray(skin, np.float32), np.asarray(means, np.float32)
