"""Scenes to train on, pictures a second: `pytest benchmarks/bench_scenes.py --benchmark-enable` on a quiet machine.

With `SMAP_SHARED` the scene pack's people, else the built-in ones. `extra_info` holds core-milliseconds a picture.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import pytest
import torch

from smap.network import NetworkConfig
from smap.synthetic import BuiltinPack, Pack, Plan, Renderer, SceneConfig, plan_random_scene

WIDTH, HEIGHT = NetworkConfig.small().input_size  # windows as in examples/train_small.toml
WINDOW = SceneConfig(WIDTH, HEIGHT, window=(288, 224), letterbox_share=0.6)
FULL = SceneConfig(WIDTH, HEIGHT, letterbox_share=0.6)
PICTURES = 192  # different ones, of a GPU's batch


@pytest.fixture(scope="module")
def pack() -> Pack | BuiltinPack:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    folder = Path(os.environ.get("SMAP_SHARED", "../shared")) / "scenes"
    return Pack.load(folder) if folder.is_dir() else BuiltinPack()


def record(benchmark, pictures: int, device: str) -> None:
    if benchmark.stats is None:  # benchmarks are switched off
        return
    seconds = benchmark.stats.stats.median / pictures
    benchmark.extra_info.update(device=device, pictures=pictures, ms_per_picture=seconds * 1e3, pictures_s=1 / seconds)
    print(f"\n{benchmark.name}: {seconds * 1e3:.2f} ms a picture, {1 / seconds:.0f} pictures a second")


@pytest.mark.parametrize("config", [WINDOW, FULL], ids=["window", "full"])
@pytest.mark.benchmark(group="scenes")
def test_plan(benchmark, pack: Pack | BuiltinPack, config: SceneConfig) -> None:
    seeds = range(PICTURES)
    for seed in seeds:  # decodes the avatars
        plan_random_scene(pack, config, seed)
    benchmark.pedantic(lambda: [plan_random_scene(pack, config, seed) for seed in seeds], rounds=3)
    record(benchmark, PICTURES, "cpu")


@pytest.mark.parametrize("config", [WINDOW, FULL], ids=["window", "full"])
@pytest.mark.benchmark(group="scenes")
def test_draw(benchmark, device: torch.device, pack: Pack | BuiltinPack, config: SceneConfig) -> None:
    """Plans to pictures: on a CPU sixteen at a time, on a GPU all together."""
    batch = PICTURES if device.type == "cuda" else 16
    plans = [plan_random_scene(pack, config, seed) for seed in range(PICTURES)]
    batches = [Plan.join(plans[i : i + batch]) for i in range(0, PICTURES, batch)]
    renderer = Renderer(pack, device)

    def draw() -> None:
        for plan in batches:
            renderer.draw(plan)
        if device.type == "cuda":
            torch.cuda.synchronize()

    benchmark.pedantic(draw, rounds=3 if device.type == "cpu" else 20, warmup_rounds=1)
    record(benchmark, PICTURES, str(device))
    benchmark.extra_info.update(batch=batch)
