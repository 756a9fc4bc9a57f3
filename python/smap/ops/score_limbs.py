"""PAF scores of all pairs of peaks, dense (paper Sec. 3.2)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)


def score_limbs(
    pafs: Tensor,
    xy: Tensor,
    count: Tensor,
    limbs: Tensor,
    scale: float = 1.0,
    sample_threshold: float = 0.05,
    counted_share: float = 0.8,
    official: bool = False,
) -> Tensor:
    """How well the PAF of every limb supports every pair of its peaks: to look at, or for a solver of your own.

    5 to 25 samples between the peaks; one counts when its component along the limb is above ``sample_threshold``. The
    score is the mean of those that count when more than ``counted_share`` of them do; peaks that nearly coincide get
    0.100001 otherwise; all other pairs -1. ``associate`` computes the same, only for the pairs that it needs.

    Args:
        pafs: ``(B, L, 2, h, w)`` float32, float16 or bfloat16, parent to child.
        xy, count: of ``find_peaks``.
        limbs: ``(L, 3)`` int64: parent joint, child joint, 1 when sampled from the child's end.
        scale: PAFs are multiplied by it first.
        official: the authors' sampling, half a pixel to the lower right and without the far end.

    Returns:
        ``(B, L, K, K)`` float32: parent peak, child peak.

    Raises:
        ValueError: a shape, dtype or device does not fit, or (on the CPU) a sampled value is not finite. On a GPU such
            pairs score NaN.
    """
    return torch.ops.smap.score_limbs.default(  # type: ignore[no-any-return]
        pafs, xy, count, limbs, scale, sample_threshold, counted_share, official
    )


def pair_score(
    paf: np.ndarray,
    parent: np.ndarray,
    child: np.ndarray,
    from_child: bool,
    scale: float,
    sample_threshold: float,
    counted_share: float,
    official: bool,
) -> tuple[float, float]:
    """One pair as the paper's release scores it, float32 throughout: score and distance in map pixels."""
    f = np.float32
    shift = f(0.5 if official else 0)
    start, end = (parent + shift).astype(f), (child + shift).astype(f)
    factor = f(scale)
    if from_child:
        start, end, factor = end, start, -factor
    vector = end - start
    distance = np.sqrt(vector[0] * vector[0] + vector[1] * vector[1])
    # The authors measure a second time, in double, for the length term.
    measured = float(f(np.hypot(*vector.astype(np.float64))) if official else distance)
    if distance <= f(1e-6):
        return -1.0, measured
    h, w = paf.shape[1:]
    n = min(max(int(np.sqrt(f(5) * np.abs(vector).max()) + f(0.5)), 5), 25)
    unit = vector / distance
    total, counted = f(0), 0
    for i in range(n):
        place = start + f(i + (0 if official else 0.5)) * (vector / f(n)) + f(0.5)
        x, y = (min(max(int(p), 0), size - 1) for p, size in zip(place, (w, h), strict=True))
        along = unit[0] * (paf[0, y, x] * factor) + unit[1] * (paf[1, y, x] * factor)
        if along > f(sample_threshold):
            total += along
            counted += 1
    if f(counted) / f(n) > f(counted_share):
        return float(total / f(counted)), measured
    near = distance < np.sqrt(f(h * w)) / f(150)
    return float(f(0.1) + f(1e-6)) if near else -1.0, measured


def reference(
    pafs: Tensor,
    xy: Tensor,
    count: Tensor,
    limbs: Tensor,
    scale: float = 1.0,
    sample_threshold: float = 0.05,
    counted_share: float = 0.8,
    official: bool = False,
) -> Tensor:
    """Every pair of every limb, one after the other."""
    batch, num_limbs, capacity = len(pafs), len(limbs), xy.shape[2]
    scores = torch.full((batch, num_limbs, capacity, capacity), -1.0)
    values, places = pafs.float().cpu().numpy(), xy.cpu().numpy()
    for b in range(batch):
        for limb, (parent, child, from_child) in enumerate(limbs.tolist()):
            for i, j in np.ndindex(int(count[b, parent]), int(count[b, child])):
                start, end = places[b, parent, i], places[b, child, j]
                rules = (scale, sample_threshold, counted_share, official)
                scores[b, limb, i, j] = pair_score(values[b, limb], start, end, bool(from_child), *rules)[0]
    assert math.isfinite(scores.sum().item())
    return scores


@torch.library.register_fake("smap::score_limbs")
def _(
    pafs: Tensor,
    xy: Tensor,
    count: Tensor,
    limbs: Tensor,
    scale: float,
    sample_threshold: float,
    counted_share: float,
    official: bool,
) -> Tensor:
    return pafs.new_empty((pafs.shape[0], limbs.shape[0], xy.shape[2], xy.shape[2]), dtype=torch.float32)
