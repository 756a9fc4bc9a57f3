"""Files in and out: finding pictures, naming results."""

# Strings and os.path here: a folder may hold a million pictures, and a Path takes ten times as long.

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


@dataclass(frozen=True, slots=True)
class Input:
    """A picture to be read, and the name of its results, relative to the output folder and without suffix.

    Both are plain strings: a run may have a million of them.
    """

    source: str
    name: str


def find_images(patterns: Sequence[str], outside: Path | None = None) -> list[Input]:
    """Files as they are; the pictures in folders and their subfolders; what globs match; each in sorted order.

    A pattern that names nothing is returned as it is, so that reading it reports it.

    Args:
        outside: a folder whose pictures do not count: that of the results, when it lies in one that is searched.
    """
    found: dict[str, str] = {}  # name of the results -> picture
    for pattern in patterns:
        matches: Iterable[tuple[str, str]] = ()  # picture, and where it is in what was searched
        if os.path.isdir(pattern):
            matches = walk(pattern, outside)
        elif not os.path.exists(pattern) and glob.has_magic(pattern):
            files = (p for p in sorted(glob.glob(pattern, recursive=True)) if os.path.isfile(p))
            matches = ((p, os.path.basename(p)) for p in files)
        before = len(found)
        for picture, relative in matches:
            found[free_name(relative, found)] = picture
        if len(found) == before:
            found[free_name(os.path.basename(os.path.abspath(pattern)), found)] = pattern
    return [Input(path, name) for name, path in found.items()]


def walk(folder: str, outside: Path | None) -> Iterator[tuple[str, str]]:
    """``(picture, its path relative to folder)``, in sorted order, for all but those in ``outside``."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not outside or not same_folder(os.path.join(place, f), outside))
        prefix = os.path.relpath(place, folder)
        for file in sorted(files):
            if os.path.splitext(file)[1].lower() in IMAGE_SUFFIXES:
                yield os.path.join(place, file), file if prefix == "." else os.path.join(prefix, file)


def same_folder(a: str, b: Path) -> bool:
    return os.path.exists(a) and b.exists() and os.path.samefile(a, b)


def free_name(relative: str, taken: Container[str]) -> str:
    """`a` for a.jpg; `a.jpg` if that is taken, then `a.jpg-2` and so on."""
    names = chain((os.path.splitext(relative)[0], relative), (f"{relative}-{i}" for i in count(2)))
    return next(name for name in names if name not in taken)


def read_input(item: Input) -> NDArray[np.uint8]:
    """``read_image``, which also says what is wrong with a folder that led nowhere."""
    if os.path.isdir(item.source):
        raise FileNotFoundError(f"folder must hold pictures ({' '.join(IMAGE_SUFFIXES)}), got none in '{item.source}'")
    return read_image(item.source)


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
