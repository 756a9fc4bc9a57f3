"""``torch.compile(fullgraph=True)`` of the ops and of what is built on them, with gradients and any batch size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from smap import SMAP15, DecodeConfig, Maps, decode, ops
from smap.decode import limb_tables
from smap.lift import Views, lift_detections, lift_tensors
from smap.network import RefineNet, RefinerConfig
from tests.scenes import scene_maps

LIMBS = torch.tensor(SMAP15.limbs)


@pytest.fixture(autouse=True)
def fresh() -> None:
    torch._dynamo.reset()


def compiled(function: Callable[..., Any], backend: str = "aot_eager") -> Callable[..., Any]:
    """As one graph, or an error. aot_eager runs all of the tracing and none of the code generation."""
    return torch.compile(function, fullgraph=True, dynamic=True, backend=backend)


def equal(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(tuple(actual), tuple(expected), rtol=0, atol=0, equal_nan=True)


def people_in_maps(batch: int, people: int = 4, requires_grad: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs of ``make_targets``: map pixels, depths, visibility, w / f."""
    generator = torch.Generator().manual_seed(batch)
    joints = torch.rand(batch, people, 15, 2, generator=generator) * torch.tensor([40.0, 30.0])
    depths = torch.rand(batch, people, 15, generator=generator) * 6 + 2
    visibility = (torch.rand(batch, people, 15, generator=generator) > 0.2).to(torch.uint8)
    return joints.requires_grad_(requires_grad), depths, visibility, torch.full((batch,), 0.8)


def targets(*inputs: Tensor) -> ops.Targets:
    return ops.make_targets(*inputs, LIMBS, torch.tensor([[2.0, 1.5], [4.0, 2.0]]), (30, 40))


def from_maps(maps: Maps, views: Views, config: DecodeConfig, refiner: RefineNet | None = None) -> tuple[Tensor, ...]:
    found = decode(maps, config)
    return lift_detections(maps, found, views, refiner, min_person_score=config.min_person_score)


@pytest.mark.parametrize("refined", [False, True])
def test_maps_to_people_is_one_graph(refined: bool) -> None:
    """Compiled once: other batch sizes come without a second compilation."""
    torch.manual_seed(0)
    refiner = RefineNet(RefinerConfig(hidden=(8, 8), judge=(8,))).eval() if refined else None
    run, config, dropped = compiled(from_maps), DecodeConfig(), 0
    if refined:  # a judge that has learnt nothing is as sure of everybody as of anybody else
        maps, views, _ = scene_maps(range(8))
        scores = from_maps(maps, views, config, refiner)[3]
        config = DecodeConfig(min_person_score=float(scores[scores > 0].quantile(0.3)))
    # Starts at 3 images, as a tracer takes sizes that are equal in its first call to be equal always: PAFs have 2 axes.
    for seeds in ([0, 1, 2], [4, 6], [2, 3, 4, 6, 7]):
        maps, views, _ = scene_maps(seeds)
        expected = from_maps(maps, views, config, refiner)
        kept, found = (int(out[-1].sum()) for out in (expected, from_maps(maps, views, DecodeConfig())))
        assert 0 < kept <= found
        dropped += found - kept
        with torch._dynamo.config.patch(error_on_recompile=len(seeds) != 3):
            equal(run(maps, views, config, refiner), expected)
    assert (dropped > 0) == refined


def test_tensors_become_maps_within_the_graph() -> None:
    def people(*maps: Tensor) -> Tensor:
        return decode(Maps(*maps)).people

    maps, _, _ = scene_maps([0, 1, 2])
    tensors = maps.heatmaps, maps.pafs, maps.limb_depths, maps.root_depth
    equal(compiled(people)(*tensors), people(*tensors))


