"""Files in and out: finding pictures, naming results, writing them whole or not at all."""

from __future__ import annotations

import glob
import os
import tempfile
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..image import IMAGE_SUFFIXES, read_image

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Input:
    """A picture to be read, and the name of its results, relative to the output folder and without suffix."""

    path: Path
    name: str


def find_images(patterns: Sequence[str], outside: Path | None = None) -> list[Input]:
    """Files as they are; the pictures in folders and their subfolders; what globs match; each in sorted order.

    A pattern that names nothing is returned as it is, so that reading it reports it.

    Args:
        outside: a folder whose pictures do not count: that of the results, when it lies in one that is searched.
    """
    hidden = outside.resolve() if outside else None
    found: dict[str, Path] = {}  # name of the results -> picture
    for pattern in patterns:
        path = Path(pattern)
        matches: list[tuple[Path, Path]] = []  # picture, and where it is in what was searched
        if path.is_dir():
            pictures = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
            matches = [(p, p.relative_to(path)) for p in pictures if not hidden or hidden not in p.resolve().parents]
        elif not path.exists() and glob.has_magic(pattern):
            files = (Path(p) for p in sorted(glob.glob(pattern, recursive=True)))  # noqa: PTH207 - absolute ones too
            matches = [(p, Path(p.name)) for p in files if p.is_file()]
        for picture, relative in matches or [(path, Path(path.name))]:
            found[free_name(relative, found)] = picture
    return [Input(path, name) for name, path in found.items()]


def free_name(relative: Path, taken: Container[str]) -> str:
    """`a` for a.jpg; `a.jpg` if that is taken, then `a.jpg-2` and so on."""
    names = chain((str(relative.with_suffix("")), str(relative)), (f"{relative}-{i}" for i in count(2)))
    return next(name for name in names if name not in taken)


def read_input(item: Input) -> NDArray[np.uint8]:
    """``read_image``, which also says what is wrong with a folder that led nowhere."""
    if item.path.is_dir():
        raise FileNotFoundError(f"folder must hold pictures ({' '.join(IMAGE_SUFFIXES)}), got none in '{item.path}'")
    return read_image(item.path)


def prepare_folder(folder: Path) -> Path:
    """The folder, made if need be.

    Raises:
        OSError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"output folder must be writable, got {str(folder)!r} ({error.strerror})") from error
    return folder


def write_whole(path: Path, data: str | bytes) -> None:
    """Write a file so that it is either complete or not there, also when the disk is full or the power fails.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def ahead(function: Callable[[T], R], items: Iterable[T], depth: int) -> Iterator[tuple[T, Future[R]]]:
    """``(item, future of function(item))`` in order, at most ``depth`` of them computed before they are asked for."""
    with ThreadPoolExecutor(min(depth, 4)) as pool:
        waiting: deque[tuple[T, Future[R]]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(function, item)))
                if len(waiting) > depth:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for _, future in waiting:
                future.cancel()
