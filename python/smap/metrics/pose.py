"""Errors of one pose against its truth: MPJPE, root error, 3DPCK, AUC, 2DPCK (paper Sec. 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..skeleton import SMAP15, Skeleton

Floats = NDArray[np.float64]
Kind = Literal["rel", "abs", "root"]

PCK_THRESHOLD_MM = 150.0  # Sec. 4.3
AUC_THRESHOLDS_MM = tuple(range(0, 151, 5))  # MPI-INF-3DHP's mpii_compute_3d_pck.m, which the authors call
HEAD_FRACTION = 0.5  # Sec. 4.5: "the threshold of 2DPCK is the half of the head size"; the release uses a third
M_TO_MM = 1000.0
HEAD_TOP = SMAP15.joints.index("head_top")
HEAD_LENGTH_M = SMAP15.limb_lengths[[child for _, child in SMAP15.limbs].index(HEAD_TOP)]  # neck to head top, mean


def _pair(predicted: NDArray[Any], truth: NDArray[Any], joints: int, width: int) -> tuple[Floats, Floats]:
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if truth.shape[-2:] != (joints, width):
        raise ValueError(f"truth must be (..., {joints}, {width}), got {truth.shape}")
    if predicted.shape != truth.shape:
        raise ValueError(f"predicted must have the shape of truth {truth.shape}, got {predicted.shape}")
    return predicted, truth


def _distances(predicted: Floats, truth: Floats) -> Floats:
    """Euclidean distance per joint: NaN where the truth has no joint, inf where only the prediction has none."""
    distance = np.linalg.norm(predicted - truth, axis=-1)
    known = np.isfinite(truth).all(-1)
    return np.where(known, np.where(np.isfinite(distance), distance, np.inf), np.nan)


def joint_errors_mm(
    predicted: NDArray[Any], truth: NDArray[Any], kind: Kind = "rel", *, skeleton: Skeleton = SMAP15
) -> Floats:
    """The error of every joint, from which all 3-D metrics are counted.

    Args:
        predicted, truth: ``(..., J, 3)`` metres in the camera frame; NaN where there is no joint.
        kind: "rel" moves both roots to the origin first, "abs" compares positions in the camera frame, "root" keeps the
            root only.

    Returns:
        ``(..., J)`` millimetres, ``(...)`` for "root": NaN where the truth has no joint, inf where it has one and the
        prediction has none (with "rel" also where a root is missing).

    Raises:
        ValueError: shapes differ or ``kind`` is unknown.
    """
    predicted, truth = _pair(predicted, truth, skeleton.num_joints, 3)
    root = skeleton.root
    if kind == "rel":
        predicted, truth = predicted - predicted[..., [root], :], truth - truth[..., [root], :]
    elif kind not in ("abs", "root"):
        raise ValueError(f"kind must be 'rel', 'abs' or 'root', got {kind!r}")
    errors = M_TO_MM * _distances(predicted, truth)
    return np.asarray(errors[..., root]) if kind == "root" else errors


def mean_known(values: NDArray[Any]) -> float:
    """Mean of the finite values, NaN when there is none."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")


def share_within(errors: NDArray[Any], threshold: float, *, inclusive: bool = False) -> float:
    """Share of errors below the threshold among those that are not NaN (inf is wrong), NaN when there is none."""
    errors = np.asarray(errors, np.float64)
    errors = errors[~np.isnan(errors)]
    if not errors.size:
        return float("nan")
    return float(((errors <= threshold) if inclusive else (errors < threshold)).mean())


def mpjpe_mm(predicted: NDArray[Any], truth: NDArray[Any], *, skeleton: Skeleton = SMAP15) -> float:
    """Mean per-joint position error with the roots aligned (Sec. 4.3), over all joints that both have, root included.

    Args:
        predicted, truth: ``(..., J, 3)`` metres in the camera frame, person by person; NaN where there is no joint.

    Returns:
        Millimetres; NaN when no joint can be compared.
    """
    return mean_known(joint_errors_mm(predicted, truth, "rel", skeleton=skeleton))


def root_error_mm(predicted: NDArray[Any], truth: NDArray[Any], *, skeleton: Skeleton = SMAP15) -> float:
    """RtError (Sec. 4.3): mean distance of the predicted from the true root in the camera frame.

    Args:
        predicted, truth: ``(..., J, 3)`` metres, person by person; NaN where there is no joint.

    Returns:
        Millimetres; NaN when no root can be compared.
    """
    return mean_known(joint_errors_mm(predicted, truth, "root", skeleton=skeleton))


