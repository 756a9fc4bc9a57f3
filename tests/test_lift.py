from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smap import SMAP15, Camera, DecodeConfig, Letterbox, Maps, decode, lift
from smap.lift import Lifted, Views, lift_tensors, refine, to_people, tree_of
from smap.maps import MAP_NAMES
from smap.network import Judged, RefineNet, RefinerConfig

from .official_maps import official_maps
from .scenes import random_scene, targets

BOX = Letterbox.fit(1280, 720, (416, 256))
CAMERA = Camera(1100, 1120, 640, 350)


def one_person(seed: int) -> tuple[np.ndarray, tuple[torch.Tensor, ...]]:
    """A person in the camera frame and the maps and peaks that describe exactly that person."""
    rng = np.random.default_rng(seed)
    width, height = BOX.map_size
    image_xy = np.stack([rng.uniform(0, BOX.width - 1, 15), rng.uniform(0, BOX.height - 1, 15)], -1)
    points = CAMERA.back_project(image_xy, rng.uniform(2, 9, 15))
    limb_depths = torch.zeros(1, 14, height, width)
    for limb, (parent, child) in enumerate(SMAP15.limbs):
        limb_depths[0, limb] = float(points[child, 2] - points[parent, 2])
    xy = torch.from_numpy(BOX.image_to_map(image_xy)).float().reshape(1, 15, 1, 2)
    return points, (limb_depths, xy, torch.full((1, 15, 1), 0.9))


def views() -> Views:
    return Views.of([BOX], [CAMERA], "cpu")


def lift_one(inputs: tuple[torch.Tensor, ...], people: torch.Tensor, anchor_depth: float) -> Lifted:
    root_depths = torch.full((1, people.shape[1]), anchor_depth / BOX.depth_factor(CAMERA.fx))
    counts = (people >= 0).any(-1).sum(-1)
    return lift_tensors(*inputs, people, counts, root_depths, views(), SMAP15)


@given(st.integers(0, 2**32 - 1))
def test_a_person_comes_back_in_metres(seed: int) -> None:
    points, inputs = one_person(seed)
    lifted = lift_one(inputs, torch.zeros(1, 1, 15, dtype=torch.int64), points[SMAP15.root, 2])
    np.testing.assert_allclose(lifted.joints_3d[0, 0].numpy(), points, atol=2e-4)
    np.testing.assert_allclose(lifted.joints_2d[0, 0].numpy(), CAMERA.project(points), atol=2e-3)


def test_lifting_in_inference_mode_does_not_spoil_gradients() -> None:
    """Constants are kept between calls; those made in inference mode would refuse to take part in a backward pass."""
    box, camera = Letterbox.fit(1280, 721, (416, 256)), Camera(1100, 1121, 640, 350)  # of no other test
    skeleton = replace(SMAP15, joints=tuple(f"own {name}" for name in SMAP15.joints))
    _, (limb_depths, xy, score) = one_person(0)

    def depths(xy: torch.Tensor) -> torch.Tensor:
        people, roots = torch.zeros(1, 1, 15, dtype=torch.int64), torch.ones(1, 1)
        seen = Views.of([box], [camera], "cpu")
        return lift_tensors(limb_depths, xy, score, people, torch.tensor([1]), roots, seen, skeleton).joints_3d

    with torch.inference_mode():
        depths(xy)
    xy = xy.clone().requires_grad_()
    depths(xy).sum().backward()
    assert xy.grad is not None and xy.grad.abs().sum() > 0


@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 14), min_size=1))
@settings(max_examples=60)
def test_a_half_body_hangs_on_its_joint_nearest_to_the_root(seed: int, found: set[int]) -> None:
    """Whole limbs below the anchor keep their depth; joints that were not found are NaN."""
    points, inputs = one_person(seed)
    people = torch.full((1, 1, 15), -1)
    people[0, 0, sorted(found)] = 0
    anchor = next(j for j in tree_of(SMAP15, torch.device("cpu")).order.tolist() if j in found)
    lifted = lift_one(inputs, people, points[anchor, 2])
    depth = lifted.joints_3d[0, 0, :, 2].numpy()
    assert set(np.flatnonzero(np.isfinite(depth))) == found
    assert depth[anchor] == pytest.approx(points[anchor, 2], abs=1e-4)
    for parent, child in SMAP15.limbs:
        if parent in found and child in found:
            expected = points[child, 2] - points[parent, 2]
            assert depth[child] - depth[parent] == pytest.approx(expected, abs=1e-4)


