"""Scenes drawn on the training device are those that workers draw, and a run with them resumes to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smap import SMAP15
from smap.train import TrainConfig, Trainer
from smap.train.batch import Batch, join, learnable
from smap.train.pictures import BatchMaker, Drawer, Planned
from smap.train.workers import BatchStream, draw_ahead

from .tiny import NETWORK, tiny_config

CPU = torch.device("cpu")


def drawing(place: str, steps: int = 4, **changes: object) -> TrainConfig:
    negatives = {"kind": "scenes", "weight": 0.5, "options": {"empty_share": 1.0}}
    people = {"kind": "scenes", "options": {"window_focus": 1.0}}
    return tiny_config(steps, drawing=place, data=[people, negatives], **changes)


def same(a: Batch, b: Batch, tolerance: float = 0) -> None:
    for name, value in vars(a).items():
        torch.testing.assert_close(
            getattr(b, name), value, rtol=0, atol=tolerance, equal_nan=True, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_what_the_device_draws_is_what_workers_draw() -> None:
    workers, device = BatchMaker(drawing("workers"))(), BatchMaker(drawing("device"))()
    for step in (0, 3):
        planned = device(step)
        assert isinstance(planned, Planned)
        same(Drawer(drawing("device"), CPU)(planned), workers(step))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path: Path, workers: int) -> None:
    config = drawing("device", workers=workers)
    whole = Trainer(config, tmp_path / "whole", device="cpu", progress=False)
    whole.run()
    for stop in (2, 4):
        pieces = Trainer(config, tmp_path / "pieces", device="cpu", progress=False)
        pieces.run(until=stop)
    for key, value in whole.network.state_dict().items():
        torch.testing.assert_close(pieces.network.state_dict()[key], value, rtol=0, atol=0, msg=key)


def test_drawn_ahead_is_drawn_in_line(device: torch.device) -> None:
    config = drawing("device")
    draw, make = Drawer(config, device), BatchMaker(config)
    ahead = draw_ahead(BatchStream(make, 0, 0), draw)
    found = [next(ahead) for _ in range(3)]
    ahead.close()  # with a batch on its way
    for step, (got, batch) in enumerate(found):
        assert got == step
        same(batch, draw(make()(step)).to(device))


def test_errors_of_a_batch_that_is_drawn_ahead_arrive(device: torch.device) -> None:
    config = drawing("device")

    def make() -> Callable[[int], Planned]:
        batch = BatchMaker(config)()

        def or_refuse(step: int) -> Planned:
            if step == 1:
                raise ValueError("no such picture")
            return batch(step)

        return or_refuse

    ahead = draw_ahead(BatchStream(make, 0, 0), Drawer(config, device))
    assert next(ahead)[0] == 0
    with pytest.raises(ValueError, match="no such picture"):
        next(ahead)


@pytest.mark.cuda
def test_batches_are_born_on_the_gpu(tmp_path: Path) -> None:
    config = drawing("auto")
    made = Drawer(config, torch.device("cuda"))(BatchMaker(replace(config, drawing="device"))()(3))
    assert all(value.device.type == "cuda" for value in vars(made).values())
    trainer = Trainer(config, tmp_path, device="cuda", progress=False)
    trainer.run()
    assert trainer.step == 4


def crowd(visibility: list[int], depths: list[float], size_px: float = 30.0) -> Batch:
    """One picture of people of one size, all of whose joints are seen as said."""
    joints = SMAP15.num_joints
    xy = torch.linspace(0, size_px, joints)[None, None, :, None].repeat(1, len(depths), 1, 2)
    z = torch.tensor(depths)[None, :, None].expand(1, -1, joints).contiguous()
    seen = torch.tensor(visibility, dtype=torch.uint8)[None, :, None].expand(1, -1, joints).contiguous()
    images = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    return Batch(images, xy, z, seen, torch.ones(1), torch.zeros(1, 1, 4), torch.ones(1, joints, dtype=torch.bool))


def test_the_nearest_are_learnt_and_the_others_ignored() -> None:
    batch = learnable(crowd([2, 2, 0, 1, 2], [3.0, 2, 1, 1, 4]), 0, 2)
    assert batch.depths[0, :, 0].tolist() == [2, 3]
    assert (batch.visibility == 2).all()
    boxes = batch.ignore[0]
    assert (boxes[:, 2] > boxes[:, 0]).tolist() == [False] * 5 + [True]  # who is hidden all over is no one


def test_small_people_are_ignored() -> None:
    batch = learnable(crowd([2, 2], [3.0, float("nan")], 20.0), 21.0, 5)
    assert not batch.visibility.any()
    assert (batch.ignore[0, :, 2] > batch.ignore[0, :, 0]).sum() == 2


def test_batches_of_different_crowds_join() -> None:
    a, b = crowd([2, 2, 2], [1.0, 2, 3]), crowd([2], [5.0])
    whole = join([a, b])
    assert len(whole) == 2
    assert whole.joints.shape == (2, 3, SMAP15.num_joints, 2)
    assert whole.visibility[1].any(-1).tolist() == [True, False, False]


def test_upright_steps_turn_the_picture_and_keep_the_camera() -> None:
    def batches(upright: float) -> list[Batch]:
        sizes = [{"until": 0.5, "size": [64, 32], "batch": 3}, {"until": 1.0, "size": [96, 64], "batch": 2}]
        phases = [phase | {"upright": upright} for phase in sizes]
        network = NETWORK | {"input_size": [96, 64], "training_width": 96}
        make = BatchMaker(drawing("workers", 40, phases=phases, network=network))()
        return [make(step) for step in range(40)]

    some, level = batches(0.3), batches(0.0)
    turned = [b.images.shape != a.images.shape for b, a in zip(some, level, strict=True)]
    assert 4 < sum(turned) < 20
    for a, b, is_turned in zip(some, level, turned, strict=True):
        if is_turned:
            assert a.images.shape == (len(b), b.images.shape[2], b.images.shape[1], 3)
        else:
            same(a, b)
    # Eq. 1: w stays the training width; the field of view is along the longer side, so w / f is of the same range.
    scales = torch.cat([b.depth_scale for b in some[20:]])
    assert (scales > 2 * math.tan(math.radians(34) / 2)).all() and (scales < 2 * math.tan(math.radians(96) / 2)).all()