def pck(
    predicted: NDArray[Any],
    truth: NDArray[Any],
    kind: Kind = "rel",
    *,
    threshold_mm: float = PCK_THRESHOLD_MM,
    joints: Sequence[int] | None = None,
    skeleton: Skeleton = SMAP15,
) -> float:
    """3DPCK (Sec. 4.3): share of joints that are nearer to the truth than a threshold.

    Args:
        predicted, truth: ``(..., J, 3)`` metres, person by person. A person that was not found is a row of NaN, and all
            its joints are wrong; leave such rows out for the "matched people" figure.
        kind: "rel" (PCK_rel, roots aligned), "abs" (PCK_abs) or "root" (PCK_root).
        joints: which joints count; default all but the root, as in the MuPoTS-3D evaluation, where aligning it would
            make it right for nothing. Unused for "root".

    Returns:
        A share in [0, 1], NaN when the truth has no joint. An error equal to the threshold is wrong for "rel" and
        "abs" and right for "root", as in the authors' evaluation (zju3dv/SMAP, lib/eval/mupots_smap.m).
    """
    errors = joint_errors_mm(predicted, truth, kind, skeleton=skeleton)
    if kind == "root":
        return share_within(errors, threshold_mm, inclusive=True)
    return share_within(errors[..., _judged(joints, skeleton)], threshold_mm)


def auc(
    predicted: NDArray[Any],
    truth: NDArray[Any],
    kind: Kind = "rel",
    *,
    thresholds_mm: Sequence[float] = AUC_THRESHOLDS_MM,
    joints: Sequence[int] | None = None,
    skeleton: Skeleton = SMAP15,
) -> float:
    """Area under the 3DPCK curve: mean of ``pck`` over thresholds 0, 5 ... 150 mm.

    Arguments and result as for ``pck``. With the strict comparison nothing is below 0 mm, so a perfect pose has
    30/31 for "rel" and "abs".
    """
    errors = joint_errors_mm(predicted, truth, kind, skeleton=skeleton)
    if kind != "root":
        errors = errors[..., _judged(joints, skeleton)]
    return auc_of(errors, thresholds_mm, inclusive=kind == "root")


def auc_of(
    errors_mm: NDArray[Any], thresholds_mm: Sequence[float] = AUC_THRESHOLDS_MM, *, inclusive: bool = False
) -> float:
    return float(np.mean([share_within(errors_mm, t, inclusive=inclusive) for t in thresholds_mm]))


def _judged(joints: Sequence[int] | None, skeleton: Skeleton) -> list[int]:
    return [j for j in range(skeleton.num_joints) if j != skeleton.root] if joints is None else list(joints)


def limb_lengths_m(joints_3d: NDArray[Any], *, skeleton: Skeleton = SMAP15) -> Floats:
    """``(..., J, 3)`` metres -> ``(..., L)`` metres, NaN where an end is missing. Works for pixels and 2-D as well."""
    joints_3d = np.asarray(joints_3d, np.float64)
    parents, children = np.array(skeleton.limbs).reshape(-1, 2).T
    return np.asarray(np.linalg.norm(joints_3d[..., children, :] - joints_3d[..., parents, :], axis=-1))


