"""Hard negatives: pictures without people in which a network sees some. Training on them again teaches it what random
backgrounds teach once in many pictures."""

from __future__ import annotations

from dataclasses import replace

from tqdm import tqdm

from ..estimator import Estimator
from ..synthetic import Plan
from .config import DataSource
from .pictures import SceneSource, load_renderer

_BATCH = 16


def find_negatives(
    source: DataSource, estimator: Estimator, count: int, *, first: int = 0, progress: bool = False
) -> list[int]:
    """Seeds of the scenes in which the estimator finds people though nobody is there, the surest people first.

    Args:
        source: of scenes; its pictures are drawn without people, at the size of the network's input.
        estimator: what is asked; its decoding decides what counts as a person.
        count: scenes drawn, of the seeds from ``first`` on.

    Raises:
        ValueError: ``source`` is not of scenes.
        DatasetError: its pack cannot be read.
    """
    if source.kind != "scenes":
        raise ValueError(f"negatives must be of scenes, got a source of kind {source.kind!r}")
    size = estimator.input_size
    scenes = SceneSource(replace(source, options=source.options | {"empty_share": 1.0}, seeds=None), size)
    renderer = load_renderer(source.path, estimator.device)
    found: list[tuple[float, int]] = []
    with tqdm(total=count, unit="picture", disable=not progress, dynamic_ncols=True) as bar:
        for begin in range(first, first + count, _BATCH):
            seeds = range(begin, min(begin + _BATCH, first + count))
            drawn = renderer.draw(Plan.join([scenes.plan_seed(size, seed) for seed in seeds]))
            for seed, people in zip(seeds, estimator.predict_batch(list(drawn.images.cpu().numpy())), strict=True):
                if len(people):
                    found.append((max(person.score for person in people), seed))
            bar.update(len(seeds))
            bar.set_postfix(found=len(found))
    return [seed for _, seed in sorted(found, reverse=True)]
