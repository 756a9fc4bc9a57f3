"""The fixtures of the authors' release: closed-form weights and the outputs of their code."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor


def fixture_inputs(shared: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("fixture_inputs", shared / "official" / "fixture_inputs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def release_shapes(shared: Path, name: str) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a released checkpoint: ``smap_1stage``, ``smap_3stage`` or ``refinenet``."""
    text = (shared / "official" / f"state_dict_{name}.json").read_text()
    return {key: tuple(shape) for key, shape in json.loads(text).items()}


def release_state(shared: Path, name: str) -> dict[str, Tensor]:
    """A released checkpoint with the fixtures' closed-form weights."""
    inputs = fixture_inputs(shared)
    scheme = "refine" if name == "refinenet" else "smap"
    return {
        key: torch.from_numpy(inputs.weight(key, shape, scheme)) for key, shape in release_shapes(shared, name).items()
    }
