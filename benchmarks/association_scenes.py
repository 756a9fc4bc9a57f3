"""Crowds for the decode: maps as a network might give them, and who stands where.

    python -m benchmarks.association_scenes                # recall and precision of every association; who is put
                                                           # together where two people share a place
    python -m benchmarks.association_scenes --official     # on the crowds that the release's fixtures come from

People stand, sit, overlap, and hold on to each other; joints are hidden by nearer people, missing, or imagined; all
maps are noisy. Every scene follows from its seed.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from tests.conftest import SHARED
from tests.scenes import random_person, targets

from smap import SMAP15, Camera, DecodeConfig, Detections, Letterbox, Maps, decode
from smap.ops import find_peaks

Array = NDArray[np.float64]

INPUT_WIDTH, STRIDE = 832, 4  # input pixels, input pixels per map pixel
HEIGHT, WIDTH = 128, 208  # map pixels
PELVIS, NECK = SMAP15.limbs[0]
TOLERANCE = 2.0  # map pixels from the true place
DEPTH_TOLERANCE = 0.15  # of the true depth, for half bodies
WAIST_DOWN = [i for i, name in enumerate(SMAP15.joints) if name.endswith(("pelvis", "hip", "knee", "ankle"))]
LIMB_RADIUS, REACH = 2.7, 2.0  # map pixels that a PAF spreads to the sides and beyond the ends


@dataclass(frozen=True)
class Scene:
    """Maps of one image and the truth behind them.

    Args:
        maps: a batch of one.
        joints: ``(P, J, 2)`` map pixels of every joint that left a peak, NaN for the others.
        root_depth: ``(P,)`` normalised depth (Eq. 1) of every pelvis, of the neck for half bodies.
        half: ``(P,)`` people whose pelvis and legs nobody can see.
    """

    maps: Maps
    joints: Array
    root_depth: Array
    half: NDArray[np.bool_]


def person(rng: np.random.Generator, sitting: bool) -> Array:
    """``(J, 3)`` metres around the pelvis, camera axes."""
    stature = rng.uniform(0.85, 1.12)
    yaw = rng.uniform(0, 2 * np.pi)
    right, ahead = np.array([np.cos(yaw), 0, np.sin(yaw)]), np.array([-np.sin(yaw), 0, np.cos(yaw)])
    up = np.array([0.0, -1.0, 0.0])
    trunk = up + ahead * rng.normal(0, 0.2) + right * rng.normal(0, 0.1)
    joints = np.zeros((SMAP15.num_joints, 3))
    arms = {side: rng.normal(0, 0.5, 3) - up * rng.choice([0.9, 0.9, -0.6]) for side in ("left", "right")}
    for (parent, child), length in zip(SMAP15.limbs, SMAP15.limb_lengths, strict=True):
        side, _, part = SMAP15.joints[child].rpartition("_")
        out = {"left": right, "right": -right}.get(side, 0 * right)
        direction = {
            "neck": trunk,
            "top": trunk + ahead * rng.normal(0, 0.2),
            "shoulder": out - trunk * rng.uniform(0, 0.3),
            "elbow": arms.get(side, up) + out * 0.2,
            "wrist": arms.get(side, up) + ahead * rng.uniform(0, 1.2) + rng.normal(0, 0.4, 3),
            "hip": out - up * 0.15,
            "knee": -up + out * 0.1 + ahead * (rng.uniform(1.5, 3) if sitting else rng.normal(0, 0.25)),
            "ankle": -up + ahead * rng.normal(-0.15, 0.2),
        }[part]
        joints[child] = joints[parent] + direction / np.linalg.norm(direction) * length * stature
    return joints


def crowd(rng: np.random.Generator, people: int, halves: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Joints ``(P, J, 3)`` in map pixels and metres, their normalised depth ``(P, J)`` and half bodies, near to far."""
    focal = INPUT_WIDTH * rng.uniform(0.8, 1.4)  # input pixels
    near, far = focal / INPUT_WIDTH * np.array([4, 10.5])  # metres to the front and the back of the crowd
    height = rng.uniform(1.3, 5.0)  # of the camera above the ground, metres; it looks at the middle of the crowd
    pitch = np.arctan2(height - 0.9, (near + far) / 2)
    turn = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    placed: list[Array] = []
    half: list[bool] = []
    while len(placed) < people:
        sitting = rng.random() < 0.25
        depth = rng.uniform(near**2, far**2) ** 0.5  # as many people on every square metre
        x = rng.uniform(-0.46, 0.46) * INPUT_WIDTH / focal * depth
        if placed and rng.random() < 0.15:  # arm in arm with somebody, or right behind
            other = placed[rng.integers(len(placed))][PELVIS] @ turn
            x, depth = other[0] + rng.normal(0, 0.4), max(near, other[2] + rng.normal(0, 0.5))
        root = np.array([x, height - (0.5 if sitting else 0.92), depth])
        joints = (person(rng, sitting) + root) @ turn.T
        if joints[:, 2].min() > 0.5:
            placed.append(joints)
            half.append(rng.random() < halves)
    order = np.argsort([joints[PELVIS, 2] for joints in placed], kind="stable")
    joints = np.array(placed)[order]
    xy = joints[..., :2] / joints[..., 2:] * focal / STRIDE + [(WIDTH - 1) / 2, (HEIGHT - 1) / 2]
    return np.concatenate([xy, joints[..., 2:]], -1), joints[..., 2] * INPUT_WIDTH / focal, np.array(half)[order]


def occluded(joints: Array, normalised: Array) -> NDArray[np.bool_]:
    """``(P, J)``: behind a limb of a nearer person."""
    hidden = np.zeros(joints.shape[:2], bool)
    scale = WIDTH / normalised[:, PELVIS]  # map pixels per metre
    for p in range(1, len(joints)):
        for (parent, child), is_trunk in zip(SMAP15.limbs, [True] + [False] * 13, strict=True):
            a, b = joints[:p, parent], joints[:p, child]
            t = ((joints[p, :, None, :2] - a[:, :2]) * (b - a)[:, :2]).sum(-1) / ((b - a)[:, :2] ** 2).sum(-1)
            nearest = a + np.clip(t, 0, 1)[..., None] * (b - a)
            distance = np.linalg.norm(joints[p, :, None, :2] - nearest[..., :2], axis=-1)
            width = (0.13 if is_trunk else 0.05) * scale[:p]
            hidden[p] |= ((distance < width) & (nearest[..., 2] < joints[p, :, None, 2])).any(-1)
    return hidden


def make_scene(seed: int, people: int, halves: float = 0.0, noise: float = 1.0, shortest_limb: float = 1.0) -> Scene:
    """A scene of exactly ``people`` people, a share ``halves`` of them visible only above the waist.

    Limbs shorter than ``shortest_limb`` map pixels have neither PAF nor depth, as in the release's targets.
    """
    rng = np.random.default_rng((seed, people, int(halves * 100)))
    joints, normalised, half = crowd(rng, people, halves)
    hidden = occluded(joints, normalised)
    # Depth is told at the pelvis, and at the neck of people without one, as the training targets do.
    anchor = np.where(half, NECK, PELVIS)
    root, root_depth = joints[np.arange(people), anchor], normalised[np.arange(people), anchor]
    inside = ((joints[..., :2] > -0.5) & (joints[..., :2] < [WIDTH - 0.5, HEIGHT - 0.5])).all(-1)
    inside[np.ix_(half, WAIST_DOWN)] = False
    seen = inside & (rng.random(hidden.shape) > np.where(hidden, 0.04, 0.005) * noise)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)

    places = joints[..., :2] + rng.normal(0, 0.25 * noise, (*hidden.shape, 2))
    heights = rng.uniform(0.8, 1.0, hidden.shape) * np.where(hidden, rng.uniform(0.5, 1, hidden.shape), 1)
    heat = np.zeros((SMAP15.num_joints, HEIGHT, WIDTH))
    blobs = [(j, *places[p, j], heights[p, j]) for p, j in zip(*np.nonzero(seen), strict=True)]
    for _ in range(rng.poisson(3 * noise)):  # peaks where nobody is
        where = rng.uniform([2, 2], [WIDTH - 3, HEIGHT - 3])
        blobs.append((int(rng.integers(SMAP15.num_joints)), *where, rng.uniform(0.12, 0.5)))
    for j, px, py, height in blobs:
        sigma = rng.uniform(1.3, 1.9)
        window = np.s_[max(int(py) - 8, 0) : int(py) + 10, max(int(px) - 8, 0) : int(px) + 10]
        blob = height * np.exp(-((x[window] - px) ** 2 + (y[window] - py) ** 2) / (2 * sigma**2))
        np.maximum(heat[j][window], blob, out=heat[j][window])

    pafs, depths = np.zeros((14, 2, HEIGHT, WIDTH)), np.zeros((14, HEIGHT, WIDTH))
    for limb, (parent, child) in enumerate(SMAP15.limbs):
        weight = np.full((HEIGHT, WIDTH), 1e-9)
        for p in np.nonzero(inside[:, parent] | inside[:, child])[0]:
            a, b = joints[p, parent], joints[p, child]
            length = np.linalg.norm((b - a)[:2])
            if length < shortest_limb:
                continue
            low = np.floor(np.minimum(a, b)[:2] - LIMB_RADIUS - REACH).clip(0).astype(int)
            high = np.ceil(np.maximum(a, b)[:2] + LIMB_RADIUS + REACH + 1).clip(0).astype(int)
            window = np.s_[low[1] : high[1], low[0] : high[0]]
            ux, uy = (b - a)[:2] / length
            along = (x[window] - a[0]) * ux + (y[window] - a[1]) * uy
            across = np.abs((x[window] - a[0]) * uy - (y[window] - a[1]) * ux)
            near = np.clip(LIMB_RADIUS - across, 0, 1) * ((along > -REACH) & (along < length + REACH))
            ends_hidden = 0.5 * (hidden[p, parent] + 0.0 + hidden[p, child])
            strength = rng.uniform(0.75, 1.0) * (1 - ends_hidden * rng.uniform(0, 0.6))
            pafs[limb, 0][window] += near * strength * ux
            pafs[limb, 1][window] += near * strength * uy
            depths[limb][window] += near * (b - a)[2]
            weight[window] += near
        pafs[limb] /= np.maximum(weight, 1)
        depths[limb] /= weight

    nearest = ((x[..., None] - root[:, 0]) ** 2 + (y[..., None] - root[:, 1]) ** 2).argmin(-1)
    estimate = root_depth * (1 + rng.normal(0, 0.03 * noise, people))
    depth_map = estimate[nearest] + rng.normal(0, 0.02 * noise, nearest.shape)
    heat += rng.normal(0, 0.008 * noise, heat.shape)
    pafs += rng.normal(0, 0.03 * noise, pafs.shape)
    depths += rng.normal(0, 0.03 * noise, depths.shape)

    def batch(value: Array) -> torch.Tensor:
        return torch.from_numpy(value[None].astype(np.float32))

    maps = Maps(batch(heat), batch(pafs), batch(depths), batch(depth_map))
    return Scene(maps, np.where(seen[..., None], places, np.nan), root_depth, half)


def one_behind_the_other(seed: int, apart: float) -> Scene:
    """Exact targets of two people, the nearer first, whose pelvises lie on one ray but for up to ``apart`` metres, the
    farther one 1.25 to 1.6 times as far away: they share a place in the picture (the paper's Fig. 3)."""
    rng = np.random.default_rng((seed, round(apart * 1000)))
    camera, box = Camera(1100, 1100, 639.5, 359.5), Letterbox.fit(1280, 720, (INPUT_WIDTH, HEIGHT * STRIDE))
    while True:
        depth, ratio = rng.uniform(3.5, 7), rng.uniform(1.25, 1.6)
        root = np.array([rng.uniform(-0.3, 0.3) * depth, rng.uniform(-0.1, 0.1) * depth, depth])
        beside = np.array([rng.uniform(-apart, apart), 0, 0])
        people = np.stack([random_person(rng, root / ratio + beside), random_person(rng, root)])
        joints = box.image_to_map(camera.project(people))
        if (joints > 1).all() and (joints < [WIDTH - 2, HEIGHT - 2]).all():
            root_depth = people[:, PELVIS, 2] / box.depth_factor(camera.fx)
            return Scene(targets(people, camera, box), joints, root_depth, np.zeros(2, bool))


METHODS = {
    "paf": DecodeConfig(association="paf"),
    "depth-aware": DecodeConfig(association="depth-aware"),
    "  the authors' settings": DecodeConfig.official(),
    "  no ordinal prior": DecodeConfig(association="depth-aware", ordinal_prior=False),
    "  no length limit": DecodeConfig(association="depth-aware", length_slack=1e9),
    "optimal": DecodeConfig(),
    "  no ordinal prior ": DecodeConfig(ordinal_prior=False),
}


def match(scene: Scene, places: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Found people, their true people and the joints that are right, each within ``TOLERANCE`` of its place.

    Args:
        places: ``(P, J, 2)`` map pixels of the people found, NaN where a joint was not.
    """
    right = (np.linalg.norm(places[:, None] - scene.joints, axis=-1) < TOLERANCE).sum(-1)
    rows, columns = linear_sum_assignment(-right)
    return rows, columns, right[rows, columns]


def count_joints(scene: Scene, config: DecodeConfig) -> NDArray[np.int64]:
    """Joints that are right, true and found; half bodies kept and all."""
    found = decode(scene.maps, config)
    places = places_of(found)
    rows, columns, right = match(scene, places)
    joints = np.isfinite(places[..., 0])
    share = right / np.maximum(joints[rows].sum(-1), 1)
    near = np.abs(found.root_depths[0].numpy()[rows] / scene.root_depth[columns] - 1) < DEPTH_TOLERANCE
    kept = (scene.half[columns] & (share > 0.5) & (right >= 3) & near).sum()
    truth = np.isfinite(scene.joints[..., 0]).sum()
    return np.array([right.sum(), truth, joints.sum(), kept, scene.half.sum()])


def joints_of_each(scene: Scene, config: DecodeConfig) -> Array:
    """``(P,)`` share of every true person's joints that are right."""
    _, columns, right = match(scene, places_of(decode(scene.maps, config)))
    shares = np.zeros(len(scene.joints))
    shares[columns] = right
    return np.asarray(shares / np.isfinite(scene.joints[..., 0]).sum(-1))


def places_of(found: Detections) -> Array:
    """``(P, J, 2)`` map pixels of the first image's people, NaN for joints that were not found."""
    people = found.people[0, : found.count[0]].numpy()
    places = found.peaks.xy[0].numpy()[np.arange(people.shape[1]), people].astype(np.float64)
    places[people < 0] = np.nan
    return places


def ceiling(scenes: list[Scene]) -> float:
    """Share of the true joints that have a peak of their own: no association finds more."""
    own = truth = 0
    for scene in scenes:
        found = find_peaks(scene.maps.heatmaps, DecodeConfig().peak_threshold)
        for joint, count in enumerate(found[2][0].tolist()):
            distance = np.linalg.norm(scene.joints[:, joint, None] - found[0][0, joint, :count].numpy(), axis=-1)
            near = np.nan_to_num(distance, nan=np.inf) < TOLERANCE
            own += near[linear_sum_assignment(near, maximize=True)].sum()
        truth += np.isfinite(scene.joints[..., 0]).sum()
    return float(own / truth)


def time_of(scene: Scene, config: DecodeConfig, rounds: int = 5) -> float:
    """Best thread CPU time of a decode, microseconds."""
    times = []
    for _ in range(rounds):
        start = time.thread_time_ns()
        decode(scene.maps, config)
        times.append(time.thread_time_ns() - start)
    return min(times) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description="Joint recall and precision of every association, and its time.")
    parser.add_argument("--scenes", type=int, default=12, help="scenes of every kind")
    parser.add_argument("--first", type=int, default=0, help="seed of the first scene")
    parser.add_argument("--official", action="store_true", help="the crowds of the recorded fixtures (SMAP_SHARED)")
    args = parser.parse_args()
    seeds = range(args.first, args.first + args.scenes)
    torch.set_num_threads(1)
    if args.official:
        from .official_crowds import official_scene

        if not SHARED.is_dir():
            print(f"skipped: needs the shared data ({SHARED})")
            return
        kinds = {f"{n} people": [official_scene(SHARED, seed, n) for seed in seeds] for n in (10, 20, 50)}
    else:
        kinds = {f"{n} people": [make_scene(seed, n) for seed in seeds] for n in (10, 20, 50)}
        kinds["10, half of them half"] = [make_scene(seed, 10, halves=0.5) for seed in seeds]
    print(f"{'every joint with its peak':24}" + "".join(f"{ceiling(group):>28.3f}" for group in kinds.values()))
    print(f"{'':24}" + "".join(f"{kind:>28}" for kind in kinds) + "   half bodies kept")
    for name, config in METHODS.items():
        cells, kept = [], ""
        for group in kinds.values():
            right, truth, found, halves, all_halves = sum(count_joints(scene, config) for scene in group)
            microseconds = np.mean([time_of(scene, config) for scene in group])
            cells.append(f"{right / truth:.3f} / {right / found:.3f} {microseconds:6.0f} us")
            kept = f"{halves / max(all_halves, 1):.3f}"
        print(f"{name:24}" + "".join(f"{cell:>28}" for cell in cells) + f"   {kept}", flush=True)
    if args.official:
        return
    apart = (0.3, 0.12)
    pairs = [[one_behind_the_other(seed, metres) for seed in range(args.first, args.first + 100)] for metres in apart]
    print("\ntwo in one place, joints right of the nearer / the farther")
    print(f"{'':24}" + "".join(f"{f'roots within {100 * metres:.0f} cm':>28}" for metres in apart))
    for name, config in METHODS.items():
        means = [np.mean([joints_of_each(scene, config) for scene in group], 0) for group in pairs]
        print(f"{name:24}" + "".join(f"{f'{near:.3f} / {far:.3f}':>28}" for near, far in means), flush=True)


if __name__ == "__main__":
    main()
