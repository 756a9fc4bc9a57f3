"""What else the process does with torch: default dtypes and devices, modes, autocast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from smap import Camera, DecodeConfig, Estimator, Letterbox, People
from smap.lift import Views, tree_of
from smap.network import normalise
from smap.skeleton import SMAP15

WIDTHS = count(33)  # a new one in each test: nothing is kept from an earlier call


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def predict(untrained: tuple[Path, Path]) -> People:
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    decode = DecodeConfig(peak_threshold=0.0, counted_share=0.0, min_joints=1)
    network, refiner = untrained
    estimator = Estimator(
        network, refiner=refiner, device="cpu", dtype=torch.float32, decode=decode, input_size=(96, 64)
    )
    return estimator.predict(picture)


def test_constants_of_unreal_tensors_do_not_outlive_their_mode() -> None:
    images = torch.zeros(1, 4, next(WIDTHS), 3, dtype=torch.uint8)
    with FakeTensorMode() as mode:
        normalise(mode.from_tensor(images))
    assert float(normalise(images)[0, 0, 0, 0]) < 0


def test_modes_of_real_tensors_share_constants() -> None:
    """A CUDA graph must not make them while it is captured, and they must be kept for it."""
    outside = tree_of(SMAP15, torch.device("cpu"))
    with FlopCounterMode(display=False):
        assert tree_of(SMAP15, torch.device("cpu")) is outside


def test_defaults_of_the_caller_do_not_reach_constants() -> None:
    images = torch.zeros(1, 4, next(WIDTHS), 3, dtype=torch.uint8)
    box = Letterbox.fit(next(WIDTHS), 64, (96, 64))
    with default_dtype(torch.float64), torch.device("meta"):
        made = normalise(images)
        views = Views.of([box], [Camera(90, 90, 40, 30)], "cpu")
        paths = tree_of(SMAP15, torch.device("cpu")).paths
    assert made.dtype == views.frames.dtype == paths.dtype == torch.float32
    assert made.device == views.frames.device == paths.device == torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16], ids=str)
def test_predictions_do_not_depend_on_the_default_dtype(untrained: tuple[Path, Path], dtype: torch.dtype) -> None:
    expected = predict(untrained)
    with default_dtype(dtype):
        found = predict(untrained)
    assert len(found) == len(expected) > 0
    np.testing.assert_array_equal(found.joints_3d, expected.joints_3d)


def test_predictions_do_not_depend_on_autocast(untrained: tuple[Path, Path]) -> None:
    expected = predict(untrained)
    with torch.autocast("cpu", torch.bfloat16):
        found = predict(untrained)
    np.testing.assert_array_equal(found.joints_3d, expected.joints_3d)
