"""Tensors that are the same in many calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def constant_tensors(build: Callable[P, T]) -> Callable[P, T]:
    """Decorates a function that makes tensors of hashable arguments: the last 64 are kept, and must not be written to.

    Not so under ``torch.compile`` and ``torch.export``, whose tensors are not real and must not outlive the trace. Made
    in inference mode they serve gradients too.
    """

    @torch.inference_mode(False)
    def outside(*args: P.args, **kwargs: P.kwargs) -> T:
        return build(*args, **kwargs)

    cached: Callable[..., T] = lru_cache(maxsize=64)(outside)

    @wraps(build)
    def constants(*args: P.args, **kwargs: P.kwargs) -> T:
        return build(*args, **kwargs) if torch.compiler.is_compiling() else cached(*args, **kwargs)

    return constants
