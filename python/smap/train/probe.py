"""What the heads say at the true joints: which of them lags, before any metric of the whole pipeline moves."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..network import ROOT_LOG_OFFSET, ROOT_LOG_SCALE, STRIDE, NetworkConfig, RawMaps
from ..network.losses import ScaleTargets
from .batch import Batch

_APART = 1.5  # map pixels between a left and a right joint whose order can be asked for


@dataclass
class Probe:
    """Sums over batches; ``result`` reads them and starts afresh.

    ``left_right``: share of left/right pairs of joints, at least 1.5 map pixels apart, whose heatmaps are higher at the
    right places than with the sides swapped (chance: 0.5). ``limb_depth_r2``: of limb depths at the pixels of limbs.
    ``root_error``: median relative error of the root depth in the roots' cells.
    """

    network: NetworkConfig
    _right: float = 0.0
    _pairs: float = 0.0
    _moments: list[float] = field(default_factory=lambda: [0.0] * 4)
    _root_errors: list[Tensor] = field(default_factory=list)

    @torch.no_grad()
    def add(self, maps: RawMaps, truth: ScaleTargets, batch: Batch) -> None:
        """``maps`` and ``truth`` of the finest scale of the last stage."""
        skeleton = self.network.skeleton
        xy = (batch.joints + 0.5) / STRIDE - 0.5
        heat = maps.heatmaps.detach().float()
        height, width = heat.shape[-2:]
        for left, right in enumerate(skeleton.flipped_joints):
            if not skeleton.joints[left].startswith("left_"):
                continue
            seen = (batch.visibility[:, :, left] > 0) & (batch.visibility[:, :, right] > 0)
            seen &= (xy[:, :, left] - xy[:, :, right]).norm(dim=-1) > _APART
            b, p = seen.nonzero(as_tuple=True)
            if not len(b):
                continue

            def at(channel: int, joint: int, b: Tensor = b, p: Tensor = p) -> Tensor:
                place = xy[b, p, joint].round().long()
                x, y = place[:, 0].clamp(0, width - 1), place[:, 1].clamp(0, height - 1)
                return heat[b, channel, y, x]

            good = at(left, left) + at(right, right) > at(left, right) + at(right, left)
            self._right += float(good.sum())
            self._pairs += len(b)
        depth = truth.limb_depths
        on_limb = (truth.pafs != 0).any(2) & depth.isfinite() & (truth.valid[:, None] > 0)
        said, true = maps.limb_depths.detach().float()[on_limb] / self.network.limb_depth_scale, depth[on_limb].float()
        values = [float(len(true)), float(true.sum()), float(true.square().sum()), float((said - true).square().sum())]
        self._moments = [m + v for m, v in zip(self._moments, values, strict=True)]
        root = (truth.root_weight == 1) & (truth.valid > 0)
        said, true = maps.root_depth.detach().float()[root], truth.root_depth[root]
        if self.network.root_depth == "log":
            said = torch.exp((said - ROOT_LOG_OFFSET) / ROOT_LOG_SCALE)
        self._root_errors.append(((said - true).abs() / true).cpu())

    def result(self) -> dict[str, float]:
        count, total, squares, error = self._moments
        spread = squares - total**2 / count if count else 0.0
        errors = torch.cat(self._root_errors) if self._root_errors else torch.zeros(0)
        values = {
            "left_right": self._right / self._pairs if self._pairs else float("nan"),
            "limb_depth_r2": 1 - error / spread if spread > 0 else float("nan"),
            "root_error": float(errors.median()) if len(errors) else float("nan"),
        }
        self.__init__(self.network)  # type: ignore[misc]
        return values
