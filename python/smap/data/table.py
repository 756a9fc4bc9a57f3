"""Annotations of a whole data set in a few arrays: small in memory, quick to pickle."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..image import MAX_PIXELS
from ..sample import Sample
from ..skeleton import SMAP15
from .base import Dataset, Problems, identifier
from .streaming import stream_json

ROWS_PER_BLOCK = 4096


class _Column:
    """Rows that arrive one by one, packed as they come."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, dtype
        self.blocks: list[NDArray[Any]] = []
        self.rows: list[NDArray[Any]] = []

    def append(self, row: Any) -> None:
        self.rows.append(np.asarray(row, self.dtype))
        if len(self.rows) == ROWS_PER_BLOCK:
            self._pack()

    def _pack(self) -> None:
        self.blocks.append(np.stack(self.rows) if self.rows else np.zeros((0, *self.shape), self.dtype))
        self.rows = []

    def array(self) -> NDArray[Any]:
        self._pack()
        return np.concatenate(self.blocks)


@dataclass(frozen=True)
class _Grouped:
    """Rows grouped by image: those of image i are ``first[i]:first[i + 1]`` of every array."""

    first: NDArray[np.int64]
    arrays: tuple[NDArray[Any], ...]

    @classmethod
    def of(cls, image: NDArray[np.int64], images: int, *arrays: NDArray[Any]) -> _Grouped:
        order = np.argsort(image, kind="stable")
        first = np.searchsorted(image[order], np.arange(images + 1))
        return cls(first, tuple(array[order] for array in arrays))

    def __getitem__(self, image: int) -> tuple[NDArray[Any], ...]:
        rows = slice(self.first[image], self.first[image + 1])
        return tuple(array[rows] for array in self.arrays)


class TableBuilder:
    """Collects images, people and regions in any order."""

    def __init__(self, root: Path, file: Path, problems: Problems) -> None:
        self.root, self.file, self.problems = root, file, problems
        joints = SMAP15.num_joints
        self.index: dict[Hashable, int] = {}
        self.names: list[str] = []
        self.extra: list[dict[str, Any]] = []
        self.sizes, self.cameras = _Column((2,), np.int32), _Column((4,), np.float64)
        self.owner, self.boxed = _Column((), np.int64), _Column((), np.int64)
        self.joints_2d, self.joints_3d = _Column((joints, 2), np.float32), _Column((joints, 3), np.float32)
        self.visibility, self.boxes = _Column((joints,), np.uint8), _Column((4,), np.float32)

    def add_image(
        self,
        key: Hashable,
        name: str,
        width: int,
        height: int,
        camera: Camera | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            key: by which people refer to the image.
            name: path of the image below the root.
            camera: default the paper's guess.
            extra: for ``Sample.extra``.

        Raises:
            ValueError: the size is not positive, or beyond what ``read_image`` reads, or the key is taken.
        """
        width, height = int(width), int(height)
        if min(width, height) < 1:
            raise ValueError(f"width and height must be positive, got {width} x {height}")
        if max(width, height) > MAX_PIXELS:
            raise ValueError(f"width and height must be at most {MAX_PIXELS}, got {width} x {height}")
        if key in self.index:
            raise ValueError(f"image {key!r} must appear once, got a second one")
        camera = camera or Camera.default(width, height)
        self.index[key] = len(self.names)
        self.names.append(str(name))
        self.extra.append(extra or {})
        self.sizes.append((width, height))
        self.cameras.append((camera.fx, camera.fy, camera.cx, camera.cy))

    def add_person(
        self, key: Hashable, joints_2d: NDArray[Any], joints_3d: NDArray[Any] | None, visibility: NDArray[Any]
    ) -> None:
        """
        Args:
            joints_2d: ``(15, 2)`` image pixels; joints_3d: ``(15, 3)`` metres or None; visibility: ``(15,)``.

        Raises:
            ValueError: there is no such image.
        """
        self.owner.append(self._image(key))
        self.joints_2d.append(joints_2d)
        self.joints_3d.append(np.full((SMAP15.num_joints, 3), np.nan) if joints_3d is None else joints_3d)
        self.visibility.append(visibility)

    def add_ignored(self, key: Hashable, box: NDArray[Any]) -> None:
        """``box``: x0, y0, x1, y1 in image pixels."""
        self.boxed.append(self._image(key))
        self.boxes.append(box)

    def size_of(self, key: Hashable) -> tuple[int, int]:
        """Width and height of an image that was added."""
        block, row = divmod(self._image(key), ROWS_PER_BLOCK)
        width, height = (self.sizes.blocks[block] if block < len(self.sizes.blocks) else self.sizes.rows)[row]
        return int(width), int(height)

    def _image(self, key: Hashable) -> int:
        if key not in self.index:
            raise ValueError(f"image_id must name an image of the file, got {key!r}")
        return self.index[key]

    def read_coco_layout(
        self, add_image: Callable[[TableBuilder, Any], None], add_annotation: Callable[[TableBuilder, Any], None]
    ) -> None:
        """Walk through a file of "images" and "annotations" that name their image by ``image_id``."""

        def reading(what: str, record: Any) -> AbstractContextManager[None]:
            return self.problems.record(self.file, f"{what} {identifier(record)}")

        late = []  # the files that are in circulation list the images first, but nothing says they must
        for key, record in stream_json(self.file):
            if key == "images":
                with reading("image", record):
                    add_image(self, record)
            elif key == "annotations":
                with reading("annotation", record):
                    if record["image_id"] in self.index:
                        add_annotation(self, record)
                    else:
                        late.append(record)
        for record in late:
            with reading("annotation", record):
                add_annotation(self, record)

    def build(self) -> TableDataset:
        return TableDataset(self)


class TableDataset(Dataset):
    """A data set whose annotations are one file: COCO, MuCo-3DHP, Human3.6M, the authors' JSON, the simple JSON."""

    def __init__(self, builder: TableBuilder) -> None:
        super().__init__(builder.root, builder.problems)
        self.file = builder.file
        self.names, self.extra = builder.names, builder.extra
        self.sizes, self.cameras = builder.sizes.array(), builder.cameras.array()
        images = len(self.names)
        people = (builder.joints_2d.array(), builder.joints_3d.array(), builder.visibility.array())
        self.people = _Grouped.of(builder.owner.array(), images, *people)
        self.ignored = _Grouped.of(builder.boxed.array(), images, builder.boxes.array())

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> Sample:
        joints_2d, joints_3d, visibility = self.people[index]
        width, height = (int(n) for n in self.sizes[index])
        return Sample(
            self.root / self.names[index],
            width,
            height,
            Camera(*self.cameras[index]),
            joints_2d,
            joints_3d,
            visibility,
            name=self.names[index],
            extra=dict(self.extra[index]),
            ignore=self.ignored[index][0],
        )

    def describe(self, index: int) -> tuple[str, str]:
        return str(self.file), f"image {self.names[index]!r}"
