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

# Joints that are bones as they stand; pelvis, neck and head top are made from several.
_BONE_OF_JOINT = {
    f"{side.lower()}_{joint}": _BONE[f"{side}{bone}"]
    for side in ("Left", "Right")
    for joint, bone in (
        ("shoulder", "Arm"),
        ("elbow", "ForeArm"),
        ("wrist", "Hand"),
        ("hip", "UpLeg"),
        ("knee", "Leg"),
        ("ankle", "Foot"),
    )
}
_DIRECT_JOINTS = np.array([_JOINT[name] for name in _BONE_OF_JOINT])
_DIRECT_BONES = np.array(list(_BONE_OF_JOINT.values()))

PELVIS_TOWARDS_HIPS = 0.25  # from the middle of the hip joints
NECK_SHARE = 0.55  # of the neck bone against the middle of the shoulders

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


def stretches(joints: F32, along: F32, across: F32) -> F32:
    """Per-bone scaling along and across its own direction: ``(22, 3, 3)`` for ``along`` and ``across`` of ``(22,)``.

    Bones without a direction (head, hands, feet) scale evenly by ``along``.
    """
    out = np.empty((len(BONES), 3, 3), np.float32)
    identity = np.eye(3, dtype=np.float32)
    for k, name in enumerate(BONES):
        if name in _DIRECTION:
            axis = joints[_BONE[_DIRECTION[name]]] - joints[k]
            axis = axis / max(float(np.linalg.norm(axis)), 1e-9)
            out[k] = across[k] * identity + (along[k] - across[k]) * np.outer(axis, axis)
        else:
            out[k] = along[k] * identity
    return out


def pose_bones(joints: F32, transforms: F32) -> F32:
    """Positions of all bones, the first at the origin.

    Args:
        joints: ``(..., 22, 3)`` T-pose.
        transforms: ``(..., 22, 3, 3)`` rotation of each bone, times its stretch.

    Returns:
        ``(..., 22, 3)`` float32 metres.
    """
    positions = np.zeros_like(joints)
    offsets = joints[..., 1:, :] - joints[..., list(PARENTS[1:]), :]
    moved = np.einsum("...ij,...j->...i", transforms[..., list(PARENTS[1:]), :, :], offsets)
    for j, parent in enumerate(PARENTS[1:], 1):
        positions[..., j, :] = positions[..., parent, :] + moved[..., j - 1, :]
    return positions


def joints_of(positions: F32, transforms: F32, joints: F32, head_top: F32) -> F32:
    """The 15 joints of ``SMAP15``: ``(..., 15, 3)`` in the frame of ``positions``.

    Pelvis: the middle of the hip joints moved 25 % towards ``Hips``. Neck: 0.55 ``Neck`` + 0.45 middle of the
    shoulders. Head top: carried by ``Head``. The rest are bones.
    """
    out = np.empty((*positions.shape[:-2], SMAP15.num_joints, 3), np.float32)
    out[..., _DIRECT_JOINTS, :] = positions[..., _DIRECT_BONES, :]

    def bone(name: str) -> F32:
        return np.asarray(positions[..., _BONE[name], :], np.float32)

    hips = (bone("LeftUpLeg") + bone("RightUpLeg")) / 2
    out[..., _JOINT["pelvis"], :] = hips + PELVIS_TOWARDS_HIPS * (bone("Hips") - hips)
    shoulders = (bone("LeftArm") + bone("RightArm")) / 2
    out[..., _JOINT["neck"], :] = NECK_SHARE * bone("Neck") + (1 - NECK_SHARE) * shoulders
    head = _BONE["Head"]
    reach = np.einsum("...ij,...j->...i", transforms[..., head, :, :], head_top - joints[..., head, :])
    out[..., _JOINT["head_top"], :] = bone("Head") + reach
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
