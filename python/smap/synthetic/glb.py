"""Reading skinned people from binary glTF 2.0 files (``.glb``): what ``build_pack`` needs of them and no more."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from .assets import U8

_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_TRIANGLES = 4

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One primitive of a model, posed as the file's nodes stand.

    Args:
        vertices: ``(V, 3)`` in the file's world, Y up.
        uv: ``(V, 2)``; may lie outside [0, 1] where the texture repeats.
        faces: ``(T, 3)`` int32.
        bones: ``(V, 4)`` int64 indices into ``Model.bones``; weights: ``(V, 4)``, rows sum to 1.
        texture: ``(H, W, 4)`` uint8 RGBA.
        sheer: the material uses the texture's alpha.
    """

    vertices: Array
    uv: Array
    faces: NDArray[np.int32]
    bones: NDArray[np.int64]
    weights: Array
    texture: U8
    sheer: bool


@dataclass(frozen=True)
class Model:
    """A skinned model: bones by name with their parents (-1: none) and ``(B, 3)`` positions, and its parts."""

    bones: list[str]
    parents: list[int]
    positions: Array
    parts: list[Part]


def read_glb(path: Path) -> Model:
    """Read all skinned triangle meshes of a file.

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: it is damaged, has no skinned mesh, or uses compression or external files.
    """
    if not path.is_file():
        raise FileNotFoundError(f"avatar must be a .glb file, got {str(path)!r}")
    try:
        return _Reader(path).model()
    except (struct.error, KeyError, IndexError, TypeError, ValueError, np.linalg.LinAlgError) as error:
        message = str(error) if isinstance(error, DatasetError) else f"{path} must be a whole .glb file, got {error!r}"
        raise DatasetError(message) from error


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        content = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", content)
        if magic != b"glTF" or version != 2 or length > len(content):
            raise DatasetError(f"{path} must be a whole binary glTF 2.0 file, got another or a shorter one")
        chunks, at = {}, 12
        while at < length:
            size, kind = struct.unpack_from("<I4s", content, at)
            chunks[kind] = content[at + 8 : at + 8 + size]
            at += 8 + size
        self.json: dict[str, Any] = json.loads(chunks[b"JSON"])
        self.buffer = chunks.get(b"BIN\0", b"")
        if required := set(self.json.get("extensionsRequired", [])) - {"KHR_texture_transform", "KHR_materials_unlit"}:
            raise DatasetError(f"{path} must not need glTF extensions such as compression, got {sorted(required)}")
        self.nodes: list[dict[str, Any]] = self.json["nodes"]
        self.parent = {child: i for i, node in enumerate(self.nodes) for child in node.get("children", [])}
        self.world: dict[int, Array] = {}

    def bytes_of(self, view: int) -> bytes:
        fields = self.json["bufferViews"][view]
        if fields.get("buffer", 0) != 0 or "uri" in self.json["buffers"][0]:
            raise DatasetError(f"{self.path} must hold its data itself, got a reference to another file")
        start = fields.get("byteOffset", 0)
        content = self.buffer[start : start + fields["byteLength"]]
        if len(content) != fields["byteLength"]:
            raise DatasetError(
                f"{self.path} must hold all of its data, got {len(content)} of {fields['byteLength']} bytes"
            )
        return content

    def accessor(self, index: int) -> NDArray[Any]:
        """``(count, width)``; normalised integers become floats in [0, 1] or [-1, 1]."""
        fields = self.json["accessors"][index]
        if "sparse" in fields:
            raise DatasetError(f"{self.path} must not use sparse accessors, got one")
        kind, width, count = np.dtype(_COMPONENTS[fields["componentType"]]), _WIDTHS[fields["type"]], fields["count"]
        view = self.json["bufferViews"][fields["bufferView"]]
        stride = view.get("byteStride", kind.itemsize * width)
        content = self.bytes_of(fields["bufferView"])
        values = np.ndarray((count, width), kind, content, fields.get("byteOffset", 0), (stride, kind.itemsize))
        if fields.get("normalized") and kind.kind in "iu":
            return np.maximum(values / float(np.iinfo(kind).max), -1.0)
        return values

    def node_world(self, node: int) -> Array:
        """``(4, 4)`` of a node as the file poses it."""
        if node not in self.world:
            fields = self.nodes[node]
            if "matrix" in fields:
                local = np.array(fields["matrix"], np.float64).reshape(4, 4).T
            else:
                local = np.eye(4)
                x, y, z, w = fields.get("rotation", (0, 0, 0, 1))
                turn = np.array(
                    [
                        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
                    ]
                )
                local[:3, :3] = turn * np.array(fields.get("scale", (1, 1, 1)))
                local[:3, 3] = fields.get("translation", (0, 0, 0))
            self.world[node] = local if node not in self.parent else self.node_world(self.parent[node]) @ local
        return self.world[node]

    def model(self) -> Model:
        skins = self.json.get("skins", [])
        # One list of bones for all skins: characters are often several meshes with a skin each over the same nodes.
        nodes = list(dict.fromkeys(joint for skin in skins for joint in skin["joints"]))
        place = {node: i for i, node in enumerate(nodes)}
        names = [self.nodes[node].get("name", f"node {node}") for node in nodes]
        parents = [self._bone_above(node, place) for node in nodes]
        positions = np.array([self.node_world(node)[:3, 3] for node in nodes]).reshape(-1, 3)
        parts = []
        for node in self.nodes:
            if "mesh" not in node or "skin" not in node:
                continue
            skin = skins[node["skin"]]
            joints = skin["joints"]
            inverse = np.tile(np.eye(4), (len(joints), 1, 1))
            if "inverseBindMatrices" in skin:
                inverse = self.accessor(skin["inverseBindMatrices"]).astype(np.float64).reshape(-1, 4, 4).swapaxes(1, 2)
            moves = np.stack([self.node_world(j) @ m for j, m in zip(joints, inverse, strict=True)])
            numbers = np.array([place[j] for j in joints])
            for primitive in self.json["meshes"][node["mesh"]]["primitives"]:
                if primitive.get("mode", _TRIANGLES) == _TRIANGLES and "JOINTS_0" in primitive["attributes"]:
                    parts.append(self._part(primitive, moves, numbers))
        if not parts:
            raise DatasetError(f"{self.path} must hold a skinned triangle mesh, got none")
        return Model(names, parents, positions, parts)

    def _bone_above(self, node: int, place: dict[int, int]) -> int:
        while node in self.parent:
            node = self.parent[node]
            if node in place:
                return place[node]
        return -1

    def _part(self, primitive: dict[str, Any], moves: Array, numbers: NDArray[np.int64]) -> Part:
        attributes = primitive["attributes"]
        points = self.accessor(attributes["POSITION"]).astype(np.float64)
        bones = self.accessor(attributes["JOINTS_0"]).astype(np.int64)
        weights = self.accessor(attributes["WEIGHTS_0"]).astype(np.float64)
        weights = weights / np.maximum(weights.sum(1, keepdims=True), 1e-9)
        blended = np.einsum("vk,vkij->vij", weights, moves[bones])
        vertices = np.einsum("vij,vj->vi", blended[:, :3, :3], points) + blended[:, :3, 3]
        uv = np.zeros((len(points), 2))
        if "TEXCOORD_0" in attributes:
            uv = self.accessor(attributes["TEXCOORD_0"]).astype(np.float64)
        if "indices" in primitive:
            order = self.accessor(primitive["indices"]).astype(np.int32).ravel()
        else:
            order = np.arange(len(points), dtype=np.int32)
        if order.max(initial=0) >= len(points):
            raise DatasetError(f"{self.path} must index vertices below {len(points)}, got {order.max()}")
        texture, sheer = self._material(primitive.get("material"))
        return Part(vertices, uv, order.reshape(-1, 3), numbers[bones], weights, texture, sheer)

    def _material(self, index: int | None) -> tuple[U8, bool]:
        material = {} if index is None else self.json["materials"][index]
        shading = material.get("pbrMetallicRoughness", {})
        rgba = np.full((4, 4, 4), 255, np.uint8)
        if "baseColorTexture" in shading:
            source = self.json["textures"][shading["baseColorTexture"]["index"]]["source"]
            image = self.json["images"][source]
            if "bufferView" not in image:
                raise DatasetError(f"{self.path} must hold its textures itself, got a reference to another file")
            rgba = self._decode(self.bytes_of(image["bufferView"]))
        factor = np.array(shading.get("baseColorFactor", (1, 1, 1, 1)), np.float64)
        factor[:3] = factor[:3] ** (1 / 2.2)  # factors are linear, textures are display values
        tinted = np.clip(rgba * factor + 0.5, 0, 255).astype(np.uint8)
        return tinted, material.get("alphaMode", "OPAQUE") != "OPAQUE" and bool((tinted[..., 3] < 250).any())

    def _decode(self, content: bytes) -> U8:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        if image is None or image.dtype != np.uint8:
            raise DatasetError(f"{self.path} must hold 8-bit PNG, JPEG or WebP textures, got another")
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, -1)
        alpha = image[..., 3:] if image.shape[2] == 4 else np.full((*image.shape[:2], 1), 255, np.uint8)
        return np.ascontiguousarray(np.concatenate([image[..., 2::-1], alpha], -1), np.uint8)