def rescale_limbs(predicted: NDArray[Any], truth: NDArray[Any], *, skeleton: Skeleton = SMAP15) -> Floats:
    """Give every limb its true length and keep its direction, from the root outwards; the root stays where it is.

    The MuPoTS-3D evaluation does this to every matched prediction (mpii_map_to_gt_bone_lengths.m), also for PCK_abs.

    Args:
        predicted, truth: ``(..., J, 3)`` metres.

    Returns:
        ``(..., J, 3)`` metres. A limb of unknown true length keeps its own; a joint whose parent was not found moves
        with its nearest ancestor that was.
    """
    predicted, truth = _pair(predicted, truth, skeleton.num_joints, 3)
    result = predicted.copy()
    moved = np.zeros_like(predicted)  # how far each joint, or its nearest known ancestor, has moved
    for parent, child in skeleton.limbs:
        limb = predicted[..., child, :] - predicted[..., parent, :]
        length = np.linalg.norm(limb, axis=-1, keepdims=True)
        wanted = np.linalg.norm(truth[..., child, :] - truth[..., parent, :], axis=-1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = wanted / length
        growth = np.where(np.isfinite(ratio) & np.isfinite(limb), (ratio - 1) * limb, 0)
        moved[..., child, :] = moved[..., parent, :] + growth
        result[..., child, :] += moved[..., child, :]
    return result


def head_size_px(truth_px: NDArray[Any], *, skeleton: Skeleton = SMAP15) -> Floats:
    """Length of the head in the image, the yardstick of 2DPCK.

    Args:
        truth_px: ``(..., J, 2)`` image pixels, NaN where not annotated.

    Returns:
        ``(...)`` pixels: neck to head top; where either is not annotated (COCO never has the head top) what the
        longest-looking limb says by the skeleton's mean lengths; NaN without any limb.
    """
    estimate = body_scale_px(truth_px, skeleton) * HEAD_LENGTH_M
    if "head_top" not in skeleton.joints:
        return estimate
    limb = [child for _, child in skeleton.limbs].index(skeleton.joints.index("head_top"))
    length = limb_lengths_m(truth_px, skeleton=skeleton)[..., limb]
    return np.where(np.isfinite(length), length, estimate)


def body_scale_px(truth_px: NDArray[Any], skeleton: Skeleton) -> Floats:
    """``(...)`` pixels per metre of body: the largest ratio of limb to mean limb, the least foreshortened one."""
    ratios = limb_lengths_m(truth_px, skeleton=skeleton) / np.array(skeleton.limb_lengths)
    largest = np.where(np.isfinite(ratios), ratios, -1).max(-1, initial=-1)
    return np.where(largest > 0, largest, np.nan)


def pck_2d(
    predicted_px: NDArray[Any],
    truth_px: NDArray[Any],
    *,
    threshold_px: float | NDArray[Any] | None = None,
    skeleton: Skeleton = SMAP15,
) -> float:
    """2DPCK (Sec. 4.5): share of joints nearer to the truth in the image than half the head size.

    Args:
        predicted_px, truth_px: ``(..., J, 2)`` image pixels, person by person; NaN where there is no joint.
        threshold_px: one number, or one per person ``(...)``; default half of ``head_size_px``. The authors' Panoptic
            script takes a third.

    Returns:
        A share in [0, 1], NaN when nothing is annotated. Joints that were not predicted are wrong.
    """
    predicted_px, truth_px = _pair(predicted_px, truth_px, skeleton.num_joints, 2)
    if threshold_px is None:
        threshold_px = HEAD_FRACTION * head_size_px(truth_px, skeleton=skeleton)
    return share_within(_relative(_distances(predicted_px, truth_px), threshold_px), 1.0)


def distances_2d(predicted_px: NDArray[Any], truth_px: NDArray[Any], *, skeleton: Skeleton = SMAP15) -> Floats:
    """``(..., J)`` distances in head sizes, NaN where not annotated and inf where not predicted."""
    predicted_px, truth_px = _pair(predicted_px, truth_px, skeleton.num_joints, 2)
    return _relative(_distances(predicted_px, truth_px), head_size_px(truth_px, skeleton=skeleton))


def _relative(distances: Floats, size: float | NDArray[Any]) -> Floats:
    """Distances ``(..., J)`` in sizes ``(...)``; in a size of 0 (joints that coincide) 0 is NaN and the rest inf."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(distances / np.asarray(size)[..., None])


def left_right_counts(
    predicted_px: NDArray[Any], truth_px: NDArray[Any], *, skeleton: Skeleton = SMAP15
) -> tuple[int, int]:
    """How many left/right pairs of joints are the right way round.

    Args:
        predicted_px, truth_px: ``(..., J, 2)`` image pixels, person by person; NaN where there is no joint.

    Returns:
        ``(right, judged)``. Judged are pairs that both have and that lie more than half a head apart in the truth (seen
        from the side, left and right fall together); right are those whose total distance grows when they are swapped.
    """
    predicted_px, truth_px = _pair(predicted_px, truth_px, skeleton.num_joints, 2)
    pairs = [(j, other) for j, other in enumerate(skeleton.flipped_joints) if j < other]
    if not pairs:
        return 0, 0
    left, right = (list(side) for side in zip(*pairs, strict=True))
    apart = np.linalg.norm(truth_px[..., left, :] - truth_px[..., right, :], axis=-1)
    head = body_scale_px(truth_px, skeleton) * HEAD_LENGTH_M

    def total(a: list[int], b: list[int]) -> Floats:
        return np.asarray(
            np.linalg.norm(predicted_px[..., a, :] - truth_px[..., left, :], axis=-1)
            + np.linalg.norm(predicted_px[..., b, :] - truth_px[..., right, :], axis=-1)
        )

    kept, swapped = total(left, right), total(right, left)
    judged = np.isfinite(kept) & np.isfinite(swapped) & (apart > 0.5 * head[..., None])
    return int((judged & (kept < swapped)).sum()), int(judged.sum())
