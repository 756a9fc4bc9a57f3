"""The curve of a run: JSON lines, and TensorBoard where it is installed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import write_whole

FILE = "curve.jsonl"


class Curve:
    """Appends lines to ``curve.jsonl``; lines of steps that a killed run will repeat are dropped first."""

    def __init__(self, folder: Path, step: int) -> None:
        path = folder / FILE
        if path.exists():
            kept = [line for line in read_curve(folder) if line["step"] <= step]
            write_whole(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = path.open("a")
        self._board: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        self._board = SummaryWriter(str(folder), purge_step=step + 1)  # type: ignore[no-untyped-call]

    def write(self, line: dict[str, float]) -> None:
        """A line with "step"; what is not finite is left out."""
        line = {name: value for name, value in line.items() if math.isfinite(value)}
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError:
            return  # a full disk must not stop the training; checkpoints warn about it
        if self._board is not None:
            for name, value in line.items():
                if name != "step":
                    self._board.add_scalar(name, value, int(line["step"]))

    def picture(self, step: int, image: NDArray[np.uint8]) -> None:
        """``(H, W, 3)`` RGB, for TensorBoard only."""
        if self._board is not None:
            self._board.add_image("validation", image, step, dataformats="HWC")

    def close(self) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()


def read_curve(folder: Path) -> list[dict[str, float]]:
    """Whole lines only: a kill may have cut the last."""
    lines = []
    for text in (folder / FILE).read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines
