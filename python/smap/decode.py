"""Maps -> 2-D people: peaks of the heatmaps, joined along the limbs (paper Sec. 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .constants import constant_tensors
from .maps import Maps
from .ops.associate import associate
from .ops.find_peaks import find_peaks
from .skeleton import Skeleton

ASSOCIATIONS = ("depth-aware", "optimal", "paf")


@dataclass(frozen=True)
class DecodeConfig:
    """How maps become people. The defaults are this library's; ``DecodeConfig.official()`` is the authors' release.

    Args:
        association: ``"optimal"``: exact assignment over all people with second thoughts (see ``smap.ops.associate``);
            ``"depth-aware"``: the paper's greedy assignment, nearest person first, lengths limited by depth (Sec. 3.2,
            Eq. 2); ``"paf"``: the 2-D baseline.
        map_scale: heatmaps and PAFs are multiplied by it before the thresholds below apply.
        peak_threshold: heatmap value that a peak must exceed.
        max_peaks: capacity per joint and image; when there are more, the best by score stay.
        max_people: capacity per image; when there are more, the nearest stay.
        sample_threshold: component along the limb that a PAF sample must exceed to count.
        counted_share: share of a limb's samples that must count, exclusive; ``"optimal"`` has its own, one half.
        length_slack: lambda of Eq. 2.
        half_bodies: people without a visible root are kept, rooted at the next joint up the tree (the neck), with the
            value of the root-depth map there.
        ordinal_prior: nearer people choose first (Sec. 3.2); off only to show what it is worth.
        min_joints: people with fewer joints are dropped.
        min_score: people whose joints' scores, 0 for joints that were not found, have a lower mean are dropped.
        min_person_score: people of whom a refiner that judges people (``RefineNet.judge``) is less sure are dropped
            after it; 0 without such a refiner. It is ``Person.score``.
        max_overlap: ``"optimal"`` drops people more of whose joints, as a share, lie on joints, whichever, of a surer
            person who is as near, even if that one is dropped too: bodies that a network in doubt about left and right
            shows twice (pose NMS). It costs some people in dense crowds; 1 drops nobody.
        authors_rules: what is not a number in the authors' release (zju3dv/SMAP): peaks are strictly above all eight
            neighbours and never on the border, their position is the centroid of a 7x7 window, the first ``max_peaks``
            in raster order stay; PAFs are sampled half a pixel to the lower right, without the limb's far end, and
            along the root's first limb from the child.

    Raises:
        ValueError: a field is out of its range.
    """

    association: str = "optimal"
    map_scale: float = 1.0
    peak_threshold: float = 0.1
    max_peaks: int = 127
    max_people: int = 127
    sample_threshold: float = 0.05
    counted_share: float = 0.8
    length_slack: float = 1.2
    half_bodies: bool = True
    ordinal_prior: bool = True
    min_joints: int = 2
    min_score: float = 0.0
    min_person_score: float = 0.0
    max_overlap: float = 1.0
    authors_rules: bool = False

    def __post_init__(self) -> None:
        if self.association not in ASSOCIATIONS:
            raise ValueError(f"association must be one of {', '.join(ASSOCIATIONS)}, got {self.association!r}")
        for name in ("map_scale", "length_slack"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        for name in (
            "peak_threshold",
            "sample_threshold",
            "counted_share",
            "min_score",
            "max_overlap",
        ):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be at least 0 and finite, got {getattr(self, name)}")
        if not 0 <= self.min_person_score <= 1:
            raise ValueError(f"min_person_score must be in [0, 1], got {self.min_person_score}")
        for name in ("max_peaks", "max_people", "min_joints"):
            value = getattr(self, name)
            if value < 1 or value != int(value):
                raise ValueError(f"{name} must be a whole number of at least 1, got {value}")
            object.__setattr__(self, name, int(value))

    @classmethod
    def official(cls, map_scale: float = 3.0, *, association: str = "depth-aware") -> DecodeConfig:
        """The authors' release to the index.

        Args:
            map_scale: 3 for maps that are means of three scales (imported weights, ``NetworkConfig.paper``); 1 for maps
                of one scale and for arrays in the authors' range, which are sums.
            association: their depth-aware one or their 2-D baseline, ``"paf"``.
        """
        return cls(
            association=association,
            map_scale=map_scale,
            peak_threshold=0.2,
            max_peaks=127,
            max_people=127,
            sample_threshold=0.05,
            counted_share=0.95,
            length_slack=1.2,
            half_bodies=False,
            ordinal_prior=association != "paf",
            min_joints=1,
            authors_rules=True,
        )


@dataclass(frozen=True, eq=False)
class Peaks:
    """Candidates for joints. In raster order, zero beyond the count.

    Args:
        xy: ``(B, J, K, 2)`` float32 map pixels, centres at integers; the authors' coordinates are these plus 0.5.
        score: ``(B, J, K)`` float32, height of the heatmap, in the range of the maps.
        count: ``(B, J)`` int64.
    """

    xy: Tensor
    score: Tensor
    count: Tensor


@dataclass(frozen=True, eq=False)
class Detections:
    """The people of a batch of images, in 2-D.

    Args:
        peaks: candidates that ``people`` points into.
        people: ``(B, P, J)`` int64 index of the joint's peak, -1 where it was not found; near to far (the authors' 2-D
            baseline: in raster order of the roots).
        count: ``(B,)`` int64 people per image; rows beyond are -1.
        root_depths: ``(B, P)`` float32 normalised depth of the person's root (Eq. 1): the root-depth map at the root's
            peak, or at the neck's for a person without a visible root. 0 beyond the count.
    """

    peaks: Peaks
    people: Tensor
    count: Tensor
    root_depths: Tensor

    def __len__(self) -> int:
        return int(self.people.shape[0])

    @classmethod
    def cat(cls, parts: Sequence[Detections]) -> Detections:
        """The images of several batches, decoded with one configuration, as one batch."""
        peaks = [torch.cat([getattr(part.peaks, name) for part in parts]) for name in ("xy", "score", "count")]
        rest = [torch.cat([getattr(part, name) for part in parts]) for name in ("people", "count", "root_depths")]
        return cls(Peaks(*peaks), *rest)


def decode(maps: Maps, config: DecodeConfig = DecodeConfig()) -> Detections:
    """Find the people in the maps of a batch of images, on the maps' device and without synchronising it.

    ``min_person_score`` is for what refines people afterwards, such as ``Estimator``; nobody is dropped by it here.

    Raises:
        TypeError: ``config`` is no ``DecodeConfig``.
        ValueError: a heatmap, or a value of another map that is read, is not finite (checked on the CPU only, and which
            values are read depends on the processor; on a GPU such pixels are never peaks and such limbs not joined).
    """
    check_decode(config)
    xy, score, count = find_peaks(
        maps.heatmaps, config.peak_threshold, config.map_scale, config.max_peaks, config.authors_rules
    )
    limbs, lengths = limb_tables(maps.skeleton, maps.heatmaps.device, config.authors_rules)
    people, people_count, root_depths = associate(
        maps.pafs,
        maps.limb_depths,
        maps.root_depth,
        xy,
        score,
        count,
        limbs,
        lengths,
        config.association,
        config.max_people,
        config.min_joints,
        config.min_score,
        config.max_overlap,
        config.half_bodies,
        config.ordinal_prior,
        config.length_slack,
        config.map_scale,
        config.sample_threshold,
        config.counted_share,
        config.authors_rules,
    )
    return Detections(Peaks(xy, score, count), people, people_count, root_depths)


def check_decode(config: DecodeConfig) -> None:
    if not isinstance(config, DecodeConfig):
        raise TypeError(f"decode settings must be a DecodeConfig, got {config!r}")


@constant_tensors
def limb_tables(skeleton: Skeleton, device: torch.device, authors_rules: bool = False) -> tuple[Tensor, Tensor]:
    """``limbs (L, 3)`` int64 and ``lengths (L,)`` float64 as the ops take them."""
    # The authors store the root's first limb the other way round and sample it from there.
    rows = [(a, b, int(authors_rules and i == 0)) for i, (a, b) in enumerate(skeleton.limbs)]
    limbs = torch.tensor(rows, dtype=torch.int64, device=device).reshape(-1, 3)
    return limbs, torch.tensor(skeleton.limb_lengths, dtype=torch.float64, device=device)
