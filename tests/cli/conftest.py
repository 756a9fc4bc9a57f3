"""A stand-in for the estimator, so that the commands are tested without weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from smap import SMAP15, Camera, People
from smap.cli import predict
from smap.image import encode_png


class FakeEstimator:
    """Finds as many people as the first pixel's red says, side by side, 3 m away."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.cameras: list[Camera] = []
        self.skeleton = SMAP15

    def predict_batch(self, images: Sequence[NDArray[np.uint8]], cameras: Sequence[Camera]) -> list[People]:
        self.batches.append(len(images))
        self.cameras.extend(cameras)
        return [self._people(int(image[0, 0, 0]), camera) for image, camera in zip(images, cameras, strict=True)]

    def _people(self, count: int, camera: Camera) -> People:
        joints = np.zeros((count, 15, 3), np.float32)
        joints[..., 0] = np.arange(count)[:, None] * 0.1
        joints[..., 1] = np.linspace(-0.8, 0.8, 15)
        joints[..., 2] = 3
        seen = np.ones((count, 15), bool)
        return People(joints, camera.project(joints).astype(np.float32), seen, seen, camera=camera)


@pytest.fixture
def estimator(monkeypatch: pytest.MonkeyPatch) -> FakeEstimator:
    fake = FakeEstimator()
    monkeypatch.setattr(predict, "make_estimator", lambda args: fake)
    return fake


def picture(path: Path, people: int = 1, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(np.full((size[1], size[0], 3), people, np.uint8)))
    return path
