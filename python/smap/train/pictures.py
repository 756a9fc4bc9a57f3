"""Pictures of a run: number n is a function of the configuration and n, whichever process makes it and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np

from ..sample import Sample
from ..synthetic import BuiltinPack, Pack, SceneConfig, render_scene
from .batch import Batch, collate
from .config import DataSource, TrainConfig, build

_TRAINING, _VALIDATION = 0, 1  # streams of random numbers


class PictureSource(Protocol):
    """Gives training pictures of a size, in network-input pixels."""

    def picture(self, size: tuple[int, int], rng: np.random.Generator) -> Sample: ...


class SceneSource:
    """Rendered scenes; sizes below ``full_size`` are windows of it."""

    def __init__(self, source: DataSource, full_size: tuple[int, int]) -> None:
        self._pack = _load_pack(source.path)
        self._base = build(
            SceneConfig,
            {"width": full_size[0], "height": full_size[1], "split": source.split} | source.options,
            "data.options",
        )
        self._configs: dict[tuple[int, int], SceneConfig] = {}

    def picture(self, size: tuple[int, int], rng: np.random.Generator) -> Sample:
        if size not in self._configs:
            full = (self._base.width, self._base.height)
            window = None if size == full else size
            values = {**vars(self._base), "window": window}
            self._configs[size] = SceneConfig(**values)
        return render_scene(self._pack, self._configs[size], int(rng.integers(2**62)))


@cache  # several sources of a process share a pack
def _load_pack(path: str | None) -> Pack | BuiltinPack:
    return BuiltinPack() if path is None else Pack.load(path)


def open_source(source: DataSource, full_size: tuple[int, int]) -> PictureSource:
    if source.kind == "scenes":
        return SceneSource(source, full_size)
    raise ValueError(f"data kind must be 'scenes', got {source.kind!r}")


@dataclass(frozen=True)
class BatchMaker:
    """For ``BatchStream``: opens the sources in the process that calls it."""

    config: TrainConfig
    rank: int = 0
    processes: int = 1

    def __call__(self) -> Callable[[int], Batch]:
        config = self.config
        sources = [open_source(s, config.network.input_size) for s in config.data]
        weights = np.array([s.weight for s in config.data])
        weights = weights / weights.sum()

        def batch(step: int) -> Batch:
            phase = config.phase(step)
            first = config.pictures_before(step, self.processes) + self.rank * phase.batch
            samples = []
            for n in range(first, first + phase.batch):
                rng = np.random.default_rng([config.seed, _TRAINING, n])
                source = sources[int(rng.choice(len(sources), p=weights))]
                samples.append(source.picture(phase.size, rng))
            return collate(
                samples,
                config.network.training_width,
                min_person_px=config.min_person_px,
                max_people=config.max_people,
            )

        return batch


def validation_samples(config: TrainConfig) -> list[Sample]:
    """The held-out pictures, always the same."""
    validation = config.validation
    if validation.source is None:
        return []
    source = open_source(validation.source, config.network.input_size)
    size = config.network.input_size
    return [source.picture(size, np.random.default_rng([config.seed, _VALIDATION, n])) for n in range(validation.count)]
