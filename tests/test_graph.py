"""The path of a GPU, taken on every device: fixed shapes, one buffer back, memory used again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from smap import Camera, DecodeConfig, Estimator, Letterbox
from smap.constants import kept_constants
from smap.graph import MAX_GRAPHS, Pipeline, Runner, pack, packed_width, unpack
from smap.lift import Lifted, Views
from smap.network import MirroredNetwork

SIZE = (96, 64)


def estimator_and_runner(
    untrained: tuple[Path, Path], device: torch.device, refined: bool = True
) -> tuple[Estimator, Runner]:
    decode = DecodeConfig(peak_threshold=0.0, counted_share=0.0, min_joints=1, max_people=40)
    if refined:
        decode = replace(decode, min_person_score=0.5)  # about half of them, of a judge that has learnt nothing
    estimator = Estimator(
        untrained[0],
        refiner=untrained[1] if refined else None,
        device=device,
        dtype=torch.float32,
        decode=decode,
        input_size=SIZE,
    )
    steps = Pipeline(estimator._network.eager, estimator._refiner, decode, estimator.skeleton)
    return estimator, Runner(steps, device)


def pictures(count: int, seed: int = 0) -> tuple[torch.Tensor, Views]:
    """Canvases as the letterbox makes them of random pictures, each with its own camera."""
    random = np.random.default_rng(seed)
    boxes = [Letterbox.fit(int(w), int(h), SIZE) for w, h in random.integers(60, 200, (count, 2))]
    canvases = [box.apply(random.integers(0, 256, (box.height, box.width, 3), dtype=np.uint8)) for box in boxes]
    cameras = [Camera.from_fov(box.width, box.height, 40 + 5 * i) for i, box in enumerate(boxes)]
    return torch.from_numpy(np.stack(canvases)), Views.of(boxes, cameras, "cpu")


def assert_equal(found: Lifted, expected: Lifted) -> None:
    assert torch.equal(found.counts, expected.counts.cpu())
    for image, count in enumerate(found.counts.tolist()):
        for a, b in zip(found[:-1], expected[:-1], strict=True):
            torch.testing.assert_close(a[image, :count], b[image, :count].cpu(), rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("refined", [False, True])
def test_equals_the_steps_one_by_one(untrained: tuple[Path, Path], device: torch.device, refined: bool) -> None:
    estimator, run = estimator_and_runner(untrained, device, refined)
    people = 0
    for seed, batch in enumerate((1, 2, 1, 3, 2)):  # shapes come again, with other pictures
        canvases, views = pictures(batch, seed)
        expected = estimator._lift(estimator._maps(canvases), Views(*(t.to(device) for t in views)))
        found = run(canvases, views)
        assert_equal(found, expected)
        assert all(t.device.type == "cpu" for t in found)
        people += int(found.counts.sum())
        assert 0 < found.counts.sum() < batch * run.pipeline.decode.max_people
    assert people > 20


def test_results_stay_when_the_memory_is_used_again(untrained: tuple[Path, Path], device: torch.device) -> None:
    _, run = estimator_and_runner(untrained, device)
    first, second = pictures(1, 1), pictures(1, 2)
    found = run(*first)
    kept = [t.clone() for t in found]
    run(*second)
    for a, b in zip(found, kept, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


def test_mirrored_pictures_too(untrained: tuple[Path, Path], device: torch.device) -> None:
    estimator, _ = estimator_and_runner(untrained, device)
    network = MirroredNetwork(estimator._network)
    steps = Pipeline(network.eager, estimator._refiner, estimator.decode, estimator.skeleton)
    canvases, views = pictures(2, 3)
    lifted = steps(canvases.to(device), Views(*(t.to(device) for t in views)))
    assert lifted.counts.sum() > 5
    assert_equal(Runner(steps, device)(canvases, views), lifted)


def test_constants_that_a_graph_reads_are_kept(untrained: tuple[Path, Path]) -> None:
    _, run = estimator_and_runner(untrained, torch.device("cpu"))
    canvases, views = pictures(1)
    with kept_constants() as kept:
        run.pipeline(canvases, views)
    tensors = [t for made in kept for t in (made if isinstance(made, tuple) else (made,))]
    assert len(tensors) > 5 and all(isinstance(t, torch.Tensor) for t in tensors)
    count = len(kept)
    run.pipeline(canvases, views)
    assert len(kept) == count


def test_a_wrong_call_neither_gives_a_result_nor_spoils_the_shape(
    untrained: tuple[Path, Path], device: torch.device
) -> None:
    _, run = estimator_and_runner(untrained, device)
    canvases, views = pictures(2)
    for _ in range(2):  # before and after the shape is known
        with pytest.raises(TypeError, match=r"canvases must be uint8, got torch\.float32"):
            run(canvases.float(), views)
        with pytest.raises(ValueError, match="views must be of 2 images, got 1"):
            run(canvases, Views(*(t[:1] for t in views)))
        run(canvases, views)


def test_keeps_few_shapes(untrained: tuple[Path, Path], device: torch.device) -> None:
    _, run = estimator_and_runner(untrained, device)
    batches = range(1, MAX_GRAPHS + 3)
    before = [run(*pictures(batch, batch)) for batch in batches]
    assert [shape[0] for shape in run._runs] == list(batches)[-MAX_GRAPHS:]
    for batch, expected in zip(batches, before, strict=True):  # those that were dropped are built again
        assert_equal(run(*pictures(batch, batch)), expected)


def test_threads_take_turns(untrained: tuple[Path, Path], device: torch.device) -> None:
    _, run = estimator_and_runner(untrained, device)
    jobs = [pictures(1 + seed % 3, seed) for seed in range(12)]
    expected = [run(*job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        for found, alone in zip(pool.map(lambda job: run(*job), jobs), expected, strict=True):
            assert_equal(found, alone)


def test_pack_inverts() -> None:
    joints = torch.rand(2, 4, 3, 3), torch.rand(2, 4, 3, 2), torch.rand(2, 4, 3)
    lifted = Lifted(*joints, torch.rand(2, 4), torch.tensor([4, 0]))
    lifted.joints_3d[1, 2] = torch.nan
    packed = pack(lifted)
    assert packed.shape == (2, packed_width(4, 3))
    for a, b in zip(unpack(packed, 3), lifted, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


@pytest.mark.cuda
def test_a_prediction_waits_once_and_copies_little(untrained: tuple[Path, Path]) -> None:
    """Nothing between the upload and the result makes the host wait: torch says so, and the graph could be captured."""
    _, run = estimator_and_runner(untrained, torch.device("cuda"))
    job = pictures(2, 3)
    run(*job)
    steps = run.pipeline
    canvases, views = job[0].cuda(), Views(*(t.cuda() for t in job[1]))
    torch.cuda.set_sync_debug_mode("error")
    try:
        steps(canvases, views)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    people, joints = steps.decode.max_people, steps.skeleton.num_joints
    assert next(iter(run._runs.values())).host[-1].numel() == 2 * packed_width(people, joints)


@pytest.mark.cuda
def test_an_estimator_on_a_gpu_equals_one_on_the_cpu(untrained: tuple[Path, Path]) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (50, 70, 3), dtype=np.uint8) for _ in range(3)]
    decode = DecodeConfig(peak_threshold=0.0, counted_share=0.0, min_joints=1)
    results = []
    for device in ("cpu", "cuda"):
        estimator = Estimator(
            untrained[0], refiner=None, device=device, dtype=torch.float32, decode=decode, input_size=SIZE
        )
        results.append(estimator.predict_batch(images))
    # The maps differ by rounding: a few peaks of noise may come or go, most people are the same.
    for on_cpu, on_gpu in zip(*results, strict=True):
        assert len(on_cpu) > 0 and abs(len(on_cpu) - len(on_gpu)) <= 1 + len(on_cpu) // 20


@pytest.mark.cuda
def test_runs_on_the_stream_of_the_caller(untrained: tuple[Path, Path]) -> None:
    _, run = estimator_and_runner(untrained, torch.device("cuda"))
    job = pictures(1, 5)
    expected = run(*job)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        assert_equal(run(*job), expected)
    assert_equal(run(*pictures(1, 5)), expected)
