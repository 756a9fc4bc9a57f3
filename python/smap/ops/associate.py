"""Peaks -> people (paper Sec. 3.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)
from .score_limbs import pair_score


def associate(
    pafs: Tensor,
    limb_depths: Tensor,
    root_depth: Tensor,
    xy: Tensor,
    score: Tensor,
    count: Tensor,
    limbs: Tensor,
    lengths: Tensor,
    mode: str = "depth-aware",
    max_people: int = 127,
    min_joints: int = 2,
    half_bodies: bool = True,
    length_slack: float = 1.2,
    scale: float = 1.0,
    sample_threshold: float = 0.05,
    counted_share: float = 0.8,
    official: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Which peaks belong together. A peak belongs to one person at most, limbs are joined from the root outwards.

    ``"depth-aware"``: every root peak is a person; for each limb the nearest person takes the best child peak that is
    left, then the next. Scores are those of ``score_limbs``, lowered where the limb is longer than ``length_slack``
    times its mean length at the person's depth (Eq. 2). ``"paf"``: for each limb the best pair of all comes first, with
    half the map's height as the expected length and no depth.

    Args:
        pafs: ``(B, L, 2, h, w)`` float32, float16 or bfloat16, unit vectors parent to child.
        limb_depths: ``(B, L, h, w)`` metres, child minus parent.
        root_depth: ``(B, h, w)`` normalised root depth, metres (Eq. 1).
        xy, score, count: of ``find_peaks``.
        limbs: ``(L, 3)`` int64: parent joint, child joint, 1 when sampled from the child's end; root outwards.
        lengths: ``(L,)`` float64 mean lengths, metres.
        max_people: capacity; the nearest stay.
        min_joints: people with fewer are dropped.
        half_bodies: child peaks of the first limb that nobody took (necks without a pelvis) become people.
        scale, sample_threshold, counted_share, official: as in ``score_limbs``.

    Returns:
        ``people (B, P, J)`` int64 peak of every joint, -1 for none, near to far, equal depths in raster order (with
        ``"paf"`` and ``official`` all are in raster order of their roots, as the authors'); ``count (B,)`` int64;
        ``root_depths (B, P)`` float32, the root-depth map at the person's root (or neck), 0 beyond the count.

    Raises:
        ValueError: a shape, dtype or device does not fit, or (on the CPU) a value that is read is not finite. On a GPU
            such limbs are not joined.
    """
    return torch.ops.smap.associate.default(  # type: ignore[no-any-return]
        pafs, limb_depths, root_depth, xy, score, count, limbs, lengths, mode, max_people, min_joints, half_bodies,
        length_slack, scale, sample_threshold, counted_share, official,
    )  # fmt: skip


