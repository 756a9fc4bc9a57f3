from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from smap import SMAP15
from smap.synthetic import BuiltinPack, Pack, SceneConfig, render_scene, sample_scene
from smap.synthetic.assets import HEAD
from smap.synthetic.scene import yaw_matrix
from smap.synthetic.wardrobe import dress

AnyPack = BuiltinPack | Pack


@pytest.fixture(scope="module")
def scenes(builtin: BuiltinPack) -> list[Any]:
    return [sample_scene(builtin, SceneConfig(), np.random.default_rng(seed)) for seed in range(300)]


def test_counts_cover_the_range(scenes: list[Any]) -> None:
    counts = np.bincount([len(scene.people) for scene in scenes], minlength=9)
    assert len(counts) == 9
    assert (counts > 0).all()
    assert 0.01 < counts[0] / len(scenes) < 0.2


def test_crowds_may_be_larger_than_usual(builtin: BuiltinPack) -> None:
    config = SceneConfig(people=(10, 14), empty_share=0, depth=(4.0, 12.0))
    counts = {len(sample_scene(builtin, config, np.random.default_rng(seed)).people) for seed in range(40)}
    assert max(counts) > 10


def test_bars_stand_beside_other_shapes(builtin: BuiltinPack) -> None:
    config = SceneConfig(letterbox_share=1.0, degrade=1.0)
    shapes, tall = set(), 0
    for seed in range(40):
        sample = render_scene(builtin, config, seed)
        x, y, w, h = sample.extra["content"]
        outside = np.ones((256, 416), bool)
        outside[y : y + h, x : x + w] = False
        assert (sample.image[outside] == 128).all()
        assert w == 416 or h == 256
        fov = np.degrees(2 * np.arctan(max(w, h) / 2 / sample.camera.fx))
        assert 35 <= fov <= 95
        inside = (sample.joints_2d >= (x - 0.5, y - 0.5)).all(-1) & (sample.joints_2d < (x + w - 0.5, y + h - 0.5)).all(
            -1
        )
        assert ((sample.visibility > 0) == inside).all()
        shapes.add((w, h))
        tall += h > w
    assert len(shapes) == 7
    assert tall > 8


def test_cameras_cover_the_range(scenes: list[Any]) -> None:
    fov = np.degrees([2 * np.arctan(208 / s.view.camera.fx) for s in scenes])
    assert 35 <= fov.min() < 40
    assert 90 < fov.max() <= 95
    heights = [s.view.height for s in scenes]
    assert 0.3 <= min(heights) < 0.6
    assert 3.2 < max(heights) <= 4
    for scene in scenes:
        np.testing.assert_allclose(scene.view.rotation @ scene.view.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(scene.view.rotation) == pytest.approx(1)
        assert scene.view.rotation[1, 1] < 0  # the camera's y points down


def test_people_keep_their_distance_and_pairs_are_close(scenes: list[Any]) -> None:
    gaps = []
    for scene in scenes:
        ground = [p.ground for p in scene.people]
        gaps += [np.hypot(*(a - b)) for i, a in enumerate(ground) for b in ground[:i]]
    assert min(gaps) >= 0.35
    assert np.mean(np.array(gaps) < 0.75) > 0.05


def test_depths_and_truncation(builtin: BuiltinPack) -> None:
    """Roots lie within the depth range, near and far, and people are cut by every border."""
    depths, cut = [], np.zeros(4, int)
    for seed in range(80):
        sample = render_scene(builtin, SceneConfig(degrade=0, supersample=1), seed)
        depths += list(sample.joints_3d[:, SMAP15.root, 2])
        x, y = sample.joints_2d[..., 0], sample.joints_2d[..., 1]
        cut += [(x < 0).any(), (x > 416).any(), (y < 0).any(), (y > 256).any()]
    assert 0.8 < min(depths) < 2
    assert 10 < max(depths) < 12.8
    assert (cut > 4).all()


def test_some_are_children(builtin: BuiltinPack) -> None:
    sizes = []
    for seed in range(120):
        for p in sample_scene(builtin, SceneConfig(), np.random.default_rng(seed)).people:
            stretch = np.linalg.norm(p.transforms[14], axis=0).mean()
            sizes.append(stretch)
    children = np.mean(np.array(sizes) < 0.84)
    assert 0.05 < children < 0.3
    assert min(sizes) > 0.4
    assert max(sizes) < 1.4


def test_headwear_recolours_heads_only(pack: AnyPack) -> None:
    avatar, fabrics, covered_faces = pack.avatar(0), pack.fabrics("train"), 0
    for seed in range(40):
        plain, never, always = (
            dress(avatar, fabrics, np.random.default_rng(seed), share) for share in (0.0, 1e-9, 1.0)
        )
        for mesh, other in zip(plain, never, strict=True):
            np.testing.assert_array_equal(mesh.material, other.material)
        changed = (plain[0].material != always[0].material).any((1, 2))
        assert not changed[np.arange(len(changed)) != HEAD].any()
        assert all((a.material != b.material).any() for a, b in zip(plain[1:], always[1:], strict=True))
        covered_faces += int(changed[HEAD])
    assert 0 < covered_faces <= 40


def test_splits_share_nobody(pack: AnyPack) -> None:
    for of in (pack.avatars, pack.poses, pack.stills, pack.cutouts):
        train, val = set(of("train").tolist()), set(of("val").tolist())
        assert train
        assert val
        assert not train & val
        assert train | val <= set(of(None).tolist())
    with pytest.raises(ValueError, match="split must be 'train', 'val' or None, got 'test'"):
        pack.avatars("test")  # type: ignore[arg-type]


def test_scenes_of_a_split_use_only_its_people(pack: AnyPack) -> None:
    val = set(pack.avatars("val").tolist())
    for seed in range(20):
        for split, inside in (("val", True), ("train", False)):
            scene = sample_scene(pack, SceneConfig(split=split), np.random.default_rng(seed))
            assert all((p.avatar in val) is inside for p in scene.people)
            assert all((o.texture in set(pack.cutouts("val").tolist())) is inside for o in scene.objects)


def test_hold_out_is_by_person_and_clip(shared_pack: Pack) -> None:
    people = {
        split: {shared_pack.names[i].rsplit("_", 1)[0] for i in shared_pack.avatars(split)}
        for split in ("train", "val")
    }
    assert not people["train"] & people["val"]
    with np.load(shared_pack.path / "poses.npz") as file:
        source = file["src"]
    clips = {
        split: {c for i in shared_pack.poses(split) for c in str(source[i]).replace("_mirror", "").split("+")}
        for split in ("train", "val")
    }
    assert not clips["train"] & clips["val"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 0}, "width must be at least 16, got 0"),
        ({"depth": (5, 2)}, r"depth must be \(least, most\), both positive, got \(5, 2\)"),
        ({"fov": (30, 175)}, "fov must stay below 170 degrees"),
        ({"child_share": 1.5}, r"child_share must be in \[0, 1\], got 1.5"),
        ({"window": (500, 100)}, r"window must fit into 416 x 256 pixels, got \(500, 100\)"),
        ({"supersample": 5}, "supersample must be 1 to 4, got 5"),
        ({"split": "test"}, "split must be 'train', 'val' or None, got 'test'"),
    ],
)
def test_says_what_is_wrong(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SceneConfig(**fields)


def test_yaw_turns_about_the_vertical() -> None:
    np.testing.assert_allclose(yaw_matrix(np.pi / 2) @ [0, 0, 1], [1, 0, 0], atol=1e-6)
