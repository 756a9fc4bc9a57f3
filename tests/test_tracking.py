from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smap import SMAP15, Camera, People
from smap.tracking import Smoother, Tracker, TrackingConfig

from .scenes import random_person

CAMERA = Camera(900, 900, 479.5, 319.5)
POSE = random_person(np.random.default_rng(0), np.zeros(3))


def people_at(roots: np.ndarray, rng: np.random.Generator | None = None, missing: float = 0.0) -> People:
    """One pose at several places ``(P, 3)``, noisy and with missing joints if asked."""
    points = roots[:, None] + POSE
    if rng is not None:
        points = points + rng.normal(0, 0.01, points.shape)
    seen = np.ones(points.shape[:2], bool) if rng is None else rng.random(points.shape[:2]) >= missing
    seen[:, SMAP15.root] = True
    xy = np.where(seen[..., None], CAMERA.project(points), np.nan)
    return People(np.where(seen[..., None], points, np.nan), xy, seen * 0.9, seen, None, SMAP15, CAMERA)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_people_keep_their_identity_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    roots = np.stack([np.linspace(-2, 2, 4), np.zeros(4), rng.uniform(3, 6, 4)], -1)
    speed = rng.uniform(-0.03, 0.03, (4, 3)) * (1, 0, 1)
    tracker = Tracker()
    first = tracker.update(people_at(roots)).ids
    for frame in range(1, 20):
        order = rng.permutation(4)
        result = tracker.update(people_at((roots + speed * frame)[order], rng, 0.2))
        np.testing.assert_array_equal(result.ids, first[order])


def test_people_who_cross_in_the_image_keep_their_identity_by_depth() -> None:
    tracker = Tracker()
    for frame in range(41):
        x = -1 + frame * 0.05
        ids = tracker.update(people_at(np.array([[x, 0, 3.0], [-x * 5 / 3, 0, 5.0]]))).ids
        np.testing.assert_array_equal(ids, [0, 1])


def test_somebody_hidden_for_a_while_comes_back_and_a_stranger_is_new() -> None:
    tracker = Tracker(TrackingConfig(max_missed=5))
    walk = [np.array([[-1 + 0.04 * frame, 0, 4.0]]) for frame in range(30)]
    for frame in range(10):
        tracker.update(people_at(walk[frame]))
    for _ in range(4):
        assert len(tracker.update(People.empty()).ids) == 0
    assert tracker.update(people_at(walk[14])).ids.tolist() == [0]
    for _ in range(6):
        tracker.update(People.empty())
    assert tracker.tracks == []
    assert tracker.update(people_at(walk[21])).ids.tolist() == [1]
    assert tracker.update(people_at(np.array([[-1 + 0.04 * 22, 0, 4.0], [2.0, 0, 7.0]]))).ids.tolist() == [1, 2]


def test_joints_that_are_hidden_for_a_while_go_on_with_the_body() -> None:
    tracker = Tracker()
    legs = [j for j, name in enumerate(SMAP15.joints) if name.split("_")[-1] in ("hip", "knee", "ankle", "pelvis")]
    for frame in range(45):
        people = people_at(np.array([[-2 + 0.1 * frame, 0, 4.0]]))
        if 10 <= frame < 30:
            for name in ("joints_3d", "joints_2d"):
                getattr(people, name)[:, legs] = np.nan
            people.detected[:, legs] = False
        elif frame >= 30:  # and now only the legs are seen
            for name in ("joints_3d", "joints_2d"):
                getattr(people, name)[:, [j for j in range(15) if j not in legs]] = np.nan
        assert tracker.update(people).ids.tolist() == [0], frame


def test_smoothing_halves_the_jitter_of_a_person_at_rest_and_follows_a_walk() -> None:
    rng = np.random.default_rng(3)
    tracker, smoother = Tracker(), Smoother(rate=30)
    raw, smooth = [], []
    for frame in range(120):
        x = max(0, frame - 60) * 0.05  # at rest for two seconds, then 1.5 m a second
        people = tracker.update(people_at(np.array([[x - 1, 0, 4.0]]), rng))
        raw.append(people.joints_3d[0])
        smooth.append(smoother.update(people).joints_3d[0])
    still = slice(20, 60)
    jitter = [np.diff(np.array(values)[still], axis=0).std() for values in (raw, smooth)]
    assert jitter[1] < jitter[0] / 2
    assert abs(smooth[-1][2, 0] - raw[-1][2, 0]) < 0.1


def test_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="memory in"):
        TrackingConfig(memory=1)
    with pytest.raises(ValueError, match="people must have identities"):
        Smoother(30).update(people_at(np.array([[0, 0, 3.0]])))
    with pytest.raises(ValueError, match="must be positive"):
        Smoother(0)