def reference(
    pafs: Tensor,
    limb_depths: Tensor,
    root_depth: Tensor,
    xy: Tensor,
    score: Tensor,
    count: Tensor,
    limbs: Tensor,
    lengths: Tensor,
    mode: str = "depth-aware",
    max_people: int = 127,
    min_joints: int = 2,
    half_bodies: bool = True,
    length_slack: float = 1.2,
    scale: float = 1.0,
    sample_threshold: float = 0.05,
    counted_share: float = 0.8,
    official: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """The authors' order of steps, with lists and sorts."""
    batch, joints = count.shape
    people = torch.full((batch, max_people, joints), -1, dtype=torch.int64)
    totals, depths = torch.zeros(batch, dtype=torch.int64), torch.zeros(batch, max_people)
    for b in range(batch):
        image = _Image(
            pafs[b].float().cpu().numpy(), root_depth[b].float().cpu().numpy(), xy[b].cpu().numpy(), count[b].tolist()
        )
        rules = (scale, sample_threshold, counted_share, official)
        found = image.people(limbs.tolist(), lengths.tolist(), mode, max_people, half_bodies, length_slack, rules)
        found = [(z, row) for z, row in found if sum(k >= 0 for k in row) >= min_joints]
        for p, (z, row) in enumerate(found):
            people[b, p], depths[b, p] = torch.tensor(row), float(z)
        totals[b] = len(found)
    return people, totals, depths


class _Image:
    def __init__(self, pafs: np.ndarray, root_depth: np.ndarray, xy: np.ndarray, count: list[int]) -> None:
        self.pafs, self.root_depth, self.xy, self.count = pafs, root_depth, xy, count

    def depth(self, joint: int, k: int) -> np.float32:
        x, y = self.xy[joint, k] + np.float32(0.5)
        h, w = self.root_depth.shape
        return np.float32(self.root_depth[min(max(int(y), 0), h - 1), min(max(int(x), 0), w - 1)])

    def add(self, found: list[Any], joint: int, peaks: list[int], max_people: int) -> list[Any]:
        for k in peaks:
            row = [-1] * len(self.count)
            row[joint] = k
            found = [*found, (self.depth(joint, k), row)]
        return sorted(found, key=lambda person: person[0] if self.sorted else 0)[:max_people]

    def people(
        self,
        limbs: list[list[int]],
        lengths: list[float],
        mode: str,
        max_people: int,
        half_bodies: bool,
        length_slack: float,
        rules: tuple[Any, ...],
    ) -> list[tuple[np.float32, list[int]]]:
        root = limbs[0][0] if limbs else 0
        self.sorted = not (mode == "paf" and rules[-1])
        found = self.add([], root, list(range(self.count[root])), max_people)
        for i, (parent, child, _) in enumerate(limbs):

            def scored(a: int, c: int, i: int = i, limb: list[int] = limbs[i]) -> tuple[float, float]:
                ends = self.xy[limb[0], a], self.xy[limb[1], c]
                return pair_score(self.pafs[i], *ends, bool(limb[2]), *rules)

            if mode == "paf":
                self.connect_by_score(found, parent, child, scored)
            else:
                self.connect_by_depth(found, parent, child, scored, lengths[i], length_slack)
            if i == 0 and half_bodies:
                taken = {row[child] for _, row in found}
                found = self.add(found, child, [k for k in range(self.count[child]) if k not in taken], max_people)
        return found

    def connect_by_depth(
        self, found: list[Any], parent: int, child: int, scored: Any, length: float, slack: float
    ) -> None:
        taken: set[int] = set()
        for depth, row in found:
            if row[parent] < 0:
                continue
            # Centimetres per map pixel of focal length, in float32: what the authors' map holds, times the stride.
            raw = np.float32(float(depth) * 100.0 / self.root_depth.shape[1])
            with np.errstate(divide="ignore", over="ignore"):
                longest = np.float32(np.float64(slack * (100.0 * length)) / np.float64(raw))
            best, best_score = -1, np.float32(0)
            for c in range(self.count[child]):
                if c in taken:
                    continue
                value, distance = scored(row[parent], c)
                if value <= 0:
                    continue
                total = np.float32(value) + np.minimum(longest / np.float32(distance) - np.float32(1), np.float32(0))
                if total > best_score:
                    best, best_score = c, total
            if best >= 0:
                row[child] = best
                taken.add(best)

    def connect_by_score(self, found: list[Any], parent: int, child: int, scored: Any) -> None:
        half = np.float32(self.pafs.shape[2] / 2)
        pairs = []
        for a, c in np.ndindex(self.count[parent], self.count[child]):
            value, distance = scored(a, c)
            if value > 0:
                total = np.float32(value) + np.minimum(half / np.float32(distance) - np.float32(1), np.float32(0))
                pairs.append((-total, a, c))
        partner: dict[int, int] = {}
        for negative, a, c in sorted(pairs):
            if negative < 0 and a not in partner and c not in partner.values():
                partner[a] = c
        for _, row in found:
            if row[parent] >= 0:
                row[child] = partner.get(row[parent], -1)


@torch.library.register_fake("smap::associate")
def _(
    pafs: Tensor,
    limb_depths: Tensor,
    root_depth: Tensor,
    xy: Tensor,
    score: Tensor,
    count: Tensor,
    limbs: Tensor,
    lengths: Tensor,
    mode: str,
    max_people: int,
    *rest: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    batch, joints = count.shape
    return (
        pafs.new_empty((batch, max_people, joints), dtype=torch.int64),
        pafs.new_empty((batch,), dtype=torch.int64),
        pafs.new_empty((batch, max_people), dtype=torch.float32),
    )
