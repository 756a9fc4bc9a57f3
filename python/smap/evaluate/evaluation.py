"""The outcome of a run: measurements by sequence or activity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..metrics import Scores, mean_limbs_m, summarise, summarise_by_depth
from ..sample import Sample

PARTS_BEFORE_PACKING = 256


@dataclass
class Evaluation:
    """The outcome of one run.

    Args:
        name: of the data set.
        rules: name of the protocol.
        groups: measurements of each sequence or activity, in the order they appeared; one group "" without such.
        missing: images that stored predictions do not mention (counted as empty).
        skipped: images and records that were left out as damaged, with the first messages.
        settings: what the figures depend on.
    """

    name: str
    rules: str
    groups: dict[str, Scores]
    missing: int = 0
    skipped: int = 0
    messages: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def scores(self) -> Scores:
        """All groups together."""
        return Scores.concatenate(list(self.groups.values()))

    @cached_property
    def figures(self) -> dict[str, float]:
        """``metrics.summarise`` over everything."""
        return summarise(self.scores)

    @cached_property
    def by_group(self) -> dict[str, dict[str, float]]:
        limbs_m = mean_limbs_m(self.scores)
        return {name: summarise(scores, limbs_m) for name, scores in self.groups.items()}

    def average(self, figure: str) -> float:
        """Mean of a figure over groups (the paper's averages), groups that do not have it left out."""
        values = [figures[figure] for figures in self.by_group.values() if not math.isnan(figures[figure])]
        return sum(values) / len(values) if values else float("nan")

    def by_depth(self, edges_m: Sequence[float]) -> list[dict[str, float]]:
        return summarise_by_depth(self.scores, edges_m)


class Collector:
    """Scores by group, packed now and then: a million images are a few arrays."""

    def __init__(self) -> None:
        self.parts: dict[str, list[Scores]] = {}

    def add(self, group: str, scores: Scores) -> None:
        parts = self.parts.setdefault(group, [])
        parts.append(scores)
        if len(parts) == PARTS_BEFORE_PACKING:
            parts[:] = [Scores.concatenate(parts)]

    def groups(self) -> dict[str, Scores]:
        return {group: Scores.concatenate(parts) for group, parts in self.parts.items()}


def group_of(sample: Sample) -> str:
    """The sequence or activity whose figures are reported by themselves."""
    return str(next((sample.extra[key] for key in ("activity", "sequence", "action") if key in sample.extra), ""))
