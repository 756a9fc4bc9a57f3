"""A batch of pictures with their people, and the targets made from it on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from ..constants import constant_tensors
from ..network import STRIDE, RawMaps
from ..network.losses import LossConfig, ScaleTargets
from ..ops import make_targets
from ..sample import OCCLUDED, VISIBLE, Sample
from ..skeleton import Skeleton

# A person of whom fewer joints are seen teaches only those: what is hidden can then not be told from the picture.
_SEEN_JOINTS_FOR_HIDDEN = 4
_IGNORE_MARGIN = 0.15  # of the box around people who are masked


@dataclass(frozen=True)
class Batch:
    """Pictures as the network takes them; P is the largest number of people, padding has visibility 0.

    Args:
        images: ``(B, H, W, 3)`` uint8 RGB, network-input pixels.
        joints: ``(B, P, J, 2)`` float32 network-input pixels.
        depths: ``(B, P, J)`` float32 metres, NaN unknown.
        visibility: ``(B, P, J)`` uint8; 0 makes no target.
        depth_scale: ``(B,)`` float32 w / f of Eq. 1, of the full picture.
        ignore: ``(B, N, 4)`` float32 boxes x0 y0 x1 y1 in network-input pixels that are neither positive nor negative.
        annotated: ``(B, J)`` bool: joints that the picture's data set knows.
    """

    images: Tensor
    joints: Tensor
    depths: Tensor
    visibility: Tensor
    depth_scale: Tensor
    ignore: Tensor
    annotated: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> Batch:
        return Batch(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


def collate(samples: Sequence[Sample], full_width: int, *, min_person_px: float = 0.0, max_people: int = 64) -> Batch:
    """Samples of one size, in network-input pixels -> a batch.

    Args:
        full_width: the network's input width: w of Eq. 1, also for windows of the full picture.
        min_person_px, max_people: see ``learnable``.

    Raises:
        ValueError: sizes or skeletons differ.
    """
    first = samples[0]
    for sample in samples:
        if (sample.width, sample.height) != (first.width, first.height) or sample.skeleton != first.skeleton:
            raise ValueError(
                f"samples must share one size and skeleton, got {sample.width}x{sample.height} beside "
                f"{first.width}x{first.height}"
            )
    batch, joints = len(samples), first.skeleton.num_joints
    people = max(1, max(len(s) for s in samples))
    boxes = max(1, max(len(s.ignore) for s in samples))
    xy = np.full((batch, people, joints, 2), np.nan, np.float32)
    depths = np.full((batch, people, joints), np.nan, np.float32)
    visibility = np.zeros((batch, people, joints), np.uint8)
    ignore = np.zeros((batch, boxes, 4), np.float32)
    for b, s in enumerate(samples):
        xy[b, : len(s)], depths[b, : len(s)], visibility[b, : len(s)] = s.joints_2d, s.joints_3d[..., 2], s.visibility
        ignore[b, : len(s.ignore)] = s.ignore
    images = np.stack([np.asarray(sample.image, np.uint8) for sample in samples])
    annotated = np.stack([s.extra.get("annotated", np.ones(joints, np.bool_)) for s in samples])
    scale = np.array([full_width / s.camera.fx for s in samples], np.float32)
    arrays = (images, xy, depths, visibility, scale, ignore, annotated)
    return learnable(Batch(*(torch.from_numpy(a) for a in arrays)), min_person_px, max_people)


def learnable(batch: Batch, min_person_px: float, max_people: int) -> Batch:
    """The same pictures with only what can be learnt from them, near to far, on the device of the batch.

    Args:
        batch: people as they are; without a joint that is seen or hidden they are padding.
        min_person_px: people less tall are masked: no target, and their place is ignored.
        max_people: the nearest are kept, the others masked.
    """
    known = batch.joints.isfinite().all(-1)
    seen = torch.where(known, batch.visibility, 0)
    few = (seen == VISIBLE).sum(-1, keepdim=True) < _SEEN_JOINTS_FOR_HIDDEN
    seen = torch.where(few & (seen == OCCLUDED), 0, seen)
    present = (seen > 0).any(-1)
    # All joints count for the height, those outside the picture too: a person cut by its border is not small.
    low = torch.where(known[..., None], batch.joints, torch.inf).amin(2)
    high = torch.where(known[..., None], batch.joints, -torch.inf).amax(2)
    extent = (high - low).amax(-1)
    tall = present & (extent >= min_person_px)
    nearness = torch.where(batch.depths.isfinite(), batch.depths, torch.inf).amin(-1)
    # People to learn from come first; the others make no target.
    nearest = torch.where(tall, nearness, torch.inf).argsort(dim=1, stable=True)
    order = nearest.gather(1, tall.gather(1, nearest).logical_not().int().argsort(dim=1, stable=True))
    rank = order.argsort(1)
    kept = tall & (rank < max_people)
    margin = (_IGNORE_MARGIN * extent + STRIDE)[..., None]
    masked = torch.cat([low - margin, high + margin], -1).where((present & ~kept)[..., None], 0)
    seen = torch.where(kept[..., None], seen, 0)
    capacity = min(max_people, order.shape[1])
    if batch.joints.device.type == "cpu":  # elsewhere counting would wait for the device
        capacity = min(capacity, max(1, int(kept.sum(1).amax())))
    order = order[:, :capacity, None]
    return replace(
        batch,
        joints=batch.joints.gather(1, order[..., None].expand(-1, -1, *batch.joints.shape[2:])),
        depths=batch.depths.gather(1, order.expand(-1, -1, batch.depths.shape[2])),
        visibility=seen.gather(1, order.expand(-1, -1, seen.shape[2])),
        ignore=torch.cat([batch.ignore, masked], 1),
    )


def join(batches: Sequence[Batch]) -> Batch:
    """Batches of pictures of one size as one."""
    if len(batches) == 1:
        return batches[0]

    def padded(name: str, value: float) -> Tensor:
        parts = [getattr(batch, name) for batch in batches]
        most = max(part.shape[1] for part in parts)
        fill = [part.new_full((len(part), most - part.shape[1], *part.shape[2:]), value) for part in parts]
        return torch.cat([torch.cat(pair, 1) for pair in zip(parts, fill, strict=True)])

    whole = {name: torch.cat([getattr(b, name) for b in batches]) for name in ("images", "depth_scale", "annotated")}
    people = {"joints": padded("joints", torch.nan), "depths": padded("depths", torch.nan)}
    return Batch(**whole, **people, visibility=padded("visibility", 0), ignore=padded("ignore", 0))


def build_targets(
    batch: Batch, raw: Sequence[Sequence[RawMaps]], skeleton: Skeleton, config: LossConfig
) -> list[list[ScaleTargets]]:
    """Truth for every stage and scale of ``Hourglass.raw``, on the device of the batch.

    Scales of one size (the release resizes all to the finest) are made in one call of the op.
    """
    device = batch.joints.device
    wanted: dict[tuple[int, int], set[int]] = {}
    plan = []
    for s, stage in enumerate(raw):
        row = []
        for k, maps in enumerate(stage):
            size = (int(maps.heatmaps.shape[-2]), int(maps.heatmaps.shape[-1]))
            index = config.scale_index(k, last_stage=s + 1 == len(raw))
            wanted.setdefault(size, set()).add(index)
            row.append((size, index))
        plan.append(row)
    made: dict[tuple[tuple[int, int], int], ScaleTargets] = {}
    for size, indices in wanted.items():
        order = sorted(indices)
        stride = batch.images.shape[1] / size[0]
        targets = make_targets(
            (batch.joints + 0.5) / stride - 0.5,
            batch.depths,
            batch.visibility,
            batch.depth_scale,
            *_limbs_and_scales(skeleton, tuple(config.scales[i] for i in order), device),
            size,
        )
        valid = _valid(batch.ignore, size, stride)
        for n, index in enumerate(order):
            made[size, index] = ScaleTargets(
                targets.heatmaps[:, n],
                targets.pafs[:, n],
                targets.limb_depths[:, n],
                targets.root_depth,
                targets.root_weight,
                valid,
            )
    return [[made[key] for key in row] for row in plan]


@constant_tensors
def _limbs_and_scales(
    skeleton: Skeleton, scales: tuple[tuple[float, float], ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    limbs = torch.tensor(skeleton.limbs, dtype=torch.int64, device=device).reshape(-1, 2)
    return limbs, torch.tensor(scales, dtype=torch.float32, device=device)


def _valid(boxes: Tensor, size: tuple[int, int], stride: float) -> Tensor:
    """``(B, h, w)`` 0 inside a box, else 1. A box without area covers nothing."""
    y = (torch.arange(size[0], device=boxes.device) + 0.5) * stride - 0.5
    x = (torch.arange(size[1], device=boxes.device) + 0.5) * stride - 0.5
    x0, y0, x1, y1 = boxes[..., None].unbind(2)  # (B, N, 1) each
    inside_x = (x > x0) & (x < x1)
    inside_y = (y > y0) & (y < y1)
    inside = (inside_y[..., :, None] & inside_x[..., None, :]).any(1)
    return (~inside).float()
