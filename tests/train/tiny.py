"""A run that takes milliseconds: a network of a few thousand weights on coloured noise with people of dots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from smap import SMAP15, Camera, Sample
from smap.network import NetworkConfig
from smap.sample import VISIBLE
from smap.train import TrainConfig, parse_config
from smap.train.batch import Batch, collate

SIZE = (64, 64)
NETWORK = {
    "blocks": [1, 1, 1, 1],
    "encoder_channels": [8, 8, 8, 8],
    "decoder_channels": 8,
    "stem_channels": 8,
    "input_size": list(SIZE),
    "training_width": 64,
}


def tiny_config(steps: int = 12, **changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "schedule": {"steps": steps, "warmup": 2},
        "network": NETWORK,
        "phases": [{"until": 0.5, "size": [32, 64], "batch": 3}, {"until": 1.0, "size": list(SIZE), "batch": 2}],
        "data": [{"kind": "scenes", "options": {"window_focus": 1.0}}],
        "workers": 0,
        "log_every": 2,
        "save_seconds": 0.0,
        "precision": "float32",
        "min_person_px": 0.0,
    }
    return parse_config(values | changes)


def tiny_network() -> NetworkConfig:
    return tiny_config().network


def sample(size: tuple[int, int], rng: np.random.Generator, people: int = 2) -> Sample:
    width, height = size
    image = rng.integers(0, 255, (height, width, 3)).astype(np.uint8)
    xy = rng.uniform(4, 28, (people, 1, 2)) + rng.normal(0, 5, (people, SMAP15.num_joints, 2))
    z = rng.uniform(2, 6, (people, 1)) + rng.normal(0, 0.1, xy.shape[:2])
    camera = Camera(60, 60, width / 2, height / 2)
    joints_3d = camera.back_project(xy, z)
    inside = ((xy >= 0) & (xy < np.array(size))).all(-1)
    visibility = np.where(inside, VISIBLE, 0).astype(np.uint8)
    return Sample(image, width, height, camera, xy.astype(np.float32), joints_3d.astype(np.float32), visibility)


@dataclass(frozen=True)
class TinyBatches:
    """For ``Trainer(batches=...)``. ``bad_step`` has a depth that no loss survives."""

    config: TrainConfig
    rank: int
    processes: int
    bad_step: int = -1

    def __call__(self) -> Callable[[int], Batch]:
        def batch(step: int) -> Batch:
            phase = self.config.phase(step)
            first = self.config.pictures_before(step, self.processes) + self.rank * phase.batch
            samples = [
                sample(phase.size, np.random.default_rng([self.config.seed, n]))
                for n in range(first, first + phase.batch)
            ]
            made = collate(samples, self.config.network.training_width)
            if step == self.bad_step:
                made.depth_scale.fill_(float("inf"))
            return made

        return batch
