"""Reading other people's files: pickled checkpoints, and filling a network with tensors that may not fit it."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..errors import WeightsError

M = TypeVar("M", bound=nn.Module)
Shape = tuple[int, ...]


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Tensors of a ``torch.save`` file: a state_dict, bare or under "model", with or without "module." before its keys.

    Only tensors are read (``torch.load(weights_only=True)``): a file that would run code is refused before it can.
    The tensors of current files are mapped, not copied, into memory.

    Raises:
        WeightsError: the file is anything else.
    """
    try:
        zipped = zipfile.is_zipfile(path)
        if zipped:
            _refuse_compressed(path)
        with warnings.catch_warnings(action="ignore"):  # of pickles that torch did not write: refused below if bad
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(f"{path} must be a readable file of weights, got {error.strerror or error}") from error
    except Exception as error:  # whatever an unpickler may raise on bytes that nobody vouches for
        # The original message is pages of advice on how to run the file after all; it stays in the cause.
        raise WeightsError(
            f"{path} must hold tensors only, as torch.save writes them, got a file that cannot be read as such "
            f"({type(error).__name__})"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    # No repr of the content in messages: a hostile file can make it endless.
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path} must hold a state_dict, bare or under 'model', got {type(content).__name__}")
    tensors: dict[str, Tensor] = {}
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{path} must hold a state_dict of tensors, got {type(value).__name__} under a {type(key).__name__} key"
            )
        tensors[key.removeprefix("module.")] = value
    return tensors


def _refuse_compressed(path: Path) -> None:
    """torch.save stores plainly; an archive that unpacks to more than its size is no checkpoint."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > path.stat().st_size:
        raise WeightsError(f"{path} must not be compressed, got {unpacked} bytes in a file of {path.stat().st_size}")


def check_shapes(expected: Mapping[str, Shape], tensors: Mapping[str, Tensor], source: str) -> None:
    """Raises: WeightsError that lists missing, unexpected and mis-shaped keys."""
    wrong = [
        f"{key} {tuple(tensors[key].shape)} instead of {shape}"
        for key, shape in expected.items()
        if key in tensors and tuple(tensors[key].shape) != shape
    ]
    problems = [
        f"{len(keys)} {kind} ({_listed(keys)})"
        for kind, keys in (
            ("missing", [key for key in expected if key not in tensors]),
            ("unexpected", [key for key in tensors if key not in expected]),
            ("mis-shaped", wrong),
        )
        if keys
    ]
    if problems:
        raise WeightsError(f"{source} must fit its network key by key, got {'; '.join(problems)}")


def fill(module: M, tensors: Mapping[str, Tensor], source: str) -> M:
    """Give a module, usually on the meta device, these tensors without copying those that are float32 already.

    Returns:
        The module, in float32 and eval mode.

    Raises:
        WeightsError: keys or shapes do not fit, or a value is not finite.
    """
    state = module.state_dict()
    check_shapes({key: tuple(value.shape) for key, value in state.items()}, tensors, source)
    dtypes = {key: torch.float32 if value.is_floating_point() else value.dtype for key, value in state.items()}
    values = {key: tensors[key].to(dtype) for key, dtype in dtypes.items()}
    broken = [key for key, value in values.items() if not torch.isfinite(value).all()]
    if broken:
        raise WeightsError(f"{source} must hold finite values, got NaN or infinity in {_listed(broken)}")
    module.load_state_dict(values, assign=True)
    return module.eval()


def _listed(items: Iterable[Any], limit: int = 8) -> str:
    names = [str(item)[:200] for item in items]
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
