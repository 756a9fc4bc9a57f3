"""Tensors that are the same in many calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

P = ParamSpec("P")
T = TypeVar("T", bound=torch.Tensor | tuple[torch.Tensor, ...])
_asked = threading.local()  # constants: those of ``kept_constants``


def constant_tensors(build: Callable[P, T]) -> Callable[P, T]:
    """Decorates a function that makes tensors of hashable arguments: the last 64 are kept, and must not be written to.

    Not so under ``torch.compile``, ``torch.export`` and other modes whose tensors are not real and must not outlive
    them (``FakeTensorMode``). Made in inference mode they serve gradients too. ``build`` says device and dtype of all
    that it makes: what the caller has as default must not outlive the call either.
    """

    @torch.inference_mode(False)
    def outside(*args: P.args, **kwargs: P.kwargs) -> T:
        made = build(*args, **kwargs)
        tensors = (made,) if isinstance(made, torch.Tensor) else made
        for device in {t.device for t in tensors if t.is_cuda and not torch.cuda.is_current_stream_capturing()}:
            torch.cuda.current_stream(device).synchronize()  # from now on any stream may read them
        return made

    cached: Callable[..., T] = lru_cache(maxsize=64)(outside)

    @wraps(build)
    def constants(*args: P.args, **kwargs: P.kwargs) -> T:
        if torch.compiler.is_compiling() or _makes_unreal_tensors():
            return build(*args, **kwargs)
        made = cached(*args, **kwargs)
        if (kept := getattr(_asked, "constants", None)) is not None:
            kept.append(made)
        return made

    return constants


def _makes_unreal_tensors() -> bool:
    return is_in_torch_dispatch_mode() and type(torch.empty(0)) is not torch.Tensor


@contextmanager
def kept_constants() -> Iterator[list[object]]:
    """Collects the constants that this thread asks for: a CUDA graph reads their memory as long as it lives."""
    before, _asked.constants = getattr(_asked, "constants", None), []
    try:
        yield _asked.constants
    finally:
        _asked.constants = before
