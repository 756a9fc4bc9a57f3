"""Many pictures at a time are the pictures one at a time, wherever they are drawn."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from smap.sample import HIDDEN
from smap.synthetic import (
    BuiltinPack,
    Pack,
    Plan,
    Renderer,
    SceneConfig,
    plan_random_scene,
    render_scene,
)

AnyPack = BuiltinPack | Pack
CONFIG = SceneConfig(width=208, height=128, letterbox_share=0.5, empty_share=0.2, clutter_share=0.6)
WINDOW = replace(CONFIG, window=(96, 80))


def off(a: np.ndarray, b: np.ndarray) -> float:
    """Share of values more than one step apart: where arithmetic of another order changes what JPEG keeps."""
    return float((np.abs(a.astype(int) - b) > 1).mean())


@pytest.mark.parametrize("config", [CONFIG, WINDOW], ids=["full", "window"])
def test_a_batch_is_the_pictures_one_by_one(pack: AnyPack, config: SceneConfig, device: torch.device) -> None:
    seeds = range(12)
    samples = [render_scene(pack, config, seed) for seed in seeds]
    plan = Plan.join([plan_random_scene(pack, config, seed) for seed in seeds])
    drawn = Renderer(pack, device).draw(plan)
    assert drawn.images.device.type == device.type
    assert drawn.images.dtype == torch.uint8
    assert off(drawn.images.cpu().numpy(), np.stack([s.image for s in samples])) < 1e-3
    pixels, visibility = drawn.pixels.cpu().numpy(), drawn.visibility.cpu().numpy()
    kept = pixels > 0
    for name, values in (("joints_3d", plan.joints), ("visibility", visibility)):
        np.testing.assert_allclose(values[kept], np.concatenate([getattr(s, name) for s in samples]), atol=1e-4)
    np.testing.assert_array_equal(pixels[kept], np.concatenate([s.extra["pixels"] for s in samples]))
    np.testing.assert_array_equal(np.bincount(plan.pictures[kept], minlength=12), [len(s) for s in samples])


def test_the_same_plan_gives_the_same_pictures(builtin: BuiltinPack, device: torch.device) -> None:
    plan = Plan.join([plan_random_scene(builtin, CONFIG, seed) for seed in range(6)])
    renderer = Renderer(builtin, device)
    first, second = renderer.draw(plan), renderer.draw(plan)
    for name in ("images", "visibility", "pixels"):
        torch.testing.assert_close(getattr(first, name), getattr(second, name), rtol=0, atol=0)


def test_plans_travel(builtin: BuiltinPack) -> None:
    """What another process planned is drawn as what this one did, by a pack that has made nothing yet."""
    plans = [plan_random_scene(builtin, WINDOW, seed) for seed in range(4)]
    sent = pickle.dumps(Plan.join(plans))
    assert len(sent) < 4 * 60_000
    here = Renderer(builtin).draw(Plan.join(plans)).images
    torch.testing.assert_close(Renderer(BuiltinPack()).draw(pickle.loads(sent)).images, here, rtol=0, atol=0)


def test_plans_of_nobody(builtin: BuiltinPack) -> None:
    config = replace(CONFIG, empty_share=1.0, clutter_share=0.0)
    plan = Plan.join([plan_random_scene(builtin, config, seed) for seed in range(3)])
    drawn = Renderer(builtin).draw(plan)
    assert drawn.images.shape == (3, 128, 208, 3)
    assert drawn.visibility.shape == (0, 15)
    assert drawn.pixels.shape == (0,)
    assert (drawn.images.float().std((1, 2, 3)) > 5).all()


def test_who_is_left_out_is_not_in_the_window(builtin: BuiltinPack, monkeypatch: pytest.MonkeyPatch) -> None:
    """People far outside a window are not drawn; drawing them changes nothing."""
    few = Plan.join([plan_random_scene(builtin, WINDOW, seed) for seed in range(40)])
    monkeypatch.setattr("smap.synthetic.plan._may_be_seen", lambda *_: True)
    all_of_them = Plan.join([plan_random_scene(builtin, WINDOW, seed) for seed in range(40)])
    assert len(few.parts) < 0.9 * len(all_of_them.parts)
    renderer = Renderer(builtin)
    one, other = renderer.draw(few), renderer.draw(all_of_them)
    for name in ("images", "visibility", "pixels"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=0, atol=0)


def test_plans_of_different_sizes_do_not_join(builtin: BuiltinPack) -> None:
    with pytest.raises(ValueError, match="plans must share size, full_size, supersample"):
        Plan.join([plan_random_scene(builtin, config, 0) for config in (CONFIG, WINDOW)])


def test_joints_outside_the_picture_are_hidden(builtin: BuiltinPack) -> None:
    plan = Plan.join([plan_random_scene(builtin, WINDOW, seed) for seed in range(20)])
    visibility = Renderer(builtin).draw(plan).visibility.numpy()
    places = plan.project()
    outside = ((places < -0.5) | (places > np.array([95.5, 79.5]))).any(-1)
    assert (visibility[outside] == HIDDEN).all()
