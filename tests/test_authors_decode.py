"""``DecodeConfig.official()`` equals the authors' steps to the index, on maps where ties and thresholds are common."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from smap import SMAP15, DecodeConfig, Maps, decode
from smap.decode import limb_tables
from smap.ops import score_limbs

from . import authors_decode as authors
from .network.official import fixture_inputs

F = np.float32
SPECIAL = np.array([0.2, np.nextafter(F(0.2), F(1)), 0.25, 0.5, 1, 2, 3, 6, 0.05, -0.5], F)
DEPTHS = np.array([0.25, 0.5, 0.5, 0.75, 1, 2, 0, -0.0, -0.3, 1e-3, 1e-6, 50, 1e4], F)


def random_maps(rng: np.random.Generator, h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
    """Few different values, so that peaks, scores and depths tie and touch thresholds all the time."""
    heat = np.zeros((15, h, w), F)
    style = rng.integers(5)
    for j in range(15):
        if rng.random() < 0.1:
            continue
        if style == 0:  # lone pixels, some beside each other, some on the border
            n = rng.integers(0, 9)
            heat[j, rng.integers(0, h, n), rng.integers(0, w, n)] = rng.choice(SPECIAL, n)
        elif style == 1:  # noise in steps: plateaus and, on a large map, more than 127 peaks
            heat[j] = rng.integers(-8, 9, (h, w)).astype(F) / F(rng.choice([8, 20, 40]))
        elif style == 2:  # a grid with one row in two shifted: many equal distances
            heat[j, rng.integers(1, 4) :: 4, rng.integers(1, 4) :: 4] = rng.choice(SPECIAL)
        elif style == 3:  # everybody's joints at few places: coincident and close ones
            places = rng.integers(0, [h, w], (3, 2))
            for y, x in places[rng.integers(0, 3, 4)]:
                heat[j, y, x] = rng.choice(SPECIAL)
        else:  # blobs on a negative ground
            heat[j] = F(rng.choice([0, -0.5]))
            for _ in range(rng.integers(0, 7)):
                y, x = rng.uniform([0, 0], [h, w])
                ys, xs = np.mgrid[0:h, 0:w]
                blob = np.exp(-((ys - y) ** 2 + (xs - x) ** 2) / 4) * rng.choice([0.3, 1, 3])
                heat[j] = np.maximum(heat[j], np.round(blob * 64) / 64 - (0.5 if heat[j, 0, 0] < 0 else 0)).astype(F)
    pafs = np.zeros((28, h, w), F)
    for limb in range(14):
        kind = rng.integers(5)
        field = pafs[2 * limb : 2 * limb + 2]
        if kind == 0:  # one direction everywhere
            field[:] = rng.choice([-1, -0.6, 0, 0.05, 0.6, 0.8, 1], (2, 1, 1))
        elif kind == 1:  # in blocks
            blocks = rng.choice([-1, -0.5, 0, 0.05, 0.5, 1, 3], (2, -(-h // 4), -(-w // 4)))
            field[:] = np.repeat(np.repeat(blocks, 4, 1), 4, 2)[:, :h, :w]
        elif kind == 2:  # away from a point, with holes
            ys, xs = np.mgrid[0:h, 0:w].astype(F)
            y, x = ys - F(rng.uniform(0, h)), xs - F(rng.uniform(0, w))
            norm = np.sqrt(x * x + y * y) + F(1e-3)
            field[:] = np.stack([x, y]) / norm * rng.choice([-3, 1, 3])
            field[:, rng.random((h, w)) < rng.choice([0, 0.02, 0.05])] = 0
        elif kind == 3:  # one direction, every pixel another strength: a sample one pixel off changes the score
            field[:] = rng.choice([-1, -0.5, 0.5, 1], (2, 1, 1)) * rng.uniform(0.1, 3, (h, w))
    depth = rng.choice(DEPTHS, (h, w)) if rng.random() < 0.7 else np.full((h, w), rng.choice(DEPTHS), F)
    if rng.random() < 0.2:
        depth = rng.uniform(0.2, 3, (h, w))
    return np.concatenate([heat, pafs]), depth.astype(F)


def differences(maps: np.ndarray, depth: np.ndarray) -> list[str]:
    """What differs between ``smap.decode`` and the authors' steps; ``maps (N, 43, h, w)``, ``depth (N, h, w)``."""
    order = [authors.LIMBS.index(limb if limb in authors.LIMBS else limb[::-1]) for limb in SMAP15.limbs]
    sign = np.array([1 if limb in authors.LIMBS else -1 for limb in SMAP15.limbs], F)
    h, w = maps.shape[2:]
    pafs = maps[:, 15:].reshape(-1, 14, 2, h, w)[:, order] * sign[:, None, None, None]
    ours = Maps(
        torch.from_numpy(maps[:, :15]),
        torch.from_numpy(pafs),
        torch.zeros(len(maps), 14, h, w),
        torch.from_numpy(depth * F(4 * w / 100)),  # their input is four times as wide as the map
    )
    different = []
    limbs, _ = limb_tables(SMAP15, torch.device("cpu"), authors_rules=True)
    expected = [authors.decode(*one) for one in zip(maps, depth, strict=True)]
    for table, association in ((1, "depth-aware"), (2, "paf")):
        found = decode(ours, DecodeConfig.official(map_scale=1, association=association))
        for i, image in enumerate(expected):
            n = int(found.count[i])
            if found.peaks.count[i].tolist() != [len(peaks) for peaks in image[0]]:
                different.append(f"count of peaks in image {i}")
            for j, peaks in enumerate(image[0]):
                k = len(peaks)
                xy, score = found.peaks.xy[i, j, :k].numpy() + F(0.5), found.peaks.score[i, j, :k].numpy()
                if not np.array_equal(np.column_stack([xy, score]), peaks):
                    different.append(f"peaks of joint {j} in image {i}")
            if not np.array_equal(found.people[i, :n].numpy(), image[table]):
                different.append(f"{association} in image {i}")
    scores = score_limbs(ours.pafs, found.peaks.xy, found.peaks.count, limbs, 1.0, 0.05, 0.95, True).numpy()
    for i, image in enumerate(expected):
        for limb, parent, child, expected_scores, _ in authors.tree(image[0], maps[i, 15:]):
            actual = scores[i, order.index(limb), : len(image[0][parent]), : len(image[0][child])]
            if not np.array_equal(actual, expected_scores):
                different.append(f"scores of limb {limb} in image {i}")
    return different


@pytest.mark.parametrize(("h", "w", "count"), [(12, 20, 60), (9, 31, 40), (40, 56, 12), (5, 170, 10), (3, 3, 5)])
def test_random_maps(h: int, w: int, count: int) -> None:
    rng = np.random.default_rng((h, w))
    maps, depth = zip(*(random_maps(rng, h, w) for _ in range(count)), strict=True)
    assert differences(np.stack(maps), np.stack(depth)) == []


def test_crowds_of_which_no_answer_is_recorded(shared: Path) -> None:
    inputs = fixture_inputs(shared)
    for case in (20, 40, 59, 120, *range(340, 360), 363):
        _, maps, depth, _ = inputs.make_case(case)
        assert differences(maps[None], depth[None]) == [], f"case {case}"
