from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smap import SMAP15
from smap.lift import tree_of
from smap.ops.place_joints import place_joints, reference

from .check import check_op, move


def random_inputs(batch: int = 2, people: int = 5, seed: int = 0) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed * 10000 + batch * 100 + people)
    tree = tree_of(SMAP15, torch.device("cpu"))
    table = torch.randint(-3, 6, (batch, people, 15), generator=g)
    table[:, ::3, SMAP15.root] = -1  # half bodies
    return (
        torch.randn(batch, people, 14, generator=g),
        200 * torch.rand(batch, 15, 6, 2, generator=g),
        torch.rand(batch, 15, 6, generator=g),
        table,
        1 + 5 * torch.rand(batch, people, generator=g),
        torch.tensor([0.25, -0.375, 7.0, 1.5]).repeat(batch, 1),
        torch.tensor([810.0, 790.0, 400.0, 300.0]).repeat(batch, 1) + torch.rand(batch, 4, generator=g),
        tree.paths,
        tree.order,
    )


@pytest.mark.parametrize(("batch", "people"), [(2, 5), (1, 0), (0, 3), (3, 1)])
def test_equals_reference(batch: int, people: int, device: torch.device) -> None:
    args = [*random_inputs(batch, people)]
    for expected, actual in zip(reference(*args), place_joints(*move(args, device)), strict=True):
        torch.testing.assert_close(actual.cpu(), expected, equal_nan=True)
    args[3] = args[3].clamp(min=0)  # everybody whole: opcheck takes NaN for a difference
    check_op(torch.ops.smap.place_joints.default, place_joints, reference, args, device)


@given(st.integers(0, 1000))
def test_the_first_found_joint_has_the_depth_that_was_read(seed: int) -> None:
    args = random_inputs(1, 4, seed)
    people, root_depths, frames, order = args[3], args[4], args[5], args[8].tolist()
    points, *_ = place_joints(*args)
    for p in range(4):
        found = [j for j in order if 0 <= people[0, p, j] < 6]
        if found:
            torch.testing.assert_close(points[0, p, found[0], 2], root_depths[0, p] * frames[0, 3])


def test_gradients_do_not_change_the_values() -> None:
    plain = random_inputs()
    args = [a.clone().requires_grad_() if i in (0, 1, 2, 4, 6) else a for i, a in enumerate(plain)]
    differentiable = place_joints(*args)
    for expected, actual in zip(place_joints(*plain), differentiable, strict=True):
        torch.testing.assert_close(actual.detach(), expected, equal_nan=True)
    sum(t.nan_to_num().sum() for t in differentiable).backward()
    assert all(args[i].grad is not None and args[i].grad.abs().sum() > 0 for i in (0, 1, 2, 4, 6))


@given(st.integers(0, 1000))
def test_points_lie_behind_their_pixels(seed: int) -> None:
    args = random_inputs(2, 3, seed)
    points, xy, *_ = place_joints(*args)
    focal, centre = args[6][:, None, None, :2], args[6][:, None, None, 2:]
    torch.testing.assert_close(points[..., :2], (xy - centre) / focal * points[..., 2:], equal_nan=True)


@given(st.integers(0, 1000))
def test_not_found_is_nan_and_nothing_else_is(seed: int) -> None:
    args = random_inputs(2, 3, seed)
    points, xy, scores, person_scores = place_joints(*args)
    found = (args[3] >= 0) & (args[3] < 6)
    assert torch.equal(points.isfinite().all(-1), found)
    assert torch.equal(xy.isfinite().all(-1), found)
    assert (scores[~found] == 0).all()
    torch.testing.assert_close(person_scores, scores.mean(-1))


def test_an_unknown_limb_spoils_only_what_lies_behind_it(device: torch.device) -> None:
    args = list(random_inputs(1, 3))
    args[3] = args[3].clamp(min=0)
    args[0][:, :, 4] = torch.nan
    behind = args[7][:, 4] > 0
    for points, *_ in (place_joints(*move(args, device)), reference(*args)):
        assert points.isnan().any(-1).cpu().eq(behind).all() and behind.any() and not behind.all()


def test_nobody_has_a_joint_without_peaks() -> None:
    args = [t[:, :, :0] if i in (1, 2) else t for i, t in enumerate(random_inputs(1, 3))]
    args[6] = args[6].clone().requires_grad_()
    for points, _, scores, means in (place_joints(*args), reference(*args)):
        assert points.isnan().all() and not scores.any() and not means.any()


def test_no_peak_counts_more_than_one_in_the_score_of_a_person() -> None:
    args = [*random_inputs(1, 3)]
    args[2], args[3] = torch.full_like(args[2], 1.75), args[3].abs()
    _, _, scores, person_scores = place_joints(*args)
    assert (scores == 1.75).all()
    assert (person_scores == 1).all()


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (3, torch.zeros(2, 5, 14).long(), r"people must have shape \(2, 5, 15\), got \(2, 5, 14\)"),
        (5, torch.zeros(2, 3), r"frames must have shape \(2, 4\), got \(2, 3\)"),
        (6, torch.zeros(1, 4), r"cameras must have shape \(2, 4\), got \(1, 4\)"),
        (4, torch.zeros(2, 5).double(), "root_depths must be float32, got float64"),
    ],
)
def test_says_what_is_wrong(place: int, value: torch.Tensor, message: str) -> None:
    args = [*random_inputs()]
    args[place] = value
    for needs_gradient in (False, True):
        args[0] = args[0].detach().requires_grad_(needs_gradient)
        with pytest.raises(ValueError, match=message):
            place_joints(*args)
