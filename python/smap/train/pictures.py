"""Pictures of a run: number n is a function of the configuration and n, whichever process makes it and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..data import FORMATS, open_dataset
from ..data.augment import Augmentation, training_picture
from ..errors import DatasetError
from ..sample import Sample
from ..synthetic import BuiltinPack, Pack, SceneConfig, render_scene
from .batch import Batch, collate
from .config import DataSource, TrainConfig, build

_LOOKED_AT = 200  # samples that tell which joints a data set knows
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


class DatasetSource:
    """Pictures of a data set in random order, augmented. ``options`` are the reader's, and ``augmentation`` a table of
    ``data.Augmentation``'s fields."""

    def __init__(self, source: DataSource, full_size: tuple[int, int]) -> None:
        if source.path is None:
            raise ValueError(f"data path must name the folder of {source.kind!r}, got none")
        options = dict(source.options)
        self._augmentation = build(Augmentation, options.pop("augmentation", {}), "data.options.augmentation")
        self._dataset = open_dataset(source.kind, source.path, **options)
        if not len(self._dataset):
            raise DatasetError(f"{source.path} must hold pictures, got none")
        self._full_size = full_size
        # A joint that nobody has among many people is one that the data set does not know (COCO's head top).
        known: NDArray[np.bool_] = np.zeros(0, np.bool_)
        for index in range(min(_LOOKED_AT, len(self._dataset))):
            sample = self._dataset[index]
            seen = np.asarray(np.isfinite(sample.joints_2d).all(-1).any(0))
            known = seen if not len(known) else np.asarray(known | seen)
        self._annotated = known if known.any() else np.ones_like(known)

    def picture(self, size: tuple[int, int], rng: np.random.Generator) -> Sample:
        sample = self._dataset[int(rng.integers(len(self._dataset)))]
        sample = replace(sample, extra={**sample.extra, "annotated": self._annotated})
        return training_picture(sample, self._full_size, size, self._augmentation, rng)


def open_source(source: DataSource, full_size: tuple[int, int]) -> PictureSource:
    """Raises: ValueError for an unknown kind or option; DatasetError for a pack or data set that cannot be read."""
    if source.kind == "scenes":
        return SceneSource(source, full_size)
    if source.kind in FORMATS:
        return DatasetSource(source, full_size)
    raise ValueError(f"data kind must be one of scenes, {', '.join(FORMATS)}, got {source.kind!r}")


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
