"""Peaks -> people (paper Sec. 3.2). What is meant stands in ``associate_reference``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)
from .associate_reference import reference


def associate(
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
    """Which peaks belong together. A peak belongs to one person at most, limbs are joined from the root outwards.

    ``"optimal"``: every root peak, and every peak of the next joint that has no root, starts a person. For each limb
    the child peaks are assigned exactly, for the largest sum of scores over all people: the PAF's mean along the limb,
    less when the limb's length in space (with its depth from the limb-depth map) does not fit the person's depth. A
    joint without a peak is imagined where the PAF leads, so that the limbs behind it are found. Then everything is
    assigned once more: people now have a size, from their limbs, and a peak comes with the branch that hangs on it. A
    body that was found twice in one place becomes one person.

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
        max_people: rows of the result; of more people the first of its order stay, which are the nearest.
        min_joints: people with fewer are dropped.
        min_score: and those whose joints' scores times ``scale``, 0 for joints that were not found, have a lower mean.
        max_overlap: ``"optimal"`` drops people more of whose joints, as a share, lie within about 15 cm of joints,
            whichever, of a person with higher scores who is as near (pose NMS); 1 drops nobody.
        half_bodies: child peaks of the first limb that nobody took (necks without a pelvis) become people.
        ordinal_prior: nearer people choose first, or in ``"optimal"`` have a small bonus.
        scale, sample_threshold, counted_share, official: as in ``score_limbs``; for ``"optimal"`` half of a
            limb's samples must count, whatever ``counted_share`` is.

    Returns:
        ``people (B, P, J)`` int64 peak of every joint, -1 for none, near to far, equal depths in raster order
        (``"paf"`` with ``official`` and without ``ordinal_prior``: in raster order of the roots, as the authors');
        ``count (B,)`` int64; ``root_depths (B, P)`` float32, the root-depth map at the person's root (or neck), 0
        beyond the count.

    Raises:
        ValueError: a shape, dtype or device does not fit, or (on the CPU) a value that is read is not finite. On a GPU
            such limbs are not joined.
    """
    return torch.ops.smap.associate.default(  # type: ignore[no-any-return]
        pafs, limb_depths, root_depth, xy, score, count, limbs, lengths, mode, max_people, min_joints, min_score,
        max_overlap, half_bodies, ordinal_prior, length_slack, scale, sample_threshold, counted_share, official,
    )  # fmt: skip


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


__all__ = ["associate", "reference"]
