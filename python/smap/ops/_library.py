"""Loads the compiled op libraries, once, beside the `smap._core` that Python finds."""

from __future__ import annotations

import ctypes
import importlib
from pathlib import Path

import torch

from ..errors import BuildError
from ..memory import reuse_freed_blocks


def _find() -> Path:
    """The folder of the compiled libraries; not this one in an editable install, which keeps binaries apart."""
    try:
        _core = importlib.import_module("smap._core")
    except ImportError as error:
        raise BuildError(
            f"smap must be built for this Python to run, got no compiled part: `pip install .` ({error})"
        ) from error
    return Path(str(_core.__file__)).parent


def _load() -> bool:
    """Load `_ops.so`, and `_ops_cuda.so` when torch has a GPU to use it on. True when the CUDA ops are there."""
    try:
        torch.ops.load_library(LIBRARIES / "_ops.so")
    except OSError as error:
        raise BuildError(f"smap must be built against torch >= 2.11 to load, got torch {torch.__version__}") from error
    cuda = LIBRARIES / "_ops_cuda.so"
    if not cuda.exists() or not torch.cuda.is_available():
        return False
    ctypes.CDLL(str(cuda))
    return True


LIBRARIES = _find()  # programs in other languages load `_ops.so` from here, and then `_ops_cuda.so` for a GPU
HAS_CUDA = _load()
reuse_freed_blocks()  # results as large as training targets come again and again

# Without gradient, and without the detour through Python that saying so there costs: results of the first four are
# chosen, not computed, and the wrapper of the last knows a way that has gradients.
_IMPLEMENTATIONS = torch.library.Library("smap", "IMPL")
for _name in ("find_peaks", "score_limbs", "associate", "read_limb_depths", "place_joints"):
    _IMPLEMENTATIONS.impl(_name, torch.library.fallthrough_kernel, "Autograd")
