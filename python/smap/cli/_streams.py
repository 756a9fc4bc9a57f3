"""stdout and stderr as users leave them: closed, or with nobody who reads on."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO


@contextmanager
def usable_streams() -> Iterator[None]:
    """For the length of a command: what is written to a closed stream is lost, what stdout cannot encode is escaped,
    and stderr is ``Patient``."""
    before = sys.stdout, sys.stderr
    if isinstance(before[0], io.TextIOWrapper) and before[0].errors == "strict":
        before[0].reconfigure(errors="backslashreplace")  # a file may have any name
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout, sys.stderr = before[0] or nowhere, Patient(before[1] or nowhere)  # type: ignore[assignment]
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


class Patient:
    """A stream on which a command goes on when nobody reads any more (`... 2>&1 | head`): it is for what it writes into
    files that somebody waits."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            give_up(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            give_up(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def give_up(stream: TextIO) -> None:
    """What is written from now on, and what waits to be written, is lost."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
