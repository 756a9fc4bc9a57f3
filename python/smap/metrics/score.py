"""Predictions of many images against their truth: match and measure.

``score_image`` turns one image into rows of numbers, one row per true person; ``Scores.concatenate`` joins images (and
the shares of parallel workers); ``summary.py`` reads every figure of the paper's tables off the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..letterbox import Letterbox
from ..people import People
from ..sample import VISIBLE, Sample
from ..skeleton import SMAP15, Skeleton
from .matching import MUPOTS_BOX_PX, PANOPTIC_DISTANCE_PX, Matches, match_bodies, match_joint_boxes, match_roots
from .pose import (
    Floats,
    distances_2d,
    joint_errors_mm,
    left_right_counts,
    limb_lengths_m,
    rescale_limbs,
)


@dataclass(frozen=True)
class Protocol:
    """How a data set judges predictions.

    Args:
        matching: "bodies" (``match_bodies``), "joint_boxes" (MuPoTS-3D) or "roots" (CMU Panoptic).
        limit_px: half box ("joint_boxes") or distance ("roots"), pixels.
        limit_size: when given, ``limit_px`` is in pixels of a network input of this size, not of the image.
        reproject: X and Y of detected joints are computed anew from their place in the image and their depth.
        rescale: predictions get the true limb lengths before 3-D joints are judged.
        min_visible: true people with fewer visible joints are neither demanded nor held against a prediction.
        visible_root: the same for true people whose root is not visible.
        joints_from: smallest ``Sample.visibility`` of the joints that are judged, in 2-D and in 3-D.
        min_height_px: true people smaller than this in the image (extent of their annotated joints) are left out too.
    """

    matching: Literal["bodies", "joint_boxes", "roots"] = "bodies"
    limit_px: float = MUPOTS_BOX_PX
    limit_size: tuple[int, int] | None = None
    reproject: bool = False
    rescale: bool = False
    min_visible: int = 3
    visible_root: bool = False
    joints_from: tuple[int, int] = (1, 1)
    min_height_px: float = 0.0


PROTOCOLS = {
    "bodies": Protocol(),
    "mupots": Protocol(
        "joint_boxes", MUPOTS_BOX_PX, reproject=True, rescale=True, min_visible=0, joints_from=(0, 0)
    ),  # reproject: zju3dv/SMAP, lib/eval/convert.py
    "panoptic": Protocol(
        "roots", PANOPTIC_DISTANCE_PX, (832, 512), min_visible=0, visible_root=True, joints_from=(VISIBLE, 0)
    ),
}


@dataclass(frozen=True, repr=False)
class Scores:
    """Measurements: one row per demanded true person (N), one per image (I).

    Args:
        image: ``(N,)`` number of the person's image.
        matched: ``(N,)`` bool, found.
        root_m, predicted_root_m: ``(N, 3)`` metres; NaN where unknown or not found.
        relative_mm, absolute_mm: ``(N, J)`` errors as ``joint_errors_mm`` gives them (after the protocol's rescaling):
            NaN does not count, inf is a joint that was not predicted.
        heads_2d: ``(N, J)`` distances in the image in head sizes, with the same two marks.
        limbs_m: ``(N, L)`` true limb lengths.
        sides: ``(N, 2)`` pairs of left and right joints that are the right way round, and pairs judged.
        predictions, false: ``(I,)`` predictions and false ones among them; -1 where the truth is incomplete.
    """

    image: NDArray[np.int64]
    matched: NDArray[np.bool_]
    root_m: Floats
    predicted_root_m: Floats
    relative_mm: NDArray[np.float32]
    absolute_mm: NDArray[np.float32]
    heads_2d: NDArray[np.float32]
    limbs_m: NDArray[np.float32]
    sides: NDArray[np.int64]
    predictions: NDArray[np.int64]
    false: NDArray[np.int64]
    skeleton: Skeleton = SMAP15

    def __len__(self) -> int:
        return len(self.image)

    @classmethod
    def empty(cls, skeleton: Skeleton = SMAP15) -> Scores:
        joints, limbs = skeleton.num_joints, skeleton.num_limbs
        none, errors = np.zeros(0, np.int64), np.zeros((0, joints), np.float32)
        root, lengths = np.zeros((0, 3)), np.zeros((0, limbs), np.float32)
        pairs = np.zeros((0, 2), np.int64)
        return cls(none, none > 0, root, root, errors, errors, errors, lengths, pairs, none, none, skeleton)

    @classmethod
    def concatenate(cls, parts: Sequence[Scores], skeleton: Skeleton = SMAP15) -> Scores:
        """All rows of all parts; images are numbered on. Without parts: no rows."""
        if not parts:
            return cls.empty(skeleton)
        first = np.cumsum([0] + [len(part.predictions) for part in parts])
        values = {
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(cls)
            if f.name not in ("image", "skeleton")
        }
        image = np.concatenate([part.image + start for part, start in zip(parts, first[:-1], strict=True)])
        return cls(image=image, skeleton=parts[0].skeleton, **values)

    def people(self, selected: NDArray[np.bool_]) -> Scores:
        """The rows where ``selected``, ``(N,)`` bool, is True; the images stay."""
        return replace(self, **{name: getattr(self, name)[selected] for name in PERSON_FIELDS})


PERSON_FIELDS = tuple(f.name for f in fields(Scores) if f.name not in ("predictions", "false", "skeleton"))


def _match(people: People, sample: Sample, truth_px: Floats, protocol: Protocol) -> Matches:
    predicted_px = people.joints_2d.astype(np.float64)
    limit = protocol.limit_px
    if protocol.limit_size is not None:
        limit /= Letterbox.fit(sample.width, sample.height, protocol.limit_size).scale
    root = sample.skeleton.root
    if protocol.matching == "joint_boxes":
        return match_joint_boxes(predicted_px, truth_px, box_px=limit, skeleton=sample.skeleton)
    if protocol.matching == "roots":
        return match_roots(predicted_px[:, root], truth_px[:, root], max_distance_px=limit)
    return match_bodies(predicted_px, truth_px, skeleton=sample.skeleton)


def _demanded(sample: Sample, protocol: Protocol) -> NDArray[np.bool_]:
    visible = sample.visibility == VISIBLE
    wanted = visible.sum(-1) >= protocol.min_visible
    if protocol.visible_root:
        wanted &= visible[:, sample.skeleton.root]
    if protocol.min_height_px:
        y = sample.joints_2d[..., 1]
        known = np.isfinite(y) & (sample.visibility > 0)
        extent = np.where(known, y, -np.inf).max(-1, initial=-np.inf) - np.where(known, y, np.inf).min(
            -1, initial=np.inf
        )
        wanted &= extent >= protocol.min_height_px
    return np.asarray(wanted)


def _false(people: People, sample: Sample, matches: Matches) -> int:
    """Predictions that belong to nobody and do not lie in a region that is not annotated; -1 when nobody can say."""
    if sample.extra.get("unannotated_people", 0):
        return -1
    free = np.ones(len(people), bool)
    free[matches[matches >= 0]] = False
    for i in np.flatnonzero(free):
        known = np.isfinite(people.joints_2d[i]).all(-1)
        x, y = people.joints_2d[i][known].mean(0) if known.any() else (np.nan, np.nan)
        x0, y0, x1, y1 = sample.ignore.T
        free[i] = not ((x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)).any()
    return int(free.sum())


def _positions(people: People, sample: Sample, protocol: Protocol) -> Floats:
    """``(P, J, 3)`` metres that are judged."""
    joints_3d = people.joints_3d.astype(np.float64)
    if not protocol.reproject:
        return joints_3d
    anew = (people.camera or sample.camera).back_project(people.joints_2d, joints_3d[..., 2])
    return np.where((people.detected & np.isfinite(anew).all(-1))[..., None], anew, joints_3d)


def score_image(people: People, sample: Sample, protocol: Protocol | str = "bodies") -> Scores:
    """Match one image's predictions with its true people and measure them.

    Args:
        people: predictions; joints without a position are NaN.
        protocol: a ``Protocol`` or the name of one of ``PROTOCOLS``.

    Raises:
        ValueError: the skeletons differ or there is no such protocol.
    """
    if isinstance(protocol, str):
        if protocol not in PROTOCOLS:
            raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
        protocol = PROTOCOLS[protocol]
    skeleton = sample.skeleton
    if people.skeleton.joints != skeleton.joints:
        raise ValueError(
            f"people of {sample.name!r} must have the sample's joints {skeleton.joints}, got {people.skeleton.joints}"
        )
    truth_px = sample.joints_2d.astype(np.float64)
    judged_px = np.where((sample.visibility >= protocol.joints_from[0])[..., None], truth_px, np.nan)
    matching_px = judged_px if protocol.matching == "bodies" else truth_px
    # People who are not demanded are matched after the others, so that they only take what is left over; by all that
    # is known of them, since few of their joints can be seen.
    demanded = _demanded(sample, protocol)
    matches = np.full(len(sample), -1, np.int64)
    matches[demanded] = _match(people, sample, matching_px[demanded], protocol)
    left = np.setdiff1d(np.arange(len(people)), matches[demanded])
    spare = _match(people.select(left), sample, truth_px[~demanded], protocol)
    matches[~demanded] = np.where(spare >= 0, left[spare] if len(left) else -1, -1)

    found = matches[demanded] >= 0
    predicted_px = np.full((len(found), skeleton.num_joints, 2), np.nan)
    predicted_m = np.full((len(found), skeleton.num_joints, 3), np.nan)
    predicted_px[found] = people.joints_2d[matches[demanded][found]]
    predicted_m[found] = _positions(people, sample, protocol)[matches[demanded][found]]
    truth_m = sample.joints_3d[demanded].astype(np.float64)
    judged_m = np.where((sample.visibility[demanded] >= protocol.joints_from[1])[..., None], truth_m, np.nan)
    judged_m[:, skeleton.root] = truth_m[:, skeleton.root]  # the origin, seen or not
    judged = rescale_limbs(predicted_m, truth_m, skeleton=skeleton) if protocol.rescale else predicted_m
    sides = [left_right_counts(p, t, skeleton=skeleton) for p, t in zip(predicted_px, judged_px[demanded], strict=True)]
    false = _false(people, sample, matches)
    return Scores(
        image=np.zeros(len(found), np.int64),
        matched=found,
        root_m=truth_m[:, skeleton.root],
        predicted_root_m=predicted_m[:, skeleton.root],
        relative_mm=joint_errors_mm(judged, judged_m, "rel", skeleton=skeleton).astype(np.float32),
        absolute_mm=joint_errors_mm(judged, judged_m, "abs", skeleton=skeleton).astype(np.float32),
        heads_2d=distances_2d(predicted_px, judged_px[demanded], skeleton=skeleton).astype(np.float32),
        limbs_m=limb_lengths_m(truth_m, skeleton=skeleton).astype(np.float32),
        sides=np.array(sides, np.int64).reshape(-1, 2),
        predictions=np.array([len(people) - int((matches[~demanded] >= 0).sum())], np.int64),
        false=np.array([false], np.int64),
        skeleton=skeleton,
    )
