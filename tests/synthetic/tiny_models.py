"""A tiny avatar as .glb and a short motion as .bvh, made from the built-in body."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from smap.synthetic import BuiltinPack
from smap.synthetic.assets import BONES, PARENTS
from smap.synthetic.body import pose_bones, skin
from smap.synthetic.builtin_poses import turn as turn_about
from smap.synthetic.rig import to_t_pose


def a_pose() -> np.ndarray:
    """Rotations that lower the arms by 40 degrees and spread the legs by 8."""
    rotations = np.tile(np.eye(3, dtype=np.float32), (22, 1, 1))
    for k, name in enumerate(BONES):
        sign = 1 if name.startswith("Left") else -1
        if name.endswith(("Arm", "Hand")):
            rotations[k] = turn_about(2, -40 * sign)
        if name.endswith(("UpLeg", "Leg")):
            rotations[k] = turn_about(2, 8 * sign)
    return rotations


class GlbWriter:
    """Collects a buffer and the JSON that describes it."""

    def __init__(self) -> None:
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.buffer = b""

    def view(self, content: bytes) -> int:
        self.buffer += b"\0" * (-len(self.buffer) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.buffer), "byteLength": len(content)})
        self.buffer += content
        return len(self.views) - 1

    def accessor(self, values: np.ndarray, kind: str) -> int:
        component = {"f4": 5126, "u1": 5121, "u2": 5123, "u4": 5125}[values.dtype.str[1:]]
        view = self.view(np.ascontiguousarray(values).tobytes())
        self.accessors.append({"bufferView": view, "componentType": component, "count": len(values), "type": kind})
        return len(self.accessors) - 1

    def write(self, path: Path, fields: dict[str, Any]) -> None:
        buffers = [{"byteLength": len(self.buffer)}]
        document = {"asset": {"version": "2.0"}, "buffers": buffers, **fields}
        document |= {"bufferViews": self.views, "accessors": self.accessors}
        text = json.dumps(document).encode()
        text += b" " * (-len(text) % 4)
        binary = self.buffer + b"\0" * (-len(self.buffer) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def write_avatar(
    path: Path, *, turned: bool = True, centimetres: bool = True, hair: bool = True, number: int = 0, **changes: Any
) -> None:
    """The built-in avatar ``number`` in an A-pose, with a finger bone that has no counterpart among the 22."""
    pack = BuiltinPack()
    avatar = pack.avatar(number)
    mesh, rotations = avatar.meshes[0], a_pose()
    joints = pose_bones(avatar.joints, rotations) + avatar.joints[0]
    vertices, _ = skin(mesh, avatar.joints, joints, rotations)
    names = [f"mixamorig:{bone}" for bone in BONES] + ["mixamorig:LeftHandIndex1"]
    places = np.concatenate([joints, joints[9:10] + np.array([0.08, -0.05, 0])]) * 100
    parents = [*PARENTS, 9]
    # Node 0 turns and scales everything, as exporters do.
    armature: dict[str, Any] = {"name": "Armature", "children": [1]}
    if turned:
        armature["rotation"] = [0, 1, 0, 0]
    if not centimetres:
        armature["scale"] = [0.01] * 3
    nodes = [armature]
    for k, name in enumerate(names):
        above = places[parents[k]] if parents[k] >= 0 else np.zeros(3)
        children = [c + 1 for c, parent in enumerate(parents) if parent == k]
        nodes.append(
            {"name": name, "translation": (places[k] - above).tolist()} | ({"children": children} if children else {})
        )
    nodes.append({"mesh": 0, "skin": 0, "name": "Body"})
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(names), 1, 1))
    inverse[:, 3, :3] = -places  # column major
    glb = GlbWriter()
    dominant = mesh.weights.argmax(0).astype(np.uint8)
    dominant[dominant == 9] = np.where(np.arange((dominant == 9).sum()) % 2, 22, 9)  # half of the hand on the finger
    bones = np.stack([dominant, *[dominant * 0] * 3], -1)
    weights = np.tile(np.array([1, 0, 0, 0], np.float32), (len(dominant), 1))
    attributes = {
        "POSITION": glb.accessor((vertices * 100).astype(np.float32), "VEC3"),
        "TEXCOORD_0": glb.accessor(pack._uv, "VEC2"),
        "JOINTS_0": glb.accessor(bones, "VEC4"),
        "WEIGHTS_0": glb.accessor(weights, "VEC4"),
    }
    offset, size, _ = pack.geometry.textures[number].tolist()
    texture = pack.geometry.texels[offset : offset + 4 * size * size].view(size, size, 4).numpy()[..., 2::-1]
    primitives = [
        {
            "attributes": attributes,
            "material": 0,
            "indices": glb.accessor(pack._faces.astype(np.uint16).ravel(), "SCALAR"),
        }
    ]
    images = [{"mimeType": "image/png", "bufferView": glb.view(cv2.imencode(".png", texture)[1].tobytes())}]
    materials: list[dict[str, Any]] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    if hair:
        strands = np.zeros((16, 16, 4), np.uint8)
        strands[:, ::2] = (20, 40, 60, 255)
        head = joints[5] * 100
        card = (head + np.array([[-12, 5, -10], [12, 5, -10], [12, 22, -10], [-12, 22, -10]])).astype(np.float32)
        primitives.append(
            {
                "attributes": {
                    "POSITION": glb.accessor(card, "VEC3"),
                    "TEXCOORD_0": glb.accessor(np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32), "VEC2"),
                    "JOINTS_0": glb.accessor(np.array([[5, 0, 0, 0]] * 4, np.uint8), "VEC4"),
                    "WEIGHTS_0": glb.accessor(np.array([[1, 0, 0, 0]] * 4, np.float32), "VEC4"),
                },
                "material": 1,
                "indices": glb.accessor(np.array([0, 1, 2, 0, 2, 3], np.uint16), "SCALAR"),
            }
        )
        images.append({"mimeType": "image/png", "bufferView": glb.view(cv2.imencode(".png", strands)[1].tobytes())})
        materials.append({"alphaMode": "MASK", "pbrMetallicRoughness": {"baseColorTexture": {"index": 1}}})
    fields = {
        "nodes": nodes,
        "meshes": [{"primitives": primitives}],
        "skins": [
            {
                "joints": list(range(1, len(names) + 1)),
                "inverseBindMatrices": glb.accessor(inverse.reshape(-1, 16), "MAT4"),
            }
        ],
        "images": images,
        "textures": [{"source": i} for i in range(len(images))],
        "materials": materials,
    }
    glb.write(path, fields | changes)


def straight_joints(number: int = 0) -> np.ndarray:
    """``(22, 3)``: the avatar's joints with its limbs exactly as a T-pose has them."""
    joints = BuiltinPack().avatar(number).joints
    return pose_bones(joints, to_t_pose(joints.astype(np.float64)).astype(np.float32)) + joints[0]


