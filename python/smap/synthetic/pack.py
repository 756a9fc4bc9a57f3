"""A scene pack on disk: avatars, textures, poses and backgrounds in a few ``.npz`` files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import DatasetError
from .archive import Archive
from .assets import BONES, F32, U8, Avatar, Geometry, Panorama, Split, Splits, held_out, rotations_of
from .library import LibraryAvatars
from .meshes import MeshPool
from .models import ModelAvatars
from .objects import OBJECT_TRIANGLES, OBJECT_UV, OBJECT_VERTICES
from .textures import OBJECT_TEXTURES, MeshRows, Stills, TexturePool

STILL_FILES = ("stills.npz", "stills_more.npz", "stills_extra.npz")


class Pack:
    """A scene pack; see ``Assets`` for what it offers. Pictures are decoded when first used and kept.

    Hold-out is by person (avatar name without its last part), by motion clip and by background, never by picture.
    """

    def __init__(self, path: Path, texture_size: int) -> None:
        self.path, self._texture_size = path, texture_size
        self._read_avatars(texture_size)
        self._read_poses()
        self._read_backgrounds()
        self._build_geometry()
        self._avatar_cache: dict[int, Avatar] = {}
        self._panorama_cache: dict[int, Panorama] = {}

    @classmethod
    def load(cls, path: Path | str, *, texture_size: int = 512) -> Pack:
        """Read a pack.

        Args:
            path: folder with ``poses.npz``, at least one of ``stills*.npz``, and avatars: ``avatars.npz`` with
                ``textures.npz``, or ``models.npz`` of ``build_pack``; ``wigs.npz``, ``panoramas.npz`` and
                ``uv_regions.png`` are used when there.
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

    def __reduce__(self) -> tuple[type[Pack], tuple[Path, int]]:
        return type(self), (self.path, self._texture_size)  # another process reads it itself

    # --- reading ---

    def _read_avatars(self, texture_size: int) -> None:
        self._sources: list[LibraryAvatars | ModelAvatars] = []
        if (self.path / "models.npz").exists():
            self._sources.append(ModelAvatars(self.path, texture_size))
        if (self.path / "avatars.npz").exists() or not self._sources:
            self._sources.append(LibraryAvatars(self.path, texture_size))
        self.names = [name for source in self._sources for name in source.names]
        self._avatar_splits = Splits.holding_out(held_out([name.rsplit("_", 1)[0] for name in self.names]))

    def _read_poses(self) -> None:
        file = Archive(self.path / "poses.npz")
        self._quaternions = file.get("q", (None, len(BONES), 4), "i")
        self._rotations = rotations_of(self._quaternions.astype(np.float64))
        sources = [str(s).replace("_mirror", "") for s in file.get("src", (len(self._quaternions),), "U")]
        clips = sorted({clip for source in sources for clip in source.split("+")})
        val = {clip for clip, held in zip(clips, held_out(clips), strict=True) if held}
        held = [[clip in val for clip in source.split("+")] for source in sources]
        # A pose put together from clips of both sides belongs to neither.
        val_poses, train_poses = np.array([all(h) for h in held]), np.array([not any(h) for h in held])
        self._pose_splits = Splits(train_poses, val_poses)

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
        self._still_splits = Splits.holding_out(held_out(groups))
        self._panorama_blobs: list[U8] = []
        self._panorama_splits = Splits.holding_out(np.zeros(0, np.bool_))
        if (self.path / "panoramas.npz").exists():
            self._panorama_file = Archive(self.path / "panoramas.npz")
            self._panorama_blobs = self._panorama_file.blobs()
            count = len(self._panorama_blobs)
            names = [str(name) for name in self._panorama_file.get("names", (count,), "U")]
            self._radiance = self._panorama_file.get("sh9", (count, 9, 3), "f").astype(np.float32)
            self._keys = self._panorama_file.get("key_dir", (count, 3), "f").astype(np.float32)
            self._panorama_splits = Splits.holding_out(held_out(names))

    def _build_geometry(self) -> None:
        uv, triangles = [OBJECT_UV], [OBJECT_TRIANGLES]
        sizes: list[int] = []
        vertices = [len(OBJECT_VERTICES)]
        self._rows = []
        for source in self._sources:
            first_uv = np.cumsum([sum(map(len, uv)), *map(len, source.uv)])
            first_triangle = np.cumsum([sum(map(len, triangles)), *map(len, source.triangles)])
            first_rest = np.cumsum([sum(vertices), *source.vertex_counts])
            self._rows.append(MeshRows(first_rest.tolist(), first_uv.tolist(), first_triangle.tolist(), len(sizes)))
            vertices += source.vertex_counts
            uv += source.uv
            triangles += source.triangles
            sizes += source.texture_sizes
        self._pool = TexturePool(sizes + OBJECT_TEXTURES)
        self._stills = Stills(self._decode_still, self._still_splits, self._pool, len(sizes))
        self._meshes = MeshPool(sum(vertices[1:]), sum(map(len, uv)))
        self.geometry = Geometry(
            self._meshes.rest,
            self._meshes.bones,
            self._meshes.weights,
            torch.from_numpy(np.ascontiguousarray(np.concatenate(uv), np.float32)),
            torch.from_numpy(np.ascontiguousarray(np.concatenate(triangles), np.int32)),
            self._pool.texels,
            self._pool.table,
        )

    # --- Assets ---

    def avatars(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._avatar_splits[split]

    def avatar(self, index: int) -> Avatar:
        if index not in self._avatar_cache:
            within = index
            for source, rows in zip(self._sources, self._rows, strict=True):
                if within < len(source.names):
                    avatar = source.make(within, rows, self._pool)
                    for mesh in avatar.meshes:
                        self._meshes.add(mesh)
                    self._avatar_cache[index] = avatar
                    break
                within -= len(source.names)
            else:
                raise IndexError(f"avatar must be below {len(self.names)}, got {index}")
        return self._avatar_cache[index]

    def poses(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._pose_splits[split]

    def rotations(self, pose: int) -> F32:
        return np.asarray(self._rotations[pose])

    def stills(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._stills.indices(split)

    def still(self, index: int) -> U8:
        return self._stills.image(index)

    def panoramas(self, split: Split | None = None) -> NDArray[np.int64]:
        return self._panorama_splits[split]

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

    def __repr__(self) -> str:
        return (
            f"Pack({str(self.path)!r}, {len(self.names)} avatars, {len(self._quaternions)} poses, "
            f"{len(self._still_blobs)} stills, {len(self._panorama_blobs)} panoramas)"
        )


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
