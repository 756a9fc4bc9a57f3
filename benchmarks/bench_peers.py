"""The library beside its peers, on the same scenes in the same run; thread CPU time, one thread.

TRT_POSE=DIR pytest benchmarks/bench_peers.py --benchmark-enable --benchmark-only

DIR is a checkout of https://github.com/NVIDIA-AI-IOT/trt_pose; without it that peer is skipped. The joints that each
decoder finds are counted outside the timed part.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from benchmarks import authors_way
from benchmarks.association_scenes import HEIGHT, INPUT_WIDTH, STRIDE, WIDTH, Array, Scene, crowd, make_scene, match
from benchmarks.association_scenes import places_of as places_of_detections
from benchmarks.bench_make_targets import SCALES
from benchmarks.trt_pose import TrtPose
from smap import SMAP15, Camera, DecodeConfig, Letterbox, Maps, decode, lift
from smap.ops import make_targets

torch.set_num_threads(1)
TIMED, COUNTED = 6, 12  # scenes of every size that are timed, and those whose joints are counted
PEOPLE = [3, 10, 20, 50]
IMAGE = (640, 480)  # width, height


@cache
def scenes(people: int) -> list[Scene]:
    """Limbs of any length have a PAF: trt_pose has no other way to join them."""
    return [make_scene(seed, people, shortest_limb=1e-3) for seed in range(COUNTED)]


class Decoder(NamedTuple):
    """``run`` of what ``prepare`` makes of maps; ``places (P, J, 2)`` of what it found, map pixels or NaN."""

    prepare: Callable[[Maps], Any]
    run: Callable[..., Any]
    places: Callable[[Any], Array]


def smap_decoder(association: str) -> Decoder:
    config = DecodeConfig(association=association)
    return Decoder(lambda maps: (maps,), partial(decode, config=config), places_of_detections)


def release_decoder() -> Decoder:
    def prepare(maps: Maps) -> tuple[Array, Array]:
        both, _, root_depth = authors_way.release_layout(maps)
        return both, root_depth

    def places(found: tuple[list[Array], list[list[int]]]) -> Array:
        xy = authors_way.bodies(*found)
        return np.where(xy[..., 3:] > 0, xy[..., :2] / STRIDE - 0.5, np.nan)

    return Decoder(prepare, authors_way.decode, places)


@pytest.fixture(scope="module")
def trt_pose() -> Decoder:
    if "TRT_POSE" not in os.environ:
        pytest.skip("TRT_POSE must be a checkout: git clone https://github.com/NVIDIA-AI-IOT/trt_pose")
    parser = TrtPose(Path(os.environ["TRT_POSE"]))
    return Decoder(parser.prepare, parser.run, partial(parser.places, size=(HEIGHT, WIDTH)))


def measure(benchmark: Any, calls: Sequence[Callable[[], Any]], rounds: int) -> None:
    """Time the calls in turn, each just after a round that is not timed, so that its maps are in the cache.

    ``extra_info["seconds"]`` is the mean over the calls of each one's fastest round: what a busy machine spoils least.
    """
    turn = itertools.cycle(calls)

    def warm() -> tuple[tuple[Callable[[], Any]], dict[str, Any]]:
        call = next(turn)
        call()
        return (call,), {}

    benchmark.pedantic(lambda call: call(), setup=warm, rounds=rounds * len(calls))
    if benchmark.stats is not None:
        every = np.reshape(benchmark.stats.stats.data, (rounds, len(calls)))
        benchmark.extra_info["seconds"] = every.min(0).mean()


def quality(decoder: Decoder, people: int) -> dict[str, float]:
    right, true, found = 0, 0, 0
    for scene in scenes(people):
        places = decoder.places(decoder.run(*decoder.prepare(scene.maps)))
        right += match(scene, places)[2].sum()
        true += np.isfinite(scene.joints[..., 0]).sum()
        found += np.isfinite(places[..., 0]).sum()
    return {"recall": round(right / true, 3), "precision": round(right / found, 3)}


@pytest.mark.parametrize("who", ["smap", "smap, depth-aware", "trt_pose", "the release's steps"])
@pytest.mark.parametrize("people", PEOPLE)
@pytest.mark.benchmark(group="peers", timer=time.thread_time)
def test_decode(benchmark, request: pytest.FixtureRequest, people: int, who: str) -> None:
    if who == "trt_pose":
        decoder = request.getfixturevalue("trt_pose")
    elif who == "the release's steps":
        decoder = release_decoder()
    else:
        decoder = smap_decoder("depth-aware" if "depth-aware" in who else "optimal")
    calls = [partial(decoder.run, *decoder.prepare(scene.maps)) for scene in scenes(people)[:TIMED]]
    benchmark.extra_info.update(job=f"decode, {people} people", who=who, **quality(decoder, people))
    measure(benchmark, calls, rounds=5 if who == "the release's steps" else 100)


@pytest.mark.parametrize("who", ["smap", "the release's steps"])
@pytest.mark.parametrize("people", [3, 20])
@pytest.mark.benchmark(group="peers", timer=time.thread_time)
def test_decode_and_lift(benchmark, people: int, who: str) -> None:
    box, camera = Letterbox.fit(*IMAGE, (INPUT_WIDTH, HEIGHT * STRIDE)), Camera.default(*IMAGE)
    view = {"scale": box.scale, "img_width": IMAGE[0], "img_height": IMAGE[1], "net_width": INPUT_WIDTH}
    view |= {"net_height": HEIGHT * STRIDE, "f_x": camera.fx, "f_y": camera.fy, "cx": camera.cx, "cy": camera.cy}

    def ours(maps: Maps) -> None:
        lift(maps, decode(maps), box, camera)

    def theirs(both: Array, limb_depths: Array, root_depth: Array) -> None:
        authors_way.lift(authors_way.bodies(*authors_way.decode(both, root_depth)), limb_depths, root_depth, view)

    maps = [scene.maps for scene in scenes(people)[:TIMED]]
    if who == "smap":
        calls = [partial(ours, m) for m in maps]
    else:
        calls = [partial(theirs, *authors_way.release_layout(m)) for m in maps]
    benchmark.extra_info.update(job=f"decode and lift, {people} people", who=who)
    measure(benchmark, calls, rounds=100 if who == "smap" else 5)


@pytest.mark.parametrize("who", ["smap", "the release's steps"])
@pytest.mark.parametrize("people", [3, 20])
@pytest.mark.benchmark(group="peers", timer=time.thread_time)
def test_make_targets(benchmark, people: int, who: str) -> None:
    calls = []
    for seed in range(TIMED):
        joints, normalised, _ = crowd(np.random.default_rng(seed), people, 0)
        inside = ((joints[..., :2] >= 0) & (joints[..., :2] < [WIDTH - 0.5, HEIGHT - 0.5])).all(-1)
        if who == "smap":
            calls.append(partial(library_targets, joints, inside, normalised[0, 0] / joints[0, 0, 2]))
        else:
            theirs = np.concatenate(
                [(joints + np.array([0.5, 0.5, 0])) * [STRIDE, STRIDE, 100], 2.0 * inside[..., None]], -1
            )
            calls.append(partial(authors_way.make_targets, theirs, (HEIGHT, WIDTH)))
    benchmark.extra_info.update(job=f"targets at 5 scales, {people} people", who=who)
    measure(benchmark, calls, rounds=20 if who == "smap" else 2)


def library_targets(joints: Array, inside: Array, depth_scale: float) -> None:
    make_targets(
        torch.from_numpy(joints[None, ..., :2]).float(),
        torch.from_numpy(joints[None, ..., 2]).float(),
        torch.from_numpy(inside[None].astype(np.uint8)),
        torch.tensor([depth_scale], dtype=torch.float32),
        torch.tensor(SMAP15.limbs),
        torch.tensor(SCALES),
        (HEIGHT, WIDTH),
    )
