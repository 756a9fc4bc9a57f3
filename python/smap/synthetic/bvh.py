"""Reading motion capture from BVH files: poses as global rotations relative to the T-pose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from .assets import BONES, PARENTS
from .rig import facing, fill_positions, find_bones, missing_bones, to_t_pose

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """A clip: ``rotations (F, 22, 3, 3)`` global and relative to the T-pose, heading included; frames per second."""

    rotations: Array
    rate: float


@dataclass
class _Joint:
    name: str
    parent: int
    offset: Array
    channels: list[str]
    first: int  # column of its first channel


def read_bvh(path: Path) -> Motion:
    """Read a clip.

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: it is damaged or lacks a bone that every body has.
    """
    if not path.is_file():
        raise FileNotFoundError(f"motion must be a .bvh file, got {str(path)!r}")
    try:
        words = path.read_text(errors="replace").split()
        joints, at = _hierarchy(words)
        frames, rate = _frames(words, at, sum(len(j.channels) for j in joints))
    except (IndexError, ValueError) as error:
        message = str(error) if isinstance(error, DatasetError) else f"{path} must be a whole BVH file, got {error}"
        raise DatasetError(message) from error
    found = find_bones([joint.name for joint in joints])
    if missing := missing_bones(found):
        raise DatasetError(f"{path} must have the bones {missing}, got {[j.name for j in joints]}")
    return Motion(_relative(joints, found, _global_rotations(joints, frames)), rate)


def _hierarchy(words: list[str]) -> tuple[list[_Joint], int]:
    joints: list[_Joint] = []
    open_joints: list[int] = []
    columns, at = 0, 0
    while words[at] != "MOTION":
        word = words[at]
        if word in ("ROOT", "JOINT"):
            parent = open_joints[-1] if open_joints else -1
            joints.append(_Joint(words[at + 1], parent, np.zeros(3), [], columns))
            open_joints.append(len(joints) - 1)
            at += 1
        elif word == "End":  # a tip: only its offset, which nothing here needs
            open_joints.append(-1)
            at += 1
        elif word == "OFFSET":
            if open_joints[-1] >= 0:
                joints[open_joints[-1]].offset = np.array([float(w) for w in words[at + 1 : at + 4]])
            at += 3
        elif word == "CHANNELS":
            count = int(words[at + 1])
            joints[open_joints[-1]].channels = words[at + 2 : at + 2 + count]
            columns += count
            at += 1 + count
        elif word == "}":
            open_joints.pop()
        at += 1
    if not joints:
        raise ValueError("no joints")
    return joints, at


def _frames(words: list[str], at: int, columns: int) -> tuple[Array, float]:
    if words[at + 1] != "Frames:" or words[at + 3] != "Frame":
        raise ValueError("no frame count after MOTION")
    count, seconds = int(words[at + 2]), float(words[at + 5])
    values = np.array(words[at + 6 : at + 6 + count * columns], np.float64)
    if len(values) != count * columns or count < 1 or not seconds > 0 or not np.isfinite(values).all():
        raise ValueError(f"{len(values)} numbers for {count} frames of {columns} channels, {seconds} s each")
    return values.reshape(count, columns), 1 / seconds


def _axis_rotations(axis: str, degrees: Array) -> Array:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    out = np.tile(np.eye(3), (len(degrees), 1, 1))
    out[:, a, a] = out[:, b, b] = c
    out[:, a, b], out[:, b, a] = -s, s
    return out


def _global_rotations(joints: list[_Joint], frames: Array) -> Array:
    """``(F, J, 3, 3)``; channels apply in the order in which they are listed."""
    out = np.empty((len(frames), len(joints), 3, 3))
    for j, joint in enumerate(joints):
        local = np.tile(np.eye(3), (len(frames), 1, 1))
        for k, channel in enumerate(joint.channels):
            if channel.endswith("rotation"):
                local = local @ _axis_rotations(channel[0].upper(), frames[:, joint.first + k])
        out[:, j] = local if joint.parent < 0 else out[:, joint.parent] @ local
    return out


def _relative(joints: list[_Joint], found: dict[str, int], rotations: Array) -> Array:
    """From the file's rest pose to the T-pose, bone by bone: missing bones move with their parent."""
    rest = np.zeros((len(joints), 3))
    for j, joint in enumerate(joints):
        rest[j] = joint.offset + (rest[joint.parent] if joint.parent >= 0 else 0)
    positions = fill_positions({bone: rest[j] for bone, j in found.items()})
    turn = _about_y(facing(positions))
    # A bone that points along d in the T-pose points along A d at rest, A the inverse of the straightening.
    align = turn @ to_t_pose(positions @ turn).swapaxes(1, 2)
    out = np.empty((len(rotations), len(BONES), 3, 3))
    for k, (bone, parent) in enumerate(zip(BONES, PARENTS, strict=True)):
        out[:, k] = rotations[:, found[bone]] @ align[k] if bone in found else out[:, parent]
    return out


def _about_y(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
