"""Run an estimator over a data set, or take stored predictions, and measure: image by image, on all cores."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from ..camera import Camera
from ..data import Dataset
from ..decode import DecodeConfig
from ..errors import DatasetError
from ..image import read_image
from ..metrics import Protocol as Rules
from ..metrics import Scores, score_image
from ..people import People
from ..sample import Sample
from ..worker import later, serve
from .evaluation import Collector, Evaluation, group_of
from .stored import Predictions, PredictionWriter, StoredPredictions, to_line

BATCHES_AHEAD = 4  # read by as many threads while the predictor is busy


class Predictor(Protocol):
    """What is evaluated: an ``Estimator``, or anything that predicts like one."""

    def predict_batch(self, images: Sequence[Any], cameras: Sequence[Camera | None] | None = None) -> list[People]: ...


@dataclass(frozen=True)
class EstimatorSpec:
    """How to build an ``Estimator``, in this process or in a worker. Fields as the arguments of ``Estimator``."""

    weights: str = "default"
    refiner: str | None = "default"
    device: str | None = None
    input_size: tuple[int, int] | None = None
    association: str | None = None
    min_person_score: float | None = None
    mirror: bool = False

    def decode(self) -> DecodeConfig:
        from ..estimator import recommended_decode

        changes = {"association": self.association, "min_person_score": self.min_person_score}
        return recommended_decode(self.weights, self.refiner, **changes)

    def settings(self) -> dict[str, Any]:
        """What predictions depend on: all but where they are made."""
        named = {name: value for name, value in asdict(self).items() if name != "device"}
        return named | {"decode": asdict(self.decode())}

    def __call__(self) -> Predictor:
        from ..estimator import Estimator

        estimator: Predictor = Estimator(
            self.weights,
            refiner=self.refiner,
            device=self.device,
            decode=self.decode(),
            input_size=self.input_size,
            mirror=self.mirror,
        )
        return estimator


def read_picture(sample: Sample) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """
    Raises:
        DatasetError: the file is not there, not a picture or not of the sample's size.
    """
    if not isinstance(sample.image, Path):
        return sample.image
    try:
        image = read_image(sample.image)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{sample.image}: {error}") from error
    if image.shape[:2] != (sample.height, sample.width):
        size = f"{sample.width} x {sample.height}"
        raise DatasetError(f"{sample.image}: the image must be {size}, got {image.shape[1]} x {image.shape[0]}")
    return image


# --- one batch ---


@dataclass(frozen=True)
class _Outcome:
    index: int
    group: str
    line: str
    scores: Scores


@dataclass(frozen=True)
class _Job:
    """Everything a worker needs; pickled once per worker."""

    build: Callable[[], Predictor]
    dataset: Dataset
    rules: Rules | str
    known_cameras: bool

    def load(self, indices: Sequence[int]) -> list[tuple[int, Sample, Any]]:
        """Samples with their pictures; damaged ones are left out and counted, or raise."""
        loaded = []
        for index in indices:
            sample = self.dataset.get(index)
            if sample is not None:
                with self.dataset.problems.record(*self.dataset.describe(index)):
                    loaded.append((index, sample, read_picture(sample)))
        return loaded

    def predict(self, predictor: Predictor, loaded: Sequence[tuple[int, Sample, Any]]) -> list[_Outcome]:
        if not loaded:
            return []
        cameras = [sample.camera if self.known_cameras else None for _, sample, _ in loaded]
        results = predictor.predict_batch([picture for _, _, picture in loaded], cameras)
        return [
            _Outcome(index, group_of(sample), to_line(index, sample, people), score_image(people, sample, self.rules))
            for (index, sample, _), people in zip(loaded, results, strict=True)
        ]


Done = tuple[list[_Outcome], int, list[str]]  # of one batch: outcomes, damaged records, their messages

_worker: tuple[_Job, Predictor] | Exception | None = None  # of a worker process


def _start(job: _Job, parent: int, threads: int) -> None:
    global _worker
    serve(parent, threads)
    try:
        _worker = job, job.build()
    except Exception as error:  # raised here it would only break the pool; the first batch hands it over
        _worker = error


def _work(indices: Sequence[int]) -> Done:
    if isinstance(_worker, Exception):
        raise _worker
    assert _worker is not None
    job, predictor = _worker
    problems = job.dataset.problems
    damaged, told = problems.count, len(problems.messages)
    outcomes = job.predict(predictor, job.load(indices))
    return outcomes, problems.count - damaged, problems.messages[told:]


# --- all batches ---


def _bounded(submit: Callable[[Any], Future[Any]], items: Iterable[Any], depth: int) -> Iterator[Any]:
    """Results in order, with at most ``depth`` items under way."""
    waiting: deque[Future[Any]] = deque()
    try:
        for item in items:
            waiting.append(submit(item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _run(job: _Job, batches: Sequence[Sequence[int]], workers: int) -> Iterator[Done]:
    """Outcomes of all batches in order. A predictor of this process is built at once, so that its errors come first."""
    if not batches:
        return iter(())
    return _in_workers(job, batches, workers) if workers else _here(job, job.build(), batches)


def _in_workers(job: _Job, batches: Sequence[Sequence[int]], workers: int) -> Iterator[Done]:
    context = get_context("spawn")  # torch does not survive a fork once it has threads
    threads = max(1, _cores() // workers)
    with ProcessPoolExecutor(workers, context, _start, (job, os.getpid(), threads)) as pool:

        def submit(indices: Sequence[int]) -> Future[Done]:
            with later(signal.SIGINT):  # it may start a process
                return pool.submit(_work, indices)

        yield from _bounded(submit, batches, 2 * workers)


def _here(job: _Job, predictor: Predictor, batches: Sequence[Sequence[int]]) -> Iterator[Done]:
    with ThreadPoolExecutor(BATCHES_AHEAD) as pool:
        for loaded in _bounded(lambda indices: pool.submit(job.load, indices), batches, BATCHES_AHEAD):
            yield job.predict(predictor, loaded), 0, []


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def evaluate(
    dataset: Dataset,
    build: Callable[[], Predictor],
    *,
    name: str = "",
    rules: Rules | str = "bodies",
    batch: int = 4,
    workers: int = 0,
    known_cameras: bool = True,
    file: str | Path | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Evaluation:
    """Predict every image and measure.

    Args:
        dataset: with ``on_error="skip"``, images that cannot be read are left out and counted.
        build: makes the predictor, e.g. an ``EstimatorSpec``; with workers it must be picklable.
        rules: the protocol, see ``metrics.PROTOCOLS``.
        batch: images per call of the predictor; no more than a few batches are in memory.
        workers: processes that read, predict and score, each with its own predictor and its share of the cores; 0 does
            it in this process and only reads ahead. On a CPU one process per core is fastest, on a GPU 0. A script that
            starts processes does so under ``if __name__ == "__main__"``.
        known_cameras: give the predictor the data set's intrinsics (the paper's setting), or let it guess.
        file: where predictions are written as JSON Lines while the run goes on.
        resume: continue ``file``: what is in it is measured but not predicted again.
        settings: noted in ``file`` and in the result; a file with others is not continued.

    Raises:
        FileExistsError, DatasetError: see ``PredictionWriter``; a damaged record; there are no images.
    """
    _need_images(dataset)
    settings = dict(settings or {})
    job, collector = _Job(build, dataset, rules, known_cameras), Collector()
    writer = None if file is None else PredictionWriter(file, settings, resume=resume)
    done = frozenset(writer.done) if writer else frozenset()
    todo = [index for index in range(len(dataset)) if index not in done]
    batches = [todo[i : i + batch] for i in range(0, len(todo), batch)]
    skipped, messages = 0, list[str]()
    try:
        outcomes_of_batches = _run(job, batches, workers)
        with tqdm(total=len(dataset), initial=len(done), unit="image", disable=not progress) as bar:
            if done and file is not None:
                _score_stored(dataset, sorted(done), StoredPredictions(file), rules, collector)
            for indices, (outcomes, damaged, texts) in zip(batches, outcomes_of_batches, strict=True):
                for outcome in outcomes:
                    collector.add(outcome.group, outcome.scores)
                    if writer:
                        writer.write(outcome.line, outcome.index)
                skipped, messages = skipped + damaged, messages + texts
                bar.update(len(indices))
    finally:
        if writer:
            writer.close()
    skipped += dataset.problems.count
    messages = dataset.problems.messages + messages
    return Evaluation(name, _name(rules), collector.groups(), 0, skipped, messages, settings)


def _need_images(dataset: Dataset) -> None:
    if not len(dataset):
        skipped = dataset.problems.count
        got = f"none but {skipped} damaged records" if skipped else "none"
        raise DatasetError(f"{dataset.root}: the data set must have images, got {got}")


def _name(rules: Rules | str) -> str:
    return rules if isinstance(rules, str) else repr(rules)


def _score_stored(
    dataset: Dataset,
    indices: Iterable[int],
    predictions: Predictions,
    rules: Rules | str,
    collector: Collector,
) -> tuple[int, int]:
    """Numbers of images that were scored and that the predictions do not mention."""
    scored = missing = 0
    for index in indices:
        sample = dataset.get(index)
        if sample is None:
            continue
        people = predictions.get(sample)
        scored, missing = scored + 1, missing + (people is None)
        if people is None:
            people = People.empty(sample.skeleton)
        collector.add(group_of(sample), score_image(people, sample, rules))
    return scored, missing


def evaluate_stored(
    dataset: Dataset,
    predictions: Predictions,
    *,
    name: str = "",
    rules: Rules | str = "bodies",
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Evaluation:
    """Measure stored predictions of any method (``open_predictions``); images they do not mention count as empty.

    Raises:
        DatasetError: there are no images or not one is mentioned, or a prediction or record is damaged.
    """
    _need_images(dataset)
    collector = Collector()
    indices = tqdm(range(len(dataset)), unit="image", disable=not progress)
    scored, missing = _score_stored(dataset, indices, predictions, rules, collector)
    if scored and scored == missing:
        example = next(iter(dataset)).name
        raise DatasetError(
            f"{dataset.root}: predictions must name the data set's images, such as {example!r}, got none"
        )
    problems = dataset.problems
    groups = collector.groups()
    return Evaluation(name, _name(rules), groups, missing, problems.count, problems.messages, dict(settings or {}))
