"""Every figure of the paper's tables, read off ``Scores``; and the bar beside them, the size-only oracle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..people import People
from ..sample import Sample
from .ordinal import pcod_counts
from .pose import HEAD_FRACTION, M_TO_MM, PCK_THRESHOLD_MM, Floats, auc_of, mean_known, share_within
from .score import Protocol, Scores, score_image

ROOT_THRESHOLDS_CM = (25, 50)  # beside the paper's 15 cm: what one picture without a reference length can reach


def mean_limbs_m(scores: Scores) -> Floats:
    """``(L,)`` metres: mean length of each limb over these people, 0 where nobody has it."""
    known = np.isfinite(scores.limbs_m)
    return np.asarray(np.where(known, scores.limbs_m, 0).sum(0, np.float64) / np.maximum(known.sum(0), 1))


def size_oracle_m(scores: Scores, limbs_m: NDArray[Any] | None = None) -> Floats:
    """Roots that perfect 2-D and relative pose and the mean body size would give: the bar of a method that only
    measures people.

    A person of ``s`` times the mean size at depth Z looks exactly like one of mean size at Z / s.

    Args:
        limbs_m: ``(L,)`` metres, the mean body; default that of these people.

    Returns:
        ``(N, 3)`` metres; NaN without a root or a limb.
    """
    limbs_m = mean_limbs_m(scores) if limbs_m is None else limbs_m
    known = np.isfinite(scores.limbs_m)
    own, mean = np.where(known, scores.limbs_m, 0).sum(-1, np.float64), np.where(known, limbs_m, 0).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(scores.root_m * np.where(own > 0, mean / own, np.nan)[:, None])


def _pcod(scores: Scores, predicted_root_m: Floats, release: bool = False) -> float:
    order = np.argsort(scores.image, kind="stable")
    starts = np.flatnonzero(np.diff(scores.image[order], prepend=-1))
    counts = np.zeros(2, np.int64)
    for rows in np.split(order, starts[1:]):
        counts += pcod_counts(predicted_root_m[rows, 2], scores.root_m[rows, 2], release=release)
    return float(counts[0] / counts[1]) if counts[1] else float("nan")


def _root_figures(scores: Scores, predicted_root_m: Floats) -> dict[str, float]:
    errors = M_TO_MM * np.linalg.norm(predicted_root_m - scores.root_m, axis=-1)
    known = np.isfinite(scores.root_m).all(-1)
    errors = np.where(known, np.where(np.isfinite(errors), errors, np.inf), np.nan)
    finite = errors[np.isfinite(errors)]
    true_z = scores.root_m[:, 2]
    relative = abs(predicted_root_m[:, 2] - true_z) / true_z
    relative = relative[np.isfinite(relative)]
    return {
        "pck_root": share_within(errors, PCK_THRESHOLD_MM, inclusive=True),
        **{f"pck_root_{cm}cm": share_within(errors, 10 * cm, inclusive=True) for cm in ROOT_THRESHOLDS_CM},
        "root_error_mm": mean_known(finite),
        "root_error_median_mm": float(np.median(finite)) if finite.size else float("nan"),
        "root_depth_error_median": float(np.median(relative)) if relative.size else float("nan"),
        "pcod": _pcod(scores, predicted_root_m),
    }


def summarise(scores: Scores, limbs_m: NDArray[Any] | None = None) -> dict[str, float]:
    """Every figure of the paper's tables, shares in [0, 1].

    Args:
        limbs_m: the oracle's mean body, ``(L,)`` metres; default that of these people.

    ``pck_2d``, ``pck_rel``, ``pck_abs``, ``pck_root``, ``auc_rel``, ``pcod``, ``left_right_accuracy``, ``mpjpe_mm`` and
    the root errors are over matched people; in ``pck_2d_all``, ``pck_rel_all`` and ``pck_abs_all`` those who were not
    found count as wrong. ``pck_2d`` asks for half a head, ``pck_2d_release`` for a third of one; ``pck_root_25cm`` and
    ``_50cm`` change the threshold.
    ``recall`` and ``precision`` are over people; precision leaves out images that are not fully annotated.
    ``root_depth_error_median`` is relative to the true depth. ``oracle_*``: the same figures for ``size_oracle_m`` over
    all demanded people. NaN where nothing could be measured.
    """
    matched = scores.people(scores.matched)
    joints = [j for j in range(scores.skeleton.num_joints) if j != scores.skeleton.root]
    judged = scores.false >= 0
    predictions, false = int(scores.predictions[judged].sum()), int(scores.false[judged].sum())
    right, pairs = (int(x) for x in matched.sides.sum(0))
    figures = {
        "images": float(len(scores.predictions)),
        "people": float(len(scores)),
        "predictions": float(scores.predictions.sum()),
        "recall": float(scores.matched.mean()) if len(scores) else float("nan"),
        "precision": 1 - false / predictions if predictions else float("nan"),
        "false_positives": float(false),
        "left_right_accuracy": right / pairs if pairs else float("nan"),
        "pck_2d": share_within(matched.heads_2d, HEAD_FRACTION),
        "pck_2d_release": share_within(matched.heads_2d, 1 / 3),
        "pck_2d_all": share_within(scores.heads_2d, HEAD_FRACTION),
        "pck_rel": share_within(matched.relative_mm[:, joints], PCK_THRESHOLD_MM),
        "pck_abs": share_within(matched.absolute_mm[:, joints], PCK_THRESHOLD_MM),
        "pck_rel_all": share_within(scores.relative_mm[:, joints], PCK_THRESHOLD_MM),
        "pck_abs_all": share_within(scores.absolute_mm[:, joints], PCK_THRESHOLD_MM),
        "auc_rel": auc_of(matched.relative_mm[:, joints]),
        "mpjpe_mm": mean_known(matched.relative_mm),
        **_root_figures(matched, matched.predicted_root_m),
        "pcod_release": _pcod(matched, matched.predicted_root_m, release=True),
    }
    oracle = _root_figures(scores, size_oracle_m(scores, limbs_m))
    return {**figures, **{f"oracle_{name}": value for name, value in oracle.items()}}


def summarise_by_depth(scores: Scores, edges_m: Sequence[float]) -> list[dict[str, float]]:
    """``summarise`` for the people whose true root lies in each bin ``[edges_m[i], edges_m[i + 1])``.

    False people have no true depth: their counts are left out. PCOD is over pairs inside a bin. The oracle's mean body
    is that of all people.
    """
    rows, limbs_m = [], mean_limbs_m(scores)
    for near, far in pairwise(edges_m):
        z = scores.root_m[:, 2]
        row = summarise(scores.people((z >= near) & (z < far)), limbs_m)
        for name in ("images", "predictions", "precision", "false_positives"):
            del row[name]
        rows.append({"near_m": float(near), "far_m": float(far), **row})
    return rows


def evaluate_people(
    predictions: Iterable[People],
    samples: Iterable[Sample],
    protocol: Protocol | str = "bodies",
    *,
    depth_bins_m: Sequence[float] | None = None,
) -> dict[str, float]:
    """Predictions against their images' truth, in one dictionary of figures.

    Args:
        predictions, samples: one each per image, in the same order; read once and not kept.
        protocol: a ``Protocol`` or its name: "bodies" (any picture), "mupots" or "panoptic".
        depth_bins_m: edges of depth bins; adds ``name@near-far m`` for every figure that has a depth.

    Returns:
        The figures of ``summarise``.

    Raises:
        ValueError: the numbers of predictions and samples differ, or their skeletons do.
    """
    scores = Scores.concatenate(
        [score_image(people, sample, protocol) for people, sample in zip(predictions, samples, strict=True)]
    )
    figures = summarise(scores)
    for row in summarise_by_depth(scores, depth_bins_m or ()) if depth_bins_m else ():
        near, far = row.pop("near_m"), row.pop("far_m")
        figures.update({f"{name}@{near:g}-{far:g} m": value for name, value in row.items()})
    return figures
