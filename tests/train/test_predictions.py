"""What a network finds in scenes: who it is in truth, mirrored pictures, several processes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from smap import SMAP15, DecodeConfig
from smap.estimator import resolve_weights
from smap.network import Hourglass, RefineNet, RefinerConfig, load_network
from smap.synthetic import BuiltinPack, SceneConfig, render_scene
from smap.train.corrupt import Found
from smap.train.predictions import Predictor, predict_scenes
from smap.train.refiner import evaluate_refiner

from .tiny import tiny_network

SIZE = (288, 192)
SCENES = SceneConfig(*SIZE, people=(2, 3), empty_share=0, depth=(2.5, 4.0), fov=(50, 60), degrade=0)
SETTINGS = DecodeConfig(peak_threshold=0.05, min_joints=2, min_score=0.0)
FLIP = list(SMAP15.flipped_joints)


@pytest.fixture(scope="module")
def network() -> Hourglass:
    """The default one, which finds built-in bodies too."""
    network = load_network(resolve_weights("default"))
    network.config = replace(network.config, input_size=SIZE)
    return network


def found_in(network: Hourglass, kinds: list[SceneConfig], seeds: list[int], **how: Any) -> Found:
    return predict_scenes(network, SETTINGS, BuiltinPack(), kinds, seeds, **how)


def test_people_come_with_their_truth(network: Hourglass) -> None:
    people = found_in(network, [SCENES], [1, 2, 3]).matched()
    assert len(people.found) >= 5
    assert (people.found.sum(1) >= 2).all()
    truth = np.concatenate([render_scene(BuiltinPack(), SCENES, seed).joints_3d for seed in (1, 2, 3)])
    for one in people.truth.numpy():
        assert np.abs(truth - one).max((1, 2)).min() < 1e-5  # somebody of these scenes
    off = (people.joints_3d - people.truth).norm(dim=-1)[people.found]
    assert float(off.median()) < 1  # and the right one: they stand apart


def test_mirrored_people_are_four(network: Hourglass) -> None:
    sample = render_scene(BuiltinPack(), SCENES, 1)
    predictor = Predictor(network, SETTINGS)
    once, all_four = predictor([sample]).matched(), predictor([sample], mirrored=True).matched()
    half = len(all_four.found) // 2
    here, there = (Found(*(t[part] for t in all_four)) for part in (slice(half), slice(half, None)))
    for given, first in zip(once, here, strict=True):
        torch.testing.assert_close(first[: len(given)], given)
    other_eyes = here.joints_3d[len(once.found) :]
    assert len(other_eyes) > 0
    assert not torch.equal(other_eyes, once.joints_3d[: len(other_eyes)])
    assert torch.equal(there.found, here.found[:, FLIP])
    torch.testing.assert_close(there.truth, (here.truth * torch.tensor([-1.0, 1, 1]))[:, FLIP])
    # Pixels and metres went to the same side: the camera is the mirrored one.
    width, camera = SIZE[0], sample.camera
    x = there.joints_3d[..., 0] / there.joints_3d[..., 2] * camera.fx + (width - 1 - camera.cx)
    torch.testing.assert_close(x[there.found], there.input_xy[..., 0][there.found], atol=0.05, rtol=0)


def test_people_project_to_where_they_were_found(network: Hourglass) -> None:
    """With their cameras, whose centre is not the picture's, in mirrored pictures as well."""
    sample = render_scene(BuiltinPack(), SCENES, 1)
    sample = replace(sample, camera=replace(sample.camera, cx=sample.camera.cx + 40, fx=1.1 * sample.camera.fx))
    people = Predictor(network, SETTINGS)([sample], mirrored=True)
    seen = people.scores > 0
    assert seen.sum() > 40
    places = people.project(people.joints_3d)
    torch.testing.assert_close(places[seen], people.input_xy[seen], atol=0.05, rtol=0)
    behind = people.project(people.joints_3d * torch.tensor([1.0, 1.0, -1.0]))
    assert behind[seen].isnan().all()


def test_upright_pictures_and_processes(network: Hourglass) -> None:
    kinds = [SCENES, replace(SCENES, width=SIZE[1], height=SIZE[0])]
    seeds = list(range(12))  # two parts, one of each kind
    here = found_in(network, kinds, seeds, mirrored=True)
    assert len(here.truth) > 20
    assert not here.real.all()  # with such settings
    for one, other in zip(here, found_in(network, kinds, seeds, mirrored=True, workers=2), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def test_nobody_found() -> None:
    network = Hourglass(replace(tiny_network(), input_size=(64, 64))).eval()
    kind = SceneConfig(width=64, height=64, fov=(50, 60))
    nothing = predict_scenes(network, DecodeConfig(), BuiltinPack(), [kind], [0, 1])
    assert nothing.truth.shape == (0, 15, 3)
    figures = evaluate_refiner(RefineNet(RefinerConfig()).eval(), nothing.matched(), 64)
    assert math.isnan(figures["found_before_mm"])


def test_pictures_of_another_size_are_refused(network: Hourglass) -> None:
    other = render_scene(BuiltinPack(), SceneConfig(width=64, height=64), 0)
    with pytest.raises(ValueError, match=r"pictures must be \(288, 192\) or its turn, all alike, got \[\(64, 64\)\]"):
        Predictor(network, SETTINGS)([other])
