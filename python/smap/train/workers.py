"""Work for other processes: batches made ahead of time, and jobs in parts, each in order whoever finishes first."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import torch

from ..worker import later, serve
from .batch import Batch
from .pictures import Drawer, Planned

J = TypeVar("J")
R = TypeVar("R")

_AHEAD = 3  # batches that a process may be ahead


class BatchStream:
    """Iterates over ``(step, batch)`` from ``start`` on, without end.

    Args:
        make: gives ``function(step) -> Batch`` or ``Planned``; called once in each process, so that a scene pack is
            read there. Must be picklable, as its function's results depend on the step alone.
        workers: processes; 0 makes batches in line. Worker w makes the steps w, w + workers, ...
    """

    def __init__(self, make: Callable[[], Callable[[int], Batch | Planned]], start: int, workers: int) -> None:
        self._start = start
        self._inline = make() if workers == 0 else None
        context = multiprocessing.get_context("spawn")  # fork is unsafe once torch has threads or a GPU
        self._workers: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []
        with _one_thread_each(), later(signal.SIGINT, signal.SIGTERM):
            for w in range(workers):
                receiver, sender = context.Pipe(duplex=False)
                arguments = (make, sender, start + w, workers, os.getpid())
                process = context.Process(target=_work, args=arguments, daemon=True)
                process.start()
                sender.close()  # so that what is received ends with the worker
                self._workers.append((process, receiver))

    def __iter__(self) -> Iterator[tuple[int, Batch | Planned]]:
        step = self._start
        while True:
            yield step, self._get(step)
            step += 1

    def _get(self, step: int) -> Batch | Planned:
        if self._inline is not None:
            return self._inline(step)
        worker = (step - self._start) % len(self._workers)
        process, receiver = self._workers[worker]
        try:
            kind, got, value = receiver.recv()
        except (EOFError, OSError):  # between two batches or in one
            process.join()
            raise RuntimeError(f"worker {worker} must keep running, got exit code {process.exitcode}") from None
        if kind == "refused":
            raise value
        if kind == "error":
            raise RuntimeError(f"worker {worker} must make batch {step}, got:\n{value}")
        assert got == step
        return value if kind == "planned" else Batch(*(torch.from_numpy(a) for a in value))

    def close(self) -> None:
        for process, _ in self._workers:
            process.kill()
        for process, receiver in self._workers:
            process.join()
            receiver.close()


def draw_ahead(stream: BatchStream, draw: Drawer) -> Generator[tuple[int, Batch], None, None]:
    """The batches of a stream, drawn. On a GPU each is drawn while the one before it is trained on, by a thread and a
    CUDA stream of their own. Close it before the stream.
    """
    if draw.device.type != "cuda":
        for step, planned in stream:
            yield step, draw(planned)
        return
    side, coming = torch.cuda.Stream(draw.device), iter(stream)

    def prepare() -> None:
        with torch.cuda.device(draw.device), torch.cuda.stream(side):
            draw.prepare()

    def drawn() -> tuple[int, Batch, torch.cuda.Event]:
        step, planned = next(coming)
        with torch.cuda.device(draw.device), torch.cuda.stream(side):
            return step, draw(planned).to(draw.device), side.record_event()

    with ThreadPoolExecutor(1, "smap-draw") as thread:
        prepared = thread.submit(prepare)
        ahead = thread.submit(drawn)
        prepared.result()
        while True:
            step, batch, done = ahead.result()
            ahead = thread.submit(drawn)
            current = torch.cuda.current_stream(draw.device)
            current.wait_event(done)
            for tensor in vars(batch).values():
                tensor.record_stream(current)
            yield step, batch


def in_parts(make: Callable[[], Callable[[J], R]], jobs: Sequence[J], workers: int) -> Iterator[R]:
    """``function(job)`` for each job, in their order.

    Args:
        make: gives the function; called once in each process, so that what is large is made there. Must be picklable,
            as must jobs and results: tensors among these would need shared memory, which containers are short of.
        workers: processes; 0 does everything here.
    """
    if not workers:
        yield from map(make(), jobs)
        return
    with _one_thread_each(), later(signal.SIGINT):
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (make, os.getpid()))
        results = pool.map(_do, jobs)  # starts the processes
    try:
        yield from results
    finally:
        pool.shutdown(cancel_futures=True)


_make: Callable[[], Callable[[Any], Any]]  # of a process of ``in_parts``
_function: Callable[[Any], Any] | None = None


def _begin(make: Callable[[], Callable[[Any], Any]], parent: int) -> None:
    global _make
    _make = make
    serve(parent)


def _do(job: Any) -> Any:
    global _function
    if _function is None:  # not in ``_begin``: what goes wrong here is raised where the result is awaited
        _function = _make()
    return _function(job)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """An environment in which libraries of new processes keep to one thread: idle ones spin, and cost as much again."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(
    make: Callable[[], Callable[[int], Batch | Planned]],
    out: Connection,
    step: int,
    stride: int,
    parent: int,
) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # schedulers send it to all processes; to stop, one needs batches
    serve(parent)
    sent: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as sending:
        try:
            function = make()
            while True:
                batch = function(step)
                # NumPy arrays through a pipe: tensors would need shared memory, which containers are short of.
                item: Any = ("planned", step, batch)
                if isinstance(batch, Batch):
                    item = ("batch", step, [t.numpy() for t in vars(batch).values()])
                sent.append(sending.submit(out.send, item))
                if len(sent) > _AHEAD:
                    sent.popleft().result()
                step += stride
        except BrokenPipeError:  # nobody listens any more
            return
        except (ValueError, OSError) as error:  # of a pack or data set that cannot be read: what in-line batches raise
            sending.submit(out.send, ("refused", step, error))
        except BaseException:
            sending.submit(out.send, ("error", step, traceback.format_exc()))
