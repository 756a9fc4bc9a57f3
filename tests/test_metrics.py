"""Metrics on poses whose figures are known by hand, and properties that hold for all poses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smap import SMAP15, Camera, People, Sample
from smap.metrics import (
    PROTOCOLS,
    Protocol,
    Scores,
    auc,
    evaluate_people,
    false_positives,
    head_size_px,
    joint_errors_mm,
    left_right_counts,
    limb_lengths_m,
    match_bodies,
    match_joint_boxes,
    match_roots,
    mpjpe_mm,
    pck,
    pck_2d,
    pcod,
    pcod_counts,
    pcod_release,
    precision,
    recall,
    rescale_limbs,
    root_error_mm,
    score_image,
    size_oracle_m,
    summarise,
    summarise_by_depth,
)
from smap.metrics.pose import distances_2d

ROOT = SMAP15.root
CAMERA = Camera(600, 600, 320, 240)

# A man standing upright with his arms down, pelvis at the origin, metres.
STANDING = np.array(
    [
        [0, -0.48, 0],
        [0, -0.75, 0],
        [0, 0, 0],
        [0.15, -0.46, 0],
        [0.2, -0.16, 0.02],
        [0.22, 0.08, -0.03],
        [0.12, 0.03, 0],
        [0.12, 0.5, -0.05],
        [0.12, 0.9, 0],
        [-0.15, -0.46, 0],
        [-0.2, -0.16, 0.02],
        [-0.22, 0.08, -0.03],
        [-0.12, 0.03, 0],
        [-0.12, 0.5, -0.05],
        [-0.12, 0.9, 0],
    ]
)


def crowd(*roots: tuple[float, float, float], size: float = 1.0) -> np.ndarray:
    return np.stack([size * STANDING + root for root in roots]) if roots else np.zeros((0, 15, 3))


def sample_of(joints_3d: np.ndarray, visibility: int = 2, **more: object) -> Sample:
    marks = np.full(joints_3d.shape[:2], visibility)
    image = np.zeros((480, 640, 3), np.uint8)
    return Sample(image, 640, 480, CAMERA, CAMERA.project(joints_3d), joints_3d, marks, name="test", **more)


def people_of(joints_3d: np.ndarray, detected: np.ndarray | None = None) -> People:
    found = np.ones(joints_3d.shape[:2], bool) if detected is None else detected
    joints_3d = np.where(found[..., None], joints_3d, np.nan)
    return People(joints_3d, CAMERA.project(joints_3d), found.astype(float), found, camera=CAMERA)


# --- poses ---


def test_one_joint_moved_150_mm_gives_a_tenth_of_it_times_joints() -> None:
    moved = STANDING.copy()
    moved[8, 0] += 0.15
    assert mpjpe_mm(moved, STANDING) == pytest.approx(150 / 15)
    assert root_error_mm(moved, STANDING) == pytest.approx(0)


def test_a_shift_is_root_error_and_not_mpjpe() -> None:
    shifted = STANDING + np.array([0.3, 0, 0.4])
    assert mpjpe_mm(shifted, STANDING) == pytest.approx(0, abs=1e-9)
    assert root_error_mm(shifted, STANDING) == pytest.approx(500)
    assert pck(shifted, STANDING, "rel") == 1
    assert pck(shifted, STANDING, "abs") == 0
    assert pck(shifted, STANDING, "root") == 0
    assert pck(shifted, STANDING, "root", threshold_mm=501) == 1


def test_pck_counts_fourteen_joints_strictly_and_the_root_inclusively() -> None:
    moved = STANDING.copy()
    moved[[5, 8], 2] += [0.149, 0.151]
    assert pck(moved, STANDING, "rel") == pytest.approx(13 / 14)
    assert pck(moved, STANDING, "rel", joints=[5, 8]) == pytest.approx(1 / 2)
    step = 0.25  # exact in binary, so that "equal to the threshold" is exact
    moved = STANDING + np.array([0, 0, step])
    assert pck(moved, np.where(True, STANDING, 0), "root", threshold_mm=250) == 1
    exact = np.zeros((15, 3))
    assert pck(exact + np.array([step, 0, 0]), exact, "abs", threshold_mm=250) == 0


def test_auc_of_a_perfect_and_of_a_known_error() -> None:
    assert auc(STANDING, STANDING) == pytest.approx(30 / 31)  # nothing is below 0 mm
    moved = STANDING.copy()
    moved[np.arange(15) != ROOT, 0] += 0.1  # every judged joint 100 mm off: right from 105 to 150
    assert auc(moved, STANDING) == pytest.approx(10 / 31)


def test_missing_predictions_are_wrong_and_missing_truth_is_not_asked() -> None:
    predicted, truth = STANDING.copy(), STANDING.copy()
    predicted[3], truth[4] = np.nan, np.nan
    errors = joint_errors_mm(predicted, truth, "abs")
    assert np.isinf(errors[3]) and np.isnan(errors[4])
    assert pck(predicted, truth) == pytest.approx(12 / 13)
    assert mpjpe_mm(predicted, truth) == pytest.approx(0)
    predicted[ROOT] = np.nan
    assert pck(predicted, truth, "rel") == 0 and pck(predicted, truth, "root") == 0
    assert pck(predicted, truth, "abs") == pytest.approx(12 / 13)
    assert math.isnan(root_error_mm(predicted, truth)) and math.isnan(mpjpe_mm(predicted, truth))


def test_nothing_gives_nan_not_an_error() -> None:
    none = np.zeros((0, 15, 3))
    for value in (mpjpe_mm(none, none), root_error_mm(none, none), pck(none, none), auc(none, none)):
        assert math.isnan(value)
    assert math.isnan(pck_2d(none[..., :2], none[..., :2]))
    assert math.isnan(recall(np.zeros(0))) and math.isnan(precision(np.zeros(0), 0))


def test_errors_name_the_argument() -> None:
    with pytest.raises(ValueError, match=r"truth must be \(\.\.\., 15, 3\)"):
        mpjpe_mm(np.zeros((14, 3)), np.zeros((14, 3)))
    with pytest.raises(ValueError, match="predicted must have the shape of truth"):
        mpjpe_mm(np.zeros((2, 15, 3)), np.zeros((1, 15, 3)))
    with pytest.raises(ValueError, match="kind must be"):
        pck(STANDING, STANDING, "relative")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="protocol must be one of"):
        score_image(people_of(crowd()), sample_of(crowd()), "coco")
    with pytest.raises(ValueError, match="num_predictions must be at least"):
        false_positives(np.array([0, 1]), 1)
    with pytest.raises(ValueError, match="predicted_z and true_z"):
        pcod(np.zeros(2), np.zeros(3))


def test_rescaled_limbs_have_true_lengths_and_their_own_directions() -> None:
    predicted = 1.3 * STANDING + np.array([1, 2, 5])
    rescaled = rescale_limbs(predicted, STANDING)
    np.testing.assert_allclose(rescaled, STANDING + np.array([1, 2, 5]), atol=1e-12)


def test_rescaling_moves_a_limb_without_parent_with_its_ancestor() -> None:
    predicted = 2 * STANDING
    predicted[4] = np.nan  # elbow: the wrist hangs on the shoulder, which moves to half
    rescaled = rescale_limbs(predicted, STANDING)
    np.testing.assert_allclose(rescaled[5] - predicted[5], rescaled[3] - predicted[3], atol=1e-12)
    truth = STANDING.copy()
    truth[4] = np.nan
    np.testing.assert_allclose(limb_lengths_m(rescale_limbs(2 * STANDING, truth))[6], 2 * limb_lengths_m(STANDING)[6])


def test_pck_2d_has_half_the_head_as_its_threshold() -> None:
    truth = STANDING[:, :2] * 200
    assert head_size_px(truth) == pytest.approx(54)
    moved = truth.copy()
    moved[[7, 8], 0] += [26.9, 27.1]
    assert pck_2d(moved, truth) == pytest.approx(14 / 15)
    assert pck_2d(moved, truth, threshold_px=26) == pytest.approx(13 / 15)
    two = np.stack([truth, truth])
    assert pck_2d(np.stack([moved, moved]), two, threshold_px=np.array([20, 30])) == pytest.approx(28 / 30)


@pytest.mark.filterwarnings("error")
def test_a_body_whose_joints_coincide_is_judged_without_a_warning() -> None:
    truth = np.full((15, 2), 100.0)
    assert pck_2d(truth + 1, truth) == 0 and math.isnan(pck_2d(truth, truth))
    assert (distances_2d(truth + 1, truth) == np.inf).all()


def test_head_size_without_a_head_comes_from_the_limbs() -> None:
    truth = STANDING[:, :2] * 200
    truth[1] = np.nan
    ratios = limb_lengths_m(truth) / np.array(SMAP15.limb_lengths)
    assert head_size_px(truth) == pytest.approx(np.nanmax(ratios) * SMAP15.limb_lengths[1])
    assert np.isnan(head_size_px(np.full((15, 2), np.nan)))


def test_left_right_counts_pairs_that_lie_apart() -> None:
    truth = STANDING[:, :2] * 200
    assert left_right_counts(truth, truth) == (6, 6)
    swapped = truth[list(SMAP15.flipped_joints)]
    assert left_right_counts(swapped, truth) == (0, 6)
    profile = truth * [0.05, 1]
    assert left_right_counts(profile, profile) == (0, 0)
    hidden = truth.copy()
    hidden[3] = np.nan
    assert left_right_counts(hidden, truth) == (5, 5)


# --- ordinal depth ---


@pytest.mark.parametrize(
    ("predicted", "true", "paper", "release"),
    [
        ([1, 3], [1, 2], 1, 1),  # farther, and so it is
        ([3, 1], [1, 2], 0, 0),  # the wrong way round
        ([1, 1.1], [1, 2], 0, 1),  # same instead of farther: the sign alone satisfies the release
        ([1.1, 1], [1, 2], 0, 0),
        ([1, 2], [1, 1.1], 0, 1),  # farther instead of same
        ([1.1, 1], [1, 1.2], 1, 1),  # both the same, order unimportant
        ([np.nan, 1], [1, 2], 0, 0),
    ],
)
def test_pcod_of_one_pair(predicted: list[float], true: list[float], paper: int, release: int) -> None:
    assert pcod(np.array(predicted), np.array(true)) == paper
    assert pcod_release(np.array(predicted), np.array(true)) == release


def test_pcod_counts_all_pairs_and_skips_unknown_truth() -> None:
    assert pcod_counts(np.array([1, 2, 3, 9]), np.array([1, 3, 2, np.nan])) == (2, 3)
    assert math.isnan(pcod(np.array([1.0]), np.array([1.0])))


# --- matching ---


def test_boxes_go_in_order_of_the_truth() -> None:
    truth = np.stack([STANDING[:, :2] * 200, STANDING[:, :2] * 200 + [30, 0]])
    predicted = truth[[1]]
    # The prediction is exactly the second person, but the first is asked first and finds it inside its boxes.
    np.testing.assert_array_equal(match_joint_boxes(predicted, truth), [0, -1])
    np.testing.assert_array_equal(match_joint_boxes(truth[[1, 0]], truth, box_px=20), [1, 0])
    np.testing.assert_array_equal(match_joint_boxes(truth + 40, truth, box_px=40), [-1, -1])


def test_boxes_ignore_head_top_and_pelvis() -> None:
    truth = STANDING[None, :, :2] * 200
    predicted = np.full_like(truth, np.nan)
    predicted[:, [1, ROOT]] = truth[:, [1, ROOT]]
    assert match_joint_boxes(predicted, truth)[0] == -1
    predicted[:, 4] = truth[:, 4]
    assert match_joint_boxes(predicted, truth)[0] == 0


def test_roots_match_closest_first() -> None:
    truth = np.array([[0.0, 0], [20, 0]])
    predicted = np.array([[14.0, 0], [np.nan, 0]])
    np.testing.assert_array_equal(match_roots(predicted, truth), [-1, 0])
    np.testing.assert_array_equal(match_roots(truth + 30, truth), [-1, -1])
    np.testing.assert_array_equal(match_roots(np.array([[29.9, 0], [0, 0.1]]), np.array([[0.0, 0], [0, 0.15]])), [0, 1])


def test_bodies_match_at_any_scale_with_sides_swapped_and_in_halves() -> None:
    truth = np.stack([STANDING[:, :2] * 30, STANDING[:, :2] * 300 + [500, 0]])
    swapped = truth[:, list(SMAP15.flipped_joints)]
    np.testing.assert_array_equal(match_bodies(swapped[::-1], truth), [1, 0])
    half = truth.copy()
    half[:, 6:9] = half[:, 12:] = half[:, ROOT] = np.nan
    np.testing.assert_array_equal(match_bodies(half, truth), [0, 1])
    np.testing.assert_array_equal(match_bodies(truth, half), [0, 1])
    far = truth + np.array([[[30, 0]], [[300, 0]]])  # a metre to the side
    np.testing.assert_array_equal(match_bodies(far, truth), [-1, -1])
    one_joint = np.full_like(truth, np.nan)
    one_joint[:, 0] = truth[:, 0]
    np.testing.assert_array_equal(match_bodies(one_joint, truth), [-1, -1])


def test_recall_and_precision() -> None:
    matches = np.array([2, -1, 0, -1])
    assert recall(matches) == 0.5
    assert precision(matches, 5) == pytest.approx(2 / 5) and false_positives(matches, 5) == 3
    assert precision(np.array([-1]), 3) == 0


# --- whole images ---


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_perfect_predictions_are_perfect(protocol: str) -> None:
    truth = crowd((-1, 0, 4), (0.5, 0, 5), (1.5, 0.1, 8))
    figures = evaluate_people([people_of(truth[[2, 0, 1]])] * 2, [sample_of(truth)] * 2, protocol)
    for name in ("recall", "precision", "left_right_accuracy", "pck_2d", "pck_rel", "pck_abs_all", "pck_root", "pcod"):
        assert figures[name] == 1, name
    assert figures["mpjpe_mm"] == pytest.approx(0, abs=1e-3) and figures["root_error_mm"] == pytest.approx(0, abs=1e-3)
    assert (figures["images"], figures["people"], figures["predictions"], figures["false_positives"]) == (2, 6, 6, 0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_predictions(protocol: str) -> None:
    figures = evaluate_people([people_of(crowd())], [sample_of(crowd((0, 0, 4), (1, 0, 5)))], protocol)
    assert figures["recall"] == 0 and figures["pck_rel_all"] == 0 and figures["pck_abs_all"] == 0
    for name in ("precision", "mpjpe_mm", "pck_rel", "pcod", "root_error_mm"):
        assert math.isnan(figures[name]), name


def test_a_mixed_picture_by_hand() -> None:
    truth = crowd((-1, 0, 4), (0.5, 0, 5), (1.5, 0.1, 8))
    predicted = crowd((-1, 0, 4), (0.5, 0, 5), (0, 0, 3))
    predicted[1] *= 1.08  # the same picture, 40 cm behind: root error 402 mm
    figures = evaluate_people([people_of(predicted)], [sample_of(truth)])
    assert figures["recall"] == pytest.approx(2 / 3) and figures["precision"] == pytest.approx(2 / 3)
    assert figures["pck_root"] == 0.5 and figures["pck_root_50cm"] == 1 and figures["pck_root_25cm"] == 0.5
    error = 1000 * 0.08 * math.hypot(0.5, 5)
    assert figures["root_error_mm"] == pytest.approx(error / 2, rel=1e-4)
    assert figures["root_depth_error_median"] == pytest.approx(0.04, rel=1e-4)
    assert figures["pck_abs"] == pytest.approx(0.5) and figures["pck_abs_all"] == pytest.approx(1 / 3)
    assert figures["pcod"] == 1


def test_panoptic_asks_only_for_people_with_a_visible_root() -> None:
    truth = crowd((-1, 0, 4), (1, 0, 4))
    sample = sample_of(truth)
    sample.visibility[1, ROOT] = 1
    assert evaluate_people([people_of(truth[:1])], [sample], "panoptic")["recall"] == 1
    both = evaluate_people([people_of(truth)], [sample], "panoptic")
    assert both["recall"] == 1 and both["precision"] == 1 and both["people"] == 1


def test_panoptic_measures_distance_in_network_pixels() -> None:
    truth = crowd((0, 0, 4))
    for shift_px, found in ((22.5, 1), (23.5, 0)):  # 640x480 -> 832x512 scales by 16/15: 30 px are 28.1 in the image
        shift = shift_px * 1.2 * 4 / 600
        figures = evaluate_people([people_of(truth + np.array([shift, 0, 0]))], [sample_of(truth)], "panoptic")
        assert figures["recall"] == found, shift_px


def test_ignored_regions_and_incomplete_truth_hold_nothing_against_a_prediction() -> None:
    truth = crowd((-1, 0, 4), (1, 0, 4))
    extra = people_of(truth)
    plain = evaluate_people([extra], [sample_of(truth[:1])])
    assert plain["precision"] == 0.5
    x, y = CAMERA.project(truth[1]).mean(0)
    boxed = sample_of(truth[:1], ignore=np.array([[x - 5, y - 5, x + 5, y + 5]], np.float32))
    assert evaluate_people([extra], [boxed])["false_positives"] == 0
    incomplete = evaluate_people([extra], [sample_of(truth[:1], extra={"unannotated_people": 1})])
    assert incomplete["false_positives"] == 0 and incomplete["recall"] == 1


def test_hidden_and_tiny_people_are_neither_asked_for_nor_false() -> None:
    truth = crowd((-1, 0, 4), (1, 0, 4))
    sample = sample_of(truth)
    sample.visibility[1] = 1
    assert evaluate_people([people_of(truth)], [sample])["people"] == 1
    assert evaluate_people([people_of(truth)], [sample])["precision"] == 1
    tiny = sample_of(crowd((-1, 0, 4), (1, 0, 40)))
    small = evaluate_people([people_of(truth[:1])], [tiny], Protocol(min_height_px=40))
    assert small["people"] == 1 and small["recall"] == 1


def test_size_oracle_scales_the_scene() -> None:
    truth = np.concatenate([crowd((0, 0, 4), size=1.1), crowd((1, 0, 4), size=0.9)])
    scores = score_image(people_of(truth), sample_of(truth))
    np.testing.assert_allclose(size_oracle_m(scores), scores.root_m * np.array([[1 / 1.1], [1 / 0.9]]), rtol=1e-5)
    figures = summarise(scores)
    assert figures["oracle_root_depth_error_median"] == pytest.approx((1 - 1 / 1.1 + 1 / 0.9 - 1) / 2, rel=1e-4)
    assert figures["oracle_pcod"] == 0  # the big one seems nearer than the small one
    alike = summarise(score_image(people_of(crowd()), sample_of(crowd((0, 0, 4), (1, 0, 6)))))
    assert alike["oracle_root_error_mm"] == pytest.approx(0, abs=1e-3)


def test_the_oracle_of_a_depth_bin_knows_the_mean_of_all() -> None:
    truth = np.concatenate([crowd((0, 0, 4), size=1.1), crowd((1, 0, 9), size=0.9)])
    rows = summarise_by_depth(score_image(people_of(truth), sample_of(truth)), (0, 5, 10))
    assert rows[0]["oracle_root_depth_error_median"] == pytest.approx(1 - 1 / 1.1, rel=1e-4)
    assert rows[1]["oracle_root_depth_error_median"] == pytest.approx(1 / 0.9 - 1, rel=1e-4)


def test_depth_bins() -> None:
    truth = crowd((-1, 0, 4), (0.5, 0, 9))
    figures = evaluate_people([people_of(truth[:1])], [sample_of(truth)], depth_bins_m=(0, 5, 10))
    assert figures["recall@0-5 m"] == 1 and figures["recall@5-10 m"] == 0 and figures["people@5-10 m"] == 1


def test_lengths_of_the_two_iterables_must_agree() -> None:
    with pytest.raises(ValueError, match="zip"):
        evaluate_people([people_of(crowd())], [])


def test_scores_of_parts_equal_scores_of_the_whole() -> None:
    truth = crowd((-1, 0, 4), (0.5, 0, 5))
    images = [
        (people_of(truth * 1.05), sample_of(truth)),
        (people_of(truth[:1]), sample_of(truth)),
        (people_of(crowd()), sample_of(crowd())),
    ]
    parts = [score_image(*pair) for pair in images]
    whole = summarise(Scores.concatenate(parts))
    nested = summarise(
        Scores.concatenate([Scores.concatenate(parts[:2]), Scores.concatenate(parts[2:]), Scores.empty()])
    )
    assert whole == nested and whole["images"] == 3 and whole["people"] == 4


# --- properties ---

poses = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed))


def scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two to five people and noisy predictions of them, with joints and people missing."""
    count = int(rng.integers(2, 6))
    roots = np.stack([rng.uniform(-2, 2, count), rng.uniform(-0.3, 0.3, count), rng.uniform(3, 9, count)], -1)
    truth = crowd(*map(tuple, roots)) + rng.normal(0, 0.05, (count, 15, 3))
    predicted = truth * rng.uniform(0.8, 1.2, (count, 1, 1)) + rng.normal(0, 0.08, truth.shape)
    predicted[rng.random((count, 15)) < 0.1] = np.nan
    return predicted[: int(rng.integers(0, count + 1))], truth


