"""Textures and pictures that packs hold: filled or decoded when first used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .assets import U8, Split, Splits
from .fabric import FABRIC_SIZE, fabric_texture
from .objects import CUTOUT_SIZE, cutout_texture

CUTOUTS = 512  # textures of objects cut out of stills
FABRICS = 128  # woven patterns
OBJECT_TEXTURES = [CUTOUT_SIZE] * CUTOUTS + [FABRIC_SIZE] * FABRICS  # sizes, after those of a pack's own textures


@dataclass(frozen=True)
class MeshRows:
    """Where the meshes and textures of a source of avatars ended up in a pack's ``Geometry``."""

    first_rest: list[int]
    first_uv: list[int]
    first_triangle: list[int]
    first_texture: int


class TexturePool:
    """Square RGBA textures with mipmaps in one array, as ``ops.rasterize`` reads them; pages are taken when filled."""

    def __init__(self, sizes: Sequence[int]) -> None:
        levels = [max(1, int(size).bit_length() - 2) for size in sizes]
        lengths = [sum(4 * (size >> k) ** 2 for k in range(count)) for size, count in zip(sizes, levels, strict=True)]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        self._texels = np.empty(int(offsets[-1]), np.uint8)
        self._table = np.stack([offsets[:-1], np.asarray(sizes), np.asarray(levels)], -1).astype(np.int64)
        self._filled = np.zeros(len(sizes), np.bool_)
        self.texels = torch.from_numpy(self._texels)
        self.table = torch.from_numpy(self._table)

    def filled(self, row: int) -> bool:
        return bool(self._filled[row])

    def fill(self, row: int, rgb: U8, fourth: U8, *, average_fourth: bool) -> None:
        """Store a texture and its mipmaps; the fourth channel is averaged (alpha) or picked (region numbers)."""
        offset, size, levels = (int(x) for x in self._table[row])
        how = cv2.INTER_AREA if average_fourth else cv2.INTER_NEAREST
        for level in range(levels):
            side = size >> level
            rgb = np.asarray(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
            alpha = np.asarray(cv2.resize(fourth, (side, side), interpolation=how), np.uint8)
            target = self._texels[offset : offset + 4 * side * side].reshape(side, side, 4)
            target[..., :3] = rgb
            target[..., 3] = alpha
            offset += 4 * side * side
        self._filled[row] = True


class Stills:
    """Pictures without people, and the objects cut out of them.

    Args:
        decode: gives picture ``index`` as ``(H, W, 3)`` uint8 RGB.
        splits: of the pictures.
        pool: textures; rows from ``first_cutout`` on are of ``OBJECT_TEXTURES``.
    """

    def __init__(self, decode: Callable[[int], U8], splits: Splits, pool: TexturePool, first_cutout: int) -> None:
        self._decode, self._splits, self._pool, self._first = decode, splits, pool, first_cutout
        self._cutouts: dict[Split | None, NDArray[np.int64]] = {}
        self._fabrics: dict[Split | None, NDArray[np.int64]] = {}

    def indices(self, split: Split | None) -> NDArray[np.int64]:
        return self._splits[split]

    def image(self, index: int) -> U8:
        return self._decode(index)

    def cutouts(self, split: Split | None) -> NDArray[np.int64]:
        """Texture rows of the objects cut out of the split's pictures."""
        if split not in self._cutouts:
            self._cutouts[split] = self._find_cutouts(split)
        return self._cutouts[split]

    def _find_cutouts(self, split: Split | None) -> NDArray[np.int64]:
        rows = self._first + np.arange(CUTOUTS)
        return rows if split is None else np.asarray(rows[np.isin(self._source(rows), self.indices(split))])

    def fabrics(self, split: Split | None) -> NDArray[np.int64]:
        """Texture rows of patterns for clothes: woven ones, then the split's cutouts."""
        if split not in self._fabrics:
            woven = self._first + CUTOUTS + np.arange(FABRICS)
            self._fabrics[split] = np.concatenate([woven, self.cutouts(split)])
        return self._fabrics[split]

    def prepare(self, texture: int) -> None:
        """Make what a row holds; which object or pattern it is does not depend on what was made before."""
        if self._pool.filled(texture):
            return
        rng = np.random.default_rng(texture - self._first)
        if texture < self._first + CUTOUTS:
            rgb, alpha = cutout_texture(self.image(int(self._source(np.array([texture]))[0])), rng)
        else:
            rgb, alpha = fabric_texture(rng), np.full((FABRIC_SIZE, FABRIC_SIZE), 255, np.uint8)
        self._pool.fill(texture, rgb, alpha, average_fourth=True)

    def _source(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        # A large prime step spreads the objects over the pictures.
        return np.asarray((rows - self._first) * 7919 % len(self._splits), np.int64)
