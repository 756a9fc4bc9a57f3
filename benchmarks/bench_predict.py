"""Maps -> people in metres, and everything of `predict` around the network: thread CPU time, one thread."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from tests.conftest import ROOT

from benchmarks.association_scenes import INPUT_WIDTH, STRIDE, make_scene
from smap import Camera, Estimator, Letterbox, Maps, decode, lift
from smap.maps import MAP_NAMES

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
def test_predict_without_the_network(benchmark, estimator: Estimator) -> None:
    """Letterbox, normalisation, decode, lift, refiner and ``People``, for a picture of a crowd."""
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    box, crowd = estimator.letterbox(*SIZE), make_scene(0, 20).maps
    width, height = box.map_size  # a part of the crowd's maps
    parts = {name: getattr(crowd, name)[..., :height, :width].contiguous() for name in MAP_NAMES}
    whole = Estimator(device="cpu")
    whole._network = lambda batch: Maps(**parts, skeleton=crowd.skeleton)  # type: ignore[assignment]
    benchmark.extra_info.update(canvas=list(estimator.input_size), people=len(whole.predict(picture)))
    benchmark(whole.predict, picture)