def test_people_without_the_padding() -> None:
    points, inputs = one_person(3)
    people = torch.full((1, 4, 15), -1)
    people[0, 0] = 0
    result = to_people(lift_one(inputs, people, points[SMAP15.root, 2]), [CAMERA], SMAP15)[0]
    assert len(result) == 1
    assert result.detected.all()
    assert result.camera == CAMERA
    np.testing.assert_allclose(result.joints_3d[0], points, atol=2e-4)


def test_no_people_is_an_empty_result() -> None:
    _, inputs = one_person(4)
    lifted = lift_one(inputs, torch.zeros(1, 0, 15, dtype=torch.int64), 1.0)
    assert len(to_people(lifted, [CAMERA], SMAP15)[0]) == 0


class Shift(RefineNet):
    """A refiner that completes every joint at a known place."""

    def __init__(self) -> None:
        super().__init__(RefinerConfig())

    def refine(self, input_xy: torch.Tensor, joints_3d: torch.Tensor, found: torch.Tensor, width: int) -> torch.Tensor:
        assert width == 416
        inside = input_xy[found]
        np.testing.assert_allclose(inside.numpy(), self.expected[found[0].numpy()], atol=2e-3)
        return torch.where(found[..., None], joints_3d + 0.1, torch.tensor([0.5, -0.25, 4.0]))


def test_joints_are_refined_in_space_and_found_ones_keep_their_image_position() -> None:
    points, inputs = one_person(5)
    people = torch.zeros(1, 1, 15, dtype=torch.int64)
    people[0, 0, 5] = -1
    lifted = lift_one(inputs, people, points[SMAP15.root, 2])
    refiner = Shift()
    refiner.expected = BOX.image_to_input(CAMERA.project(points))
    refined = refine(refiner, lifted, views(), BOX.input_size)
    seen = np.arange(15) != 5
    np.testing.assert_allclose(refined.joints_2d[0, 0, seen].numpy(), lifted.joints_2d[0, 0, seen].numpy())
    np.testing.assert_allclose(refined.joints_3d[0, 0, seen].numpy(), points[seen] + 0.1, atol=1e-3)
    np.testing.assert_allclose(refined.joints_3d[0, 0, 5].numpy(), [0.5, -0.25, 4.0], atol=1e-5)
    np.testing.assert_allclose(
        refined.joints_2d[0, 0, 5].numpy(), CAMERA.project(np.array([0.5, -0.25, 4.0])), atol=1e-3
    )
    assert refined.scores[0, 0, 5] == 0


class Exchange(RefineNet):
    """A refiner that puts near people far and far ones near."""

    def __init__(self, judge: tuple[int, ...] = ()) -> None:
        super().__init__(RefinerConfig(anchor_depth="corrected", judge=judge))

    def refine(self, input_xy: torch.Tensor, joints_3d: torch.Tensor, found: torch.Tensor, width: int) -> torch.Tensor:
        return joints_3d * (20 / joints_3d[:, SMAP15.root, 2] ** 2)[:, None, None]


def test_people_are_near_to_far_after_their_depths_were_corrected() -> None:
    """Padding stays behind them, in every picture of a batch."""
    _, (limb_depths, xy, score) = one_person(6)
    people = torch.zeros(2, 4, 15, dtype=torch.int64)
    people[0, 3], people[1, 1:] = -1, -1
    people[0, 1, 4] = -1  # is known again by it
    depths = torch.tensor([[3.0, 4.0, 5.0, 0.0], [4.0, 0.0, 0.0, 0.0]]) / BOX.depth_factor(CAMERA.fx)
    both = Views.of([BOX] * 2, [CAMERA] * 2, "cpu")
    maps = (limb_depths.expand(2, -1, -1, -1), xy.expand(2, -1, -1, -1), score.expand(2, -1, -1))
    lifted = lift_tensors(*maps, people, torch.tensor([3, 1]), depths, both, SMAP15)
    refined = refine(Exchange(), lifted, both, BOX.input_size)
    roots = refined.joints_3d[:, :, SMAP15.root, 2]
    torch.testing.assert_close(roots[0, :3], torch.tensor([4.0, 5.0, 20 / 3]))
    torch.testing.assert_close(roots[1, :1], torch.tensor([5.0]))
    assert roots[0, 3].isnan() and roots[1, 1:].isnan().all()
    assert (refined.scores[0, :3, 4] > 0).tolist() == [True, False, True]
    assert (refined.scores[0, 3] == 0).all() and (refined.scores[1, 1:] == 0).all()
    torch.testing.assert_close(refined.joints_2d[0, 2], lifted.joints_2d[0, 0])


