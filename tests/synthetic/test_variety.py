from __future__ import annotations

import numpy as np
import pytest

from smap import SMAP15
from smap.synthetic import BuiltinPack, SceneConfig
from smap.synthetic.assets import BONES
from smap.synthetic.body import joints_of, pose_bones
from smap.synthetic.sampling import sample_scene
from smap.synthetic.skeletons import random_skeletons
from smap.synthetic.variety import _exercise, _sit_down, varied

STANDING = np.repeat(np.eye(3, dtype=np.float32)[None], len(BONES), 0)


def joints(rotations: np.ndarray) -> dict[str, np.ndarray]:
    avatar = BuiltinPack().avatar(0)
    positions = pose_bones(avatar.joints, rotations)
    return dict(zip(SMAP15.joints, joints_of(positions, rotations, avatar.joints, avatar.head_top), strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_a_varied_pose_is_another_pose_of_the_same_body(seed: int) -> None:
    pose = varied(STANDING, np.random.default_rng(seed))
    np.testing.assert_allclose(pose @ pose.transpose(0, 2, 1), STANDING, atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(pose), 1, atol=1e-5)
    before, after = joints(STANDING), joints(pose)
    for limb in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
        for side in ("left", "right"):
            ends = [f"{side}_{name}" for name in limb]
            lengths = [np.linalg.norm(body[ends[0]] - body[ends[1]]) for body in (before, after)]
            assert lengths[0] == pytest.approx(lengths[1], abs=1e-4)
    assert (np.eye(3) == STANDING).all()


def test_nearly_every_pose_changes() -> None:
    reach = [np.abs(varied(STANDING, np.random.default_rng(seed)) - STANDING).max() for seed in range(100)]
    assert sum(r > 0.1 for r in reach) > 90


@pytest.mark.parametrize("seed", range(10))
def test_who_sits_has_thighs_forward_and_feet_below_the_knees(seed: int) -> None:
    pose = STANDING.copy()
    _sit_down(pose, np.random.default_rng(seed))
    body = joints(pose)
    for side in ("left", "right"):
        hip, knee, ankle = (body[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        thigh = (knee - hip) / np.linalg.norm(knee - hip)
        assert thigh[2] > 0.5 and abs(thigh[1]) < 0.75
        assert ankle[1] < knee[1] - 0.2


@pytest.mark.parametrize("seed", range(40))
def test_who_exercises_bends_knees_and_elbows_one_way_only(seed: int) -> None:
    pose = STANDING.copy()
    _exercise(pose, np.random.default_rng(seed))
    np.testing.assert_allclose(pose @ pose.transpose(0, 2, 1), STANDING, atol=1e-5)
    np.testing.assert_array_equal(pose[0], STANDING[0])  # in place
    for side, outwards in (("Left", 1), ("Right", -1)):
        thigh, shin = pose[BONES.index(f"{side}UpLeg")], pose[BONES.index(f"{side}Leg")]
        assert (thigh.T @ shin @ [0, -1, 0])[2] <= 1e-6  # backwards
        upper, fore = pose[BONES.index(f"{side}Arm")], pose[BONES.index(f"{side}ForeArm")]
        assert (upper.T @ fore @ [outwards, 0, 0])[2] >= -1e-6  # forwards


def test_people_exercise_in_poses_that_nobody_captures() -> None:
    """Among many: feet above the hips' height, hands above the head and below the knees, trunks bent flat."""
    bodies = []
    for seed in range(300):
        pose = STANDING.copy()
        _exercise(pose, np.random.default_rng(seed))
        bodies.append(joints(pose))

    def share(higher: str, lower: str) -> float:
        return float(np.mean([body[higher][1] > body[lower][1] for body in bodies]))

    assert share("left_ankle", "pelvis") > 0.005
    assert share("right_wrist", "head_top") > 0.1
    assert share("left_knee", "left_wrist") > 0.02
    assert share("pelvis", "neck") > 0.01
    assert share("neck", "pelvis") > 0.8


def test_some_people_lie() -> None:
    bodies = [joints(varied(STANDING, np.random.default_rng(seed))) for seed in range(400)]
    lengths = [np.ptp([place[1] for place in body.values()]) for body in bodies]
    assert 4 < sum(length < 0.8 for length in lengths) < 60


def test_variety_is_an_option_of_scenes_and_skeletons() -> None:
    pack = BuiltinPack()

    def poses(share: float) -> list[np.ndarray]:
        config = SceneConfig(pose_variety=share, people=(1, 1), empty_share=0, build_sd=0, child_share=0)
        return [sample_scene(pack, config, np.random.default_rng(3)).people[0].transforms]

    assert not np.allclose(poses(0.0), poses(1.0))
    plain, moved = (
        random_skeletons(pack, SceneConfig(pose_variety=share), 1, np.random.default_rng(2)) for share in (0.0, 1.0)
    )
    assert np.abs(moved).max() < 2 and not np.allclose(plain, moved, atol=0.01)
