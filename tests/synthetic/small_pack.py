"""A whole scene pack of a few triangles, written to a folder: to be damaged by tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from smap.synthetic import BuiltinPack
from smap.synthetic.assets import BONES, PARENTS


def pictures(images: list[np.ndarray], suffix: str) -> dict[str, np.ndarray]:
    blobs = [cv2.imencode(suffix, image)[1].ravel() for image in images]
    return {"data": np.concatenate(blobs), "offset": np.cumsum([0] + [len(b) for b in blobs])}


def write_pack(folder: Path) -> dict[str, dict[str, Any]]:
    """The built-in body as files of the pack format; returns their arrays."""
    rng = np.random.default_rng(0)
    source = BuiltinPack()
    names = ["A_1_x", "A_1_y", "B_1_x", "C_1_x"]
    mean = np.ascontiguousarray(source._vertices, np.float32)
    count, points = len(names), len(mean)
    bone = source._weights.argmax(0)
    joints = np.stack([source.avatar(0).joints] * count)
    files: dict[str, dict[str, Any]] = {
        "avatars": {
            "mean": mean,
            "delta": rng.integers(-20, 20, (count, points, 3)).astype(np.int16),
            "delta_scale": np.float64(1e-4),
            "faces": source._faces.astype(np.uint16),
            "uv": (source._uv * 65535).astype(np.uint16),
            "wi": np.stack([bone, bone * 0, bone * 0, bone * 0], -1).astype(np.uint8),
            "ww": np.tile(np.array([255, 0, 0, 0], np.uint8), (points, 1)),
            "weld": source._weld.astype(np.uint16),
            "joints": joints.astype(np.float32),
            "headtop": np.stack([source.avatar(0).head_top] * count),
            "names": np.array(names),
            "bones": np.array(BONES),
            "parents": np.array(PARENTS, np.int8),
        },
        "textures": pictures([rng.integers(0, 255, (64, 64, 3), np.uint8) for _ in names], ".webp"),
        "poses": {
            "q": np.tile(np.array([0, 0, 0, 32767], np.int16), (6, 22, 1)),
            "src": np.array(["01", "01_mirror", "02", "01+02", "03+03_mirror", "02"]),
            "kind": np.array([0, 1, 0, 2, 2, 0], np.uint8),
        },
        "stills": pictures([rng.integers(0, 255, (90, 120, 3), np.uint8) for _ in range(9)], ".jpg"),
        "panoramas": {
            **pictures([rng.integers(0, 255, (64, 128, 3), np.uint8) for _ in range(3)], ".jpg"),
            "names": np.array(["a", "b", "c"]),
            "sh9": np.ones((3, 9, 3), np.float32),
            "key_dir": np.tile(np.array([0, -1, 0], np.float32), (3, 1)),
        },
    }
    for name, arrays in files.items():
        np.savez_compressed(folder / f"{name}.npz", **arrays)
    return files
