"""Every person in one image, in metres, in one network pass (SMAP, ECCV 2020)."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .camera import Camera
    from .decode import DecodeConfig, Detections, Peaks, decode
    from .errors import BuildError, DatasetError, WeightsError
    from .estimator import Estimator
    from .letterbox import Letterbox
    from .lift import lift
    from .maps import Maps
    from .people import People, Person
    from .sample import Sample
    from .skeleton import SMAP15, Skeleton

__version__ = "0.1.0"

__all__ = [
    "SMAP15",
    "BuildError",
    "Camera",
    "DatasetError",
    "DecodeConfig",
    "Detections",
    "Estimator",
    "Letterbox",
    "Maps",
    "Peaks",
    "People",
    "Person",
    "Sample",
    "Skeleton",
    "WeightsError",
    "decode",
    "lift",
]

# Loaded on first use, so that `smap._core` works in programs without torch.
_MODULES = {
    "camera": ("Camera",),
    "decode": ("DecodeConfig", "Detections", "Peaks", "decode"),
    "errors": ("BuildError", "DatasetError", "WeightsError"),
    "estimator": ("Estimator",),
    "letterbox": ("Letterbox",),
    "lift": ("lift",),
    "maps": ("Maps",),
    "people": ("People", "Person"),
    "sample": ("Sample",),
    "skeleton": ("SMAP15", "Skeleton"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
_SUBPACKAGES = (
    "data",
    "draw",
    "evaluate",
    "export",
    "metrics",
    "network",
    "ops",
    "synthetic",
    "tracking",
    "train",
    "video",
    "view3d",
)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        setattr(sys.modules[__name__], name, value)
        return value
    if name in _SUBPACKAGES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBPACKAGES, "__version__"])


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds a loaded submodule under its own name; `smap.decode` and `smap.lift` stay functions.
        if isinstance(value, ModuleType) and name in _HOME:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
