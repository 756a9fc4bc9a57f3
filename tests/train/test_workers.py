from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from smap.train.workers import BatchStream, in_parts

from .tiny import TinyBatches, tiny_config

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import time
from smap.train.workers import BatchStream
from tests.train.tiny import TinyBatches, tiny_config
if __name__ == "__main__":
    # Larger than what a pipe holds.
    config = tiny_config(phases=[{"until": 1.0, "size": [256, 256], "batch": 4}])
    stream = BatchStream(TinyBatches(config, 0, 1), 0, 1)
    next(iter(stream))
    print(stream._workers[0][0].pid, flush=True)
    time.sleep(600)
"""
PARTS = """
import os
import time
from smap.train.workers import in_parts
def make():
    return lambda job: (time.sleep(job), os.getpid())[1]
if __name__ == "__main__":
    results = in_parts(make, [0, 600, 600], 1)
    print(next(results), flush=True)
    time.sleep(600)
"""


def test_batches_come_in_order_from_any_number_of_workers() -> None:
    make = TinyBatches(tiny_config(), 0, 1)
    for workers in (0, 2):
        stream = BatchStream(make, 3, workers)
        for expected, (step, batch) in zip(range(3, 7), stream, strict=False):
            assert step == expected
            assert batch.images.equal(make()(expected).images)
        stream.close()


def test_signals_to_all_processes_spare_workers_from_their_first_moment() -> None:
    stream = BatchStream(TinyBatches(tiny_config(), 0, 1), 0, 1)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(stream._workers[0][0].pid or 0, number)
    assert next(iter(stream))[0] == 0
    stream.close()
    assert not {signal.SIGINT, signal.SIGTERM} & signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_worker_that_is_killed_while_it_sends_is_an_error() -> None:
    config = tiny_config(phases=[{"until": 1.0, "size": [256, 256], "batch": 4}])  # larger than what a pipe holds
    stream = BatchStream(TinyBatches(config, 0, 1), 0, 1)
    batches = iter(stream)
    next(batches)
    time.sleep(1)  # the pipe fills
    os.kill(stream._workers[0][0].pid or 0, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="worker 0 must keep running, got exit code -9"):
        next(batches)
    stream.close()


def squares(offset: int, made: Path) -> Callable[[int], tuple[int, int]]:
    if offset < 0:
        raise ValueError("offset must be positive")
    with made.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return lambda job: (job * job + offset, os.getpid())


def test_jobs_are_done_in_order_by_any_number_of_processes(tmp_path: Path) -> None:
    jobs = list(range(20))
    for workers in (0, 2):
        made = tmp_path / f"{workers}"
        results = list(in_parts(partial(squares, 3, made), jobs, workers))
        assert [value for value, _ in results] == [job * job + 3 for job in jobs]
        makers = made.read_text().split()
        assert len(makers) == len(set(makers)) <= max(1, workers)  # once in each
        assert {pid for _, pid in results} == set(map(int, makers))
        assert (os.getpid() in map(int, makers)) == (workers == 0)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_goes_wrong_in_a_job_is_raised(workers: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="offset must be positive"):
        list(in_parts(partial(squares, -1, tmp_path / "made"), [1, 2], workers))


def test_whoever_stops_early_waits_for_no_other_jobs() -> None:
    began = time.monotonic()
    results = in_parts(slow, [0.0] + [1.0] * 200, 1)
    next(results)
    results.close()
    assert time.monotonic() - began < 100


def slow() -> Callable[[float], None]:
    return time.sleep


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("text", [SCRIPT, PARTS], ids=["batches", "parts"])
def test_a_killed_process_leaves_nobody_behind(text: str, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(text)
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=env)
    worker = int(parent.stdout.readline())  # type: ignore[union-attr]
    time.sleep(1)  # the queue fills
    assert alive(worker)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 60
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not alive(worker)
