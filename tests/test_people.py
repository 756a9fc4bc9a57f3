from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smap import SMAP15, Camera, People


def random_people(seed: int, count: int, ids: bool = False) -> People:
    rng = np.random.default_rng(seed)
    detected = rng.random((count, 15)) < 0.7
    points = np.where(detected[..., None], rng.uniform(-5, 9, (count, 15, 3)), np.nan)
    xy = np.where(detected[..., None], rng.uniform(0, 900, (count, 15, 2)), np.nan)
    scores = np.where(detected, rng.random((count, 15)), 0)
    numbers = np.arange(count) if ids else None
    return People(points, xy, scores, detected, numbers, SMAP15, Camera(500, 510, 320, 240), rng.random(count))


@given(st.integers(0, 2**32 - 1), st.integers(0, 5), st.booleans())
def test_json_round_trip(seed: int, count: int, ids: bool) -> None:
    people = random_people(seed, count, ids)
    again = People.from_json(people.to_json())
    np.testing.assert_allclose(again.joints_3d, people.joints_3d, atol=1e-5)
    np.testing.assert_allclose(again.joints_2d, people.joints_2d, atol=1e-3)
    np.testing.assert_allclose(again.scores, people.scores, atol=1e-4)
    np.testing.assert_array_equal(again.detected, people.detected)
    np.testing.assert_allclose(again.person_scores, people.person_scores, atol=1e-4)
    assert again.camera == people.camera
    assert again.skeleton == people.skeleton
    assert (again.ids is None) == (people.ids is None or count == 0)


def test_json_names_units_and_frame() -> None:
    record = json.loads(random_people(0, 1).to_json())
    assert "metres" in record["frame"]
    assert set(record["people"][0]) == {"score", "joints_3d_m", "joints_2d_px", "scores", "detected"}


def test_a_person_is_a_row() -> None:
    people = random_people(1, 3, ids=True)
    assert len(people) == len(list(people)) == 3
    np.testing.assert_array_equal(people[-1].joints_3d, people.joints_3d[2])
    assert people[1].id == 1
    with pytest.raises(IndexError):
        people[3]
    with pytest.raises(TypeError, match="index of a person must be an integer"):
        people[0:2]


def test_people_are_compared_as_objects() -> None:
    people = random_people(1, 2)
    assert people == people and people != random_people(1, 2)
    assert len({people, people}) == 1


def test_a_person_is_as_sure_as_its_joints_unless_somebody_knows_better() -> None:
    people = random_people(3, 4)
    assert [p.score for p in people] == people.person_scores.tolist()
    assert [r["score"] for r in people.to_coco()] == people.person_scores.tolist()
    plain = People(people.joints_3d, people.joints_2d, people.scores, people.detected)
    np.testing.assert_allclose(plain.person_scores, people.scores.mean(1))
    old = json.loads(people.to_json())  # of a file that has no score
    for person in old["people"]:
        del person["score"]
    np.testing.assert_allclose(People.from_json(json.dumps(old)).person_scores, people.scores.mean(1), atol=1e-3)


def test_scores_of_other_methods_may_be_anything() -> None:
    people = random_people(3, 2)
    scores = np.stack([np.full(15, 87.0), np.where(np.arange(15) < 5, np.nan, -3.0)])
    odd = People(people.joints_3d, people.joints_2d, scores, people.detected)
    assert odd.person_scores.tolist() == [1, 0]
    again = People.from_json(odd.to_json())  # JSON has no NaN
    np.testing.assert_allclose(again.scores, odd.scores)
    np.testing.assert_array_equal(again.person_scores, odd.person_scores)
    with pytest.raises(ValueError, match=r"person_scores must be in \[0, 1\], got 0.5 to 2"):
        People(people.joints_3d, people.joints_2d, scores, people.detected, person_scores=np.array([0.5, 2.0]))


@pytest.mark.parametrize("ids", [False, True])
def test_select(ids: bool) -> None:
    people = random_people(4, 5, ids)
    sure = people.select(people.person_scores > 0.5)
    assert 0 < len(sure) < 5
    assert all(p.score > 0.5 for p in sure)
    chosen = people.select(np.array([3, 1]))
    np.testing.assert_array_equal(chosen.joints_3d, people.joints_3d[[3, 1]])
    assert [p.id for p in chosen] == ([3, 1] if ids else [None, None])
    assert chosen.camera == people.camera
    assert len(people.select(np.zeros(5, bool))) == 0


def test_coco_records_say_what_is_known() -> None:
    people = random_people(2, 2)
    for record, person in zip(people.to_coco(image_id=7), people, strict=True):
        v = np.array(record["keypoints"]).reshape(15, 3)[:, 2]
        np.testing.assert_array_equal(v == 2, person.detected)
        assert record["image_id"] == 7
    json.dumps(people.to_coco())


def test_empty_people_is_not_an_error() -> None:
    people = People.empty()
    assert len(people) == 0
    assert people.to_coco() == []
    assert len(People.from_json(people.to_json())) == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"people": 3}'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"text must be JSON written by People\.to_json"):
        People.from_json(text)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"joints_2d must be \(1, 15, 2\), got \(1, 14, 2\)"):
        People(np.zeros((1, 15, 3)), np.zeros((1, 14, 2)), np.zeros((1, 15)), np.zeros((1, 15), bool))
