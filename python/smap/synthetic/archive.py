"""Checked reading of the ``.npz`` files of a scene pack."""

from __future__ import annotations

import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from .assets import BONES, F32, U8


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

    def has(self, name: str) -> bool:
        return name in self._arrays

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


def bone_weights(file: Archive, bones: NDArray[np.integer], weights: NDArray[np.integer]) -> F32:
    """Four bones a vertex -> ``(22, V)``."""
    if bones.max(initial=0) >= len(BONES):
        raise DatasetError(f"bone numbers of {file.path} must be below {len(BONES)}, got {bones.max()}")
    dense = np.zeros((len(BONES), len(bones)), np.float32)
    np.add.at(dense, (bones.T, np.arange(len(bones))[None]), weights.T.astype(np.float32))
    return np.asarray(dense / np.maximum(dense.sum(0), 1e-6), np.float32)
