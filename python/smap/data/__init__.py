"""Readers of public data sets: sequences of ``Sample`` in metres with the library's fifteen joints.

``docs/datasets.md`` says where the data come from, how the folders must look and how joints map.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .authors import read_authors, write_authors
from .base import Dataset, Problems, Subset
from .check import CheckReport, check
from .coco import read_coco
from .human36m import read_human36m
from .muco import read_muco
from .mupots import fit_camera, read_mupots
from .panoptic import read_panoptic
from .simple import read_simple, write_simple

FORMATS: dict[str, Callable[..., Dataset]] = {
    "coco": read_coco,
    "muco": read_muco,
    "mupots": read_mupots,
    "panoptic": read_panoptic,
    "human36m": read_human36m,
    "authors": read_authors,
    "json": read_simple,
}


def open_dataset(format: str, path: str | Path, **options: Any) -> Dataset:
    """Open a data set by the name of its format; options as the reader of that name takes them.

    Raises:
        ValueError: there is no such format, or its reader has no such option.
        DatasetError: the folder or a record does not fit it.
    """
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    reader = FORMATS[format]
    known = [p.name for p in inspect.signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if unknown := [name for name in options if name not in known]:
        raise ValueError(f"options of {format} must be of {', '.join(known)}, got {', '.join(unknown)}")
    return reader(path, **options)


__all__ = [
    "FORMATS",
    "CheckReport",
    "Dataset",
    "Problems",
    "Subset",
    "check",
    "fit_camera",
    "open_dataset",
    "read_authors",
    "read_coco",
    "read_human36m",
    "read_muco",
    "read_mupots",
    "read_panoptic",
    "read_simple",
    "write_authors",
    "write_simple",
]
