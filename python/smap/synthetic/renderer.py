"""Pictures from plans, many at a time, on any device: textures and meshes of the pack live there, pictures are born
there and stay."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import NEAREST
from ..letterbox import PADDING_VALUE
from ..ops.backdrop import Layer, backdrop
from ..ops.rasterize import NOTHING, Instance, rasterize, unpack
from ..ops.shade import shade
from ..ops.skin import SkinColumn, skin
from ..sample import HIDDEN, OCCLUDED, VISIBLE
from ..skeleton import SMAP15
from .assets import Assets
from .background import Surface, backdrop_layers
from .degrade import degrade
from .light import as_behind
from .picturepool import PicturePool
from .plan import Part, Plan
from .shadows import shadow_masks

# A joint counts as visible when its own body's surface lies at most this far in front of it, metres: flesh and clothes
# of an adult at that joint, less than what another limb in front of it adds.
_COVER_OF = {"pelvis": 0.2, "neck": 0.16, "hip": 0.18, "shoulder": 0.14, "wrist": 0.08}
_COVER = [_COVER_OF.get(name.split("_")[-1], 0.1) for name in SMAP15.joints]
_MEAN_GRID = 16  # texels along each side of a floor from which its mean is taken


@dataclass(frozen=True)
class Rendered:
    """What ``Renderer.draw`` gives, on its device.

    Args:
        images: ``(B, H, W, 3)`` uint8 RGB.
        visibility: ``(N, 15)`` uint8 of the plan's people: 0 outside the picture, 1 behind somebody, something or more
            than 8 to 20 cm (by joint) of the own body, 2 otherwise.
        pixels: ``(N,)`` int64 visible pixels of each person.
    """

    images: Tensor
    visibility: Tensor
    pixels: Tensor


class Renderer:
    """Draws plans of one pack.

    Args:
        pack: a ``Pack`` or ``BuiltinPack``.
        device: where pictures are drawn. Other than the CPU: all of the pack's meshes and textures are copied there at
            once, its backgrounds when first used.
    """

    def __init__(self, pack: Assets, device: torch.device | str = "cpu") -> None:
        self.pack, self.device = pack, torch.device(device)
        if self.device.type != "cpu":
            with ThreadPoolExecutor() as threads:  # decoding leaves the interpreter free
                list(threads.map(pack.avatar, pack.avatars().tolist()))
                list(threads.map(pack.prepare, pack.fabrics().tolist()))
        self._geometry = pack.geometry.to(self.device)
        self._pictures = PicturePool(pack, self.device)

    @torch.no_grad()
    def draw(self, plan: Plan) -> Rendered:
        """Pictures and what is seen of people. The same plan gives the same pictures."""
        width, height = plan.size
        behind = self._background(plan)
        lights = as_behind(self._there(plan.lights), behind, self._there(plan.follows))
        images, buffer = behind, None
        if len(plan.parts):
            images, buffer = self._draw_parts(plan, behind, lights)
        images = degrade(images, plan.effects)
        inside = None
        if (plan.contents != (0, 0, width, height)).any():
            inside = self._inside(plan)
            images = torch.where(inside[..., None], images, PADDING_VALUE)
        visibility, pixels = self._seen(plan, buffer, inside)
        return Rendered(images, visibility, pixels)

    def _there(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device, non_blocking=True)

    def _background(self, plan: Plan) -> Tensor:
        recipe, (width, height) = plan.backgrounds, plan.size
        rows, sizes = self._pictures.rows(recipe.images, recipe.surfaces == Surface.PANORAMA, recipe.surfaces > 0)
        layers = self._there(backdrop_layers(recipe, sizes, plan.full_size, rows))
        floors = np.flatnonzero(recipe.surfaces[:, 1] == Surface.FLOOR)
        if floors.size:
            chosen = self._there(floors)
            layers[chosen, 1, Layer.MEAN : Layer.MEAN + 3] = self._means(layers[chosen, 1])
        strokes, softness, depths = map(self._there, plan.shadows)
        shadows = shadow_masks(strokes, softness, depths, height, width)
        table = (self._pictures.texels, self._pictures.table)
        return backdrop(*table, layers, self._there(recipe.colours), shadows, height, width)

    def _means(self, layers: Tensor) -> Tensor:
        """``(n, 3)`` mean colours of the layers' crops."""
        grid = torch.zeros(len(layers), 2, layers.shape[-1], device=self.device)
        grid[:, 1, Layer.IMAGE] = -1
        grid[:, 0, : Layer.MEAN] = layers[:, : Layer.MEAN]
        crop = layers[:, Layer.CROP : Layer.CROP + 4]
        matrix = torch.zeros(len(layers), 3, 3, device=self.device)
        step = crop[:, 2:] / _MEAN_GRID
        matrix[:, [0, 1], [0, 1]], matrix[:, :2, 2] = step, crop[:, :2] + step / 2 - 0.5
        matrix[:, 2, 2] = 1
        grid[:, 0, Layer.MATRIX : Layer.MATRIX + 9] = matrix.view(-1, 9)
        grid[:, 0, Layer.CONTRAST + 2 : Layer.MOST + 1] = 1
        colours = torch.tensor([1.0, 1, 1, 0, 0, 0], device=self.device).expand(len(layers), 6)
        light = torch.ones(len(layers), 1, 1, device=self.device)
        table = (self._pictures.texels, self._pictures.table)
        return backdrop(*table, grid, colours, light, _MEAN_GRID, _MEAN_GRID).float().mean((1, 2))

    def _prepare(self, plan: Plan) -> None:
        """Make the meshes and textures that a plan needs, unless they are: the plan may come from elsewhere."""
        avatars, printed = plan.parts[:, Part.AVATAR], plan.patterns[:, 2] != 0
        for avatar in np.unique(avatars[avatars >= 0]).tolist():
            self.pack.avatar(avatar)
        textures = np.concatenate([plan.parts[avatars < 0, Part.TEXTURE], plan.patterns[printed, 0].astype(np.int64)])
        for texture in np.unique(textures).tolist():
            self.pack.prepare(texture)

    def _draw_parts(self, plan: Plan, behind: Tensor, lights: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures and visibility buffer."""
        parts, geometry, (width, height) = plan.parts, self._geometry, plan.size
        if self.device.type == "cpu":
            self._prepare(plan)
        counts, vertices = parts[:, Part.TRIANGLE_COUNT], parts[:, Part.VERTEX_COUNT]
        rows = np.zeros((len(parts), len(Instance)), np.int32)
        rows[:, Instance.PICTURE] = parts[:, Part.PICTURE]
        rows[:, Instance.FIRST_VERTEX] = np.cumsum(vertices) - vertices
        rows[:, Instance.FIRST_UV] = parts[:, Part.FIRST_UV]
        rows[:, Instance.FIRST_TRIANGLE] = parts[:, Part.FIRST_TRIANGLE]
        rows[:, Instance.TRIANGLE_COUNT] = counts
        rows[:, Instance.TEXTURE] = parts[:, Part.TEXTURE]
        rows[:, Instance.FLAGS] = parts[:, Part.FLAGS]
        rows[:, Instance.FIRST_ID] = np.cumsum(counts) - counts
        skins = np.zeros((len(parts), len(SkinColumn)), np.int32)
        skins[:, SkinColumn.FIRST_REST], skins[:, SkinColumn.POSE] = parts[:, Part.FIRST_REST], parts[:, Part.POSE]
        instances = self._there(rows)
        screen, normals = skin(
            instances,
            self._there(skins),
            geometry.rest,
            geometry.bones,
            geometry.weights,
            self._there(plan.poses),
            self._there(plan.cameras),
            int(vertices.sum()),
        )
        meshes = (geometry.uv, geometry.triangles, instances)
        textures = (geometry.texels, geometry.textures)
        buffer = rasterize(screen, *meshes, *textures, len(plan), height, width, plan.supersample, int(counts.sum()))
        materials = (self._there(plan.materials), self._there(plan.patterns))
        images = shade(buffer, screen, normals, *meshes, *materials, *textures, lights, behind, plan.supersample)
        return images, buffer

    def _inside(self, plan: Plan) -> Tensor:
        """``(B, H, W)`` bool: no grey bar."""
        width, height = plan.size
        left, top, right, bottom = self._there(plan.contents)[:, :, None].unbind(1)
        x, y = torch.arange(width, device=self.device), torch.arange(height, device=self.device)
        return ((y >= top) & (y < bottom))[:, :, None] & ((x >= left) & (x < right))[:, None]

    def _seen(self, plan: Plan, buffer: Tensor | None, inside: Tensor | None) -> tuple[Tensor, Tensor]:
        """Visibility of joints and visible pixels of people."""
        people, step = len(plan.joints), plan.supersample
        places = plan.project()
        left_top, right_bottom = plan.contents[plan.pictures, None, :2], plan.contents[plan.pictures, None, 2:]
        held = ((places >= left_top - 0.5) & (places < right_bottom - 0.5)).all(-1) & (plan.joints[..., 2] > NEAREST)
        visibility = self._there(np.where(held, np.uint8(OCCLUDED), np.uint8(HIDDEN)))
        if buffer is None or not people:
            return visibility, torch.zeros(people, dtype=torch.int64, device=self.device)
        rows, columns = buffer.shape[1:]
        # Person of each triangle, and after the last one of none.
        owner = np.append(np.where(plan.parts[:, Part.PERSON] >= 0, plan.parts[:, Part.PERSON], people), people)
        counts = np.append(plan.parts[:, Part.TRIANGLE_COUNT], 1)
        owners = torch.repeat_interleave(self._there(owner), self._there(counts), output_size=int(counts.sum()))

        def whose(keys: Tensor) -> Tensor:
            return owners[torch.where(keys == NOTHING, len(owners) - 1, keys & 0xFFFFFFFF)]

        shown = whose(buffer[:, ::step, ::step])
        if inside is not None:
            shown = torch.where(inside, shown, people)
        # Nobody's pixels, most of them, are counted by column: a GPU's threads would queue for a single place.
        shown = torch.where(shown == people, people + torch.arange(shown.shape[2], device=self.device), shown)
        pixels = torch.zeros(people + shown.shape[2], dtype=torch.int64, device=self.device)
        pixels.scatter_add_(0, shown.view(-1), torch.ones_like(shown).view(-1))
        # Children's bodies are thinner: scale by the trunk.
        trunk = np.linalg.norm(plan.joints[:, 0] - plan.joints[:, 2], axis=-1) / 0.5
        cover = self._there((np.array(_COVER) * np.clip(trunk, 0.5, 1.1)[:, None]).astype(np.float32))
        depth = self._there(plan.joints[..., 2].astype(np.float32))
        centre = self._there(np.floor(np.where(held[..., None], places + 0.5, 0) * step).astype(np.int64))
        offsets = torch.tensor([-step, 0, step], device=self.device)
        x = (centre[..., 0, None] + offsets.repeat(3)).clamp(0, columns - 1)  # (N, 15, 9)
        y = (centre[..., 1, None] + offsets.repeat_interleave(3)).clamp(0, rows - 1)
        keys = buffer[self._there(plan.pictures)[:, None, None], y, x]
        own = whose(keys) == torch.arange(people, device=self.device)[:, None, None]
        near = (depth - cover)[..., None] < unpack(keys)[0]
        seen = (own & near).any(-1) & (visibility == OCCLUDED)
        return torch.where(seen, VISIBLE, visibility), pixels[:people]