def euler_zxy(rotation: np.ndarray) -> list[float]:
    """Degrees about Z, X, Y with ``rotation = Rz Rx Ry``."""
    x = np.arcsin(np.clip(rotation[2, 1], -1, 1))
    z = np.arctan2(-rotation[0, 1], rotation[1, 1])
    y = np.arctan2(-rotation[2, 0], rotation[2, 2])
    return np.degrees([z, x, y]).tolist()


def write_motion(path: Path, rotations: np.ndarray, *, rest: np.ndarray | None = None, turn: float = 0.0) -> None:
    """Global rotations ``(F, 22, 3, 3)`` relative to the T-pose, as a BVH whose rest pose is ``rest`` turned about Y.

    Args:
        rest: ``(22, 3, 3)`` rotations from the T-pose to the file's rest pose.
        turn: of the whole rest pose, degrees.
    """
    joints = straight_joints()
    about = turn_about(1, turn)
    rest = about @ (np.tile(np.eye(3), (22, 1, 1)) if rest is None else rest)
    positions = pose_bones(joints, rest.astype(np.float32))
    lines = ["HIERARCHY"]

    def joint(k: int, depth: int) -> None:
        pad, parent = "\t" * depth, PARENTS[k]
        offset = positions[k] - positions[parent] if parent >= 0 else np.zeros(3)
        lines.extend([f"{pad}{'JOINT' if depth else 'ROOT'} {BONES[k]}", f"{pad}{{"])
        lines.append(f"{pad}\tOFFSET {' '.join(f'{x * 100:.6f}' for x in offset)}")
        where = "" if depth else "Xposition Yposition Zposition "
        lines.append(f"{pad}\tCHANNELS {3 if depth else 6} {where}Zrotation Xrotation Yrotation")
        children = [c for c, parent in enumerate(PARENTS) if parent == k]
        for child in children:
            joint(child, depth + 1)
        if not children:
            lines.extend([f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET 0 1 0", f"{pad}\t}}"])
        lines.append(f"{pad}}}")

    joint(0, 0)
    lines += ["MOTION", f"Frames: {len(rotations)}", "Frame Time: 0.25"]
    order = depth_first()
    for frame in rotations:
        world = frame @ rest.swapaxes(1, 2)  # from the rest pose to the posed one
        numbers = [0.0, 96.0, 0.0]
        for k in order:
            parent = PARENTS[k]
            numbers += euler_zxy(world[k] if parent < 0 else world[parent].T @ world[k])
        lines.append(" ".join(f"{x:.6f}" for x in numbers))
    path.write_text("\n".join(lines) + "\n")


def depth_first(k: int = 0) -> list[int]:
    """Bones in the order in which a BVH file lists them."""
    return [k] + [d for c, parent in enumerate(PARENTS) if parent == k for d in depth_first(c)]
