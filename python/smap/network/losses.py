"""Losses of the maps: the paper's (Sec. 3.1, supplement 1.1) and the ones the default weights are trained with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..constants import constant_tensors
from ..skeleton import Skeleton
from .config import NetworkConfig
from .hourglass import ROOT_LOG_OFFSET, ROOT_LOG_SCALE, RawMaps

# In a batch with next to no limbs the limb depth loss is divided by this share of all its values instead of by theirs,
# or pictures without people would outweigh every other.
_LEAST_LIMB_SHARE = 0.005


class ScaleTargets(NamedTuple):
    """Truth for the output of one scale; what ``smap.ops.make_targets`` gives for it.

    ``heatmaps`` ``(B, J, h, w)``, ``pafs`` ``(B, L, 2, h, w)``, ``limb_depths`` ``(B, L, h, w)`` metres (NaN: a limb of
    unknown depth), ``root_depth`` and ``root_weight`` ``(B, h, w)``, ``valid`` ``(B, h, w)`` 0 where the picture is not
    annotated (crowds, people too small to learn from), else 1.
    """

    heatmaps: Tensor
    pafs: Tensor
    limb_depths: Tensor
    root_depth: Tensor
    root_weight: Tensor
    valid: Tensor


class LossParts(NamedTuple):
    """Weighted parts and their sum, each a scalar."""

    total: Tensor
    heatmaps: Tensor
    pafs: Tensor
    limb_depths: Tensor
    root_depth: Tensor


@dataclass(frozen=True)
class LossConfig:
    """Settings of ``network_loss``; the defaults train the default weights, ``release()`` is the paper's recipe.

    Args:
        scales: sigma of the heatmaps and half width of the limbs, in map pixels of the scale, coarse to fine. One more
            than the network has scales makes them coarse-to-fine over the stages as well: the last stage takes the
            finer ones, the others the coarser.
        heatmaps, pafs, limb_depths, root_depth: weights of the parts.
        coarse_weight: of the scales that are not the finest.
        heat_emphasis: an error counts ``1 + heat_emphasis * truth`` times; without it, at a quarter of the input's
            size, heatmaps stay at zero for long.
        paf_base, paf_emphasis: an error counts ``paf_base + paf_emphasis`` times on a limb, ``paf_base`` elsewhere.
        limb_mean: limb depth errors are averaged over the pixels of limbs ("limbs", with ``limb_background`` of their
            weight elsewhere) or over the whole map ("map").
        limb_background: see ``limb_mean``.
        root_norm: error of the root depth head, in its own units: "smooth_l1" or "l1".
        root_neighbours: learn the root depth in the eight cells around the root too, or in its own only.
        hard_joints, hard_pafs, hard_limbs: on the finest scale only so many channels of every picture, those with the
            largest error, count (hard-keypoint mining); 0: all.

    Raises:
        ValueError: a value is out of its range.
    """

    scales: tuple[tuple[float, float], ...] = ((1.0, 1.0), (1.0, 1.0), (1.1, 1.0), (1.25, 1.25))
    heatmaps: float = 60.0
    pafs: float = 25.0
    limb_depths: float = 15.0
    root_depth: float = 1.2
    coarse_weight: float = 0.25
    heat_emphasis: float = 12.0
    paf_base: float = 0.5
    paf_emphasis: float = 4.0
    limb_mean: Literal["limbs", "map"] = "limbs"
    limb_background: float = 0.02
    root_norm: Literal["smooth_l1", "l1"] = "smooth_l1"
    root_neighbours: bool = True
    hard_joints: int = 0
    hard_pafs: int = 0
    hard_limbs: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple((float(a), float(b)) for a, b in self.scales))
        if len(self.scales) not in (4, 5) or min(map(min, self.scales)) <= 0:
            raise ValueError(f"scales must be 4 or 5 pairs of positive numbers, got {self.scales}")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and not 0 <= value < float("inf"):
                raise ValueError(f"{field.name} must be 0 or more, got {value}")
        for name, choices in (("limb_mean", ("limbs", "map")), ("root_norm", ("smooth_l1", "l1"))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {choices}, got {getattr(self, name)!r}")

    @classmethod
    def release(cls, width: int = 832) -> LossConfig:
        """The authors' losses (0.1 / 5 / 10; L2, L2, L1) in this library's units, for an input of this width.

        Theirs apply to maps in 255, 127, centimetres and centimetres per pixel of focal length.
        """
        return cls(
            scales=((2.6, 3.0), (2.0, 2.0), (1.7, 1.0), (1.4, 1.0), (1.1, 1.0)),
            heatmaps=0.1 * 255**2,
            pafs=0.1 * 127**2,
            limb_depths=5 * 100.0**2,
            root_depth=10 * 100 / width,
            heat_emphasis=0.0,
            paf_base=1.0,
            paf_emphasis=0.0,
            limb_mean="map",
            root_norm="l1",
            root_neighbours=False,
            hard_joints=8,
            hard_pafs=16,
            hard_limbs=8,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any], width: int = 832) -> LossConfig:
        """``{"preset": "native" or "release", any field: value}``."""
        values = dict(values)
        preset = values.pop("preset", "native")
        if preset not in ("native", "release"):
            raise ValueError(f"loss preset must be 'native' or 'release', got {preset!r}")
        base = cls.release(width) if preset == "release" else cls()
        known = {f.name: getattr(base, f.name) for f in fields(cls)}
        if unknown := set(values) - set(known):
            raise ValueError(f"loss must have known fields only, got {sorted(unknown)}")
        return cls(**(known | values))

    def scale_index(self, scale: int, *, last_stage: bool) -> int:
        """Which of ``scales`` an output is compared with."""
        return scale + (1 if len(self.scales) == 5 and last_stage else 0)


def network_loss(
    raw: Sequence[Sequence[RawMaps]],
    targets: Sequence[Sequence[ScaleTargets]],
    annotated: Tensor,
    network: NetworkConfig,
    config: LossConfig,
) -> LossParts:
    """Sum over stages and scales of the losses of what ``Hourglass.raw`` gives.

    Args:
        raw, targets: ``[stage][scale]``, scales coarse to fine.
        annotated: ``(B, J)`` bool, False for joints that a picture's data set does not know at all (COCO has no head
            top); their channels and those of their limbs do not count.

    Raises:
        ValueError: ``targets`` do not fit ``raw``.
    """
    parents, children = _limb_ends(network.skeleton, annotated.device)
    limbs = annotated[:, parents] & annotated[:, children]
    sums: list[Tensor] = []
    for stage, truths in zip(raw, targets, strict=True):
        for k, (maps, truth) in enumerate(zip(stage, truths, strict=True)):
            if maps.heatmaps.shape != truth.heatmaps.shape:
                got = tuple(truth.heatmaps.shape)
                raise ValueError(f"targets must have shape {tuple(maps.heatmaps.shape)}, got {got}")
            finest = k + 1 == len(stage)
            # The heads give slices of channels_last tensors, truth is planar: mixed, every operation is slow.
            maps = RawMaps(*(values.float().contiguous() for values in maps))
            parts = _scale_loss(maps, truth, annotated, limbs, network, config, finest)
            parts = parts if finest else parts * config.coarse_weight
            sums.append(parts)
    heatmaps, pafs, depths, root = torch.stack(sums).sum(0).unbind()
    return LossParts(heatmaps + pafs + depths + root, heatmaps, pafs, depths, root)


def _scale_loss(
    maps: RawMaps,
    truth: ScaleTargets,
    joints: Tensor,
    limbs: Tensor,
    network: NetworkConfig,
    config: LossConfig,
    finest: bool,
) -> Tensor:
    """The four weighted parts, ``(4,)``."""
    heat, paf = truth.heatmaps.float(), truth.pafs.float()
    valid = truth.valid[:, None].float()
    error = (maps.heatmaps - heat).square() * (valid * (1 + config.heat_emphasis * heat))
    heatmaps = _hardest(error.mean((-2, -1)) * joints, config.hard_joints if finest else 0)

    on_limb = (paf != 0).any(2)
    weight = valid * (config.paf_base + config.paf_emphasis * on_limb)
    error = (maps.pafs - paf).square() * weight[:, :, None]
    channels = error.mean((-2, -1)) * limbs[:, :, None]
    pafs = _hardest(channels.flatten(1), config.hard_pafs if finest else 0)

    depth = truth.limb_depths.float()
    known = valid * limbs[:, :, None, None] * depth.isfinite()
    error = (maps.limb_depths - network.limb_depth_scale * depth.nan_to_num()).square() * known
    if config.limb_mean == "map":
        limb_depths = _hardest(error.mean((-2, -1)), config.hard_limbs if finest else 0)
    else:
        counted = known * on_limb
        error = error * (counted + config.limb_background * ~on_limb)
        limb_depths = error.sum() / counted.sum().clamp_min(_LEAST_LIMB_SHARE * error.numel())
    if config.limb_mean == "map" and network.limb_depth_scale != 1:
        limb_depths = limb_depths / network.limb_depth_scale**2  # the release's weight is for metres

    weight = truth.root_weight * truth.valid
    if not config.root_neighbours:
        weight = weight * (truth.root_weight == 1)
    target = truth.root_depth
    if network.root_depth == "log":
        target = ROOT_LOG_SCALE * torch.log(torch.where(target > 0, target, 1)) + ROOT_LOG_OFFSET
    norm = F.smooth_l1_loss if config.root_norm == "smooth_l1" else F.l1_loss
    error = norm(maps.root_depth, target, reduction="none") * weight
    root = error.sum() / weight.sum().clamp_min(1)
    return torch.stack(
        [
            config.heatmaps * heatmaps,
            config.pafs * pafs,
            config.limb_depths * limb_depths,
            config.root_depth * root,
        ]
    )


def _hardest(errors: Tensor, count: int) -> Tensor:
    """Mean over pictures of the mean over their ``count`` largest channels (all when 0)."""
    if 0 < count < errors.shape[1]:
        errors = errors.topk(count, dim=1).values
    return errors.mean()


@constant_tensors
def _limb_ends(skeleton: Skeleton, device: torch.device) -> tuple[Tensor, Tensor]:
    ends = torch.tensor(skeleton.limbs, dtype=torch.int64, device=device).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]
