"""Avatars of ``.glb`` files as the arrays of a pack: bones found, T-posed, materials on one texture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from .assets import BONES, Mesh
from .body import pose_bones, skin
from .glb import Model, Part, read_glb
from .rig import facing, fill_positions, find_bones, missing_bones, to_t_pose
from .skins import paint_regions, vertex_regions

Array = NDArray[np.float64]


def model_arrays(paths: list[Path], texture_size: int) -> dict[str, NDArray[Any]]:
    """The arrays of ``models.npz``; see ``models``."""
    arrays: dict[str, NDArray[Any]] = {"names": np.array([path.stem for path in paths])}
    joints, tops = [], []
    for i, path in enumerate(paths):
        model = read_glb(path)
        found = find_bones(model.bones)
        if missing := missing_bones(found):
            raise DatasetError(f"{path} must have the bones {missing}, got {model.bones}")
        positions, parts = _t_posed(path, model, found)
        joints.append(positions)
        opaque, sheer = ([part for part in parts if part.sheer is kind] for kind in (False, True))
        groups = {"body": opaque, "sheer": sheer} if opaque else {"body": parts}
        tops.append(_head_top(groups["body"], positions))
        for name, group in groups.items():
            if group:
                for key, value in _merged(group, texture_size, positions if name == "body" else None).items():
                    arrays[f"{name}{i}_{key}"] = value
    arrays["joints"] = np.array(joints, np.float32)
    arrays["headtop"] = np.array(tops, np.float32)
    return arrays


def _t_posed(path: Path, model: Model, found: dict[str, int]) -> tuple[Array, list[Part]]:
    """``(22, 3)`` joints and the parts, their bones renumbered to ``BONES``: metres, facing +Z, standing on y = 0."""
    points = np.concatenate([part.vertices for part in model.parts])
    low, high = points[:, 1].min(), points[:, 1].max()
    head, hips = model.positions[found["Head"]], model.positions[found["Hips"]]
    if not head[1] - hips[1] > 0.15 * (high - low):
        raise DatasetError(
            f"{path} must hold a standing person, Y up, got a head {head[1] - hips[1]:.3g} above its hips"
        )
    scale = 0.01 if high - low > 30 else 1.0  # some tools write centimetres
    if not 0.3 <= (high - low) * scale <= 3:
        raise DatasetError(f"{path} must be 0.3 to 3 m tall, got {(high - low) * scale:.3g}")
    angle = facing(fill_positions({bone: model.positions[i] for bone, i in found.items()}))
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])  # row vectors: by -angle
    origin = np.array([hips[0], low, hips[2]])
    positions = fill_positions({bone: (model.positions[i] - origin) @ turn * scale for bone, i in found.items()})
    numbers = _bone_numbers(model, found)
    straight = to_t_pose(positions)
    joints, transforms = positions.astype(np.float32), straight.astype(np.float32)
    posed = pose_bones(joints, transforms)
    moved = posed + joints[0]  # pose_bones puts the hips at the origin
    parts = []
    for part in model.parts:
        bones = numbers[part.bones]
        at_rest = ((part.vertices - origin) @ turn * scale).astype(np.float32)
        dense = np.zeros((len(BONES), len(at_rest)), np.float32)
        np.add.at(dense, (bones.T, np.arange(len(at_rest))[None]), part.weights.T)
        mesh = Mesh(np.ascontiguousarray(at_rest.T), np.ascontiguousarray(at_rest.T), dense, 0, 0, 0, 0, 0, 0)
        vertices, _ = skin(mesh, joints, moved, transforms)
        parts.append(
            Part(vertices.astype(np.float64), part.uv, part.faces, bones, part.weights, part.texture, part.sheer)
        )
    ground = min(part.vertices[:, 1].min() for part in parts)
    for part in parts:
        part.vertices[:, 1] -= ground
    return moved.astype(np.float64) - np.array([0, ground, 0]), parts


def _bone_numbers(model: Model, found: dict[str, int]) -> NDArray[np.int64]:
    """Our bone for each of the model's: its own or that of its nearest ancestor that has one."""
    ours = {i: BONES.index(bone) for bone, i in found.items()}
    numbers = np.zeros(len(model.bones), np.int64)
    for i in range(len(model.bones)):
        at = i
        while at >= 0 and at not in ours:
            at = model.parents[at]
        numbers[i] = ours.get(at, 0)
    return numbers


def _head_top(parts: list[Part], joints: Array) -> Array:
    """The highest point that the head carries, above the head's bone."""
    head = BONES.index("Head")
    highest = joints[head, 1]
    for part in parts:
        share = (part.weights * (part.bones == head)).sum(1)
        highest = max(highest, part.vertices[share > 0.5, 1].max(initial=highest))
    return np.array([joints[head, 0], highest, joints[head, 2]])


def _merged(parts: list[Part], size: int, joints: Array | None) -> dict[str, NDArray[Any]]:
    """Parts as one mesh whose texture holds theirs side by side; with regions where ``joints`` are given."""
    grid = int(np.ceil(np.sqrt(len(parts))))
    cell = size // grid
    atlas = np.zeros((size, size, 4), np.uint8)
    vertices, uv, faces, count = [], [], [], 0
    for i, part in enumerate(parts):
        row, column = divmod(i, grid)
        atlas[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = cv2.resize(
            part.texture, (cell, cell), interpolation=cv2.INTER_AREA
        )
        # A texture that repeats is laid out once: coordinates wrap into it, whole where they lie in one repetition.
        inside = np.where((part.uv >= 0).all() and (part.uv <= 1).all(), part.uv, part.uv % 1)
        uv.append((inside * (cell - 1) + 0.5 + np.array([column, row]) * cell) / size)
        vertices.append(part.vertices)
        faces.append(part.faces + count)
        count += len(part.vertices)
    all_faces, all_uv = np.concatenate(faces), np.concatenate(uv)
    all_vertices = np.concatenate(vertices)
    bones, weights = np.concatenate([p.bones for p in parts]), np.concatenate([p.weights for p in parts])
    corners = all_vertices[all_faces]
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()
    if volume < 0:  # mirrored by a negative scale
        all_faces = all_faces[:, ::-1]
    encoded = atlas if joints is None else atlas[..., :3]
    order = [2, 1, 0, 3][: encoded.shape[2]]
    out: dict[str, NDArray[Any]] = {
        "vertices": all_vertices.astype(np.float32),
        "uv": all_uv.astype(np.float32),
        "faces": np.ascontiguousarray(all_faces, np.uint32),
        "bones": bones.astype(np.uint8),
        "weights": np.round(weights * 255).astype(np.uint8),
        "texture": cv2.imencode(".png", np.ascontiguousarray(encoded[..., order]))[1].ravel(),
    }
    if joints is not None:
        dense = np.zeros((len(BONES), count))
        np.add.at(dense, (bones.T, np.arange(count)[None]), weights.T)
        of_vertex = vertex_regions(all_vertices.astype(np.float32), dense.astype(np.float32), joints.astype(np.float32))
        regions = paint_regions(size, out["uv"], all_faces, of_vertex)
        out["regions"] = cv2.imencode(".png", regions)[1].ravel()
    return out
