"""A scene pack from a user's own avatars, motions and backgrounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from .build_models import model_arrays
from .build_poses import pose_arrays
from .pack import Pack

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
BACKGROUND_SIZE = 640  # pixels of the longer side

AnyPath = Path | str


def build_pack(
    avatars: Sequence[AnyPath],
    motions: Sequence[AnyPath],
    backgrounds: AnyPath,
    out: AnyPath,
    *,
    texture_size: int = 768,
    poses_per_second: float = 4.0,
) -> Pack:
    """Write a scene pack and open it.

    Args:
        avatars: skinned humanoids, ``.glb`` with everything inside, in any rest pose with the arms off the body; bones
            are known by the names that common tools give them. ``anna_suit.glb`` and ``anna_sport.glb`` are one person.
        motions: ``.bvh`` clips; each is thinned, and mirrored copies are added.
        backgrounds: folder of pictures without people (searched recursively).
        out: folder to write into, made if need be; files of the same names are replaced.
        texture_size: of an avatar's texture, texels; several materials share it.
        poses_per_second: taken from the clips at most.

    Returns:
        The pack, as ``Pack.load(out)`` gives it. At least two people, clips and pictures are needed to have both
        splits, better ten.

    Raises:
        FileNotFoundError: a file or the folder is missing.
        DatasetError: a file is damaged or is no humanoid; the message names it.
        ValueError: nothing was given, or a number is out of range.
    """
    if not avatars or not motions:
        raise ValueError(f"avatars and motions must not be empty, got {len(avatars)} and {len(motions)}")
    if texture_size < 64 or not poses_per_second > 0:
        raise ValueError(
            f"texture_size must be at least 64 and poses_per_second positive, got {texture_size} and {poses_per_second}"
        )
    folder, pictures = Path(out), _find_pictures(Path(backgrounds))
    models = model_arrays([Path(a) for a in avatars], texture_size)
    poses = pose_arrays([Path(m) for m in motions], poses_per_second)
    stills, notes = _stills(pictures, Path(backgrounds))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "models.npz", **cast(Any, models))
    np.savez_compressed(folder / "poses.npz", **cast(Any, poses))
    np.savez(folder / "stills.npz", **cast(Any, stills))
    (folder / "stills.json").write_text(json.dumps(notes, indent=1))
    return Pack.load(folder)


def _find_pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"backgrounds must be a folder, got {str(folder)!r}")
    pictures = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not pictures:
        raise DatasetError(f"{folder} must hold pictures ({', '.join(PICTURES)}), got none")
    return pictures


def _stills(pictures: list[Path], folder: Path) -> tuple[dict[str, NDArray[Any]], list[dict[str, str]]]:
    blobs = []
    for path in pictures:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise DatasetError(f"{path} must be a picture, got bytes that do not decode")
        scale = min(1.0, BACKGROUND_SIZE / max(image.shape[:2]))
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        blobs.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].ravel())
    offset = np.cumsum([0, *(len(blob) for blob in blobs)])
    return {"data": np.concatenate(blobs), "offset": offset}, [{"src": str(p.relative_to(folder))} for p in pictures]
