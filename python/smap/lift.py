"""From 2-D detections and depth maps to people in the camera frame (paper Sec. 3.3, Eq. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .camera import NEAREST, Camera
from .constants import constant_tensors
from .letterbox import Letterbox
from .maps import Maps
from .ops import place_joints, read_limb_depths
from .people import People
from .skeleton import Skeleton

if TYPE_CHECKING:
    from .decode import Detections
    from .network import RefineNet


_CPU = torch.device("cpu")


class Views(NamedTuple):
    """Where each image of a batch lies on its map and how it was photographed, as tensors that ops take.

    Args:
        frames: ``(B, 4)`` float32 scale, offset_x, offset_y with ``map_xy = image_xy * scale + offset``, and the metres
            per unit of normalised depth (Eq. 1).
        cameras: ``(B, 4)`` float32 fx, fy, cx, cy in image pixels.
    """

    frames: Tensor
    cameras: Tensor

    @classmethod
    def of(cls, letterboxes: Sequence[Letterbox], cameras: Sequence[Camera], device: torch.device | str) -> Views:
        """The tensors are those of earlier calls when pictures and cameras are: not to be written to."""
        if len(letterboxes) != len(cameras):
            raise ValueError(f"cameras must be one per image = {len(letterboxes)}, got {len(cameras)}")
        views = _views(tuple(letterboxes), tuple(cameras))
        return views if device == _CPU else cls(*(t.to(device) for t in views))


@constant_tensors  # the pictures of a video are alike
def _views(boxes: tuple[Letterbox, ...], cameras: tuple[Camera, ...]) -> Views:
    """On the CPU, contiguous: a compiled program remembers the strides of its example."""
    frames = [(*box.map_affine, box.depth_factor(c.fx)) for box, c in zip(boxes, cameras, strict=True)]
    intrinsics = [(c.fx, c.fy, c.cx, c.cy) for c in cameras]
    tables = (torch.tensor(rows, dtype=torch.float32, device="cpu") for rows in (frames, intrinsics))
    return Views(*(table.reshape(len(boxes), 4) for table in tables))


class Lifted(NamedTuple):
    """People as padded tensors; rows from ``counts`` on and joints that were not found are NaN (score 0).

    Args:
        joints_3d: ``(B, P, J, 3)`` float32 metres in the camera frame.
        joints_2d: ``(B, P, J, 2)`` float32 image pixels.
        scores: ``(B, P, J)`` float32 heights of the peaks.
        person_scores: ``(B, P)`` float32 how sure a person is: the mean of the scores or what a refiner says.
        counts: ``(B,)`` int64 people of each image.
    """

    joints_3d: Tensor
    joints_2d: Tensor
    scores: Tensor
    person_scores: Tensor
    counts: Tensor


class Tree(NamedTuple):
    """A skeleton as tensors.

    Args:
        limbs: ``(L, 2)`` int64 parent and child.
        paths: ``(J, L)`` float32, 1 where the limb lies between the root and the joint.
        order: ``(J,)`` int64 joints from the root outwards: the first one found is what a person hangs on.
    """

    limbs: Tensor
    paths: Tensor
    order: Tensor


@constant_tensors
def tree_of(skeleton: Skeleton, device: torch.device) -> Tree:
    paths = [[0.0] * skeleton.num_limbs for _ in skeleton.joints]
    for limb, (parent, child) in enumerate(skeleton.limbs):
        paths[child] = list(paths[parent])
        paths[child][limb] = 1.0
    order = [skeleton.root, *(child for _, child in skeleton.limbs)]
    return Tree(
        torch.tensor(skeleton.limbs, dtype=torch.int64, device=device).reshape(-1, 2),
        torch.tensor(paths, dtype=torch.float32, device=device).reshape(skeleton.num_joints, skeleton.num_limbs),
        torch.tensor(order, device=device),
    )


def lift_tensors(
    limb_depths: Tensor,
    peak_xy: Tensor,
    peak_score: Tensor,
    people: Tensor,
    counts: Tensor,
    root_depths: Tensor,
    views: Views,
    skeleton: Skeleton,
    *,
    stride: int = 4,
    child_alone: bool = True,
) -> Lifted:
    """``lift`` on tensors: no host synchronisation, any batch size, traceable by ``torch.export``.

    Args:
        limb_depths: ``(B, L, h, w)`` metres.
        peak_xy: ``(B, J, K, 2)`` map pixels.
        peak_score: ``(B, J, K)``.
        people: ``(B, P, J)`` int64 peak index, -1 none.
        counts: ``(B,)`` int64 people of each image.
        root_depths: ``(B, P)`` normalised depth (Eq. 1) of each person's root or, when it was not found, of the first
            found joint from the root outwards.
        views: frames and cameras of the batch.
        stride: input pixels per map pixel.
        child_alone: see ``read_limb_depths``; the release has False.
    """
    tree = tree_of(skeleton, limb_depths.device)
    relative = read_limb_depths(limb_depths, peak_xy, people, tree.limbs, stride, child_alone=child_alone)
    placed = place_joints(relative, peak_xy, peak_score, people, root_depths, *views, tree.paths, tree.order)
    return Lifted(*placed, counts)


def lift_detections(
    maps: Maps,
    found: Detections,
    views: Views,
    refiner: RefineNet | None = None,
    *,
    stride: int = 4,
    child_alone: bool = True,
    min_person_score: float = 0.0,
    most: int | None = None,
) -> Lifted:
    """``lift_tensors`` of what ``decode`` found in maps, and with a refiner ``refine`` of that.

    Args:
        most: leaves out the padding beyond so many people.
    """
    lifted = lift_tensors(
        maps.limb_depths,
        found.peaks.xy,
        found.peaks.score,
        found.people[:, :most],
        found.count,
        found.root_depths[:, :most],
        views,
        maps.skeleton,
        stride=stride,
        child_alone=child_alone,
    )
    if refiner is None or most == 0:
        return lifted
    height, width = maps.heatmaps.shape[-2:]
    return refine(refiner, lifted, views, (width * stride, height * stride), stride, min_person_score=min_person_score)


def lift(
    maps: Maps,
    detections: Detections,
    letterbox: Letterbox | Sequence[Letterbox],
    camera: Camera | Sequence[Camera],
    *,
    child_alone: bool = True,
) -> list[People]:
    """Turn 2-D detections into people in the camera frame (paper Sec. 3.3, Eq. 3).

    The depth of a joint is that of the root plus the limb depths between them. A half body hangs on its joint nearest
    to the root in the tree, whose depth the root-depth map holds too.

    Args:
        maps: read for limb depths; all images of the batch.
        detections: of the same batch.
        letterbox: one, or one per image.
        camera: one, or one per image.
        child_alone: see ``read_limb_depths``.

    Returns:
        People of each image, near to far; joints that were not found are NaN and ``detected`` is False.

    Raises:
        ValueError: numbers of images differ, or a letterbox is of other maps.
    """
    batch = len(maps)
    letterboxes = [letterbox] * batch if isinstance(letterbox, Letterbox) else list(letterbox)
    cameras = [camera] * batch if isinstance(camera, Camera) else list(camera)
    if not len(letterboxes) == len(cameras) == batch == len(detections.count):
        raise ValueError(
            f"maps, detections, letterboxes and cameras must be of as many images, "
            f"got {batch}, {len(detections.count)}, {len(letterboxes)} and {len(cameras)}"
        )
    if batch == 0:
        return []
    height, width = maps.heatmaps.shape[-2:]
    for box in letterboxes:
        if box.map_size != (width, height) or box.stride != letterboxes[0].stride:
            raise ValueError(f"letterbox must be of the maps of {width}x{height} and all of one stride, got {box}")
    lifted = lift_detections(
        maps,
        detections,
        Views.of(letterboxes, cameras, maps.limb_depths.device),
        stride=letterboxes[0].stride,
        child_alone=child_alone,
        most=max(detections.count.tolist()),
    )
    return to_people(lifted, cameras, maps.skeleton)


@torch.no_grad()
def refine(
    refiner: RefineNet,
    lifted: Lifted,
    views: Views,
    input_size: tuple[int, int],
    stride: int = 4,
    *,
    min_person_score: float = 0.0,
) -> Lifted:
    """Correct, complete and judge lifted people (paper Sec. 3.3, RefineNet).

    All joints take their refined position, as in the release; those that were not found keep score 0. In the image,
    joints that were found stay where they are and the others are where the refined ones project to (see ``project``),
    unless the refiner judges: then ``joints_2d`` and ``person_scores`` are the judge's. Where depths were corrected or
    people judged, they are near to far again by their refined roots.

    Args:
        input_size: ``(width, height)`` of the network's input; its longer side is the refiner's unit of length.
        stride: input pixels per map pixel.
        min_person_score: people of whom a refiner that judges is less sure are dropped.

    Returns:
        As many rows as given; ``counts`` says how many people stay, the rows behind them are NaN with score 0.
    """
    people, length = lifted.scores.shape[:2], max(input_size)
    scale = views.frames[:, None, None, :1] * stride  # input_xy = image_xy * scale + shift
    shift = (views.frames[:, None, None, 1:3] + 0.5) * stride - 0.5
    input_xy, scores = (lifted.joints_2d * scale + shift).flatten(0, 1), lifted.scores.flatten(0, 1)
    joints_3d = refiner.refine(input_xy, lifted.joints_3d.flatten(0, 1), scores > 0, length).unflatten(0, people)
    projected = project(joints_3d, views.cameras[:, None])
    if not refiner.config.judge:
        joints_2d = torch.where(lifted.scores[..., None] > 0, lifted.joints_2d, projected)
        refined = lifted._replace(joints_3d=joints_3d, joints_2d=joints_2d)
        return refined if refiner.config.anchor_depth == "kept" else _near_to_far(refined, refiner.config.skeleton.root)
    judged = refiner.judge(input_xy, scores, (projected * scale + shift).flatten(0, 1), length)
    joints_2d = (judged.input_xy.unflatten(0, people) - shift) / scale
    refined = lifted._replace(joints_3d=joints_3d, joints_2d=joints_2d)
    sure = _who_is_sure(refined, judged.person_scores.unflatten(0, people), min_person_score)
    return _near_to_far(sure, refiner.config.skeleton.root)


def project(joints_3d: Tensor, cameras: Tensor) -> Tensor:
    """``(..., J, 3)`` metres and ``(..., 4)`` fx, fy, cx, cy -> ``(..., J, 2)`` pixels, NaN for what is nearer than
    ``camera.NEAREST``."""
    xy, z = joints_3d[..., :2], joints_3d[..., 2:]
    return (xy / z * cameras[..., None, :2] + cameras[..., None, 2:]).masked_fill(z < NEAREST, torch.nan)


def _who_is_sure(lifted: Lifted, person_scores: Tensor, least: float) -> Lifted:
    """With these scores, and without people who have less; what stays in their rows is padding."""
    sure = (person_scores >= least) & (lifted.scores > 0).any(-1)
    return Lifted(
        lifted.joints_3d.masked_fill(~sure[..., None, None], torch.nan),
        lifted.joints_2d.masked_fill(~sure[..., None, None], torch.nan),
        lifted.scores.masked_fill(~sure[..., None], 0),
        person_scores.masked_fill(~sure, 0),
        sure.sum(1),
    )


def _near_to_far(lifted: Lifted, root: int) -> Lifted:
    """By their roots; people without one are the last, before the padding."""
    depths = lifted.joints_3d[:, :, root, 2]
    padding = (lifted.scores == 0).all(-1)
    order = depths.nan_to_num(torch.finfo(depths.dtype).max).masked_fill(padding, torch.inf).argsort(dim=1, stable=True)
    return Lifted._make([*(_rows(values, order) for values in lifted[:-1]), lifted.counts])


def _rows(values: Tensor, order: Tensor) -> Tensor:
    """``(B, P, ...)`` in another order of people, ``(B, P)`` int64."""
    return values.gather(1, order.reshape(*order.shape, *[1] * (values.ndim - 2)).expand_as(values))


def to_people(lifted: Lifted, cameras: Sequence[Camera], skeleton: Skeleton) -> list[People]:
    """Padded tensors on any device -> one ``People`` per image, without the padding."""
    joints_3d, joints_2d, scores, person_scores, counts = (t.numpy(force=True) for t in lifted)
    return [
        People(
            joints_3d[b, :count],
            joints_2d[b, :count],
            np.minimum(scores[b, :count], 1),
            scores[b, :count] > 0,
            None,
            skeleton,
            camera,
            person_scores[b, :count],
        )
        for b, (count, camera) in enumerate(zip(counts, cameras, strict=True))
    ]
