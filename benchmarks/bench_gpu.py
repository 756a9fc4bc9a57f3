"""Replays of CUDA graphs, timed on the device: `pytest benchmarks/bench_gpu.py --benchmark-enable` on a GPU.

A replay is repeated between two events, so that neither Python nor the launch counts; the inputs are the same each time
and stay in the cache of the GPU, as maps that a network has just written.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.conftest import ROOT

from benchmarks.association_scenes import INPUT_WIDTH, STRIDE, make_scene
from smap import SMAP15, Camera, DecodeConfig, Estimator, Letterbox, Maps, decode
from smap.decode import ASSOCIATIONS
from smap.estimator import load_models
from smap.graph import Runner
from smap.image import read_image
from smap.lift import Views, lift_detections
from smap.maps import MAP_NAMES
from smap.ops import make_targets

pytestmark = pytest.mark.cuda
SCALES = [[2.6, 3.0], [2.0, 2.0], [1.7, 1.5], [1.4, 1.25], [1.1, 1.25]]
SIZE = (128, 208)


def people(batch: int, count: int) -> list[torch.Tensor]:
    """Arguments of ``make_targets``: upright bodies of random size and place."""
    random = torch.Generator().manual_seed(count)
    middle = torch.rand(batch, count, 1, 2, generator=random) * torch.tensor([180.0, 90.0]) + 15
    body = torch.randn(15, 2, generator=random) * torch.tensor([4.0, 10.0])
    joints = middle + body * (0.5 + torch.rand(batch, count, 1, 1, generator=random))
    depths = (2 + 6 * torch.rand(batch, count, 1, generator=random)).expand(-1, -1, 15).contiguous()
    visibility = torch.full((batch, count, 15), 2, dtype=torch.uint8)
    tensors = [joints, depths, visibility, torch.ones(batch), torch.tensor(SMAP15.limbs), torch.tensor(SCALES)]
    return [t.cuda() for t in tensors]


def replays(benchmark, work: Callable[[], object], repeat: int = 50) -> float:
    """Seconds per replay, median of the rounds; what pytest-benchmark records is the device's time, not the host's."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    times = []

    def measure() -> None:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeat):
            graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1000 / repeat)

    benchmark.pedantic(measure, rounds=30, warmup_rounds=3)
    seconds = float(np.median(times[3:] or times))  # the first three are the warm-up
    benchmark.extra_info.update(device=torch.cuda.get_device_name(), microseconds=seconds * 1e6)
    print(f"\n{benchmark.name}: {seconds * 1e6:.1f} us per replay")
    return seconds


def crowds(batch: int) -> Maps:
    """Twenty people an image, those that the CPU's benchmarks decode."""
    scenes = [make_scene(seed, 20).maps for seed in range(batch)]
    return Maps(*(torch.cat([getattr(scene, name) for scene in scenes]) for name in MAP_NAMES)).to("cuda")


@pytest.mark.parametrize(("batch", "bar"), [(1, 50), (16, 150)])
@pytest.mark.parametrize("association", ASSOCIATIONS)
@pytest.mark.benchmark(group="gpu: decode, 20 people")
def test_decode(benchmark, batch: int, bar: int, association: str) -> None:
    maps, config = crowds(batch), DecodeConfig(association=association)
    found = decode(maps, config)
    benchmark.extra_info.update(batch=batch, people=int(found.count.sum()), bar_microseconds=bar)
    replays(benchmark, lambda: decode(maps, config))


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.benchmark(group="gpu: decode, lift and refine, 20 people")
def test_decode_lift_refine(benchmark, batch: int) -> None:
    maps, config = crowds(batch), DecodeConfig()
    size = INPUT_WIDTH, maps.heatmaps.shape[-2] * STRIDE
    views = Views.of([Letterbox.fit(640, 480, size)] * batch, [Camera.default(640, 480)] * batch, "cuda")
    refiner = load_models("default", "default")[1]
    assert refiner is not None
    refiner.cuda()

    @torch.inference_mode()
    def work() -> None:
        found = decode(maps, config)
        lift_detections(maps, found, views, refiner, stride=STRIDE)

    benchmark.extra_info.update(batch=batch)
    replays(benchmark, work)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("count", [3, 20])
@pytest.mark.benchmark(group="gpu: make_targets, batch 16, 5 scales")
def test_make_targets(benchmark, count: int, dtype: torch.dtype) -> None:
    """Bytes written per second, beside those that a copy on the device reads and writes."""
    crowd = people(16, count)
    made = make_targets(*crowd, SIZE, dtype)
    written = sum(t.numel() * t.element_size() for t in made)
    seconds = replays(benchmark, lambda: make_targets(*crowd, SIZE, dtype), repeat=10)
    source = torch.rand(written // 4, device="cuda")
    target = torch.empty_like(source)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    for timed in (False, True):
        if timed:
            start.record()
        for _ in range(20):
            target.copy_(source)
    end.record()
    end.synchronize()
    copy_rate = 2 * written * 20 / (start.elapsed_time(end) / 1000)
    benchmark.extra_info.update(people=count, bytes=written, rate=written / seconds, copy_rate=copy_rate)
    print(f"writes {written / seconds / 1e12:.2f} TB/s, a copy moves {copy_rate / 1e12:.2f} TB/s (bar: 80 %)")


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.benchmark(group="gpu: whole predict")
def test_predict(benchmark, batch: int) -> None:
    """Pictures of four people to People, letterbox and copies included, by the host's clock."""
    estimator = Estimator()
    assert isinstance(estimator._runner, Runner)
    pictures = [read_image(ROOT / "examples" / "scene.jpg")] * batch
    found = estimator.predict_batch(pictures)
    people = sum(map(len, found))
    benchmark.extra_info.update(
        device=torch.cuda.get_device_name(), batch=batch, dtype=str(estimator.dtype), people=people
    )
    benchmark(estimator.predict_batch, pictures)
