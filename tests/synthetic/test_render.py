from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smap import SMAP15
from smap.ops.shade import REGIONS
from smap.sample import HIDDEN, OCCLUDED, VISIBLE
from smap.synthetic import BuiltinPack, Pack, SceneConfig, draw_scene, render_scene, sample_scene
from smap.synthetic.scene import Object, Scene
from smap.synthetic.wardrobe import Dress

AnyPack = BuiltinPack | Pack
CLEAN = SceneConfig(empty_share=0, clutter_share=0, degrade=0)


def test_the_same_seed_gives_the_same_sample(pack: AnyPack) -> None:
    config = SceneConfig(width=208, height=128)
    first, second = render_scene(pack, config, 7), render_scene(pack, config, 7)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.joints_3d, second.joints_3d)
    np.testing.assert_array_equal(first.visibility, second.visibility)
    assert not np.array_equal(first.image, render_scene(pack, config, 8).image)


def test_what_was_drawn_before_changes_nothing(builtin: BuiltinPack) -> None:
    """Caches of textures and pictures must not show: workers draw different seeds and must agree."""
    config = SceneConfig(width=104, height=64)
    other = BuiltinPack()
    for seed in range(5):
        render_scene(other, config, seed)
    np.testing.assert_array_equal(render_scene(other, config, 9).image, render_scene(builtin, config, 9).image)


def test_truth_is_consistent(pack: AnyPack) -> None:
    for seed in range(8):
        sample = render_scene(pack, SceneConfig(), seed)
        np.testing.assert_allclose(sample.camera.project(sample.joints_3d), sample.joints_2d, atol=1e-2)
        depth = sample.joints_3d[:, SMAP15.root, 2]
        assert (np.diff(depth) >= 0).all()
        assert (sample.extra["pixels"] > 0).all()
        inside = (sample.joints_2d > -0.5).all(-1) & (sample.joints_2d < (415.5, 255.5)).all(-1)
        assert ((sample.visibility != HIDDEN) == inside).all()
        for person in sample.joints_3d:
            lengths = [np.linalg.norm(person[a] - person[b]) for a, b in SMAP15.limbs]
            assert 0.04 < min(lengths) < max(lengths) < 0.75


def bright(pack: AnyPack, scene: Scene, config: SceneConfig) -> np.ndarray:
    """The scene with only its people, white, and black all around: where they are."""
    white = np.zeros((REGIONS, 3, 4), np.float32)
    white[..., 3] = 1
    people = [replace(p, clothes=(Dress(white),) * len(p.clothes)) for p in scene.people]
    whites = draw_scene(pack, config, replace(scene, people=tuple(people))).image.astype(int)
    blacks = [replace(p, clothes=(Dress(white * 0),) * len(p.clothes)) for p in scene.people]
    return np.abs(whites - draw_scene(pack, config, replace(scene, people=tuple(blacks))).image).sum(-1)


def test_visible_joints_lie_on_people(pack: AnyPack) -> None:
    """Turning the clothes from black to white changes the pixels at visible joints, and none far from all joints."""
    on = total = 0
    for seed in range(6):
        scene = sample_scene(pack, CLEAN, np.random.default_rng(seed))
        sample = draw_scene(pack, CLEAN, scene)
        changed = bright(pack, scene, CLEAN) > 60
        seen = np.round(sample.joints_2d[sample.visibility == VISIBLE]).astype(int)
        on += changed[np.clip(seen[:, 1], 0, 255), np.clip(seen[:, 0], 0, 415)].sum()
        total += len(seen)
        y, x = np.nonzero(changed)
        usable = np.abs(sample.joints_2d).max(-1) < 5000
        gap = np.linalg.norm(np.stack([x, y], -1)[:, None] - sample.joints_2d[usable][None], axis=-1).min(1)
        reach = 0.4 * sample.camera.fx / sample.joints_3d[:, SMAP15.root, 2].min()
        assert (gap < reach + 3).all()
    assert total > 30
    assert on / total > 0.97