@settings(max_examples=40)
@given(poses)
def test_a_rigid_motion_changes_no_error(rng: np.random.Generator) -> None:
    _, truth = scene(rng)
    predicted = truth + rng.normal(0, 0.1, truth.shape)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    shift = rng.normal(size=3)
    for metric in (mpjpe_mm, root_error_mm):
        assert metric(predicted @ rotation + shift, truth @ rotation + shift) == pytest.approx(metric(predicted, truth))
    np.testing.assert_allclose(
        rescale_limbs(predicted @ rotation + shift, truth @ rotation + shift),
        rescale_limbs(predicted, truth) @ rotation + shift,
        atol=1e-9,
    )


@settings(max_examples=40)
@given(poses)
def test_pck_and_recall_do_not_fall_with_the_threshold(rng: np.random.Generator) -> None:
    _, truth = scene(rng)
    predicted = truth + rng.normal(0, 0.1, truth.shape)
    for kind in ("rel", "abs", "root"):
        curve = [pck(predicted, truth, kind, threshold_mm=t) for t in range(0, 400, 20)]
        assert curve == sorted(curve) and curve[0] >= 0 and curve[-1] <= 1
    roots = [
        recall(match_roots(predicted[:, ROOT, :2] * 100, truth[:, ROOT, :2] * 100, max_distance_px=d))
        for d in (1, 5, 25)
    ]
    assert roots == sorted(roots)


