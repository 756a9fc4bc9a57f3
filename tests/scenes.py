"""Random people and cameras for tests: skeletons with the mean limb lengths, placed so that they do not coincide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from smap import SMAP15, Camera, Letterbox, Maps
from smap.lift import Views
from smap.maps import MAP_NAMES
from smap.ops import make_targets

SIGMA, HALF_WIDTH = 1.5, 2.0  # map pixels
CLEARANCE = 7.0  # map pixels between limbs of one kind: wider than a limb in the maps


def random_person(rng: np.random.Generator, root: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(15, 3)`` metres: limbs of mean length times a common factor, hanging from a roughly upright trunk."""
    joints = np.zeros((15, 3))
    joints[SMAP15.root] = root
    stature = rng.uniform(0.85, 1.1)
    yaw = rng.uniform(0, 2 * np.pi)
    right = np.array([np.cos(yaw), 0, np.sin(yaw)])
    for limb, (parent, child) in enumerate(SMAP15.limbs):
        name = SMAP15.joints[child]
        side = {"left": 1, "righ": -1}.get(name[:4], 0)
        lean = {"neck": [0, -1, 0], "head_top": [0, -1, 0]}.get(name, [0, 1, 0])
        spread = 3.0 if "shoulder" in name or "hip" in name else 0.4
        direction = np.array(lean) + side * spread * right + rng.normal(0, 0.35, 3)
        joints[child] = joints[parent] + direction / np.linalg.norm(direction) * SMAP15.limb_lengths[limb] * stature
    return joints


def segment_distance(a: NDArray[np.float64], b: NDArray[np.float64], steps: int = 12) -> float:
    """Smallest distance of two segments ``(2, 2)``, sampled."""
    t = np.linspace(0, 1, steps)[:, None]
    p, q = a[0] + t * (a[1] - a[0]), b[0] + t * (b[1] - b[0])
    return float(np.sqrt(((p[:, None] - q[None]) ** 2).sum(-1)).min())


def coincide(a: NDArray[np.float64], b: NDArray[np.float64], clearance: float = CLEARANCE) -> bool:
    """Whether two people ``(15, 2)`` in map pixels have a limb of the same kind in the same place."""
    return any(segment_distance(a[list(limb)], b[list(limb)]) < clearance for limb in SMAP15.limbs)


def random_scene(
    seed: int, people: int, input_size: tuple[int, int] = (832, 512)
) -> tuple[NDArray[np.float64], Camera, Letterbox]:
    """Up to ``people`` people ``(P, 15, 3)`` in metres who do not coincide, all inside the image, nearest first."""
    rng = np.random.default_rng(seed)
    width, height = int(rng.integers(400, 2000)), int(rng.integers(400, 1500))
    camera = Camera.from_fov(width, height, rng.uniform(40, 80))
    box = Letterbox.fit(width, height, input_size)
    placed: list[NDArray[np.float64]] = []
    for _ in range(people * 40):
        if len(placed) == people:
            break
        pixel = np.array([rng.uniform(0, width), rng.uniform(0.2, 0.8) * height])
        depth = rng.uniform(3, 14) if people < 8 else rng.uniform(8, 18)
        person = random_person(rng, camera.back_project(pixel, np.asarray(depth)))
        if person[:, 2].min() < 0.5:
            continue
        map_xy = box.image_to_map(camera.project(person))
        inside = (map_xy > 2.5) & (map_xy < np.array(box.map_size) - 3.5)
        # A joint straight behind its parent leaves no limb in the image.
        short = min(np.linalg.norm(map_xy[a] - map_xy[b]) for a, b in SMAP15.limbs) < 2
        others = [box.image_to_map(camera.project(other)) for other in placed]
        if inside.all() and not short and not any(coincide(map_xy, other) for other in others):
            placed.append(person)
    placed.sort(key=lambda joints: joints[SMAP15.root, 2])
    return np.array(placed).reshape(-1, 15, 3), camera, box


def targets(people: NDArray[np.float64], camera: Camera, box: Letterbox, seen: NDArray[np.bool_] | None = None) -> Maps:
    """The maps a perfect network would give."""
    width, height = box.map_size
    joints = torch.from_numpy(box.image_to_map(camera.project(people))).float()[None]
    seen = np.ones(people.shape[:2], bool) if seen is None else seen
    made = make_targets(
        joints,
        torch.from_numpy(people[..., 2]).float()[None],
        torch.from_numpy(seen.astype(np.uint8) * 2)[None],
        torch.tensor([1 / box.depth_factor(camera.fx)]),
        torch.tensor(SMAP15.limbs),
        torch.tensor([[SIGMA, HALF_WIDTH]]),
        (height, width),
    )
    return Maps(made.heatmaps[:, 0], made.pafs[:, 0], made.limb_depths[:, 0].nan_to_num(), made.root_depth)


def scene_maps(
    seeds: Sequence[int], people: int = 6, input_size: tuple[int, int] = (416, 256)
) -> tuple[Maps, Views, list[tuple[NDArray[np.float64], Camera, Letterbox]]]:
    """A batch of random scenes: the maps of a perfect network, how the images lie on them, and the scenes."""
    scenes = [random_scene(seed, people, input_size) for seed in seeds]
    each = [targets(*scene) for scene in scenes]
    maps = Maps(*(torch.cat([getattr(m, name) for m in each]) for name in MAP_NAMES))
    return maps, Views.of([box for *_, box in scenes], [camera for _, camera, _ in scenes], "cpu"), scenes
