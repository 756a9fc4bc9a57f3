"""What the heads say at the true joints: which of them lags, before any metric of the whole pipeline moves."""

from __future__ import annotations

import torch
from torch import Tensor

from ..constants import constant_tensors
from ..network import ROOT_LOG_OFFSET, ROOT_LOG_SCALE, STRIDE, NetworkConfig, RawMaps
from ..network.losses import ScaleTargets
from ..skeleton import Skeleton
from .batch import Batch

_APART = 1.5  # map pixels between a left and a right joint whose order can be asked for


class Probe:
    """Sums over batches, on their device and without waiting for it; ``result`` reads them and starts afresh.

    ``left_right``: share of left/right pairs of joints, at least 1.5 map pixels apart, whose heatmaps are higher at the
    right places than with the sides swapped (chance: 0.5). ``limb_depth_r2``: of limb depths at the pixels of limbs.
    ``root_error``: median relative error of the root depth in the cells that people are rooted in.
    """

    def __init__(self, network: NetworkConfig) -> None:
        self.network = network
        self._sums: Tensor | None = None
        self._root_errors: list[Tensor] = []  # NaN where nobody is

    def state(self) -> dict[str, list[Tensor]]:
        """What was added since the last ``result``."""
        return {"sums": [] if self._sums is None else [self._sums], "root_errors": list(self._root_errors)}

    def restore(self, state: dict[str, list[Tensor]], device: torch.device) -> None:
        self._sums = state["sums"][0].to(device) if state["sums"] else None
        self._root_errors = [errors.to(device) for errors in state["root_errors"]]

    @torch.no_grad()
    def add(self, maps: RawMaps, truth: ScaleTargets, batch: Batch) -> None:
        """``maps`` and ``truth`` of the finest scale of the last stage."""
        height, width = maps.heatmaps.shape[-2:]
        xy = ((batch.joints + 0.5) / STRIDE - 0.5).nan_to_num()
        column, row = (xy + 0.5).floor().long().unbind(-1)
        cells = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)  # (B, P, J)
        sums = torch.stack([*self._pairs(maps, cells, xy, batch.visibility), *self._limbs(maps, truth)])
        self._sums = sums if self._sums is None else self._sums + sums
        self._root_errors.append(self._roots(maps, truth, cells, batch.visibility))

    def _pairs(self, maps: RawMaps, cells: Tensor, xy: Tensor, visibility: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs the right way round, and all, scalars."""
        left, right = _sides(self.network.skeleton, cells.device)
        heat = maps.heatmaps.detach().float().flatten(2)

        def at(channels: Tensor, joints: Tensor) -> Tensor:  # (B, pairs, P)
            return heat[:, channels].gather(2, cells[:, :, joints].transpose(1, 2))

        apart = (xy[:, :, left] - xy[:, :, right]).norm(dim=-1) > _APART
        seen = (apart & (visibility[:, :, left] > 0) & (visibility[:, :, right] > 0)).transpose(1, 2)
        good = at(left, left) + at(right, right) > at(left, right) + at(right, left)
        return (good & seen).sum().double(), seen.sum().double()

    def _limbs(self, maps: RawMaps, truth: ScaleTargets) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Count, sum, sum of squares and squared error of the depths of limbs, scalars."""
        depth = truth.limb_depths.float()
        on_limb = (truth.pafs != 0).any(2) & depth.isfinite() & (truth.valid[:, None] > 0)
        true = torch.where(on_limb, depth, 0)
        error = torch.where(on_limb, maps.limb_depths.detach().float() / self.network.limb_depth_scale - true, 0)
        values = on_limb.sum(), true.sum(), true.square().sum(), error.square().sum()
        count, total, squares, errors = (value.double() for value in values)
        return count, total, squares, errors

    def _roots(self, maps: RawMaps, truth: ScaleTargets, cells: Tensor, visibility: Tensor) -> Tensor:
        """``(B * P,)`` relative errors, NaN for people without a root to learn from.

        As ``make_targets`` has it, a person is rooted in the first joint, root outwards, that is there.
        """
        order = _root_outwards(self.network.skeleton, cells.device)
        seen = visibility[:, :, order] > 0
        cell = cells.gather(2, order[seen.int().argmax(-1)][..., None])[..., 0]
        said, true, weight, valid = (
            values.detach().float().flatten(1).gather(1, cell)
            for values in (maps.root_depth, truth.root_depth, truth.root_weight, truth.valid)
        )
        if self.network.root_depth == "log":
            said = torch.exp((said - ROOT_LOG_OFFSET) / ROOT_LOG_SCALE)
        there = seen.any(-1) & (weight == 1) & (valid > 0)
        return torch.where(there, (said - true).abs() / true, torch.nan).flatten()

    def result(self) -> dict[str, float]:
        right, pairs, count, total, squares, error = [0.0] * 6 if self._sums is None else self._sums.tolist()
        spread = squares - total**2 / count if count else 0.0
        errors = torch.cat(self._root_errors).nanmedian() if self._root_errors else torch.nan
        self._sums, self._root_errors = None, []
        return {
            "left_right": right / pairs if pairs else float("nan"),
            "limb_depth_r2": 1 - error / spread if spread > 0 else float("nan"),
            "root_error": float(errors),
        }


@constant_tensors
def _sides(skeleton: Skeleton, device: torch.device) -> tuple[Tensor, Tensor]:
    """The left joints, and the right one of each."""
    left = [j for j, name in enumerate(skeleton.joints) if name.startswith("left_")]
    right = [skeleton.flipped_joints[j] for j in left]
    return torch.tensor(left, device=device), torch.tensor(right, device=device)


@constant_tensors
def _root_outwards(skeleton: Skeleton, device: torch.device) -> Tensor:
    return torch.tensor([skeleton.root, *(child for _, child in skeleton.limbs)], device=device)
