"""Weights files: safetensors that say in their metadata which network they belong to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import WeightsError
from ..files import replacing
from .checkpoint import fill, read_checkpoint
from .config import NetworkConfig
from .hourglass import Hourglass
from .refine import RefineNet, RefinerConfig
from .release import FirstLimb, import_network, import_refiner, is_refiner

FORMAT = "smap-1"  # raise the number when files of before can no longer be read
SAVE_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
PathLike = str | os.PathLike[str]
C = TypeVar("C")


def save_network(
    network: Hourglass, path: PathLike, *, dtype: torch.dtype = torch.float32, notes: Mapping[str, str] | None = None
) -> None:
    """Write weights, configuration and skeleton to a safetensors file, replacing it only once all is written.

    Args:
        dtype: of the convolutions' weights in the file (float16 halves it); everything else stays float32.
        notes: free text kept in the metadata, such as how the weights were trained (see ``read_notes``).

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    _save(network, path, dtype, notes)


def save_refiner(
    refiner: RefineNet, path: PathLike, *, dtype: torch.dtype = torch.float32, notes: Mapping[str, str] | None = None
) -> None:
    """As ``save_network``, for a ``RefineNet``."""
    _save(refiner, path, dtype, notes)


def load_network(path: PathLike, *, first_limb: FirstLimb = "neck-head") -> Hourglass:
    """A float32 network on the CPU, in eval mode, from this library's safetensors or the authors' ``SMAP.pth``.

    Args:
        first_limb: only for the authors' files, which do not say it: the direction of their neck-head limb. Some of
            their weights were trained with it reversed ("head-neck").

    Raises:
        FileNotFoundError: no such file.
        WeightsError: not a weights file, or its keys or shapes do not fit; they are listed.
    """
    path = _existing(path)
    if not _is_native(path):
        return import_network(read_checkpoint(path), str(path), first_limb)
    tensors, settings = _read(path, "network", NetworkConfig.from_dict)
    with torch.device("meta"):
        network = Hourglass(settings)
    return fill(network, tensors, str(path))


def load_refiner(path: PathLike) -> RefineNet:
    """A float32 refiner on the CPU, in eval mode, from this library's safetensors or the authors' ``RefineNet.pth``.

    Raises: as ``load_network``.
    """
    path = _existing(path)
    if not _is_native(path):
        return import_refiner(read_checkpoint(path), str(path))
    tensors, settings = _read(path, "refiner", RefinerConfig.from_dict)
    with torch.device("meta"):
        refiner = RefineNet(settings)
    return fill(refiner, tensors, str(path))


def read_notes(path: PathLike) -> dict[str, str]:
    """The free text that ``save_network`` or ``save_refiner`` was given.

    Raises: FileNotFoundError or WeightsError, as ``load_network``.
    """
    notes = json.loads(_metadata(_existing(path))["notes"])
    return {str(key): str(value) for key, value in notes.items()}


def convert(
    source: PathLike, target: PathLike, *, first_limb: FirstLimb = "neck-head"
) -> Literal["network", "refiner"]:
    """Turn an authors' checkpoint, ``SMAP.pth`` or ``RefineNet.pth``, into this library's safetensors.

    Returns:
        Which of the two it was.

    Raises: as ``load_network``; OSError when ``target`` cannot be written.
    """
    source = _existing(source)
    if _is_native(source):
        raise WeightsError(f"{source} must be a checkpoint of the authors' release, got a safetensors file")
    tensors = read_checkpoint(source)
    notes = {"converted from": source.name}
    if is_refiner(tensors):
        save_refiner(import_refiner(tensors, str(source)), target, notes=notes)
        return "refiner"
    save_network(import_network(tensors, str(source), first_limb), target, notes=notes | {"first limb": first_limb})
    return "network"


def _save(module: Hourglass | RefineNet, path: PathLike, dtype: torch.dtype, notes: Mapping[str, str] | None) -> None:
    if dtype not in SAVE_DTYPES:
        raise TypeError(f"dtype must be one of {SAVE_DTYPES}, got {dtype}")
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path must be in an existing folder, got {target}")
    tensors = {}
    for key, value in module.state_dict().items():
        value = value.detach().cpu()
        # Vectors are few and carry the wide ranges (variances, biases); matrices are the size of the file.
        tensors[key] = value.to(dtype if value.dim() >= 2 else value.dtype).contiguous()
        if not torch.isfinite(tensors[key]).all():
            raise ValueError(f"weights must be finite in {dtype}, got NaN or infinity in {key}")
    metadata = {
        "format": FORMAT,
        "kind": _kind(module),
        "config": json.dumps(module.config.to_dict()),
        "notes": json.dumps(dict(notes or {})),
    }
    try:
        with replacing(target) as partial:
            partial.touch()
            mode = partial.stat().st_mode  # the user's default; safetensors makes files that nobody else may read
            save_file(tensors, partial, metadata)
            partial.chmod(mode)
    except SafetensorError as error:
        raise OSError(f"{target} must be writable, got {error}") from error


def _kind(module: nn.Module) -> str:
    return "network" if isinstance(module, Hourglass) else "refiner"


def _existing(path: PathLike) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"weights must be an existing file, got {path}")
    return path


def _is_native(path: Path) -> bool:
    """Safetensors begin with the length of a JSON object, eight bytes, then the object."""
    with path.open("rb") as file:
        return path.suffix == ".safetensors" or file.read(9)[8:] == b"{"


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} must be a safetensors file, got {error}") from error
    if metadata.get("format") != FORMAT or not {"kind", "config", "notes"} <= set(metadata):
        raise WeightsError(
            f"{path} must be written by this library (format {FORMAT!r}), got {metadata.get('format')!r}"
        )
    return dict(metadata)


def _read(path: Path, kind: str, parse: Callable[[Mapping[str, Any]], C]) -> tuple[dict[str, Tensor], C]:
    metadata = _metadata(path)
    if metadata["kind"] != kind:
        raise WeightsError(f"{path} must hold a {kind}, got a {metadata['kind']}")
    try:
        config = parse(json.loads(metadata["config"]))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} must hold a valid {kind} configuration, got {error}") from error
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, config  # noqa: SIM118 - not a mapping
