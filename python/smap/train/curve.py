"""The curve of a run: JSON lines, and TensorBoard where it is installed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import held, write_whole

FILE = "curve.jsonl"


class Curve:
    """Appends lines to ``curve.jsonl``; lines of steps that a killed run will repeat are dropped first.

    Raises:
        FileExistsError: another run goes on in the folder.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._open = ExitStack()
        self._open.enter_context(held(folder))
        path = folder / FILE
        if path.exists():
            kept = [line for line in read_curve(folder) if line["step"] <= step]
            write_whole(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = self._open.enter_context(path.open("a"))
        self._board: Any = None
        with suppress(ImportError, OSError):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder), purge_step=step + 1)  # type: ignore[no-untyped-call]

    def write(self, line: dict[str, float]) -> None:
        """A line with "step"; what is not finite is left out."""
        line = {name: value for name, value in line.items() if math.isfinite(value)}
        with suppress(OSError):  # a full disk must not stop the training; checkpoints warn about it
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        step = int(line["step"])
        self._draw(lambda board: [board.add_scalar(name, line[name], step) for name in line if name != "step"])

    def picture(self, step: int, image: NDArray[np.uint8]) -> None:
        """``(H, W, 3)`` RGB, for TensorBoard only."""
        self._draw(lambda board: board.add_image("validation", image, step, dataformats="HWC"))

    def close(self) -> None:
        self._draw(lambda board: board.close())
        with suppress(OSError):
            self._open.close()

    def _draw(self, draw: Callable[[Any], object]) -> None:
        """With TensorBoard's writer, if there is one; not again after an error, since its thread gets over none."""
        if self._board is None:
            return
        try:
            draw(self._board)
        except OSError:
            self._board = None


def read_curve(folder: Path) -> list[dict[str, float]]:
    """Whole lines only: a kill may have cut the last."""
    lines = []
    for text in (folder / FILE).read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines
