from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smap import SMAP15
from smap.synthetic import BuiltinPack
from smap.synthetic.assets import BONES, PARENTS, rotations_of, vertex_normals
from smap.synthetic.body import joints_of, pose_bones, skin, stretches

PACK = BuiltinPack()


def random_rotations(seed: int) -> np.ndarray:
    return rotations_of(np.random.default_rng(seed).normal(size=(len(BONES), 4)))


def test_the_t_pose_leaves_everything_in_place() -> None:
    avatar = PACK.avatar(0)
    still = np.tile(np.eye(3, dtype=np.float32), (22, 1, 1))
    positions = pose_bones(avatar.joints, still)
    np.testing.assert_allclose(positions, avatar.joints - avatar.joints[0], atol=1e-6)
    vertices, normals = skin(avatar.meshes[0], avatar.joints, positions, still)
    np.testing.assert_allclose(vertices, avatar.meshes[0].vertices.T - avatar.joints[0], atol=1e-5)
    np.testing.assert_allclose(normals, avatar.meshes[0].normals.T, atol=1e-5)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_equals_the_formulas(seed: int) -> None:
    """x_j = x_parent + R_parent (J_j - J_parent), v = sum_k w_k (R_k (v0 - J_k) + x_k), written out."""
    avatar, rotations = PACK.avatar(seed % 16), random_rotations(seed)
    mesh, joints = avatar.meshes[0], avatar.joints
    expected = np.zeros((22, 3))
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            expected[j] = expected[parent] + rotations[parent] @ (joints[j] - joints[parent])
    positions = pose_bones(joints, rotations)
    np.testing.assert_allclose(positions, expected, atol=1e-5)
    vertices, _ = skin(mesh, joints, positions, rotations)
    for v in (0, 17, mesh.vertices.shape[1] - 1):
        blended = sum(
            w * (rotations[k] @ (mesh.vertices[:, v] - joints[k]) + expected[k])
            for k, w in enumerate(mesh.weights[:, v])
        )
        np.testing.assert_allclose(vertices[v], blended, atol=1e-5)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_rotations_keep_limb_lengths(seed: int) -> None:
    avatar, rotations = PACK.avatar(0), random_rotations(seed)
    still = np.tile(np.eye(3, dtype=np.float32), (22, 1, 1))
    lengths = []
    for r in (rotations, still):
        joints = joints_of(pose_bones(avatar.joints, r), r, avatar.joints, avatar.head_top)
        lengths.append([np.linalg.norm(joints[a] - joints[b]) for a, b in SMAP15.limbs])
    rigid = [i for i, (a, b) in enumerate(SMAP15.limbs) if min(a, b) > 2]  # arms and legs: one bone each
    np.testing.assert_allclose(np.array(lengths[0])[rigid], np.array(lengths[1])[rigid], rtol=1e-4)


def test_the_fifteen_joints_are_where_the_definitions_say() -> None:
    avatar = PACK.avatar(3)
    rotations = PACK.rotations(17)
    bones = dict(zip(BONES, pose_bones(avatar.joints, rotations), strict=True))
    found = joints_of(pose_bones(avatar.joints, rotations), rotations, avatar.joints, avatar.head_top)
    joint = dict(zip(SMAP15.joints, found, strict=True))
    hips = (bones["LeftUpLeg"] + bones["RightUpLeg"]) / 2
    np.testing.assert_allclose(joint["pelvis"], 0.75 * hips + 0.25 * bones["Hips"], atol=1e-6)
    shoulders = (bones["LeftArm"] + bones["RightArm"]) / 2
    np.testing.assert_allclose(joint["neck"], 0.55 * bones["Neck"] + 0.45 * shoulders, atol=1e-6)
    head = rotations[BONES.index("Head")] @ (avatar.head_top - avatar.joints[BONES.index("Head")])
    np.testing.assert_allclose(joint["head_top"], bones["Head"] + head, atol=1e-6)
    for name, bone in (("left_wrist", "LeftHand"), ("right_ankle", "RightFoot"), ("left_shoulder", "LeftArm")):
        np.testing.assert_allclose(joint[name], bones[bone], atol=1e-6)


def test_a_stretch_lengthens_along_the_bone_and_widens_across() -> None:
    joints = PACK.avatar(0).joints
    along, across = np.full(22, 1.2, np.float32), np.full(22, 0.9, np.float32)
    upper_arm, arm = BONES.index("LeftArm"), BONES.index("LeftForeArm")
    axis = joints[arm] - joints[upper_arm]
    matrix = stretches(joints, along, across)[upper_arm]
    np.testing.assert_allclose(matrix @ axis, 1.2 * axis, atol=1e-6)
    sideways = np.cross(axis, [0, 1, 0])
    np.testing.assert_allclose(matrix @ sideways, 0.9 * sideways, atol=1e-6)


def test_normals_point_outwards() -> None:
    mesh = PACK.avatar(0).meshes[0]
    corners = mesh.vertices.T[PACK._faces]
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert 0.03 < volume < 0.15  # cubic metres; negative if the winding were reversed
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=0), 1, atol=1e-4)


def test_welded_vertices_share_their_normal() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 1, -1]], np.float32)
    faces = np.array([[0, 1, 2], [3, 5, 4]], np.int32)
    apart = vertex_normals(vertices, faces)
    welded = vertex_normals(vertices, faces, np.array([0, 1, 2, 1, 2, 5]))
    assert not np.allclose(apart[1], apart[3])
    np.testing.assert_allclose(welded[1], welded[3])
    np.testing.assert_allclose(welded[2], welded[4])


def test_quaternions_of_any_length() -> None:
    half = np.sqrt(0.5)
    np.testing.assert_allclose(rotations_of(np.array([0, 3 * half, 0, 3 * half])) @ [0, 0, 1], [1, 0, 0], atol=1e-6)
    assert np.linalg.det(random_rotations(1)) == pytest.approx(np.ones(22), abs=1e-5)
