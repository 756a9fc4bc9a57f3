"""Files that are written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside ``path`` to write to, which becomes it when the block ends without an error.

    A reader never meets half a file, one that has the old file mapped keeps it, and what was there before stays when
    writing fails.
    """
    unique = secrets.token_hex(4)  # process numbers are not: of threads, and of containers that share a disk
    partial = path.with_name(f".{path.name}.{unique}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """A folder or file for this block alone: others who ask are refused while it lasts, or until this process is gone.

    Raises:
        FileExistsError: somebody holds it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileExistsError(f"{path} must not be in use by another run, got one that goes on") from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: str | bytes) -> None:
    """Write a file so that it is either complete or not there, also when the disk is full or the run is killed.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