def test_every_op_is_one_graph() -> None:
    maps, views, _ = scene_maps([0, 1])
    limbs, lengths = limb_tables(SMAP15, torch.device("cpu"))

    def all_ops(maps: Maps, views: Views, limbs: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        xy, score, count = torch.ops.smap.find_peaks(maps.heatmaps, 0.1, 1.0, 16, False)
        scores = ops.score_limbs(maps.pafs, xy, count, limbs)
        people, total, depths = ops.associate(
            maps.pafs, maps.limb_depths, maps.root_depth, xy, score, count, limbs, lengths
        )
        relative = torch.ops.smap.read_limb_depths(maps.limb_depths, xy, people, limbs[:, :2].contiguous(), 4, 10, True)
        points = torch.ops.smap.back_project(xy[:, 0], score[:, 0], views.cameras)
        return xy, score, count, scores, people, total, depths, relative, points

    equal(compiled(all_ops)(maps, views, limbs, lengths), all_ops(maps, views, limbs, lengths))


def test_targets_are_one_graph_and_differentiable() -> None:
    """The gradient of a heatmap loss moves joints, in a compiled training step too."""

    def loss(*inputs: Tensor) -> Tensor:
        heatmaps = targets(*inputs).heatmaps
        weight = torch.linspace(-1, 1, heatmaps[0].numel()).reshape(heatmaps.shape[1:])
        return (heatmaps * weight).sum()

    run = compiled(loss)
    for batch in (2, 3):
        inputs = people_in_maps(batch, requires_grad=True)
        expected = torch.autograd.grad(loss(*inputs), inputs[0])
        assert expected[0].abs().max() > 0
        # The op's gradient is exact; aot_eager may only sum elsewhere in another order.
        torch.testing.assert_close(torch.autograd.grad(run(*inputs), inputs[0]), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_back_projection_is_one_graph_and_differentiable(backend: str) -> None:
    def loss(xy: Tensor, depth: Tensor, cameras: Tensor) -> Tensor:
        return (ops.back_project(xy, depth, cameras) ** 2).mean()

    run = compiled(loss, backend)
    for batch in (2, 3):
        generator = torch.Generator().manual_seed(batch)
        inputs = (
            torch.rand(batch, 9, 2, generator=generator) * 500,
            torch.rand(batch, 9, generator=generator) + 2,
            torch.rand(batch, 4, generator=generator) * 100 + 400,
        )
        for value in inputs:
            value.requires_grad_()
        value, expected = run(*inputs), loss(*inputs)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(torch.autograd.grad(value, inputs), torch.autograd.grad(expected, inputs))


def test_gradients_of_lifted_people_reach_what_they_are_made_of() -> None:
    """Through Eq. 3 to the peaks' places, the root depth and the camera, in eager and in a compiled step."""
    maps, views, _ = scene_maps([0, 1])
    found = decode(maps)
    cameras, places, depths = (t.clone().requires_grad_() for t in (views.cameras, found.peaks.xy, found.root_depths))

    def loss(places: Tensor, depths: Tensor, cameras: Tensor) -> Tensor:
        view = Views(views.frames, cameras)
        peaks = places, found.peaks.score
        lifted = lift_tensors(maps.limb_depths, *peaks, found.people, found.count, depths, view, SMAP15)
        return lifted.joints_3d.nan_to_num().abs().sum()

    inputs = (places, depths, cameras)
    expected = torch.autograd.grad(loss(*inputs), inputs)
    assert all(g.isfinite().all() and g.abs().max() > 0 for g in expected)
    actual = torch.autograd.grad(compiled(loss)(*inputs), inputs)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_a_trace_leaves_nothing_behind() -> None:
    """Tensors that a tracer made up must not be kept for the calls after it."""
    skeleton = type(SMAP15)(SMAP15.joints, SMAP15.limbs, tuple(length * 1.01 for length in SMAP15.limb_lengths))
    maps, views, _ = scene_maps([0, 1])
    maps = Maps(maps.heatmaps, maps.pafs, maps.limb_depths, maps.root_depth, skeleton)

    class Whole(torch.nn.Module):
        def forward(self, heatmaps: Tensor, pafs: Tensor, limb_depths: Tensor, root: Tensor) -> tuple[Tensor, ...]:
            return from_maps(Maps(heatmaps, pafs, limb_depths, root, skeleton), views, DecodeConfig())

    program = torch.export.export(Whole(), (maps.heatmaps, maps.pafs, maps.limb_depths, maps.root_depth))
    expected = program.module()(maps.heatmaps, maps.pafs, maps.limb_depths, maps.root_depth)
    equal(from_maps(maps, views, DecodeConfig()), expected)
