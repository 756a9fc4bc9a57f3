"""What the associations are worth, on scenes with a known answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.association_scenes import count_joints, joints_of_each, make_scene, one_behind_the_other, places_of

from smap import SMAP15, DecodeConfig, Maps, decode
from smap.decode import ASSOCIATIONS

from .test_decode import one_person


def test_optimal_finds_more_joints_than_the_papers_greedy_and_no_more_wrong_ones() -> None:
    scenes = [make_scene(seed, people) for people in (10, 20) for seed in range(3)]
    recall, precision = {}, {}
    for name in ("depth-aware", "optimal"):
        right, truth, found, *_ = sum(count_joints(scene, DecodeConfig(association=name)) for scene in scenes)
        recall[name], precision[name] = right / truth, right / found
    assert recall["optimal"] > recall["depth-aware"] + 0.03
    assert precision["optimal"] >= precision["depth-aware"]


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("association", ASSOCIATIONS)
def test_of_too_many_people_the_nearest_stay(association: str, official: bool) -> None:
    config = DecodeConfig.official(1, association=association) if official else DecodeConfig(association=association)
    for seed in range(3):
        maps = make_scene(seed, 20, halves=0.4).maps
        every = decode(maps, replace(config, max_people=200))
        for most in (1, 4, 9, 60):
            few, count = decode(maps, replace(config, max_people=most)), min(most, int(every.count))
            assert few.people.shape == (1, most, 15) and few.count.tolist() == [count]
            assert torch.equal(few.people[:, :count], every.people[:, :count])
            assert torch.equal(few.root_depths[:, :count], every.root_depths[:, :count])
            assert (few.people[:, count:] == -1).all() and (few.root_depths[:, count:] == 0).all()


def test_half_bodies_are_kept_with_their_depth() -> None:
    scenes = [make_scene(seed, people, halves=0.5) for people in (4, 8) for seed in range(8)]
    totals = sum(count_joints(scene, DecodeConfig()) for scene in scenes)
    assert totals[3] >= 0.9 * totals[4] > 0


def two_in_one_place(depths: tuple[float, float]) -> Maps:
    """Two people whose pelvises are one pixel row apart share one neck peak; both PAFs lead to it alike (Fig. 3)."""
    heat = torch.zeros(1, 15, 60, 80)
    pafs, root_depth = torch.zeros(1, 14, 2, 60, 80), torch.zeros(1, 60, 80)
    for x, depth in zip((36, 44), depths, strict=True):
        heat[0, 2, 45, x] = 0.9
        root_depth[0, 45, x] = depth
    heat[0, 0, 15, 40] = 0.9
    y = torch.arange(15.0, 46)
    for sign in (-1, 1):  # both ways to the neck, mirrored
        x = (40 + sign * 4 * (y - 15) / 30).round().long()
        for dx in (-1, 0, 1):
            pafs[0, 0, 0, y.long(), x + dx] = -sign * 4 / 30.27
            pafs[0, 0, 1, y.long(), x + dx] = -30 / 30.27
    return Maps(heat, pafs, torch.zeros(1, 14, 60, 80), root_depth, SMAP15)


@pytest.mark.parametrize("association", ["depth-aware", "optimal"])
@pytest.mark.parametrize("depths", [(1.2, 1.3), (1.3, 1.2)])
def test_of_two_people_in_one_place_the_nearer_gets_the_joint(association: str, depths: tuple[float, float]) -> None:
    found = decode(two_in_one_place(depths), DecodeConfig(association=association, min_joints=1))
    assert found.count.item() == 2
    nearer, farther = found.people[0, :2]
    assert nearer[0] == 0 and farther[0] == -1
    assert nearer[2] == int(np.argmin(depths))


@pytest.mark.parametrize("association", ["depth-aware", "optimal"])
def test_where_two_people_share_a_place_the_nearer_is_put_together_first(association: str) -> None:
    scenes = [one_behind_the_other(seed, 0.12) for seed in range(60)]
    configs = [DecodeConfig(association=association, ordinal_prior=prior) for prior in (True, False)]
    shares = [np.mean([joints_of_each(scene, config) for scene in scenes], 0) for config in configs]
    assert shares[0][0] > shares[1][0] + 0.002
    assert shares[0][0] > 0.93


def test_a_second_look_at_a_body_is_dropped_and_a_neighbour_is_not() -> None:
    for shift, people in ((7, 1), (25, 2)):  # 13 and 48 cm
        maps = one_person()
        maps.heatmaps[:] = torch.maximum(maps.heatmaps, 0.7 * maps.heatmaps.roll(shift, -1))
        maps.pafs[:] = torch.where(maps.pafs.norm(dim=2, keepdim=True) > 0, maps.pafs, maps.pafs.roll(shift, -1))
        assert decode(maps).count.item() == 2
        found = decode(maps, DecodeConfig(max_overlap=0.8))
        assert found.count.item() == people
        heights = found.peaks.score[0, range(15), found.people[0, 0]]
        assert people == 2 or heights.min() > 0.9


@pytest.mark.parametrize("most", [0.8, 0.5, 0.2])
def test_pose_nms_drops_those_who_lie_on_a_surer_person_and_nobody_else(most: float) -> None:
    dropped = 0
    for seed in range(4):
        scene = make_scene(seed, 30, noise=2.0)
        every, fewer = decode(scene.maps), decode(scene.maps, DecodeConfig(max_overlap=most))
        places, depths = places_of(every), every.root_depths[0].numpy()
        heights = every.peaks.score[0].numpy()[np.arange(15), every.people[0, : len(places)]]
        score = np.where(np.isfinite(places[..., 0]), heights, 0).sum(-1)

        def lies_on(p: int, q: int, places=places, depths=depths, scene=scene) -> bool:
            near, far = sorted((depths[p], depths[q]))
            reach = 0.15 * scene.maps.root_depth.shape[-1] / depths[q] + 0.4
            own = places[p][np.isfinite(places[p, :, 0])]
            close = np.linalg.norm(own[:, None] - places[q], axis=-1) <= reach  # False where q has no joint
            return bool(far < 1.3 * near and close.any(1).mean() > most)

        people = range(len(places))
        kept = [p for p in people if not any(score[q] > score[p] and lies_on(p, q) for q in people)]
        assert fewer.people[0, : fewer.count[0]].tolist() == every.people[0, kept].tolist()
        dropped += len(places) - len(kept)
    assert dropped > 0


def test_a_body_found_twice_is_one_person() -> None:
    maps = one_person()
    maps.heatmaps[0, [0, 2], [40, 60], 53] = 0.95  # a second neck and a second pelvis, 6 cm to the side
    maps.pafs[0, 0, 1, 38:62, 51:56] = -1
    greedy, optimal = (decode(maps, DecodeConfig(association=name)) for name in ("depth-aware", "optimal"))
    assert greedy.count.item() == 2 and optimal.count.item() == 1
    assert (optimal.people[0, 0] >= 0).all()
    maps.root_depth[0, :, 52:] = 3.0  # somebody behind is somebody else
    assert decode(maps).count.item() == 2


@pytest.mark.parametrize("joints", [11, 15])
def test_a_half_body_found_on_a_body_with_a_pelvis_takes_its_depth(joints: int) -> None:
    maps = one_person()
    if joints == 11:  # without knees and ankles the half body has more joints, so its row stays
        maps.heatmaps[0, [7, 8, 13, 14]] = 0
    maps.heatmaps[0, 0, 40, 53] = 0.95  # a second neck: the pelvis' limb leads there, the arms' to the first
    maps.pafs[0, 0] = 0
    for y in range(39, 62):
        x = round(50 + 3 * (60 - y) / 20)
        maps.pafs[0, 0, :, y, x - 1 : x + 2] = torch.tensor([3.0, -20.0])[:, None] / 20.2
    maps.root_depth[0, :45] = 2.2  # what the map says at the necks
    found = decode(maps)
    assert found.count.item() == 1
    assert int((found.people[0, 0] >= 0).sum()) == joints
    assert found.root_depths[0, 0] == maps.root_depth[0, 60, 50] == 2.0
