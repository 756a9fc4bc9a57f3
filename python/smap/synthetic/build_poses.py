"""Motions of ``.bvh`` files as the arrays of a pack: thinned, heading-free, mirrored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .assets import BONES
from .bvh import Motion, read_bvh

LEAST_CHANGE = 8.0  # degrees that a pose differs from the one kept before it, on average over the bones
MOST_POSES = 300  # of one clip

Array = NDArray[np.float64]


def pose_arrays(paths: list[Path], rate: float) -> dict[str, NDArray[Any]]:
    """The arrays of ``poses.npz``, at most ``rate`` poses per second of the clips, with mirrored copies."""
    rotations, sources, kinds = [], [], []
    for path in paths:
        clip = _heading_free(_thinned(read_bvh(path), rate))
        for kind, name, values in ((0, path.stem, clip), (1, f"{path.stem}_mirror", _mirrored(clip))):
            rotations.append(values)
            sources += [name] * len(values)
            kinds += [kind] * len(values)
    quaternions = _quaternions(np.concatenate(rotations))
    return {
        "q": np.round(quaternions * 32767).astype(np.int16),
        "src": np.array(sources),
        "kind": np.array(kinds, np.uint8),
    }


def _thinned(motion: Motion, rate: float) -> Array:
    """Frames that differ from the one kept before, at most ``rate`` a second and ``MOST_POSES`` in all."""
    step = max(1, round(motion.rate / rate))
    kept = [motion.rotations[0]]
    for frame in motion.rotations[::step]:
        cosine = (np.einsum("kij,kij->k", frame, kept[-1]) - 1) / 2
        if np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() >= LEAST_CHANGE:
            kept.append(frame)
    share = max(1, -(-len(kept) // MOST_POSES))
    return np.array(kept[::share])


def _heading_free(rotations: Array) -> Array:
    """Turned about Y so that the hips look along +Z."""
    ahead = rotations[:, 0, :, 2]
    angle = np.arctan2(ahead[:, 0], ahead[:, 2])
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    back = np.stack([np.stack([c, zero, -s], -1), np.stack([zero, one, zero], -1), np.stack([s, zero, c], -1)], 1)
    return np.asarray(back[:, None] @ rotations)


def _mirrored(rotations: Array) -> Array:
    """Left and right changed over."""
    swap = [BONES.index(_other_side(bone)) for bone in BONES]
    flip = np.array([-1.0, 1, 1])
    return np.asarray(rotations[:, swap] * flip[:, None] * flip)


def _other_side(bone: str) -> str:
    if bone.startswith("Left"):
        return "Right" + bone.removeprefix("Left")
    return "Left" + bone.removeprefix("Right") if bone.startswith("Right") else bone


def _quaternions(rotations: Array) -> Array:
    """``(..., 3, 3)`` -> x y z w, by the largest of the four (Shepperd)."""
    m = rotations
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    diagonal = np.stack([m[..., 0, 0], m[..., 1, 1], m[..., 2, 2], trace], -1)
    out = np.empty((*m.shape[:-2], 4))
    largest = diagonal.argmax(-1)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        q = np.empty_like(out)
        q[..., i] = 1 - trace + 2 * m[..., i, i]
        q[..., j] = m[..., j, i] + m[..., i, j]
        q[..., k] = m[..., k, i] + m[..., i, k]
        q[..., 3] = m[..., k, j] - m[..., j, k]
        out[largest == i] = q[largest == i]
    q = np.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1], 1 + trace], -1)
    out[largest == 3] = q[largest == 3]
    return np.asarray(out / np.linalg.norm(out, axis=-1, keepdims=True))
