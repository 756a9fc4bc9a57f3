"""Checkpoints that survive: a kill at any moment, a disk that fills, a trip in small files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import WeightsError

PART_BYTES = 15 * 2**20  # of a portable part: below 16 MiB with its header
_PORTABLE_FORMAT = "smap-train-1"


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Replace ``path`` only when all of the new content is on the disk.

    Raises:
        OSError: it cannot be written; what was there before is untouched.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except RuntimeError as error:  # torch's writer does not say OSError when the disk is full
        raise OSError(f"{path} must be writable, got {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Raises: FileNotFoundError; WeightsError when it is no checkpoint."""
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint must be an existing file, got {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(f"{path} must be a training checkpoint, got {type(error).__name__}") from error
    if not isinstance(state, dict) or not {"step", "model", "ema", "optimiser", "config"} <= set(state):
        raise WeightsError(f"{path} must be a training checkpoint, got another kind of file")
    return state


def write_portable(folder: Path, state: Mapping[str, Any], *, part_bytes: int = PART_BYTES) -> list[Path]:
    """A checkpoint in 16 bit as ``part-000.safetensors`` ..., each smaller than ``part_bytes`` plus a short header.

    Weights, averaged weights and optimiser moments are bfloat16, so a run that continues from it goes on closely, not
    exactly. Tensors larger than a part are cut.

    Raises:
        FileExistsError: the folder holds parts already.
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("part-*.safetensors")):
        raise FileExistsError(f"folder must hold no portable checkpoint yet, got {folder}")
    rest, tensors = _take_tensors(state)
    pieces: list[dict[str, Tensor]] = [{}]
    room = part_bytes
    shapes: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        value = tensor.detach()
        narrow = torch.bfloat16 if value.dtype.is_floating_point else value.dtype
        shapes[key] = {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
        flat = value.to("cpu", narrow).reshape(-1)
        begin = 0
        while begin < len(flat) or not len(flat):
            count = max(1, room // flat.element_size())
            if room < flat.element_size():
                pieces.append({})
                room = part_bytes
                continue
            part = flat[begin : begin + count].clone()
            pieces[-1][f"{key}@{begin}"] = part
            room -= part.numel() * part.element_size()
            begin += count
            if not len(flat):
                break
    paths = []
    for i, piece in enumerate(pieces):
        about = {"format": _PORTABLE_FORMAT, "part": str(i), "parts": str(len(pieces))}
        if i == 0:
            about["state"] = json.dumps(rest)
        about["shapes"] = json.dumps({k: v for k, v in shapes.items() if any(n.rpartition("@")[0] == k for n in piece)})
        path = folder / f"part-{i:03d}.safetensors"
        try:
            save_file(piece, path, about)
        except SafetensorError as error:
            raise OSError(f"{path} must be writable, got {error}") from error
        paths.append(path)
    return paths


def read_portable(folder: Path) -> dict[str, Any]:
    """The state that ``write_portable`` was given, tensors in their former dtype.

    Raises:
        FileNotFoundError: no parts.
        WeightsError: a part is missing or no such file.
    """
    paths = sorted(folder.glob("part-*.safetensors"))
    if not paths:
        raise FileNotFoundError(f"folder must hold part-000.safetensors and so on, got {folder}")
    flats: dict[str, list[tuple[int, Tensor]]] = {}
    shapes: dict[str, Any] = {}
    rest: Any = None
    for i, path in enumerate(paths):
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
                if about.get("format") != _PORTABLE_FORMAT or about["part"] != str(i):
                    raise WeightsError(f"{path} must be part {i} of a portable checkpoint, got another file")
                if int(about["parts"]) != len(paths):
                    raise WeightsError(f"{folder} must hold {about['parts']} parts, got {len(paths)}")
                shapes |= json.loads(about["shapes"])
                rest = json.loads(about["state"]) if i == 0 else rest
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    key, _, begin = name.rpartition("@")
                    flats.setdefault(key, []).append((int(begin), file.get_tensor(name)))
        except SafetensorError as error:
            raise WeightsError(f"{path} must be a safetensors file, got {error}") from error
    tensors = {}
    for key, pieces in flats.items():
        flat = torch.cat([piece for _, piece in sorted(pieces, key=lambda p: p[0])])
        tensors[key] = flat.to(getattr(torch, shapes[key]["dtype"])).reshape(shapes[key]["shape"])
    return dict(_put_tensors(rest, tensors))


def _take_tensors(value: Any, path: str = "") -> tuple[Any, dict[str, Tensor]]:
    """JSON types with ``{"tensor": name}`` for tensors and ``[key, value]`` pairs for dicts, and the tensors."""
    if isinstance(value, Tensor):
        return {"tensor": path}, {path: value}
    tensors: dict[str, Tensor] = {}
    if isinstance(value, Mapping):
        pairs = []
        for key, item in value.items():
            plain, inner = _take_tensors(item, f"{path}/{key}")
            tensors |= inner
            pairs.append([key, plain])
        return {"dict": pairs}, tensors
    if isinstance(value, (list, tuple)):
        items = []
        for i, item in enumerate(value):
            plain, inner = _take_tensors(item, f"{path}/{i}")
            tensors |= inner
            items.append(plain)
        return {"list": items}, tensors
    return value, tensors


def _put_tensors(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    if "dict" in value:
        return {key: _put_tensors(item, tensors) for key, item in value["dict"]}
    return [_put_tensors(item, tensors) for item in value["list"]]