@settings(max_examples=40)
@given(poses, st.sampled_from(["bodies", "panoptic"]))
def test_order_of_people_changes_nothing(rng: np.random.Generator, protocol: str) -> None:
    predicted, truth = scene(rng)
    figures = evaluate_people([people_of(predicted)], [sample_of(truth)], protocol)
    first, second = rng.permutation(len(predicted)), rng.permutation(len(truth))
    other = evaluate_people([people_of(predicted[first])], [sample_of(truth[second])], protocol)
    for name, value in figures.items():
        assert other[name] == pytest.approx(value, nan_ok=True, rel=1e-5), name


@settings(max_examples=40)
@given(poses, st.sampled_from(sorted(PROTOCOLS)))
def test_matches_are_one_to_one_and_shares_are_shares(rng: np.random.Generator, protocol: str) -> None:
    predicted, truth = scene(rng)
    px, true_px = people_of(predicted).joints_2d, sample_of(truth).joints_2d
    for matches in (
        match_bodies(px, true_px),
        match_joint_boxes(px, true_px),
        match_roots(px[:, ROOT], true_px[:, ROOT]),
    ):
        taken = matches[matches >= 0]
        assert len(set(taken)) == len(taken) and (taken < len(predicted)).all() and len(matches) == len(truth)
    for name, value in evaluate_people([people_of(predicted)], [sample_of(truth)], protocol).items():
        if name.startswith(("pck", "recall", "precision", "pcod", "auc", "left")):
            assert math.isnan(value) or 0 <= value <= 1, name


@settings(max_examples=40)
@given(poses)
def test_pcod_is_blind_to_a_common_scale_of_clear_differences(rng: np.random.Generator) -> None:
    z = np.sort(rng.uniform(1, 20, 5)) + np.arange(5) * 0.31
    assert pcod(z * rng.uniform(1, 3), z) == 1
    assert pcod(z[::-1], z) == 0
    noisy = z + rng.normal(0, 0.5, 5)
    assert pcod(noisy, z) == pytest.approx(pcod(noisy + 7, z + 3))
    assert pcod_release(noisy, z) >= pcod(noisy, z) - 1e-12
