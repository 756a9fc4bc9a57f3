"""MuPoTS-3D: 20 sequences of several people, indoors and outdoors (Mehta et al., 3DV 2018)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import DatasetError
from ..sample import Sample
from .base import Dataset, OnError, Problems, existing, folder, numbers
from .joints import MUCO, MUPOTS_JOINTS, remap, visibility_in

MM_TO_M = 1e-3
SEQUENCES = tuple(f"TS{i}" for i in range(1, 21))
SQUARE_SEQUENCES = 5  # TS1 to TS5 are 2048 x 2048, the others 1920 x 1080 (mpii_get_multiperson_test_seq_info.m)
MIN_FIT_JOINTS, MAX_FIT_ERROR_PX = 6, 20.0


@dataclass(frozen=True)
class _Person:
    joints_2d: NDArray[np.float64]  # (15, 2) image pixels
    joints_3d: NDArray[np.float64]  # (15, 3) metres
    occluded: NDArray[np.bool_]  # (15,)


@dataclass(frozen=True)
class _Sequence:
    name: str
    width: int
    height: int
    camera: Camera
    frames: list[tuple[list[_Person], int]]  # people with a valid annotation, and how many without


def read_mupots(
    root: str | Path,
    *,
    annotation: str = "univ_annot3",
    sequences: Iterable[str] | None = None,
    on_error: OnError = "raise",
) -> Dataset:
    """All frames of ``TS1`` ... ``TS20``: ``annot.mat``, ``occlusion.mat`` and ``img_000000.jpg`` in each.

    Args:
        root: the folder of the sequences (``MultiPersonTestSet``).
        annotation: "univ_annot3" (limbs scaled to one height: what the official evaluation and the paper compare with)
            or "annot3" (true sizes).
        sequences: default those that are there.

    ``annotations{frame, person}`` holds annot2 (2, 17) pixels, annot3 and univ_annot3 (3, 17) millimetres in the camera
    frame, and isValidFrame; a person that is not valid in a frame is no ground truth there.
    ``occlusion_labels{frame, person}`` marks 17 joints with 1 where they are hidden. The set has no intrinsics: they
    are fitted to annot2 and annot3, which agree. ``Sample.extra``: sequence, frame, unannotated_people (the invalid).

    Raises:
        DatasetError: the folder does not look like that, or a frame is damaged.
        ValueError: ``annotation`` is neither.
    """
    root = folder(root)
    if annotation not in ("univ_annot3", "annot3"):
        raise ValueError(f"annotation must be 'univ_annot3' or 'annot3', got {annotation!r}")
    names = [name for name in SEQUENCES if (root / name).is_dir()] if sequences is None else list(sequences)
    if not names:
        raise DatasetError(f"{root}: the folder must hold sequences TS1 ... TS20, got none of them")
    problems = Problems(on_error)
    return MuPoTS(root, [_read_sequence(root / name, annotation, problems) for name in names], problems)


class MuPoTS(Dataset):
    """See ``read_mupots``."""

    def __init__(self, root: Path, sequences: list[_Sequence], problems: Problems) -> None:
        super().__init__(root, problems)
        self.sequences = sequences
        self.index = [(i, j) for i, sequence in enumerate(sequences) for j in range(len(sequence.frames))]

    def __len__(self) -> int:
        return len(self.index)

    def read(self, index: int) -> Sample:
        sequence, frame = self.sequences[self.index[index][0]], self.index[index][1]
        people, invalid = sequence.frames[frame]
        joints_2d = np.array([p.joints_2d for p in people]).reshape(-1, len(MUCO), 2)
        occluded = np.array([p.occluded for p in people], bool).reshape(-1, len(MUCO))
        name = f"{sequence.name}/img_{frame:06d}.jpg"
        return Sample(
            self.root / name,
            sequence.width,
            sequence.height,
            sequence.camera,
            joints_2d,
            np.array([p.joints_3d for p in people]).reshape(-1, len(MUCO), 3),
            visibility_in(joints_2d, sequence.width, sequence.height, ~occluded),
            name=name,
            extra={"sequence": sequence.name, "frame": frame, "unannotated_people": invalid},
        )

    def describe(self, index: int) -> tuple[str, str]:
        sequence, frame = self.index[index]
        return str(self.root / self.sequences[sequence].name / "annot.mat"), f"frame {frame}"


def _cells(file: Path, name: str) -> NDArray[Any]:
    """A MATLAB cell array, ``(frames, people)`` objects."""
    from scipy.io import loadmat

    existing(file, "the annotations")
    try:
        cells = loadmat(file, struct_as_record=False)[name]
    except KeyError as error:
        raise DatasetError(f"{file}: the file must hold {name!r}, got something else") from error
    except Exception as error:  # whatever a damaged file makes of scipy's reader
        raise DatasetError(f"{file}: the file must be a MATLAB 5 file, got {error}") from error
    if cells.dtype != object or cells.ndim != 2:
        raise DatasetError(f"{file}: {name} must be a cell array of frames x people, got {cells.dtype} {cells.shape}")
    return np.asarray(cells)


def _struct(cell: Any) -> dict[str, Any]:
    """The fields of a 1 x 1 MATLAB struct."""
    while isinstance(cell, np.ndarray):
        if cell.size != 1:
            raise ValueError(f"a cell must hold one struct, got {cell.shape}")
        cell = cell.ravel()[0]
    return {name: getattr(cell, name) for name in cell._fieldnames}


def _read_sequence(path: Path, annotation: str, problems: Problems) -> _Sequence:
    cells, occlusion = _cells(path / "annot.mat", "annotations"), _cells(path / "occlusion.mat", "occlusion_labels")
    if cells.shape != occlusion.shape:
        raise DatasetError(
            f"{path / 'occlusion.mat'}: occlusion_labels must have the shape of annotations {cells.shape}, "
            f"got {occlusion.shape}"
        )
    frames: list[tuple[list[_Person], int]] = []
    seen_2d, seen_3d = [], []
    for frame in range(cells.shape[0]):
        people, invalid = [], 0
        for person in range(cells.shape[1]):
            with problems.record(path / "annot.mat", f"annotations{{{frame + 1}, {person + 1}}}"):
                fields = _struct(cells[frame, person])
                if not np.asarray(fields["isValidFrame"]).any():
                    invalid += 1
                    continue
                joints_2d = numbers(fields, "annot2", (2, MUPOTS_JOINTS)).T
                true_3d = numbers(fields, "annot3", (3, MUPOTS_JOINTS)).T * MM_TO_M
                joints_3d = numbers(fields, annotation, (3, MUPOTS_JOINTS)).T * MM_TO_M
                hidden = np.asarray(occlusion[frame, person]).ravel()
                if hidden.shape != (MUPOTS_JOINTS,):
                    raise ValueError(f"occlusion_labels must have {MUPOTS_JOINTS} joints, got {hidden.shape}")
                seen_2d.append(joints_2d)
                seen_3d.append(true_3d)
                joints = (remap(joints_2d, MUCO), remap(joints_3d, MUCO), hidden[list(MUCO)] > 0)
                people.append(_Person(*joints))
        frames.append((people, invalid))
    size = (2048, 2048) if int(path.name.removeprefix("TS")) <= SQUARE_SEQUENCES else (1920, 1080)
    camera = Camera.default(*size)
    if seen_2d:
        with problems.record(path / "annot.mat", "intrinsics"):
            camera = fit_camera(np.concatenate(seen_2d), np.concatenate(seen_3d))
    return _Sequence(path.name, *size, camera, frames)


def fit_camera(joints_2d: NDArray[Any], joints_3d: NDArray[Any]) -> Camera:
    """Intrinsics (without skew) that project ``(N, 3)`` metres onto ``(N, 2)`` image pixels, by least squares.

    Raises:
        ValueError: too few joints, or no pinhole camera fits within 20 px (median).
    """
    ahead = joints_3d[:, 2] > 0
    joints_2d, joints_3d = joints_2d[ahead], joints_3d[ahead]
    if len(joints_2d) < MIN_FIT_JOINTS:
        raise ValueError(f"joints to fit a camera must be at least {MIN_FIT_JOINTS}, got {len(joints_2d)}")
    parameters = []
    for axis in (0, 1):
        slope = joints_3d[:, axis] / joints_3d[:, 2]
        system = np.stack([slope, np.ones_like(slope)], -1)
        parameters.append(np.linalg.lstsq(system, joints_2d[:, axis], rcond=None)[0])
    (fx, cx), (fy, cy) = parameters
    camera = Camera(fx, fy, cx, cy)
    error = float(np.median(np.linalg.norm(camera.project(joints_3d) - joints_2d, axis=-1)))
    if error > MAX_FIT_ERROR_PX:
        raise ValueError(f"annot3 must project onto annot2 within {MAX_FIT_ERROR_PX:g} px, got {error:.1f} px (median)")
    return camera
