"""Muon: momentum whose every step is orthogonalised (Jordan et al. 2024, "Muon: An optimizer for hidden layers")."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

# Quintic Newton-Schulz iteration, steepest at zero: five rounds bring singular values near 1 (0.7 to 1.2).
_COEFFICIENTS, _ROUNDS = (3.4445, -4.7750, 2.0315), 5
# An update's root mean square, for any shape: that of AdamW's in practice, so that both share one learning rate.
_RMS = 0.2


def orthogonalise(matrix: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The nearest matrix with singular values near 1, float32: U V^T of ``matrix`` = U S V^T, roughly.

    Args:
        matrix: ``(..., rows, columns)``.
        dtype: of the arithmetic; bfloat16 is rough enough for it.
    """
    a, b, c = _COEFFICIENTS
    wide = matrix.shape[-2] <= matrix.shape[-1]
    x = matrix.float() if wide else matrix.float().mT
    x = (x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-12)).to(dtype)
    for _ in range(_ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = (x if wide else x.mT).float()
    return result


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised over ``(outputs, inputs x kernel)``, for groups with ``orthogonal``; AdamW for
    the others. Weight decay is decoupled in both.

    Args:
        params: groups may set ``lr``, ``weight_decay`` and ``orthogonal``, whose tensors must have two dimensions or
            more.
        lr: of AdamW; orthogonal steps have the same root mean square as AdamW's in practice.
        betas: of AdamW.
        momentum: of orthogonal groups.
        dtype: of their arithmetic, the same in all processes that train together.

    Raises:
        ValueError: a tensor of an orthogonal group has one dimension.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "orthogonal": False,
        }
        super().__init__(params, defaults)
        self._dtype = dtype
        for group in self.param_groups:
            if group["orthogonal"] and any(p.dim() < 2 for p in group["params"]):
                raise ValueError("params of an orthogonal group must have two dimensions or more, got one of fewer")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moving = [p for p in group["params"] if p.grad is not None]
            if moving:
                torch._foreach_mul_(moving, 1 - group["lr"] * group["weight_decay"])
                steps = (self._orthogonal if group["orthogonal"] else self._adam)(moving, group)
                torch._foreach_add_(moving, steps, alpha=-group["lr"])
        return loss

    # All tensors of a group at once: one by one, thousands of small kernels keep a GPU waiting.

    def _orthogonal(self, params: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        gradients, means = self._gradients(params), self._moments(params, "mean")
        torch._foreach_lerp_(means, gradients, 1 - group["momentum"])
        wanted = torch._foreach_lerp(gradients, means, group["momentum"])
        alike: dict[torch.Size, list[int]] = {}
        for index, matrix in enumerate(wanted):
            alike.setdefault(matrix.flatten(1).shape, []).append(index)
        steps = list(wanted)
        for shape, indices in alike.items():
            made = orthogonalise(torch.stack([wanted[i].flatten(1) for i in indices]), self._dtype)
            for index, step in zip(indices, made.mul_(_RMS * math.sqrt(max(shape))), strict=True):
                steps[index] = step.view(params[index].shape)
        return steps

    def _adam(self, params: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        gradients = self._gradients(params)
        means, squares = self._moments(params, "mean"), self._moments(params, "square")
        first, second = group["betas"]
        counts = []
        for p in params:
            self.state[p]["steps"] = self.state[p].get("steps", 0) + 1
            counts.append(self.state[p]["steps"])
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 1 - second)
        spreads = torch._foreach_div(squares, [1 - second**count for count in counts])
        torch._foreach_sqrt_(spreads)
        torch._foreach_add_(spreads, 1e-8)
        steps = torch._foreach_div(means, [1 - first**count for count in counts])
        torch._foreach_div_(steps, spreads)
        return list(steps)

    def _moments(self, params: list[Tensor], name: str) -> list[Tensor]:
        for p in params:
            if name not in self.state[p]:
                self.state[p][name] = torch.zeros_like(p)
        return [self.state[p][name] for p in params]

    @staticmethod
    def _gradients(params: list[Tensor]) -> list[Tensor]:
        return [p.grad for p in params if p.grad is not None]