class Sure(Exchange):
    """Also says how sure it is: a twentieth for each joint that was found."""

    def judge(self, input_xy: torch.Tensor, scores: torch.Tensor, refined_xy: torch.Tensor, width: int) -> Judged:
        assert width == 416
        return Judged((scores > 0).sum(1) / 20, input_xy)


def test_people_of_whom_the_refiner_is_unsure_are_dropped() -> None:
    _, (limb_depths, xy, score) = one_person(6)
    people = torch.zeros(2, 4, 15, dtype=torch.int64)
    people[0, 1, 5:] = -1  # five joints
    people[1, 0, 6:], people[1, 1, 3:], people[1, 2:] = -1, -1, -1  # six and three joints
    depths = torch.tensor([[3.0, 4.0, 5.0, 6.0], [4.0, 4.5, 0.0, 0.0]]) / BOX.depth_factor(CAMERA.fx)
    both = Views.of([BOX] * 2, [CAMERA] * 2, "cpu")
    maps = (limb_depths.expand(2, -1, -1, -1), xy.expand(2, -1, -1, -1), score.expand(2, -1, -1))
    lifted = lift_tensors(*maps, people, torch.tensor([4, 2]), depths, both, SMAP15)
    torch.testing.assert_close(lifted.person_scores[0], torch.tensor([0.9, 0.3, 0.9, 0.9]))

    refiner = Sure(judge=(4,))
    kept = refine(refiner, lifted, both, BOX.input_size)
    assert kept.counts.tolist() == [4, 2]
    refined = refine(refiner, lifted, both, BOX.input_size, min_person_score=0.28)
    assert refined.counts.tolist() == [3, 1]
    torch.testing.assert_close(refined.joints_3d[0, :3, SMAP15.root, 2], torch.tensor([20 / 6, 4.0, 20 / 3]))
    torch.testing.assert_close(refined.person_scores, torch.tensor([[0.75, 0.75, 0.75, 0], [0.3, 0, 0, 0]]))
    torch.testing.assert_close(refined.joints_2d[0, 0], lifted.joints_2d[0, 3])
    for rest in (refined.joints_3d, refined.joints_2d):
        assert rest[0, 3].isnan().all() and rest[1, 1:].isnan().all()
    assert (refined.scores[0, 3] == 0).all() and (refined.scores[1, 1:] == 0).all()
    everyone = to_people(refined, [CAMERA] * 2, SMAP15)
    assert [len(one) for one in everyone] == [3, 1]
    assert everyone[1][0].score == pytest.approx(0.3)


def test_joints_are_in_the_picture_where_the_judge_says() -> None:
    points, inputs = one_person(7)
    people = torch.zeros(1, 1, 15, dtype=torch.int64)
    people[0, 0, 5] = -1
    lifted = lift_one(inputs, people, points[SMAP15.root, 2])
    refiner = Sure(judge=(4,))
    refiner.refine = lambda input_xy, joints_3d, found, width: torch.from_numpy(points).float()[None] * 1.1
    right = torch.tensor([2.0, 0.0])
    refiner.judge = lambda input_xy, scores, refined_xy, width: Judged(torch.ones(1), refined_xy + right)
    refined = refine(refiner, lifted, views(), BOX.input_size)
    torch.testing.assert_close(refined.joints_3d[0, 0], torch.from_numpy(points).float() * 1.1)
    expected = BOX.input_to_image(BOX.image_to_input(CAMERA.project(points)) + right.numpy())
    np.testing.assert_allclose(refined.joints_2d[0, 0].numpy(), expected, atol=1e-2)
    assert (refined.scores[0, 0] > 0).tolist() == [j != 5 for j in range(15)]


