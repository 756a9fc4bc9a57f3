"""Posing people: linear-blend skinning and the 15 joints.

With global bone rotations ``R`` relative to the T-pose no bone axes are needed: ``x_j = x_parent + R_parent (J_j -
J_parent)`` and ``v = sum_k w_k (R_k (v0 - J_k) + x_k)``. A build multiplies each ``R_k`` by a stretch along its bone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..skeleton import SMAP15
from .assets import BONES, F32, PARENTS, Mesh

_BONE = {name: i for i, name in enumerate(BONES)}
_JOINT = {name: i for i, name in enumerate(SMAP15.joints)}

PELVIS_TOWARDS_HIPS = 0.25  # from the middle of the hip joints
NECK_SHARE = 0.55  # of the neck bone against the middle of the shoulders


def _joint_mix() -> F32:
    """``(15, 22)``: joints as weighted means of bones; the top of the head is still missing its reach."""
    mix = np.zeros((SMAP15.num_joints, len(BONES)), np.float32)
    for side in ("Left", "Right"):
        for joint, bone in (
            ("shoulder", "Arm"),
            ("elbow", "ForeArm"),
            ("wrist", "Hand"),
            ("hip", "UpLeg"),
            ("knee", "Leg"),
            ("ankle", "Foot"),
        ):
            mix[_JOINT[f"{side.lower()}_{joint}"], _BONE[side + bone]] = 1
        mix[_JOINT["pelvis"], _BONE[side + "UpLeg"]] = (1 - PELVIS_TOWARDS_HIPS) / 2
        mix[_JOINT["neck"], _BONE[side + "Arm"]] = (1 - NECK_SHARE) / 2
    mix[_JOINT["pelvis"], _BONE["Hips"]] = PELVIS_TOWARDS_HIPS
    mix[_JOINT["neck"], _BONE["Neck"]] = NECK_SHARE
    mix[_JOINT["head_top"], _BONE["Head"]] = 1
    return mix


def _ancestors() -> F32:
    """``(22, 21)``: which bones' offsets from their parents add up to a bone's position."""
    out = np.zeros((len(BONES), len(BONES)), np.float32)
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            out[j] = out[parent]
            out[j, j] = 1
    return out[:, 1:]


_JOINT_MIX, _ANCESTORS = _joint_mix(), _ancestors()
_PARENT_ROWS = np.array(PARENTS[1:])

# The child that gives a bone its direction, for stretching along it.
_DIRECTION = {
    "Hips": "Spine",
    "Spine": "Spine1",
    "Spine1": "Spine2",
    "Spine2": "Neck",
    "Neck": "Head",
    "LeftShoulder": "LeftArm",
    "LeftArm": "LeftForeArm",
    "LeftForeArm": "LeftHand",
    "RightShoulder": "RightArm",
    "RightArm": "RightForeArm",
    "RightForeArm": "RightHand",
    "LeftUpLeg": "LeftLeg",
    "LeftLeg": "LeftFoot",
    "RightUpLeg": "RightLeg",
    "RightLeg": "RightFoot",
}


_DIRECTED = np.array([_BONE[name] for name in _DIRECTION])
_POINTS_AT = np.array([_BONE[name] for name in _DIRECTION.values()])
_IDENTITY = np.eye(3, dtype=np.float32)


def stretches(joints: F32, along: F32, across: F32) -> F32:
    """Per-bone scaling along and across its own direction: ``(22, 3, 3)`` for ``along`` and ``across`` of ``(22,)``.

    Bones without a direction (head, hands, feet) scale evenly by ``along``.
    """
    out = along[:, None, None] * _IDENTITY
    axis = joints[_POINTS_AT] - joints[_DIRECTED]
    axis /= np.maximum(np.sqrt(np.einsum("ki,ki->k", axis, axis)), 1e-9)[:, None]
    wide, surplus = across[_DIRECTED], along[_DIRECTED] - across[_DIRECTED]
    out[_DIRECTED] = wide[:, None, None] * _IDENTITY + np.einsum("k,ki,kj->kij", surplus, axis, axis)
    return out


def pose_bones(joints: F32, transforms: F32) -> F32:
    """Positions of all bones, the first at the origin.

    Args:
        joints: ``(..., 22, 3)`` T-pose.
        transforms: ``(..., 22, 3, 3)`` rotation of each bone, times its stretch.

    Returns:
        ``(..., 22, 3)`` float32 metres.
    """
    offsets = joints[..., 1:, :] - joints[..., _PARENT_ROWS, :]
    moved = (transforms[..., _PARENT_ROWS, :, :] @ offsets[..., None])[..., 0]
    return np.asarray(_ANCESTORS @ moved, np.float32)


def joints_of(positions: F32, transforms: F32, joints: F32, head_top: F32) -> F32:
    """The 15 joints of ``SMAP15``: ``(..., 15, 3)`` in the frame of ``positions``.

    Pelvis: the middle of the hip joints moved 25 % towards ``Hips``. Neck: 0.55 ``Neck`` + 0.45 middle of the
    shoulders. Head top: carried by ``Head``. The rest are bones.
    """
    out = np.asarray(_JOINT_MIX @ positions, np.float32)
    head = _BONE["Head"]
    reach = head_top - joints[..., head, :]
    out[..., _JOINT["head_top"], :] += (transforms[..., head, :, :] @ reach[..., None])[..., 0]
    return out


def skin(mesh: Mesh, joints: F32, positions: F32, transforms: F32) -> tuple[F32, NDArray[np.float32]]:
    """Vertices and normals of a posed mesh, ``(V, 3)`` float32 each, in the frame of ``positions`` and ``transforms``.

    Normals are turned by the blended transforms and keep any length.
    """
    moves = np.empty((len(BONES), 12), np.float32)
    moves[:, :9] = transforms.reshape(-1, 9)
    moves[:, 9:] = positions - np.einsum("kij,kj->ki", transforms, joints)
    blended = moves.T @ mesh.weights  # (12, V): one 3x4 transform per vertex
    x, y, z = mesh.vertices
    nx, ny, nz = mesh.normals
    vertices = np.empty((len(x), 3), np.float32)
    normals = np.empty((len(x), 3), np.float32)
    for row in range(3):
        a, b, c = blended[3 * row : 3 * row + 3]
        vertices[:, row] = a * x + b * y + c * z + blended[9 + row]
        normals[:, row] = a * nx + b * ny + c * nz
    return vertices, normals
