"""Background pictures of a pack on a device, decoded when first used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from .assets import U8, Assets

_BYTES = 700 << 20  # of pictures that are kept; when they are full, all are given up


class PicturePool:
    """RGB pictures one after the other in one array, as ``ops.backdrop`` reads them.

    Attributes:
        texels: ``(N,)`` uint8; pages are taken when filled.
        table: ``(K, 3)`` int64 first byte, width and height.
    """

    def __init__(self, pack: Assets, device: torch.device) -> None:
        self._pack = pack
        self.texels = torch.empty(_BYTES, dtype=torch.uint8, device=device)
        self._forget()

    def _forget(self) -> None:
        self._row_of: dict[tuple[bool, int], int] = {}
        self._table: list[tuple[int, int, int]] = []
        self._used = 0
        self.table = torch.zeros(0, 3, dtype=torch.int64, device=self.texels.device)

    def rows(
        self, images: NDArray[np.int64], panoramas: NDArray[np.bool_], wanted: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the table and sizes of pictures, of the shapes of ``images`` and with a last axis width, height.

        Args:
            images: index of a still or of a panorama.
            panoramas: which of them are panoramas.
            wanted: the others get row 0 and size 1.
        """
        keys = [
            (bool(p), int(i)) if w else None
            for i, p, w in zip(images.ravel(), panoramas.ravel(), wanted.ravel(), strict=True)
        ]
        missing = [key for key in dict.fromkeys(keys) if key is not None and key not in self._row_of]
        if not self._add(missing):
            self._forget()
            if not self._add([key for key in dict.fromkeys(keys) if key is not None]):
                raise MemoryError(f"backgrounds of one batch must take less than {_BYTES} bytes, got more")
        rows = np.array([0 if key is None else self._row_of[key] for key in keys], np.int64)
        sizes = np.array([(1, 1) if key is None else self._table[self._row_of[key]][1:] for key in keys], np.int64)
        return rows.reshape(images.shape), sizes.reshape(*images.shape, 2)

    def _add(self, keys: list[tuple[bool, int]]) -> bool:
        """False when there is no room for all."""
        for key, picture in zip(keys, self._decode(keys), strict=True):
            end = self._used + picture.size
            if end > len(self.texels):
                return False
            self.texels[self._used : end] = torch.from_numpy(np.ascontiguousarray(picture)).view(-1)
            self._row_of[key] = len(self._table)
            self._table.append((self._used, picture.shape[1], picture.shape[0]))
            self._used = end
        if len(self.table) != len(self._table):
            self.table = torch.tensor(self._table, dtype=torch.int64).reshape(-1, 3).to(self.texels.device)
        return True

    def _decode(self, keys: list[tuple[bool, int]]) -> list[U8]:
        if self.texels.device.type == "cpu":  # workers share the cores already
            return [self._decoded(key) for key in keys]
        with ThreadPoolExecutor() as threads:  # decoding leaves the interpreter free
            return list(threads.map(self._decoded, keys))

    def _decoded(self, key: tuple[bool, int]) -> U8:
        panorama, index = key
        return self._pack.panorama(index).image if panorama else self._pack.still(index)
