"""Scenes on disk: pictures and this project's simple JSON, one file each, for any trainer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ..errors import DatasetError
from ..files import write_whole
from .assets import Assets
from .config import SceneConfig
from .render import render_scene

SETTINGS = "scenes.txt"  # not .json: readers take those for records


def write_dataset(
    pack: Assets,
    out: Path | str,
    count: int,
    config: SceneConfig | None = None,
    *,
    seed: int = 0,
    quality: int = 95,
    progress: bool = True,
) -> int:
    """Write scenes ``seed`` to ``seed + count - 1`` as ``000000.jpg`` and ``000000.json`` and so on.

    Each record is that of the project's simple JSON (``Sample.to_record``) with "full_size", "window" and "seed". It is
    written after its picture and appears whole, so an interrupted run goes on where it stopped, and a longer one adds
    to it.

    Args:
        out: folder, made if need be.
        quality: of the JPEG files, 1 to 100.
        progress: show a progress bar.

    Returns:
        Number of scenes written this time.

    Raises:
        DatasetError: ``out`` holds scenes of another configuration or seed.
        ValueError: ``count`` is negative or ``quality`` out of range.
        OSError: the disk is full or not writable; what is there stays usable.
    """
    if count < 0:
        raise ValueError(f"count must be at least 0, got {count}")
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must be 1 to 100, got {quality}")
    config, out = config or SceneConfig(), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    settings = json.dumps({"pack": repr(pack), "seed": seed, "quality": quality, "config": asdict(config)}, indent=1)
    file = out / SETTINGS
    if file.exists() and file.read_text() != settings:
        raise DatasetError(f"{file} must hold the same settings as this run to go on, got others")
    write_whole(file, settings)
    written = 0
    for number in tqdm(range(count), desc=str(out), unit="scene", disable=not progress):
        record = out / f"{number:06d}.json"
        if record.exists():
            continue
        sample = render_scene(pack, config, seed + number)
        image = record.with_suffix(".jpg")
        encoded, code = cv2.imencode(".jpg", np.asarray(sample.image)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not encoded:
            raise OSError(f"{image} must be encodable as JPEG, got an error from OpenCV")
        write_whole(image, code.tobytes())
        about = {name: sample.extra[name] for name in ("full_size", "window", "seed")}
        write_whole(record, json.dumps(sample.to_record(image.name) | about, allow_nan=False))
        written += 1
    return written
