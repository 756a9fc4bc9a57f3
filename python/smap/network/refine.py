"""RefineNet: completes and corrects a person's joints (paper Sec. 3.3), and judges what was found of them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from ..constants import constant_tensors
from ..skeleton import SMAP15, Skeleton

FEATURES_PER_JOINT = 5  # x, y of the image; X, Y, Z of the camera frame
_JUDGE_DROPOUT = 0.1
_JUDGED_PER_JOINT = 8  # features of a joint, see ``RefineNet.judge_features``
_CHOICES = 3  # of a joint's place, see ``RefineNet.choices``
_SHARP = 4.0  # parts of a person's size that distances are judged in


@dataclass(frozen=True)
class RefinerConfig:
    """Settings of ``RefineNet``.

    Args:
        skeleton: names the joints.
        hidden: widths of the layers before the last.
        anchor: the joint that positions are relative to. "root": the skeleton's root, so people without it cannot be
            refined (the authors' weights); "nearest": the found joint nearest to the root in the tree.
        anchor_depth: "kept": other joints move around the anchor, as in the paper; "corrected": the whole person also
            moves along the anchor's ray, since how tall somebody comes out says whether the depth can be right.
        judge: widths of the layers before the last of what says how sure a person is and where in the picture the
            joints are, see ``RefineNet.judge``; none for weights that cannot tell, as the authors'.

    Raises:
        ValueError: a value is out of its range.
    """

    skeleton: Skeleton = SMAP15
    hidden: tuple[int, ...] = (160, 256, 256, 128)
    anchor: Literal["root", "nearest"] = "nearest"
    anchor_depth: Literal["kept", "corrected"] = "kept"
    judge: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("hidden", "judge"):
            object.__setattr__(self, name, tuple(int(width) for width in getattr(self, name)))
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must be positive widths, at least one, got {self.hidden}")
        if min(self.judge, default=1) < 1:
            raise ValueError(f"judge must be positive widths, got {self.judge}")
        if self.anchor not in ("root", "nearest"):
            raise ValueError(f"anchor must be 'root' or 'nearest', got {self.anchor!r}")
        if self.anchor_depth not in ("kept", "corrected"):
            raise ValueError(f"anchor_depth must be 'kept' or 'corrected', got {self.anchor_depth!r}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``from_dict`` inverts."""
        return {
            "skeleton": self.skeleton.to_dict(),
            "hidden": list(self.hidden),
            "anchor": self.anchor,
            "anchor_depth": self.anchor_depth,
            "judge": list(self.judge),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RefinerConfig:
        """Raises: ValueError when a field is unknown or does not fit; missing fields take their defaults."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"refiner configuration must have known fields only, got {sorted(unknown)}")
        values = dict(values)
        if "skeleton" in values:
            values["skeleton"] = Skeleton.from_dict(values["skeleton"])
        return cls(**values)


class Judged(NamedTuple):
    """What ``RefineNet.judge`` says.

    Args:
        person_scores: ``(P,)`` float32 in [0, 1], a probability among people and ghosts as in training; 0 where no
            joint was found.
        input_xy: ``(P, J, 2)`` float32 network-input pixels of all joints.
    """

    person_scores: Tensor
    input_xy: Tensor


class RefineNet(nn.Module):
    """Linear layers with batch normalisation and ReLU between them; see ``refine`` for use, ``features`` to train."""

    def __init__(self, config: RefinerConfig):
        super().__init__()
        self.config = config
        joints = config.skeleton.num_joints
        widths = (joints * FEATURES_PER_JOINT, *config.hidden)
        self.layers = nn.Sequential(
            *(
                nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True))
                for inputs, outputs in pairwise(widths)
            )
        )
        self.output = nn.Linear(widths[-1], joints * 3)
        self.judge_layers = nn.Sequential()
        for inputs, outputs in pairwise((joints * _JUDGED_PER_JOINT + 1, *config.judge)):
            self.judge_layers += nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(_JUDGE_DROPOUT))
        if config.judge:
            self.judge_layers.append(nn.Linear(config.judge[-1], 1 + joints * _CHOICES))
        order = [config.skeleton.root]
        if config.anchor == "nearest":
            depth = {config.skeleton.root: 0}
            for parent, child in config.skeleton.limbs:
                depth[child] = depth[parent] + 1
            order = sorted(depth, key=lambda joint: depth[joint])  # stable: limbs' order within a level
        self._anchor_order = tuple(order)

    def folded(self) -> RefineNet:
        """A copy for inference alone, its normalisations folded into the layers before them, without dropout."""
        copy = deepcopy(self).eval()
        for index, layer in enumerate(copy.layers):
            linear, norm, relu = layer.children()
            assert isinstance(linear, nn.Linear) and isinstance(norm, nn.BatchNorm1d)
            copy.layers[index] = nn.Sequential(fuse_linear_bn_eval(linear, norm), relu)
        copy.judge_layers = nn.Sequential(*(part for part in copy.judge_layers if not isinstance(part, nn.Dropout)))
        return copy

    def forward(self, features: Tensor) -> Tensor:
        """``(P, J, 5)`` of ``features`` -> ``(P, J, 3)`` metres relative to the anchor.

        The anchor's own row holds, where its depth is corrected, what to do about it: the logarithm of true depth over
        the given one, last of the three.
        """
        positions: Tensor = self.output(self.layers(features.flatten(1))).unflatten(1, (-1, 3))
        return positions

    def anchors(self, found: Tensor) -> tuple[Tensor, Tensor]:
        """``(P, J)`` bool -> anchor joint of each person ``(P,)`` int64, and whether it was found ``(P,)`` bool."""
        order = _indices(self._anchor_order, found.device)
        usable = found[:, order]
        return order[usable.int().argmax(1)], usable.any(1)  # argmax of 0 and 1: the first found

    def features(self, input_xy: Tensor, joints_3d: Tensor, found: Tensor, input_length: int) -> Tensor:
        """The network's input, ``(P, J, 5)`` float32: x, y, X, Y, Z of each joint relative to the anchor joint, the
        anchor's own row absolute, joints that were not found zero.

        Pixels count from the canvas' outer corner in units of its longer side, ``(x + 0.5) / input_length``, so weights
        hold for canvases of every size; lengths are metres.
        """
        absolute = torch.cat([(input_xy.float() + 0.5) / input_length, joints_3d.float()], -1)
        anchor, usable = self.anchors(found)
        people = torch.arange(found.shape[0], device=found.device)
        features: Tensor = absolute - absolute[people, anchor][:, None]
        features[people, anchor] = absolute[people, anchor]
        return features.masked_fill(~(found & usable[:, None])[..., None], 0)

    @torch.no_grad()
    def refine(self, input_xy: Tensor, joints_3d: Tensor, found: Tensor, input_length: int) -> Tensor:
        """Complete and correct people.

        Args:
            input_xy: ``(P, J, 2)`` network-input pixels.
            joints_3d: ``(P, J, 3)`` metres in the camera frame.
            found: ``(P, J)`` bool; positions of other joints are ignored and may be NaN.
            input_length: longer side of the network's input, pixels.

        Returns:
            ``(P, J, 3)`` float32 metres: every joint replaced, the anchor kept or moved along its ray (see
            ``RefinerConfig.anchor_depth``). A person without an anchor (see ``RefinerConfig.anchor``) is returned as it
            came.

        Raises:
            ValueError: shapes do not fit.
        """
        joints = self.config.skeleton.num_joints
        people = found.shape[0]  # not len(), which a tracer takes for a constant
        for name, value, shape in (
            ("input_xy", input_xy, (people, joints, 2)),
            ("joints_3d", joints_3d, (people, joints, 3)),
            ("found", found, (people, joints)),
        ):
            if tuple(value.shape) != shape:
                raise ValueError(f"{name} must be {shape}, got {tuple(value.shape)}")
        anchor, usable = self.anchors(found)
        rows = torch.arange(people, device=found.device)
        origin = joints_3d.float()[rows, anchor][:, None]
        relative = self(self.features(input_xy, joints_3d, found, input_length))
        if self.config.anchor_depth == "corrected":
            origin = origin * relative[rows, anchor, 2].exp()[:, None, None]
        refined = relative + origin
        refined[rows, anchor] = origin[:, 0]
        return torch.where(usable[:, None, None], refined, joints_3d.float())

    @torch.no_grad()
    def judge(self, input_xy: Tensor, scores: Tensor, refined_xy: Tensor, input_length: int) -> Judged:
        """Is there a person where one was found, and where in the picture are the joints?

        Peaks may be low and yet lie as a body's do, or high on the wrong leg. A joint's place is the mean of its
        ``choices`` with weights that the network gives.

        Args:
            input_xy: ``(P, J, 2)`` network-input pixels; those of joints that were not found are ignored.
            scores: ``(P, J)`` heights of the joints' peaks, 0 for joints that were not found.
            refined_xy: ``(P, J, 2)`` network-input pixels of what ``refine`` made of these people.
            input_length: longer side of the network's input, pixels.

        Raises:
            ValueError: the weights have no judge (see ``RefinerConfig.judge``), or shapes do not fit.
        """
        if not self.config.judge:
            raise ValueError("refiner must have a judge, got weights without one")
        people, joints = scores.shape[0], self.config.skeleton.num_joints
        for name, value, shape in (
            ("input_xy", input_xy, (people, joints, 2)),
            ("scores", scores, (people, joints)),
            ("refined_xy", refined_xy, (people, joints, 2)),
        ):
            if tuple(value.shape) != shape:
                raise ValueError(f"{name} must be {shape}, got {tuple(value.shape)}")
        choices, possible = self.choices(input_xy, scores, refined_xy)
        logits, weights = self.weigh(self.judge_features(choices, possible, scores, input_length), possible)
        return Judged(logits.sigmoid() * (scores > 0).any(1), (weights[..., None] * choices).sum(2))

    def choices(self, input_xy: Tensor, scores: Tensor, refined_xy: Tensor) -> tuple[Tensor, Tensor]:
        """Where a joint may be: where it was found, where its twin of the other side was found, and where the refined
        body has it.

        Returns:
            ``(P, J, 3, 2)`` float32 network-input pixels, and ``(P, J, 3)`` bool whether there is such a place.
        """
        twins = _indices(self.config.skeleton.flipped_joints, scores.device)
        found, refined = scores > 0, refined_xy.isfinite().all(-1)
        has_twin = twins != torch.arange(len(twins), device=scores.device)
        possible = torch.stack([found, found[:, twins] & has_twin, refined], 2)
        places = torch.stack([input_xy, input_xy[:, twins], refined_xy], 2).float()
        return places.masked_fill(~possible[..., None], 0), possible

    def judge_features(self, choices: Tensor, possible: Tensor, scores: Tensor, input_length: int) -> Tensor:
        """The judge's input, ``(P, 8 J + 1)`` float32.

        Scores, at most 1; which joints were found; where they and their twins were found, seen from the refined joint:
        ``4 v / (s + 4 |v|)``, with the person's size ``s``, the mean distance of refined joints from their middle plus
        a pixel, and ``log(1 + 4 |v| / s)``, 0 where they were not; last ``log s`` in units of the canvas' longer side.
        """
        refined, has_place = choices[:, :, 2], possible[:, :, 2:]
        count = has_place.sum(1).clamp(min=1)
        middle = refined.sum(1) / count
        size = ((refined - middle[:, None]).norm(dim=-1, keepdim=True) * has_place).sum(1) / count + 1
        seen = possible[:, :, :2] & has_place
        away = (choices[:, :, :2] - refined[:, :, None]) * (_SHARP / size[..., None, None])
        away = away.masked_fill(~seen[..., None], 0)
        far = away.norm(dim=-1, keepdim=True)
        of_joints = [scores.float().clamp(max=1), (scores > 0).float(), away / (1 + far), far.log1p()]
        return torch.cat([*(t.flatten(1) for t in of_joints), (size / input_length).log()], 1)

    def weigh(self, features: Tensor, possible: Tensor) -> tuple[Tensor, Tensor]:
        """``judge_features`` -> ``(P,)`` logits that somebody is there, and ``(P, J, 3)`` weights of the choices."""
        logits = self.judge_layers(features)
        weights = logits[:, 1:].unflatten(1, (-1, _CHOICES)).masked_fill(~possible, -torch.inf)
        return logits[:, 0], weights.softmax(-1)


@constant_tensors  # a copy to the GPU in every call would make the host wait for it
def _indices(values: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)
