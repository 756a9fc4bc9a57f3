from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from smap.train.workers import BatchStream

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
    print(stream._processes[0].pid, flush=True)
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


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_trainer_leaves_nobody_behind(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
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
