"""Pictures of a run: number n is a function of the configuration and n, whichever process makes it and when.

Scenes are planned in the workers and drawn there or, on a GPU, in the training process: ``BatchMaker`` and ``Drawer``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import FORMATS, open_dataset
from ..data.augment import Augmentation, training_picture
from ..errors import DatasetError
from ..sample import Sample
from ..synthetic import BuiltinPack, Pack, Plan, Renderer, SceneConfig, plan_random_scene, render_scene
from .batch import Batch, collate, join, learnable
from .config import DataSource, TrainConfig, build

_LOOKED_AT = 200  # samples that tell which joints a data set knows
_TRAINING, _VALIDATION, _TURNING = 0, 1, 2  # streams of random numbers


class PictureSource(Protocol):
    """Gives training pictures of a size, in network-input pixels."""

    def picture(self, size: tuple[int, int], rng: np.random.Generator) -> Sample: ...


class SceneSource:
    """Rendered scenes; sizes below ``full_size`` are windows of it."""

    def __init__(self, source: DataSource, full_size: tuple[int, int]) -> None:
        self.path = source.path
        self._pack = _load_pack(source.path)
        self._base = build(
            SceneConfig,
            {"width": full_size[0], "height": full_size[1], "split": source.split} | source.options,
            "data.options",
        )
        self._configs: dict[tuple[int, int], SceneConfig] = {}
        self._seeds = None if source.seeds is None else read_seeds(source.seeds)

    def picture(self, size: tuple[int, int], rng: np.random.Generator) -> Sample:
        return render_scene(self._pack, self._config(size), self._seed(rng))

    def plan(self, size: tuple[int, int], rng: np.random.Generator) -> Plan:
        """The picture that ``picture`` gives of the same generator, before it is drawn."""
        return self.plan_seed(size, self._seed(rng))

    def plan_seed(self, size: tuple[int, int], seed: int) -> Plan:
        return plan_random_scene(self._pack, self._config(size), seed)

    def _seed(self, rng: np.random.Generator) -> int:
        return int(rng.integers(2**62)) if self._seeds is None else self._seeds[rng.integers(len(self._seeds))]

    def _config(self, size: tuple[int, int]) -> SceneConfig:
        if size not in self._configs:
            full = (self._base.width, self._base.height)
            window = None if size == full else size
            values = {**vars(self._base), "window": window}
            self._configs[size] = SceneConfig(**values)
        return self._configs[size]


def read_seeds(path: str) -> list[int]:
    """Raises: FileNotFoundError; DatasetError unless the file holds a JSON list of integers, at least one."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"data seeds must name a file, got '{path}'")
    try:
        seeds = json.loads(Path(path).read_text())
    except ValueError as error:
        raise DatasetError(f"{path} must be a JSON list of seeds, got {error}") from error
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
        got = f"{len(seeds)} values" if isinstance(seeds, list) else type(seeds).__name__
        raise DatasetError(f"{path} must be a JSON list of at least one seed, integers from 0 on, got {got}")
    return seeds


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
class Planned:
    """A batch before its scenes are drawn.

    Args:
        plans: with the path of the pack (None: the built-in one), pictures of one kind each.
        rest: the pictures of other sources, as ``collate`` gives them.
    """

    plans: tuple[tuple[str | None, Plan], ...]
    rest: Batch | None


@dataclass(frozen=True)
class Drawer:
    """Draws the scenes of planned batches on a device, and leaves other batches as they are."""

    config: TrainConfig
    device: torch.device

    def prepare(self) -> None:
        """Bring the packs to the device before the first batch needs them, unless the workers draw."""
        if self.config.drawing != "device":
            return
        for path in dict.fromkeys(source.path for source in self.config.data if source.kind == "scenes"):
            load_renderer(path, self.device)

    def __call__(self, batch: Batch | Planned) -> Batch:
        if isinstance(batch, Batch):
            return batch
        config, batches = self.config, []
        for path, plan in batch.plans:
            made = drawn(load_renderer(path, self.device), plan, config.network.training_width)
            batches.append(learnable(made, config.min_person_px, config.max_people))
        if batch.rest is not None:
            batches.append(batch.rest.to(self.device))
        return join(batches)


