"""Checkpoints that survive a kill at any moment, a disk that fills and a trip in small files; states to begin with."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import WeightsError
from ..files import replacing
from ..network import NetworkConfig, load_network

PART_BYTES = 15 * 2**20  # of a portable part: below 16 MiB with its header
_PORTABLE_FORMAT = "smap-train-2"
_STATE = "state.json"
_STATE_KEYS = ("step", "model", "ema", "optimiser", "config")
_PART = re.compile(r"part-(\d+)-\d+\.safetensors")


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Replace ``path`` only when all of the new content is on the disk.

    Raises:
        OSError: it cannot be written; what was there before is untouched.
    """
    try:
        with replacing(path) as partial, partial.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
    except RuntimeError as error:  # torch's writer does not say OSError when the disk is full
        raise OSError(f"{path} must be writable, got {error}") from error


def read_checkpoint(
    path: Path, *, what: str = "training checkpoint", keys: Collection[str] = _STATE_KEYS
) -> dict[str, Any]:
    """What ``write_checkpoint`` wrote.

    Args:
        what: for messages; keys: that it must have.

    Raises: FileNotFoundError; WeightsError when it is another kind of file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{what} must be an existing file, got {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(f"{path} must be a {what}, got {type(error).__name__}") from error
    if not isinstance(state, dict) or not set(keys) <= set(state):
        raise WeightsError(f"{path} must be a {what}, got another kind of file")
    return state


def write_portable(folder: Path, state: Mapping[str, Any], *, part_bytes: int = PART_BYTES) -> list[Path]:
    """A checkpoint in 16 bit: ``part-N-000.safetensors`` ... of ``part_bytes`` and a short header, ``state.json``.

    Weights, averaged weights and optimiser moments are bfloat16, so a run that continues from it goes on closely, not
    exactly; single numbers, such as an optimiser's count of steps, are kept. Tensors larger than a part are cut. It
    takes the place of the folder's portable checkpoint when all of it is on the disk.

    Raises:
        OSError: it cannot be written; what was there before is untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    former = {path: int(number[1]) for path in folder.iterdir() if (number := _PART.fullmatch(path.name))}
    generation = 1 + max(former.values(), default=-1)
    tensors: dict[str, Tensor] = {}
    tree = _take_tensors(state, "", tensors)
    pieces: list[dict[str, Tensor]] = [{}]
    room = part_bytes
    for key, value in tensors.items():
        rounded = value.dtype.is_floating_point and value.dim() > 0
        flat = value.cpu().to(torch.bfloat16 if rounded else value.dtype).reshape(-1)
        begin = 0
        while begin < len(flat):
            count = room // flat.element_size()
            if count == 0:
                pieces.append({})
                room = part_bytes
                continue
            part = flat[begin : begin + count].clone()
            pieces[-1][f"{key}@{begin}"] = part
            room -= part.numel() * part.element_size()
            begin += count
    paths = [folder / f"part-{generation}-{i:03d}.safetensors" for i in range(len(pieces))]
    about = {"format": _PORTABLE_FORMAT, "parts": [path.name for path in paths], "state": tree}
    partial = folder / f".{_STATE}.partial"
    try:
        for path, piece in zip(paths, pieces, strict=True):
            save_file(piece, path)
        partial.write_text(json.dumps(about, separators=(",", ":")))
        for path in [*paths, partial]:
            _to_disk(path)
    except (OSError, SafetensorError) as error:
        for path in [*paths, partial]:
            path.unlink(missing_ok=True)
        raise OSError(f"{folder} must be writable, got {error}") from error
    partial.replace(folder / _STATE)  # from here on the new parts count
    for path in former:
        with suppress(OSError):  # one more is in nobody's way
            path.unlink()
    return [*paths, folder / _STATE]


def is_portable(path: Path) -> bool:
    """Whether a file may be one of a portable checkpoint, whole or cut off."""
    return _PART.fullmatch(path.name) is not None or path.name in (_STATE, f".{_STATE}.partial")


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def read_portable(folder: Path) -> dict[str, Any]:
    """The state that ``write_portable`` was given, tensors in their former dtype.

    Raises:
        FileNotFoundError: no such checkpoint, or a part is missing.
        WeightsError: a file is another one or damaged.
    """
    if not (folder / _STATE).is_file():
        raise FileNotFoundError(f"folder must hold a portable checkpoint with {_STATE}, got {folder}")
    try:
        about = json.loads((folder / _STATE).read_text())
        if about["format"] != _PORTABLE_FORMAT:
            raise ValueError(f"format {about['format']!r}")
        pieces: dict[str, list[tuple[int, Tensor]]] = {}
        for part in about["parts"]:
            with safe_open(folder / part, "pt") as file:
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    key, _, begin = name.rpartition("@")
                    pieces.setdefault(key, []).append((int(begin), file.get_tensor(name)))
        flats = {key: torch.cat([t for _, t in sorted(p, key=lambda q: q[0])]) for key, p in pieces.items()}
        return dict(_put_tensors(about["state"], flats))
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"{folder} must hold a whole portable checkpoint, got {error}") from error


def _take_tensors(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """JSON types that say where the tensors, which go to ``tensors``, belong. JSON itself knows no integer keys."""
    if isinstance(value, Tensor):
        tensors[path] = value.detach()
        return {"tensor": path, "shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
    if isinstance(value, Mapping):
        return {"dict": [[key, _take_tensors(item, f"{path}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"list": [_take_tensors(item, f"{path}/{i}", tensors) for i, item in enumerate(value)]}
    return value


def _put_tensors(value: Any, flats: Mapping[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        dtype = getattr(torch, value["dtype"])
        flat = flats[value["tensor"]] if 0 not in value["shape"] else torch.empty(0)
        return flat.to(dtype).reshape(value["shape"])
    if "dict" in value:
        return {key: _put_tensors(item, flats) for key, item in value["dict"]}
    return [_put_tensors(item, flats) for item in value["list"]]


def network_state(path: Path | str, config: NetworkConfig) -> dict[str, Any]:
    """A state that begins a new run of this network with the weights of a file, of this or another input width, of as
    many blocks in the encoder or fewer.

    Raises:
        WeightsError: they have other units; otherwise as ``network.load_network``.
    """
    network = load_network(path)
    check_units(network.config, config, ("root_depth", "limb_depth_scale"), path)
    network.set_training_width(config.training_width)
    if config.blocks != network.config.blocks and min(np.subtract(config.blocks, network.config.blocks)) >= 0:
        network = network.with_blocks(config.blocks)  # fewer are refused where shapes are compared
    weights = network.state_dict()
    return {"step": 0, "best": -math.inf, "model": weights, "ema": weights, "optimiser": None}


def check_units(theirs: NetworkConfig, ours: NetworkConfig, names: Sequence[str], source: Path | str) -> None:
    """Raises: WeightsError when weights of one configuration would mean something else in the other."""
    for name in names:
        asked, got = getattr(ours, name), getattr(theirs, name)
        if asked != got:
            raise WeightsError(f"{name} of {source} must be {asked}, as in the configuration, got {got}")
