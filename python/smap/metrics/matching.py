"""Who is who: which prediction belongs to which true person, and what is left over.

All matchings return ``(N,)`` int64: for every true person the index of its prediction, or -1. They are one to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..skeleton import SMAP15, Skeleton
from .pose import HEAD_LENGTH_M, body_scale_px

Matches = NDArray[np.int64]

MUPOTS_BOX_PX = 40.0  # half width of the box, image pixels (mpii_mupots_multiperson_eval.m)
PANOPTIC_DISTANCE_PX = 30.0  # network-input pixels (zju3dv/SMAP, lib/eval/test_util_panoptic.py)


def _poses(predicted_px: NDArray[Any], truth_px: NDArray[Any], joints: int) -> tuple[NDArray[Any], NDArray[Any]]:
    predicted_px, truth_px = np.asarray(predicted_px, np.float64), np.asarray(truth_px, np.float64)
    for name, value in (("predicted_px", predicted_px), ("truth_px", truth_px)):
        if value.ndim != 3 or value.shape[1:] != (joints, 2):
            raise ValueError(f"{name} must be (people, {joints}, 2), got {value.shape}")
    return predicted_px, truth_px


def match_joint_boxes(
    predicted_px: NDArray[Any],
    truth_px: NDArray[Any],
    *,
    box_px: float = MUPOTS_BOX_PX,
    joints: Sequence[int] | None = None,
    skeleton: Skeleton = SMAP15,
) -> Matches:
    """The MuPoTS-3D matching (mpii_multiperson_get_identity_matching.m).

    True people in order each take the free prediction with most joints inside a box around the true joint
    (``|dx| < box_px`` and ``|dy| < box_px``), the first of equals, if it has at least one.

    Args:
        predicted_px: ``(M, J, 2)`` image pixels, NaN where there is no joint; truth_px: ``(N, J, 2)`` likewise.
        joints: which joints count; default all but the head top and the root, 13 of the paper's skeleton.
    """
    predicted_px, truth_px = _poses(predicted_px, truth_px, skeleton.num_joints)
    if joints is None:
        joints = [j for j, name in enumerate(skeleton.joints) if j != skeleton.root and name != "head_top"]
    joints = list(joints)
    inside = (abs(truth_px[:, None, joints] - predicted_px[None][:, :, joints]) < box_px).all(-1)
    counts = inside.sum(-1)
    matches = np.full(len(truth_px), -1, np.int64)
    for i in range(len(truth_px)):
        if counts[i].max(initial=0) > 0:
            matches[i] = counts[i].argmax()
            counts[:, matches[i]] = 0
    return matches


def match_roots(
    predicted_px: NDArray[Any], truth_px: NDArray[Any], *, max_distance_px: float = PANOPTIC_DISTANCE_PX
) -> Matches:
    """The authors' CMU Panoptic matching (lib/eval/test_util_panoptic.py): roots, globally closest first, one to one.

    Args:
        predicted_px: ``(M, 2)`` root positions, NaN where there is none; truth_px: ``(N, 2)`` likewise. The authors
            measure in pixels of the network's input.
        max_distance_px: pairs at this distance or more stay apart.

    Raises:
        ValueError: a shape does not fit.
    """
    predicted_px, truth_px = np.asarray(predicted_px, np.float64), np.asarray(truth_px, np.float64)
    for name, value in (("predicted_px", predicted_px), ("truth_px", truth_px)):
        if value.ndim != 2 or value.shape[1] != 2:
            raise ValueError(f"{name} must be (people, 2), got {value.shape}")
    distance = np.linalg.norm(truth_px[:, None] - predicted_px[None], axis=-1)
    return _closest_first(np.where(distance < max_distance_px, distance, np.inf))


def match_bodies(
    predicted_px: NDArray[Any],
    truth_px: NDArray[Any],
    *,
    reach: float = 1.0,
    min_joints: int = 3,
    min_share: float = 0.5,
    skeleton: Skeleton = SMAP15,
) -> Matches:
    """Matching that depends neither on image size nor on the root: for people of any size, and for half bodies.

    A joint agrees when it lies within ``reach`` head lengths of the truth. Two bodies can match when at least
    ``min_joints`` joints agree (all, when the truth has fewer) and ``min_share`` of the joints that both have. Left and
    right may be swapped: that is a mistake of its own (``left_right_counts``), not a person missed. The pairs with most
    agreeing joints match first.

    Args:
        predicted_px: ``(M, J, 2)`` image pixels, NaN where there is no joint; truth_px: ``(N, J, 2)`` likewise.
    """
    predicted_px, truth_px = _poses(predicted_px, truth_px, skeleton.num_joints)
    limit = reach * HEAD_LENGTH_M * body_scale_px(truth_px, skeleton)[:, None, None]
    cost = np.full((len(truth_px), len(predicted_px)), np.inf)
    for order in (list(range(skeleton.num_joints)), list(skeleton.flipped_joints)):
        distance = np.linalg.norm(truth_px[:, None] - predicted_px[None][:, :, order], axis=-1)
        both = np.isfinite(distance)
        agree = (both & (distance < limit)).sum(-1)
        needed = np.minimum(min_joints, np.isfinite(truth_px).all(-1).sum(-1))[:, None]
        possible = (agree >= np.maximum(needed, 1)) & (agree >= min_share * both.sum(-1))
        # Whole joints first; among equals the closer body.
        mean = np.where(both, np.minimum(distance / limit, 1e3), 0).sum(-1) / np.maximum(both.sum(-1), 1) / 1e4
        cost = np.minimum(cost, np.where(possible, -agree + mean, np.inf))
    return _closest_first(cost)


def _closest_first(cost: NDArray[np.float64]) -> Matches:
    """One-to-one pairs by rising cost; inf never pairs, ties go to the lower indices."""
    cost = cost.copy()
    matches = np.full(len(cost), -1, np.int64)
    for _ in range(min(cost.shape)):
        i, j = np.unravel_index(cost.argmin(), cost.shape)
        if not np.isfinite(cost[i, j]):
            break
        matches[i] = j
        cost[i], cost[:, j] = np.inf, np.inf
    return matches


def recall(matches: NDArray[Any]) -> float:
    """Share of true people that were found. ``matches``: ``(N,)`` of one image or of many in a row; NaN when empty."""
    matches = np.asarray(matches)
    return float((matches >= 0).mean()) if matches.size else float("nan")


def false_positives(matches: NDArray[Any], num_predictions: int) -> int:
    """Predictions that belong to nobody: what neither the MuPoTS-3D nor the Panoptic protocol counts.

    Raises:
        ValueError: more are matched than there are predictions.
    """
    found = int((np.asarray(matches) >= 0).sum())
    if found > num_predictions:
        raise ValueError(f"num_predictions must be at least the {found} matched ones, got {num_predictions}")
    return num_predictions - found


def precision(matches: NDArray[Any], num_predictions: int) -> float:
    """Share of predictions that belong to someone; NaN without predictions."""
    if num_predictions == 0:
        return float("nan")
    return 1 - false_positives(matches, num_predictions) / num_predictions
