"""What every data set is: a sequence of ``Sample``s that opens cheaply, pickles, and says exactly what is wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ..sample import Sample

OnError = Literal["raise", "skip"]
KEPT_MESSAGES = 20
LARGEST = float(np.finfo(np.float32).max)
# What a record that is not as it should be makes of the code that reads it: infinite counts and JSON that is nested
# too deeply (a RecursionError) among them.
DAMAGE = (KeyError, TypeError, ValueError, IndexError, OSError, AttributeError, OverflowError, RecursionError)


@dataclass
class Problems:
    """What is done about damaged records, and which there were.

    Args:
        on_error: "raise" stops at the first one; "skip" leaves it out, counts it and keeps the first messages.
    """

    on_error: OnError = "raise"
    count: int = 0
    messages: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.on_error not in ("raise", "skip"):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {self.on_error!r}")

    @contextmanager
    def record(self, file: Path | str, record: str) -> Iterator[None]:
        """Turn whatever goes wrong with one record into a DatasetError that names it, or into a count.

        Raises:
            DatasetError: something did, and ``on_error`` is "raise".
        """
        try:
            yield
        except DAMAGE as error:
            message = str(error) if isinstance(error, DatasetError) else f"{file}: {record}: {_explain(error)}"
            if self.on_error == "raise":
                raise DatasetError(message) from error
            self.count += 1
            if len(self.messages) < KEPT_MESSAGES:
                self.messages.append(message)


def _explain(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the record must have the field {error}, got none"
    if isinstance(error, FileNotFoundError):
        return f"the file must exist, got {error.filename!r}"
    if isinstance(error, OverflowError):
        return f"the record's numbers must be finite, got one of which Python says: {error}"
    if isinstance(error, RecursionError):
        return "the record must be nested less deeply, got more levels than Python reads"
    return str(error)


class Dataset(ABC):
    """A sequence of ``Sample``s: ``len``, indexing, iteration; fit for ``torch.utils.data.DataLoader`` workers.

    Images are paths and are not opened. Nothing depends on the order in which samples are asked for.

    Args:
        root: the folder that the user named, for messages.
        problems: shared by opening and reading.
    """

    def __init__(self, root: Path, problems: Problems) -> None:
        self.root = root
        self.problems = problems

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, index: int) -> Sample:
        """The sample at ``0 <= index < len(self)``; whatever it raises, ``__getitem__`` turns into DatasetError."""

    @abstractmethod
    def describe(self, index: int) -> tuple[str, str]:
        """File and record of a sample, for messages."""

    def __getitem__(self, index: int) -> Sample:
        """
        Raises:
            DatasetError: the record is damaged (also when damaged ones are skipped on iteration).
            IndexError: there is no such record.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample must be below {len(self)}, got {index}")
        index %= len(self)
        with Problems("raise").record(*self.describe(index)):
            return self.read(index)
        raise AssertionError  # record() either raises or lets the return through

    def get(self, index: int) -> Sample | None:
        """The sample, or None for a damaged one that is to be skipped (and is counted)."""
        with self.problems.record(*self.describe(index)):
            return self[index]
        return None

    def __iter__(self) -> Iterator[Sample]:
        for index in range(len(self)):
            sample = self.get(index)
            if sample is not None:
                yield sample

    def subset(self, indices: Sequence[int] | NDArray[Any]) -> Subset:
        """The samples at these indices, in this order."""
        return Subset(self, np.asarray(indices, np.int64))

    def shuffled(self, seed: int, count: int | None = None) -> Subset:
        """All samples, or the first ``count``, in an order that ``seed`` alone decides."""
        return self.subset(np.random.default_rng(seed).permutation(len(self))[:count])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r}, {len(self)} images, {self.problems.count} skipped)"


class Subset(Dataset):
    """Some samples of another data set."""

    def __init__(self, whole: Dataset, indices: NDArray[np.int64]) -> None:
        super().__init__(whole.root, whole.problems)
        self.whole, self.indices = whole, indices

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> Sample:
        return self.whole.read(int(self.indices[index]))

    def describe(self, index: int) -> tuple[str, str]:
        return self.whole.describe(int(self.indices[index]))


def identifier(record: Any, key: str = "id") -> Any:
    """What a record calls itself, for messages: never fails."""
    return record.get(key, "without id") if isinstance(record, dict) else str(record)[:40]


def numbers(record: Mapping[str, Any] | Sequence[Any], key: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """``record[key]`` as numbers of this shape (-1: any length), finite also in the single precision of a ``Sample``.

    Raises:
        ValueError: it is not; KeyError: it is missing.
    """
    try:
        values = np.asarray(record[key], np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{key} must be numbers of shape {_shape(shape)}, got {str(record[key])[:60]!r}") from error
    if values.ndim == 1 and values.size == 0 and shape[0] == -1:
        values = values.reshape(0, *(abs(n) for n in shape[1:]))
    if len(values.shape) != len(shape) or any(n not in (-1, m) for n, m in zip(shape, values.shape, strict=True)):
        raise ValueError(f"{key} must have the shape {_shape(shape)}, got {values.shape}")
    kept = np.abs(values) <= LARGEST  # False for NaN
    if not kept.all():
        raise ValueError(f"{key} must be finite in single precision, got {values[~kept][0]!s}")
    return values


def _shape(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join("any" if n == -1 else str(n) for n in shape) + ")"


def folder(path: str | Path) -> Path:
    """
    Raises:
        DatasetError: it is not a folder.
    """
    path = Path(path)
    if not path.is_dir():
        raise DatasetError(f"{path}: the data set must be a folder, got {'a file' if path.exists() else 'nothing'}")
    return path


def existing(path: Path, what: str) -> Path:
    """
    Raises:
        DatasetError: there is no such file.
    """
    if not path.exists():
        raise DatasetError(f"{path}: {what} must be there, got nothing (docs/datasets.md shows the folders)")
    return path
