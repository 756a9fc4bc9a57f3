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
            update = self._orthogonal if group["orthogonal"] else self._adam
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.sub_(update(p, group), alpha=group["lr"])
        return loss

    def _orthogonal(self, p: Tensor, group: dict[str, Any]) -> Tensor:
        state = self.state[p]
        if not state:
            state["mean"] = torch.zeros_like(p)
        assert p.grad is not None
        state["mean"].lerp_(p.grad, 1 - group["momentum"])
        step = orthogonalise(p.grad.lerp(state["mean"], group["momentum"]).flatten(1), self._dtype)
        return step.mul_(_RMS * math.sqrt(max(step.shape))).view(p.shape)

    def _adam(self, p: Tensor, group: dict[str, Any]) -> Tensor:
        state = self.state[p]
        if not state:
            state.update(steps=0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
        assert p.grad is not None
        state["steps"] += 1
        first, second = group["betas"]
        state["mean"].lerp_(p.grad, 1 - first)
        state["square"].lerp_(p.grad.square(), 1 - second)
        spread = (state["square"] / (1 - second ** state["steps"])).sqrt_().add_(1e-8)
        step: Tensor = (state["mean"] / (1 - first ** state["steps"])).div_(spread)
        return step
