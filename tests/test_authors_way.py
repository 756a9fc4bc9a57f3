"""What the benchmarks time as the release's steps gives the release's results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks import authors_way
from benchmarks.association_scenes import make_scene

from smap import DecodeConfig, decode

from .network.official import fixture_inputs


def test_people_and_joints_of_the_recorded_cases(shared: Path) -> None:
    inputs = fixture_inputs(shared)
    with np.load(shared / "official" / "association.npz") as file:
        recorded = dict(file)
    compared = 0
    for case in sorted({key.split("/")[0] for key in recorded}, key=int)[::3]:  # all of them take half a minute
        scene, both, root_depth, limb_depths = inputs.make_case(int(case))
        if inputs.crc(both, root_depth, limb_depths) != recorded[f"{case}/crc"]:
            continue
        peaks, people = authors_way.decode(both, root_depth)
        np.testing.assert_array_equal([len(joint) for joint in peaks], recorded[f"{case}/count"], err_msg=case)
        index = np.array(people, np.int64).reshape(-1, 15)
        np.testing.assert_array_equal(index, recorded[f"{case}/index"], err_msg=case)
        found = authors_way.lift(authors_way.bodies(peaks, people), limb_depths, root_depth, scene["scale"])
        expected = recorded[f"{case}/pose3d_cm"]
        np.testing.assert_allclose(found[..., :3], expected[..., :3], rtol=1e-3, atol=0.1, err_msg=case)
        compared += 1
    assert compared or pytest.skip("this machine's numpy makes other maps")


def test_the_librarys_maps_in_the_releases_layout_give_the_same_people() -> None:
    maps = make_scene(1, 10).maps
    both, _, root_depth = authors_way.release_layout(maps)
    _, people = authors_way.decode(both, root_depth)
    found = decode(maps, DecodeConfig.official())
    np.testing.assert_array_equal(people, found.people[0, : found.count[0]])


def test_targets_of_one_person_and_of_two_in_one_place() -> None:
    person = np.zeros((15, 4))
    person[:, 0], person[:, 1], person[:, 3] = 200 + 40 * np.arange(15), 240, 2
    person[1] = 200, 300, 50, 2  # the head, straight below the neck and farther
    maps = authors_way.make_targets(person[None], (128, 208))
    assert maps.shape == (5, 57, 128, 208)
    np.testing.assert_allclose(maps[:, :15].max((2, 3)), 255, rtol=1e-5)
    assert np.unravel_index(maps[0, 1].argmax(), (128, 208)) == (75, 50)
    np.testing.assert_allclose(maps[:, 15:18, 67, 50], [[0, 127, 50]] * 5)
    farther = person.copy()
    farther[1, 2] = 150
    both = authors_way.make_targets(np.stack([person, farther]), (128, 208))
    np.testing.assert_allclose(both[:, 15:18, 67, 50], [[0, 127, 100]] * 5)
