from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smap.ops.score_limbs import reference, score_limbs

from .check import check_op

OP = torch.ops.smap.score_limbs.default


def inputs(batch: int = 2, capacity: int = 4, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """A chain of three joints on a small map whose PAFs point mostly to the right."""
    generator = torch.Generator().manual_seed(seed)
    pafs = torch.rand(batch, 2, 2, 20, 30, generator=generator) - torch.tensor([0.1, 0.5])[:, None, None]
    xy = torch.rand(batch, 3, capacity, 2, generator=generator) * torch.tensor([31.0, 21.0]) - 1
    if capacity > 1:
        xy[:, 1, 1] = xy[:, 0, 0] + 0.3
    count = torch.randint(0, capacity + 1, (batch, 3), generator=generator)
    return [pafs.to(dtype), xy, count, torch.tensor([[0, 1, 0], [2, 1, 1]])]


@pytest.mark.parametrize(("batch", "capacity"), [(2, 4), (1, 1), (0, 3)])
@pytest.mark.parametrize("official", [False, True])
def test_equals_reference(batch: int, capacity: int, official: bool, device: torch.device) -> None:
    args = [*inputs(batch, capacity), 1.5, 0.05, 0.5, official]
    check_op(OP, score_limbs, reference, args, device)


@given(
    seed=st.integers(0, 2**31),
    capacity=st.integers(1, 20),  # more than the eight lanes of a vector
    scale=st.sampled_from([1.0, 3.0]),
    counted_share=st.sampled_from([0.0, 0.5, 0.8, 0.95]),
    official=st.booleans(),
)
def test_equals_reference_however_many_peaks(
    seed: int, capacity: int, scale: float, counted_share: float, official: bool
) -> None:
    args = [*inputs(1, capacity, seed), scale, 0.05, counted_share, official]
    assert torch.equal(score_limbs(*args), reference(*args))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype, device: torch.device) -> None:
    check_op(OP, score_limbs, reference, [*inputs(2, 6, 1, dtype), 1.0, 0.0, 0.4, False], device)


def test_straight_limb_scores_its_paf() -> None:
    pafs = torch.zeros(1, 1, 2, 20, 30)
    pafs[0, 0, 0, 9:12] = 0.8
    xy = torch.tensor([[[[5.0, 10.0], [0, 0]], [[15.0, 10.0], [5.0, 18.0]]]])
    scores = score_limbs(pafs, xy, torch.tensor([[1, 2]]), torch.tensor([[0, 1, 0]]))
    torch.testing.assert_close(scores[0, 0], torch.tensor([[0.8, -1.0], [-1.0, -1.0]]))
    back = score_limbs(pafs, xy[:, [1, 0]], torch.tensor([[2, 1]]), torch.tensor([[0, 1, 0]]))
    assert back.max() == -1


def test_values_that_are_not_finite_are_an_error() -> None:
    pafs, xy, count, limbs = inputs()
    count[:] = 4
    with pytest.raises(ValueError, match="pafs and xy must be finite, got nan or inf"):
        score_limbs(torch.full_like(pafs, float("nan")), xy, count, limbs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: [a[0][:, :, :1], *a[1:]], r"pafs must have shape \(\*, \*, 2, \*, \*\), got \(2, 2, 1, 20, 30\)"),
        (lambda a: [*a[:2], a[2][:, :2], a[3]], r"count must have shape \(2, 3\), got \(2, 2\)"),
        (lambda a: [*a[:3], a[3][:, :2]], r"limbs must have shape \(2, 3\), got \(2, 2\)"),
        (lambda a: [a[0][..., :0], *a[1:]], "pafs must have at least one pixel"),
    ],
)
def test_says_what_is_wrong(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score_limbs(*change(inputs()))