def test_feet_stand_on_the_ground(pack: AnyPack) -> None:
    """The lowest of a standing person's ankles is a few centimetres above the plane that the camera's height says."""
    config = replace(CLEAN, lift_share=0, max_roll=1e-9)
    heights = []
    for seed in range(15):
        scene = sample_scene(pack, config, np.random.default_rng(seed))
        sample = draw_scene(pack, config, scene)
        world = sample.joints_3d @ scene.view.rotation + (0, scene.view.height, 0)
        heights += list(world[..., 1].min(-1))
    assert min(heights) > -0.02
    assert 0.02 < np.median(heights) < 0.16


def test_a_card_in_front_hides_what_is_behind(builtin: BuiltinPack) -> None:
    config = replace(CLEAN, people=(1, 1), depth=(3.0, 5.0))
    scene = sample_scene(builtin, config, np.random.default_rng(1))
    free = draw_scene(builtin, config, scene)
    material = np.zeros((REGIONS, 3, 4), np.float32)
    panel = next(t for t in builtin.cutouts() if solid(builtin, int(t)))
    ground = scene.people[0].ground * 0.6
    card = Object("card", panel, np.array([6.0, 6.0, 1]), 0.0, np.array([ground[0], -1.0, ground[1]]), material)
    hidden = draw_scene(builtin, config, replace(scene, objects=(card,)))
    assert (free.visibility == VISIBLE).any()
    assert len(hidden) == 0  # nothing of the person is left to see
    narrow = replace(card, size=np.array([0.25, 6.0, 1]))
    partly = draw_scene(builtin, config, replace(scene, objects=(narrow,)))
    assert (partly.visibility[0] == OCCLUDED).sum() > (free.visibility[0] == OCCLUDED).sum()
    np.testing.assert_array_equal(partly.joints_3d, free.joints_3d)


def solid(pack: BuiltinPack, texture: int) -> bool:
    pack.prepare(texture)
    offset, size, _ = pack.geometry.textures[texture].tolist()
    return bool((pack.geometry.texels[offset : offset + 4 * size * size].view(-1, 4)[:, 3] == 255).all())


def test_a_window_is_a_part_of_the_full_picture(pack: AnyPack) -> None:
    """Same scene, same focal length, shifted centre; the same pixels where nothing random comes after."""
    config = replace(CLEAN, window=(112, 96))
    scene = sample_scene(pack, config, np.random.default_rng(5))
    window = draw_scene(pack, config, scene)
    x0, y0, w, h = window.extra["window"]
    assert window.image.shape == (h, w, 3) == (96, 112, 3)
    assert window.extra["full_size"] == (416, 256)
    assert (window.camera.cx + x0, window.camera.cy + y0) == pytest.approx((207.5, 127.5))
    full = draw_scene(pack, CLEAN, replace(scene, window=(0, 0, 416, 256)))
    assert full.camera.fx == window.camera.fx
    match = [full.extra["avatars"].index(a) for a in window.extra["avatars"]]
    np.testing.assert_allclose(window.joints_3d, full.joints_3d[match], atol=1e-6)
    np.testing.assert_allclose(window.joints_2d + np.array([x0, y0]), full.joints_2d[match], atol=1e-2)
    difference = np.abs(full.image[y0 : y0 + h, x0 : x0 + w].astype(int) - window.image)
    assert np.median(difference) <= 12  # light follows the visible background a little


def test_windows_look_at_people(pack: AnyPack) -> None:
    config = replace(CLEAN, window=(112, 96), window_focus=1.0)
    assert np.mean([len(render_scene(pack, config, seed)) > 0 for seed in range(30)]) > 0.8


def test_most_joints_of_a_lone_person_are_visible(pack: AnyPack) -> None:
    config = replace(CLEAN, people=(1, 1))
    inside = np.concatenate([v[v > 0] for v in (render_scene(pack, config, s).visibility for s in range(20))])
    assert (inside == VISIBLE).mean() > 0.6


def test_pictures_without_people(pack: AnyPack) -> None:
    sample = render_scene(pack, SceneConfig(empty_share=1), 0)
    assert len(sample) == 0
    assert sample.image.std() > 5


def test_supersampling_smooths_edges_and_keeps_the_truth(builtin: BuiltinPack) -> None:
    rough, smooth = (render_scene(builtin, replace(CLEAN, supersample=s), 3) for s in (1, 3))
    np.testing.assert_array_equal(rough.joints_3d, smooth.joints_3d)
    assert 0 < np.abs(rough.image.astype(int) - smooth.image).mean() < 3
