"""Hard negatives: pictures without people in which a network sees some. Training on them again teaches it what random
backgrounds teach once in many pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tqdm import tqdm

from ..estimator import Estimator
from ..synthetic import Plan
from .config import DataSource
from .pictures import SceneSource, load_renderer
from .workers import in_parts

_BATCH = 16


def find_negatives(
    source: DataSource,
    estimator: Callable[[], Estimator],
    count: int,
    *,
    first: int = 0,
    workers: int = 0,
    progress: bool = False,
) -> list[int]:
    """Seeds of the scenes in which an estimator finds people though nobody is there, the surest people first.

    Args:
        source: of scenes; its pictures are drawn without people, at the size of the network's input.
        estimator: makes the one that is asked, in each process; its decoding decides what counts as a person.
        count: scenes drawn, of the seeds from ``first`` on.
        workers: processes that draw and ask; 0 does it here.

    Raises:
        ValueError: ``source`` is not of scenes.
        DatasetError: its pack cannot be read.
    """
    if source.kind != "scenes":
        raise ValueError(f"negatives must be of scenes, got a source of kind {source.kind!r}")
    empty = replace(source, options=source.options | {"empty_share": 1.0}, seeds=None)
    jobs = [range(begin, min(begin + _BATCH, first + count)) for begin in range(first, first + count, _BATCH)]
    found: list[tuple[float, int]] = []
    with tqdm(total=count, unit="picture", disable=not progress, dynamic_ncols=True) as bar:
        for misled in in_parts(partial(_search, empty, estimator), jobs, workers):
            found += misled
            bar.update(min(_BATCH, count - bar.n))
            bar.set_postfix(found=len(found))
    return [seed for _, seed in sorted(found, reverse=True)]


def _search(source: DataSource, make: Callable[[], Estimator]) -> Callable[[range], list[tuple[float, int]]]:
    """A function of seeds that gives the misleading ones, each behind the score of its surest person."""
    estimator = make()
    size = estimator.input_size
    scenes, renderer = SceneSource(source, size), load_renderer(source.path, estimator.device)

    def search(seeds: range) -> list[tuple[float, int]]:
        drawn = renderer.draw(Plan.join([scenes.plan_seed(size, seed) for seed in seeds]))
        everyone = estimator.predict_batch(list(drawn.images.cpu().numpy()))
        return [
            (max(person.score for person in people), seed)
            for seed, people in zip(seeds, everyone, strict=True)
            if len(people)
        ]

    return search
