"""Whether memory grows: `python -m benchmarks.memory --predictions 10000`; Linux, CPU.

A tiny network with random weights that sees people everywhere, and a refiner; pictures of changing sizes, one by one
and two at a time: the resident memory of the process, printed as it goes. With ``--threads 2`` the pairs are decoded in
parallel. Exit code 1 when memory grew by more than 1 % from a tenth of the way to the end.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from smap import DecodeConfig, Estimator
from smap.network import Hourglass, NetworkConfig, RefineNet, RefinerConfig, save_network, save_refiner

TINY = NetworkConfig(blocks=(1, 1, 1, 1), encoder_channels=(8, 8, 16, 16), decoder_channels=8, stem_channels=8)
INPUT_SIZE = (96, 64)  # width, height
SIZES = ((48, 64), (100, 30), (64, 96))  # height, width of the pictures


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def peak_mb() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def tiny_estimator() -> Estimator:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        network, refiner = Path(folder) / "network.safetensors", Path(folder) / "refiner.safetensors"
        save_network(Hourglass(TINY), network)
        save_refiner(RefineNet(RefinerConfig()), refiner)
        everywhere = DecodeConfig(peak_threshold=0, min_joints=1, max_people=20)
        return Estimator(network, refiner=refiner, device="cpu", decode=everywhere, input_size=INPUT_SIZE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    total = args.predictions
    torch.set_num_threads(args.threads)
    before = resident_mb()
    estimator = tiny_estimator()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (*size, 3), np.uint8) for size in SIZES]
    print(f"{estimator}; imports {before:.0f} MB, with weights {resident_mb():.0f} MB", flush=True)
    turn, marks, people, done, start = itertools.cycle(pictures), [], 0, 0, time.thread_time()
    while done < total:
        some = [next(turn) for _ in range(1 + done % 3 % 2)]
        people += sum(map(len, estimator.predict_batch(some)))
        done += len(some)
        while len(marks) < 10 * done // total:
            gc.collect()
            marks.append(resident_mb())
            print(f"{done:7} predictions, {people} people: {marks[-1]:.1f} MB, highest {peak_mb():.1f} MB", flush=True)
    growth = marks[-1] - marks[0]
    print(f"grew by {growth:+.1f} MB from {total // 10} to {done}; {time.thread_time() - start:.0f} s of thread time")
    sys.exit(growth > 0.01 * marks[0])


if __name__ == "__main__":
    main()
