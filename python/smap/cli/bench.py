"""Measure decode, network and the whole way on this machine.

A table of medians: wall clock, and on a CPU also the time that the calling thread worked, which other load on the
machine does not stretch. The people stand in a made-up crowd; the picture is noise; the network is the one given.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..files import write_whole
from ..letterbox import Letterbox
from ._estimator import add_estimator_arguments, make_estimator, parse_size, positive
from ._files import prepare_folder

if TYPE_CHECKING:
    from ..estimator import Estimator
    from ..maps import Maps

MAP_INPUT = (832, 512)  # the paper's network input: maps of 208x128
SIGMA, HALF_WIDTH = 1.5, 1.0  # map pixels, of heatmaps and limbs: about what a network gives
# A standing person, metres from the pelvis, in the order of SMAP15.
STANDING = np.array(
    [
        *([0.0, -0.48, 0.0], [0.0, -0.75, 0.0], [0.0, 0.0, 0.0]),
        *([0.16, -0.47, 0.0], [0.26, -0.2, 0.0], [0.3, 0.05, 0.0]),
        *([0.1, 0.02, 0.0], [0.1, 0.45, 0.0], [0.1, 0.85, 0.0]),
        *([-0.16, -0.47, 0.0], [-0.26, -0.2, 0.0], [-0.3, 0.05, 0.0]),
        *([-0.1, 0.02, 0.0], [-0.1, 0.45, 0.0], [-0.1, 0.85, 0.0]),
    ]
)


@dataclass(frozen=True)
class Row:
    """One measurement. ``thread_ms`` is None on a GPU, where the thread only waits."""

    what: str
    wall_ms: float
    thread_ms: float | None
    runs: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--people", type=positive, nargs="+", default=[3, 10, 20, 50], metavar="N", help="crowd sizes")
    parser.add_argument("--picture", type=parse_size, default=(640, 480), metavar="WxH", help="default: 640x480")
    parser.add_argument("--threads", type=positive, help="of torch on the CPU (default: torch's own choice)")
    parser.add_argument("--seconds", type=float, default=1.0, help="spent on each row (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures with machine and versions, too")
    add_estimator_arguments(parser)


def run(args: argparse.Namespace) -> int:
    import torch

    if not 0 < args.seconds < float("inf"):
        raise ValueError(f"--seconds must be positive, got {args.seconds}")
    if args.json:
        prepare_folder(args.json.parent)
    if args.threads:
        torch.set_num_threads(args.threads)
    estimator = make_estimator(args)
    machine = describe_machine(estimator)
    for name, value in machine.items():
        print(f"{name}: {value}")
    print("\n| what | wall ms | thread ms | runs |\n|---|---:|---:|---:|")
    rows = []
    for what, work in workloads(estimator, args.people, args.picture):
        rows.append(measure(what, work, args.seconds, estimator.device))
        thread = "" if rows[-1].thread_ms is None else f"{rows[-1].thread_ms:.3f}"
        print(f"| {what} | {rows[-1].wall_ms:.3f} | {thread} | {rows[-1].runs} |", flush=True)
    if args.json:
        write_whole(args.json, json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    return 0


def describe_machine(estimator: Estimator) -> dict[str, str]:
    import torch

    from . import version

    cpu = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    device = torch.cuda.get_device_name(estimator.device) if estimator.device.type == "cuda" else cpu
    return {"version": version(), "device": device, "threads": str(torch.get_num_threads()), "network": repr(estimator)}


def workloads(
    estimator: Estimator, crowds: list[int], picture: tuple[int, int]
) -> list[tuple[str, Callable[[], object]]]:
    """Name and call of every row."""
    import torch

    from ..decode import decode
    from ..lift import lift

    config, device = estimator.decode, estimator.device
    camera, box = Camera.default(*MAP_INPUT), Letterbox.fit(*MAP_INPUT, MAP_INPUT)
    work: list[tuple[str, Callable[[], object]]] = []
    for count in crowds:
        maps = crowd_maps(count, camera, box).to(device)
        found = int(decode(maps, config).count[0])
        name = f"{count} people ({found} found)"
        work.append((f"decode, {name}", lambda maps=maps: decode(maps, config)))  # type: ignore[misc]
        work.append(
            (f"decode + lift, {name}", lambda maps=maps: lift(maps, decode(maps, config), box, camera))  # type: ignore[misc]
        )
    width, height = estimator.input_size
    batch = torch.zeros(1, 3, height, width, device=device)
    image = np.random.default_rng(0).integers(0, 256, (picture[1], picture[0], 3), dtype=np.uint8)
    work.append((f"network, {width}x{height}", lambda: estimator.network(batch)))
    work.append((f"predict, {picture[0]}x{picture[1]} picture", lambda: estimator.predict(image)))
    return work


def crowd_maps(count: int, camera: Camera, box: Letterbox) -> Maps:
    """The maps of ``count`` people in rows, 4 m away and farther, turned and scaled a little at random."""
    import torch

    from ..maps import Maps
    from ..ops import make_targets
    from ..skeleton import SMAP15

    joints = crowd(count, camera)
    xy = torch.from_numpy(box.image_to_map(camera.project(joints))).float()[None]
    depths = torch.from_numpy(joints[..., 2]).float()[None]
    targets = make_targets(
        xy,
        depths,
        torch.ones(depths.shape, dtype=torch.uint8),
        torch.tensor([1 / box.depth_factor(camera.fx)]),
        torch.tensor(SMAP15.limbs),
        torch.tensor([[SIGMA, HALF_WIDTH]]),
        (box.map_size[1], box.map_size[0]),
    )
    return Maps(targets.heatmaps[:, 0], targets.pafs[:, 0], targets.limb_depths[:, 0].nan_to_num(), targets.root_depth)


def crowd(count: int, camera: Camera) -> NDArray[np.float64]:
    """``(count, 15, 3)`` metres: rows of up to ten, each row farther and shifted by half a place."""
    rng = np.random.default_rng(count)
    people = []
    for i in range(count):
        row, place = divmod(i, 10)
        depth = 4.0 + 2.0 * row + rng.uniform(-0.3, 0.3)
        across = (place + 0.5 + 0.5 * (row % 2)) / 10.5 * 2 - 1
        turn, size = rng.uniform(-0.9, 0.9), rng.uniform(0.9, 1.1)
        rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        root = np.array([across * 0.93 * (camera.cx + 0.5) / camera.fx * depth, rng.uniform(-0.1, 0.1), depth])
        people.append((STANDING * size + rng.normal(0, 0.03, STANDING.shape)) @ rotation.T + root)
    return np.array(people)


def measure(what: str, work: Callable[[], object], seconds: float, device: object) -> Row:
    import torch

    gpu = getattr(device, "type", "cpu") == "cuda"

    def finish() -> None:
        if gpu:
            torch.cuda.synchronize()

    for _ in range(3):  # warm up: allocations, compiled graphs, caches
        work()
    finish()
    wall: list[float] = []
    thread: list[float] = []
    end = time.perf_counter() + seconds
    while not wall or time.perf_counter() < end:
        start, busy = time.perf_counter_ns(), time.thread_time_ns()
        work()
        finish()
        wall.append((time.perf_counter_ns() - start) / 1e6)
        thread.append((time.thread_time_ns() - busy) / 1e6)
    return Row(what, statistics.median(wall), None if gpu else statistics.median(thread), len(wall))
