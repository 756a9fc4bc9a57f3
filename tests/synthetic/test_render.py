from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smap import SMAP15
from smap.sample import VISIBLE
from smap.synthetic import BuiltinPack, Pack, SceneConfig, render_scene


@pytest.fixture(scope="module", params=["builtin", "shared"])
def pack(request: pytest.FixtureRequest) -> BuiltinPack | Pack:
    if request.param == "builtin":
        return BuiltinPack()
    shared: Path = request.getfixturevalue("shared")
    return Pack.load(shared / "scenes", texture_size=128)


def test_the_same_seed_gives_the_same_sample(pack: BuiltinPack | Pack) -> None:
    config = SceneConfig(width=208, height=128)
    first, second = render_scene(pack, config, 7), render_scene(pack, config, 7)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.joints_3d, second.joints_3d)
    other = render_scene(pack, config, 8)
    assert not np.array_equal(first.image, other.image)


def test_truth_projects_to_its_pixels(pack: BuiltinPack | Pack) -> None:
    for seed in range(6):
        sample = render_scene(pack, SceneConfig(), seed)
        np.testing.assert_allclose(sample.camera.project(sample.joints_3d), sample.joints_2d, atol=1e-2)
        depth = sample.joints_3d[:, SMAP15.root, 2]
        assert (np.diff(depth) >= 0).all()


def test_a_window_is_a_part_of_the_full_picture(pack: BuiltinPack | Pack) -> None:
    """The same joints at shifted pixels: focal length kept, the full width remembered for Eq. 1."""
    sample = render_scene(pack, SceneConfig(window=(112, 96), degrade=0), 3)
    assert sample.image.shape == (96, 112, 3)
    x0, y0, w, h = sample.extra["window"]
    assert sample.extra["full_size"] == (416, 256)
    assert (w, h) == (112, 96)
    full_centre = (sample.camera.cx + x0, sample.camera.cy + y0)
    assert full_centre == pytest.approx((207.5, 127.5))
    inside = (sample.joints_2d > -0.5).all(-1) & (sample.joints_2d < (w - 0.5, h - 0.5)).all(-1)
    assert (sample.visibility[~inside] == 0).all()
    assert (sample.visibility[inside] > 0).all()


def test_most_joints_of_a_lone_person_are_visible(pack: BuiltinPack | Pack) -> None:
    config = SceneConfig(people=(1, 1), empty_share=0, clutter_share=0)
    seen = [render_scene(pack, config, seed).visibility for seed in range(20)]
    inside = np.concatenate([v[v > 0] for v in seen])
    assert (inside == VISIBLE).mean() > 0.6
