from __future__ import annotations

import pytest

from smap import SMAP15, Skeleton


def test_flip_is_its_own_inverse_and_maps_limbs_to_limbs() -> None:
    flip = SMAP15.flipped_joints
    assert [flip[i] for i in flip] == list(range(15))
    for i, j in enumerate(SMAP15.flipped_limbs):
        parent, child = SMAP15.limbs[i]
        assert SMAP15.limbs[j] == (flip[parent], flip[child])
    assert SMAP15.joints[flip[SMAP15.joints.index("left_knee")]] == "right_knee"


def test_a_limb_without_a_counterpart_cannot_be_mirrored() -> None:
    lopsided = Skeleton(("hip", "left_knee", "right_knee"), ((0, 1), (1, 2)), (0.4, 0.3))
    with pytest.raises(ValueError, match=r"limbs must have a counterpart .* got hip to left_knee alone"):
        _ = lopsided.flipped_limbs


def test_every_joint_reaches_the_root() -> None:
    for joint in range(15):
        steps = 0
        while joint != SMAP15.root:
            joint, steps = SMAP15.parents[joint], steps + 1
            assert steps < 15
    assert SMAP15.joints[SMAP15.root] == "pelvis"


def test_plain_types_round_trip() -> None:
    assert Skeleton.from_dict(SMAP15.to_dict()) == SMAP15


@pytest.mark.parametrize(
    ("joints", "limbs", "lengths", "message"),
    [
        (("a", "b", "c"), ((0, 1), (2, 1)), (1, 1), "root outwards"),
        (("a", "b", "c"), ((0, 1), (0, 1)), (1, 1), "root outwards"),
        (("a", "b"), (), (), "limbs must number"),
        (("a", "a"), ((0, 1),), (1,), "distinct"),
        (("a", "b"), ((0, 1),), (0,), "positive"),
        (("a", "b"), ((0, 5),), (1,), "root outwards"),
        (("a", "b"), ((-1, 0),), (1,), "begin at a joint, 0 to 1, got -1"),
        (("a", "b"), ((5, 0),), (1,), "begin at a joint, 0 to 1, got 5"),
    ],
)
def test_only_trees_listed_root_outwards(joints, limbs, lengths, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Skeleton(joints, limbs, lengths)
