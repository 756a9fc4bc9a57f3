"""What every op must do, whatever it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def tensors(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else [x for x in value if isinstance(x, Tensor)]


def move(args: Sequence[Any], device: torch.device) -> list[Any]:
    return [a.to(device) if isinstance(a, Tensor) else a for a in args]


def scatter(t: Tensor) -> Tensor:
    """The same values with strides that are not contiguous."""
    if t.dim() == 0:
        return t
    wide = t.new_empty((*t.shape[:-1], t.shape[-1] * 2 + 1))
    wide[..., 1::2] = t
    return wide[..., 1::2]


def permute(t: Tensor) -> Tensor:
    """The same values without gaps, but column by column: what a mere copy of the strides would keep."""
    return t if t.dim() < 2 else t.transpose(-1, -2).contiguous().transpose(-1, -2)


def check_op(
    op: Any,
    wrapper: Callable[..., Any],
    reference: Callable[..., Any],
    args: Sequence[Any],
    device: torch.device,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> None:
    """``wrapper(*args)`` equals the reference, on this device, with any strides, and the op passes ``opcheck``."""
    expected = tensors(reference(*args))
    args = move(args, device)
    layouts = (lambda t: t, scatter, permute)
    for variant in ([layout(a) if isinstance(a, Tensor) else a for a in args] for layout in layouts):
        before = [a.clone() if isinstance(a, Tensor) else a for a in variant]
        actual = tensors(wrapper(*variant))
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            assert a.device.type == device.type
            torch.testing.assert_close(a.cpu(), e, rtol=rtol, atol=atol, equal_nan=True)
        for a, b in zip(variant, before, strict=True):
            if isinstance(a, Tensor):
                torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)
        torch.library.opcheck(op, tuple(variant))