def drawn(renderer: Renderer, plan: Plan, full_width: int) -> Batch:
    """Pictures of a plan with all their people; those without a visible pixel have visibility 0."""
    found, pictures = renderer.draw(plan), plan.pictures
    count, device = len(plan), found.images.device
    first = np.searchsorted(pictures, np.arange(count))
    place = np.arange(len(pictures)) - first[pictures]
    people, joints = max(1, int(place.max(initial=0)) + 1), plan.joints.shape[1]
    xy = np.full((count, people, joints, 2), np.nan, np.float32)
    depths = np.full((count, people, joints), np.nan, np.float32)
    xy[pictures, place], depths[pictures, place] = plan.project(), plan.joints[..., 2]
    visibility = torch.zeros(count, people, joints, dtype=torch.uint8, device=device)
    row, column = torch.from_numpy(pictures).to(device), torch.from_numpy(place).to(device)
    visibility[row, column] = torch.where(found.pixels[:, None] > 0, found.visibility, 0)
    scale = (full_width / plan.cameras[:, 0]).astype(np.float32)
    annotated = torch.ones(count, joints, dtype=torch.bool, device=device)
    ignore = torch.zeros(count, 1, 4, device=device)
    there = [torch.from_numpy(a).to(device, non_blocking=True) for a in (xy, depths, scale)]
    return Batch(found.images, there[0], there[1], visibility, there[2], ignore, annotated)


@cache
def load_renderer(path: str | None, device: torch.device) -> Renderer:
    return Renderer(_load_pack(path), device)


@dataclass(frozen=True)
class BatchMaker:
    """For ``BatchStream``: opens the sources in the process that calls it.

    With ``config.drawing`` "device" the scenes of its batches are left to be drawn by a ``Drawer``.
    """

    config: TrainConfig
    rank: int = 0
    processes: int = 1

    def __call__(self) -> Callable[[int], Batch | Planned]:
        config = self.config
        weights = np.array([s.weight for s in config.data])
        weights = weights / weights.sum()
        drawer = Drawer(config, torch.device("cpu"))

        @cache
        def opened(full_size: tuple[int, int]) -> list[PictureSource]:
            return [open_source(s, full_size) for s in config.data]

        opened(config.network.input_size)  # what cannot be read is refused before the first batch

        def batch(step: int) -> Batch | Planned:
            phase = config.phase(step)
            size, sources = phase.size, opened(config.network.input_size)
            if phase.upright and np.random.default_rng([config.seed, _TURNING, step]).random() < phase.upright:
                size, sources = size[::-1], opened(config.network.input_size[::-1])
            first = config.pictures_before(step, self.processes) + self.rank * phase.batch
            samples: list[Sample] = []
            plans: dict[Any, list[Plan]] = {}
            for n in range(first, first + phase.batch):
                rng = np.random.default_rng([config.seed, _TRAINING, n])
                source = sources[int(rng.choice(len(sources), p=weights))]
                if isinstance(source, SceneSource):
                    plan = source.plan(size, rng)
                    plans.setdefault((source.path, plan.full_size, plan.supersample), []).append(plan)
                else:
                    samples.append(source.picture(size, rng))
            rest = None
            if samples:
                width, least = config.network.training_width, config.min_person_px
                rest = collate(samples, width, min_person_px=least, max_people=config.max_people)
            planned = Planned(tuple((key[0], Plan.join(same)) for key, same in plans.items()), rest)
            return planned if config.drawing == "device" else drawer(planned)

        return batch


def validation_samples(config: TrainConfig) -> list[Sample]:
    """The held-out pictures, always the same."""
    validation = config.validation
    if validation.source is None:
        return []
    source = open_source(validation.source, config.network.input_size)
    size = config.network.input_size
    return [source.picture(size, np.random.default_rng([config.seed, _VALIDATION, n])) for n in range(validation.count)]
