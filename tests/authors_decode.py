"""The authors' decode (zju3dv/SMAP, extensions/) in NumPy, step by step, rounded as theirs; independent of smap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
F = np.float32

ROOT = 2
# fmt: off
LIMBS = [(0, 1), (0, 2), (0, 9), (9, 10), (10, 11), (0, 3), (3, 4), (4, 5), (2, 12), (12, 13), (13, 14), (2, 6),
         (6, 7), (7, 8)]
BONES_CM = np.array([26.42178982, 48.36980909, 14.88291009, 31.28002332, 23.915707, 14.97674918, 31.28002549,
                     23.91570732, 12.4644364, 48.26604433, 39.03553194, 12.4644364, 48.19076948, 39.03553252], F)
# fmt: on
MAX_PEAKS = 127


def find_peaks(heat: Floats) -> Floats:
    """``(K, 3)`` x, y (map px plus 0.5), score of one map, in raster order."""
    h, w = heat.shape
    inner = heat[1:-1, 1:-1]
    is_peak = inner > F(0.2)
    for dy in (0, 1, 2):
        for dx in (0, 1, 2):
            if (dy, dx) != (1, 1):
                is_peak &= inner > heat[dy : dy + h - 2, dx : dx + w - 2]
    peaks = []
    for y, x in np.argwhere(is_peak)[:MAX_PEAKS] + 1:
        ys, xs = np.mgrid[max(y - 3, 0) : min(y + 4, h), max(x - 3, 0) : min(x + 4, w)]
        values = heat[ys, xs]
        ys, xs, values = (v[values > 0].astype(F) for v in (ys, xs, values))
        # cumsum adds one after the other, as they do; sum does not.
        sums = [np.cumsum(v, dtype=F)[-1] for v in (xs * values, ys * values, values)]
        peaks.append((sums[0] / sums[2] + F(0.5), sums[1] / sums[2] + F(0.5), heat[y, x]))
    return np.array(peaks, F).reshape(-1, 3)


def score_pairs(a: Floats, b: Floats, paf: Floats) -> Floats:
    """``(A, B)`` scores of the limb from peaks ``a`` to peaks ``b`` in its PAF ``(2, h, w)``."""
    h, w = paf.shape[1:]
    d = b[None, :, :2] - a[:, None, :2]
    n = np.clip((np.sqrt(F(5) * np.abs(d).max(-1)) + F(0.5)).astype(np.int32), 5, 25)
    norm = np.sqrt(d[..., 0] * d[..., 0] + d[..., 1] * d[..., 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = d / norm[..., None]
    step = d / n[..., None].astype(F)
    i = np.minimum(np.arange(25), n[..., None] - 1).astype(F)
    x = np.minimum((a[:, None, None, 0] + i * step[..., :1] + F(0.5)).astype(np.int64), w - 1)
    y = np.minimum((a[:, None, None, 1] + i * step[..., 1:] + F(0.5)).astype(np.int64), h - 1)
    along = unit[..., :1] * paf[0, y, x] + unit[..., 1:] * paf[1, y, x]
    counts = (along > F(0.05)) & (np.arange(25) < n[..., None])
    total = np.cumsum(np.where(counts, along, F(0)), -1, dtype=F)[..., -1]
    count = counts.sum(-1).astype(F)
    near = np.where(norm < np.sqrt(F(w * h)) / F(150), F(np.float64(F(0.1)) + 1e-6), F(-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(count / n.astype(F) > F(0.95), total / count, near)
    return np.where(norm.astype(np.float64) > 1e-6, score, F(-1)).astype(F)


def distances(a: Floats, b: Floats) -> Floats:
    """``(A, B)`` map px: differences in float32, the rest in double."""
    d = (a[:, None, :2] - b[None, :, :2]).astype(np.float64)
    return np.sqrt(d[..., 0] ** 2 + d[..., 1] ** 2).astype(F)


def tree(peaks: list[Floats], pafs: Floats) -> list[tuple[int, int, int, Floats, Floats]]:
    """Limbs from the pelvis outwards: number, parent, child, scores and distances parent by child."""
    steps = []
    for limb in (1, 0, *range(2, len(LIMBS))):
        a, b = LIMBS[limb]
        scores = score_pairs(peaks[a], peaks[b], pafs[2 * limb : 2 * limb + 2])
        if limb == 1:  # stored neck to pelvis
            a, b, scores = b, a, scores.T
        steps.append((limb, a, b, scores, distances(peaks[a], peaks[b])))
    return steps


def root_depths(roots: Floats, depth: Floats) -> Floats:
    return depth[roots[:, 1].astype(int), roots[:, 0].astype(int)]


def connect(peaks: list[Floats], pafs: Floats, depth: Floats) -> NDArray[np.int64]:
    """``(P, 15)`` peak of every joint or -1, near to far: their depth-aware association."""
    depths = root_depths(peaks[ROOT], depth)
    order = np.argsort(depths, kind="stable")
    people = np.full((len(order), 15), -1)
    people[:, ROOT] = order
    for limb, parent, child, scores, distance in tree(peaks, pafs):
        used = np.zeros(len(peaks[child]), bool)
        for person, z in zip(people, depths[order], strict=True):
            if person[parent] < 0:
                continue
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
                bone = F(1.2 * np.float64(BONES_CM[limb]) / np.float64(z))
                penalty = np.minimum(bone / distance[person[parent]] / F(4) - F(1), F(0))
            score = scores[person[parent]]
            score = np.where(used, F(-1), np.where(score > 0, score + penalty, score))
            if len(score) and score.max() > 0:
                person[child] = score.argmax()  # the first of equals
                used[person[child]] = True
    return people


def connect_by_score(peaks: list[Floats], pafs: Floats) -> NDArray[np.int64]:
    """``(P, 15)``, in raster order of the roots: the 2-D baseline, best pair of all first."""
    half_height = F(pafs.shape[1] / 2)
    people = np.full((len(peaks[ROOT]), 15), -1)
    people[:, ROOT] = np.arange(len(people))
    for _, parent, child, scores, distance in tree(peaks, pafs):
        with np.errstate(divide="ignore"):
            scores = np.where(scores > 0, scores + np.minimum(half_height / distance - F(1), F(0)), scores)
        partner = np.full(len(peaks[parent]) + 1, -1)
        taken = np.zeros(len(peaks[child]), bool)
        for pair in np.argsort(-scores, axis=None, kind="stable"):
            a, b = np.unravel_index(pair, scores.shape)
            if scores[a, b] > 0 and partner[a] < 0 and not taken[b]:
                partner[a] = b
                taken[b] = True
        people[:, child] = partner[people[:, parent]]  # the last entry is nobody's: -1
    return people


def decode(maps: Floats, depth: Floats) -> tuple[list[Floats], NDArray[np.int64], NDArray[np.int64]]:
    """Peaks of every joint, the people of the depth-aware association and of the baseline.

    Args:
        maps: ``(43, h, w)`` 15 heatmaps, then x, y of 14 PAFs.
        depth: ``(h, w)`` centimetres per input pixel of focal length.
    """
    peaks = [find_peaks(heat) for heat in maps[:15]]
    return peaks, connect(peaks, maps[15:], depth), connect_by_score(peaks, maps[15:])
