"""Maps -> people in metres, and everything of `predict` around the network: thread CPU time, one thread."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from tests.conftest import ROOT

from benchmarks.association_scenes import INPUT_WIDTH, STRIDE, make_scene
from smap import Camera, Estimator, Letterbox, decode, lift

torch.set_num_threads(1)
SIZE = (640, 480)  # width, height of the photograph


@pytest.mark.parametrize("people", [3, 20])
@pytest.mark.benchmark(group="decode and lift", timer=time.thread_time)
def test_decode_and_lift(benchmark, people: int) -> None:
    maps = make_scene(0, people).maps
    height, width = maps.heatmaps.shape[-2:]
    box, camera = Letterbox.fit(*SIZE, (INPUT_WIDTH, height * STRIDE)), Camera.default(*SIZE)
    assert box.map_size == (width, height)
    benchmark.extra_info.update(people=people, shape=list(maps.heatmaps.shape))
    benchmark(lambda: lift(maps, decode(maps), box, camera))


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    if not (ROOT / "python" / "smap" / "weights" / "default.safetensors").is_file():
        pytest.skip("needs the default weights")
    return Estimator(device="cpu")


@pytest.mark.benchmark(group="predict", timer=time.thread_time)
def test_whole_predict_of_640x480(benchmark, estimator: Estimator) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    benchmark(estimator.predict, picture)


@pytest.mark.benchmark(group="predict", timer=time.thread_time)
def test_predict_without_the_network_20_people(benchmark, estimator: Estimator) -> None:
    """Letterbox, normalisation, decode, lift, refiner and ``People``, for a picture of 20 people."""
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    maps = make_scene(0, 20).maps
    whole = Estimator(device="cpu", input_size=(INPUT_WIDTH, maps.heatmaps.shape[2] * STRIDE))
    whole._network = lambda batch: maps  # type: ignore[assignment]
    benchmark(whole.predict, picture)
