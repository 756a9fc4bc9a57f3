"""Learning rate as a function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then cosine (or linear, as the paper) to ``floor`` of the peak over the whole run.

    A function of step and length alone: a run that is resumed with another ``steps`` continues on the longer or shorter
    curve.

    Args:
        steps: updates of the whole run.
        peak: highest rate.
        warmup: steps until it is reached.
        floor: share of it that is left at the end.
        decay: shape of the way down.

    Raises:
        ValueError: a value is out of its range.
    """

    steps: int
    peak: float = 2e-3
    warmup: int = 300
    floor: float = 0.01
    decay: Literal["cosine", "linear"] = "cosine"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if not 0 < self.peak < float("inf"):
            raise ValueError(f"peak must be positive, got {self.peak}")
        if self.warmup < 0 or not 0 <= self.floor <= 1:
            raise ValueError(f"warmup must be 0 or more and floor in [0, 1], got {self.warmup}, {self.floor}")
        if self.decay not in ("cosine", "linear"):
            raise ValueError(f"decay must be 'cosine' or 'linear', got {self.decay!r}")

    def rate(self, step: int) -> float:
        """Learning rate of the ``step``-th update, from 0."""
        if step < self.warmup:
            return self.peak * (step + 1) / (self.warmup + 1)
        done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        share = (1 + math.cos(math.pi * done)) / 2 if self.decay == "cosine" else 1 - done
        return self.peak * (self.floor + (1 - self.floor) * share)