@pytest.mark.parametrize("judge", [(), (4,)])
def test_what_is_refined_to_behind_the_camera_is_not_in_the_picture(judge: tuple[int, ...]) -> None:
    points, inputs = one_person(7)
    people = torch.zeros(1, 1, 15, dtype=torch.int64)
    people[0, 0, 5] = -1
    lifted = lift_one(inputs, people, points[SMAP15.root, 2])
    refiner = RefineNet(RefinerConfig(judge=judge)).eval()
    refined = torch.from_numpy(points).float()[None].clone()
    refined[0, [4, 5], 2] = -0.02
    refiner.refine = lambda input_xy, joints_3d, found, width: refined
    after = refine(refiner, lifted, views(), BOX.input_size)
    seen = np.arange(15) != 5
    torch.testing.assert_close(after.joints_2d[0, 0, seen], lifted.joints_2d[0, 0, seen], atol=300, rtol=0)
    assert after.joints_2d[0, 0, 4].isfinite().all()
    if not judge:
        assert after.joints_2d[0, 0, 5].isnan().all()


def test_who_has_no_root_is_the_last_of_those_who_stay() -> None:
    """A refiner that hangs people on their root leaves the others as they are."""
    _, inputs = one_person(6)
    people = torch.zeros(1, 3, 15, dtype=torch.int64)
    people[0, 0, 4:] = -1  # is dropped
    people[0, 1, SMAP15.root] = -1
    lifted = lift_one(inputs, people, 4.0)
    refiner = Sure(judge=(4,))
    refiner.refine = lambda input_xy, joints_3d, found, width: joints_3d
    refined = refine(refiner, lifted, views(), BOX.input_size, min_person_score=0.5)
    assert refined.counts.tolist() == [2]
    torch.testing.assert_close(refined.person_scores, torch.tensor([[0.75, 0.7, 0.0]]))
    torch.testing.assert_close(refined.joints_2d[0, 1], lifted.joints_2d[0, 1], equal_nan=True)


def test_scores_of_people_stay_below_one() -> None:
    """Peaks of other networks may be higher."""
    _, (limb_depths, xy, score) = one_person(6)
    lifted = lift_one((limb_depths, xy, 3 * score), torch.zeros(1, 1, 15, dtype=torch.int64), 4.0)
    assert lifted.scores.min() > 2
    assert to_people(lifted, [CAMERA], SMAP15)[0][0].score == 1


def test_one_camera_per_image() -> None:
    with pytest.raises(ValueError, match="cameras must be one per image = 1, got 2"):
        Views.of([BOX], [CAMERA, CAMERA], "cpu")


def test_a_letterbox_of_other_maps_is_refused() -> None:
    people, camera, box = random_scene(11, 2)
    maps = targets(people, camera, box)
    found = decode(maps)
    turned = Letterbox.fit(box.width, box.height, box.input_size[::-1])
    coarse = Letterbox(box.width, box.height, (box.input_size[0] * 2, box.input_size[1] * 2), 8)
    for wrong in (turned, [turned]):
        with pytest.raises(ValueError, match="letterbox must be of the maps of"):
            lift(maps, found, wrong, camera)
    both = Maps(*(getattr(maps, name).repeat_interleave(2, 0) for name in MAP_NAMES))
    with pytest.raises(ValueError, match="all of one stride"):
        lift(both, decode(both), [box, coarse], camera)


def test_lifts_as_the_authors_do(shared: Path) -> None:
    """To 1 mm; their pixel centres are at 0.5, so the principal point moves by half a pixel."""
    with np.load(shared / "official" / "association.npz") as file:
        recorded = dict(file)
    for case in sorted({key.split("/")[0] for key in recorded}, key=int)[::3]:
        maps, crc, scene = official_maps(shared, int(case))
        if crc != recorded[f"{case}/crc"]:
            continue
        scale = scene["scale"]
        box = Letterbox.fit(scale["img_width"], scale["img_height"], (832, 512))
        camera = Camera(scale["f_x"], scale["f_y"], scale["cx"] - 0.5, scale["cy"] - 0.5)
        people = lift(maps, decode(maps, DecodeConfig.official(map_scale=1)), box, camera, child_alone=False)[0]
        truth = recorded[f"{case}/pose3d_cm"] / 100
        assert len(people) == len(truth)
        missing = (recorded[f"{case}/index"] < 0)[..., None]
        np.testing.assert_array_equal(np.isnan(people.joints_3d), np.repeat(missing, 3, -1), err_msg=case)
        found = np.where(missing, truth, people.joints_3d)
        tolerance = 1e-3 * np.maximum(1, np.abs(truth[..., 2:]) / 10)  # float32 beyond ten metres
        assert (np.abs(found - truth) <= tolerance).all(), (case, np.abs(found - truth).max())
