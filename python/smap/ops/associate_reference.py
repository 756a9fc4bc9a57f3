"""The slow version of ``associate`` that says what is meant, on the CPU, with lists and sorts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .score_limbs import pair_score

Array = NDArray[np.float32]
Row = list[int]  # peak of every joint, -1 for none
People = list[tuple[float, Row]]  # depth and joints


@dataclass
class Image:
    """What there is to know about one image."""

    pafs: Array
    limb_depths: Array
    root_depth: Array
    xy: Array
    count: list[int]
    limbs: list[list[int]]
    lengths: list[float]
    half_bodies: bool
    ordinal_prior: bool
    length_slack: float
    scale: float
    sample_threshold: float
    counted_share: float
    official: bool

    @property
    def root(self) -> int:
        return self.limbs[0][0] if self.limbs else 0

    def depth(self, joint: int, k: int) -> float:
        x, y = self.xy[joint, k] + np.float32(0.5)
        h, w = self.root_depth.shape
        return float(self.root_depth[min(max(int(y), 0), h - 1), min(max(int(x), 0), w - 1)])


def reference(
    pafs: Tensor,
    limb_depths: Tensor,
    root_depth: Tensor,
    xy: Tensor,
    score: Tensor,
    count: Tensor,
    limbs: Tensor,
    lengths: Tensor,
    mode: str = "optimal",
    max_people: int = 127,
    min_joints: int = 2,
    min_score: float = 0.0,
    max_overlap: float = 1.0,
    half_bodies: bool = True,
    ordinal_prior: bool = True,
    length_slack: float = 1.2,
    scale: float = 1.0,
    sample_threshold: float = 0.05,
    counted_share: float = 0.8,
    official: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """See ``associate``."""
    from .associate_optimal import optimal, without_overlaps  # it builds on the classes of this file

    batch, joints = count.shape
    people = torch.full((batch, max_people, joints), -1, dtype=torch.int64)
    totals, depths = torch.zeros(batch, dtype=torch.int64), torch.zeros(batch, max_people)
    for b in range(batch):
        paf, limb_depth, root = (m[b].float().cpu().numpy() for m in (pafs, limb_depths, root_depth))
        image = Image(
            paf, limb_depth, root, xy[b].cpu().numpy(), count[b].tolist(), limbs.tolist(), lengths.tolist(),
            half_bodies, ordinal_prior, length_slack, scale, sample_threshold, counted_share, official,
        )  # fmt: skip
        found = optimal(image) if mode == "optimal" else greedy(image, mode)
        heights = score[b].float().cpu().numpy() * np.float32(scale)
        found = [(z, row) for z, row in found if sum(k >= 0 for k in row) >= max(1, min_joints)]
        found = [(z, row) for z, row in found if not total(heights, row) < np.float32(min_score) * np.float32(joints)]
        if mode == "optimal":
            found = without_overlaps(image, found, heights, max_overlap)
        if not (mode == "paf" and official):
            found.sort(key=lambda person: person[0])
        found = found[:max_people]
        for p, (z, row) in enumerate(found):
            people[b, p], depths[b, p] = torch.tensor(row), z
        totals[b] = len(found)
    return people, totals, depths


def total(heights: np.ndarray, row: list[int]) -> np.float32:
    """Sum of the scores of a person's peaks, joint after joint."""
    sum_ = np.float32(0)
    for joint, k in enumerate(row):
        if k >= 0:
            sum_ += heights[joint, k]
    return sum_


def greedy(image: Image, mode: str) -> People:
    """The authors' order of steps."""
    found = add(image, [], image.root, list(range(image.count[image.root])))
    for i, (_, child, _) in enumerate(image.limbs):
        if mode == "paf":
            connect_by_score(image, found, i)
        else:
            connect_by_depth(image, found, i)
        if i == 0 and image.half_bodies:
            taken = {row[child] for _, row in found}
            found = add(image, found, child, [k for k in range(image.count[child]) if k not in taken])
    return found


def add(image: Image, found: People, joint: int, peaks: list[int]) -> People:
    for k in peaks:
        row = [-1] * len(image.count)
        row[joint] = k
        found = [*found, (image.depth(joint, k), row)]
    if image.ordinal_prior:
        found = sorted(found, key=lambda person: person[0])
    return found


def scorer(image: Image, limb: int) -> Callable[[int, int], tuple[float, float]]:
    """Score and distance of a pair of peaks."""
    parent, child, from_child = image.limbs[limb]
    rules = (bool(from_child), image.scale, image.sample_threshold, image.counted_share, image.official)
    return lambda a, c: pair_score(image.pafs[limb], image.xy[parent, a], image.xy[child, c], *rules)


def penalty(longest: np.float32, distance: float) -> np.float32:
    return np.float32(np.minimum(longest / np.float32(distance) - np.float32(1), np.float32(0)))


def longest_limb(image: Image, limb: int, depth: float) -> np.float32:
    width, length = image.root_depth.shape[1], image.lengths[limb]
    with np.errstate(divide="ignore", over="ignore"):
        if not image.official:
            return np.float32(np.float64(image.length_slack * length * width) / depth)
        # Centimetres per input pixel of focal length, in float32: what the authors' map holds; bones likewise.
        raw = np.float32(depth / float(np.float32(4 * width / 100)))
        bone = image.length_slack * np.float64(np.float32(100 * length))
        return np.float32(bone / np.float64(raw)) / np.float32(4)


def connect_by_depth(image: Image, found: People, limb: int) -> None:
    parent, child, _ = image.limbs[limb]
    scored = scorer(image, limb)
    taken: set[int] = set()
    for depth, row in found:
        if row[parent] < 0:
            continue
        longest = longest_limb(image, limb, depth)
        best, best_score = -1, np.float32(0)
        for c in range(image.count[child]):
            value, distance = scored(row[parent], c)
            if c in taken or value <= 0:
                continue
            total = np.float32(value) + penalty(longest, distance)
            if total > best_score:
                best, best_score = c, total
        if best >= 0:
            row[child] = best
            taken.add(best)


def connect_by_score(image: Image, found: People, limb: int) -> None:
    parent, child, _ = image.limbs[limb]
    scored = scorer(image, limb)
    half = np.float32(image.pafs.shape[2] / 2)
    pairs: list[Any] = []
    for a, c in np.ndindex(image.count[parent], image.count[child]):
        value, distance = scored(a, c)
        if value > 0:
            pairs.append((-(np.float32(value) + penalty(half, distance)), a, c))
    partner: dict[int, int] = {}
    for negative, a, c in sorted(pairs):
        if negative < 0 and a not in partner and c not in partner.values():
            partner[a] = c
    for _, row in found:
        if row[parent] >= 0:
            row[child] = partner.get(row[parent], -1)
