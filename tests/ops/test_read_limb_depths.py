from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smap.ops.read_limb_depths import read_limb_depths, reference

from .check import check_op

LIMBS = torch.tensor([[0, 1], [1, 2], [0, 3]])


def random_inputs(batch: int = 2, people: int = 5, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(batch * 100 + people)
    maps = torch.randn(batch, 3, 16, 20, generator=generator).to(dtype)
    # Eighths of a pixel: exact in float32, so op and reference round the same points to the same pixels.
    xy = torch.randint(-8, 20 * 8, (batch, 4, 6, 2), generator=generator) / 8.0
    table = torch.randint(-1, 6, (batch, people, 4), generator=generator)
    return maps, xy, table, LIMBS


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("batch", "people"), [(2, 5), (1, 0), (0, 3)])
@pytest.mark.parametrize(("samples", "child_alone"), [(9, True), (1, False), (17, True)])
def test_equals_reference(
    batch: int, people: int, dtype: torch.dtype, samples: int, child_alone: bool, device: torch.device
) -> None:
    args = (*random_inputs(batch, people, dtype), 4, samples, child_alone)
    check_op(torch.ops.smap.read_limb_depths.default, read_limb_depths, reference, args, device)


@given(st.sampled_from([2, 3, 5, 9, 17]), st.integers(1, 9))
def test_any_stride(samples: int, stride: int) -> None:
    args = (*random_inputs(1, 5), stride, samples, True)  # exact numbers of samples: see ``random_inputs``
    torch.testing.assert_close(read_limb_depths(*args), reference(*args))


@given(st.integers(0, 999), st.integers(2, 32))
def test_any_number_of_samples(seed: int, samples: int) -> None:
    row = torch.randn(40, generator=torch.Generator().manual_seed(seed))
    maps = torch.zeros(1, 3, 8, 40)
    maps[0, 0, 5] = row
    xy = torch.tensor([[3.0, 5.0], [2.0 + samples, 5.0], [0.0, 0.0], [0.0, 0.0]]).reshape(1, 4, 1, 2)
    people = torch.tensor([[[0, 0, -1, -1]]])
    line = row[3 : 3 + samples].numpy()  # one pixel each
    expected = np.clip(line, *np.percentile(line, [10, 90])).mean()
    value = read_limb_depths(maps, xy, people, LIMBS, samples=samples)
    assert value[0, 0, 0].item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_reads_a_constant_limb_exactly(device: torch.device) -> None:
    maps = torch.full((1, 3, 16, 20), 0.25, device=device)
    xy = torch.tensor([[3.0, 4.0], [9.0, 11.0], [1.0, 1.0], [0.0, 0.0]], device=device).reshape(1, 4, 1, 2)
    people = torch.tensor([[[0, 0, -1, 0]]], device=device)
    assert read_limb_depths(maps, xy, people, LIMBS.to(device)).tolist() == [[[0.25, 0.0, 0.25]]]


@pytest.mark.parametrize("place", [-1e30, -0.7, -0.49, 19.49, 19.4999, 19.6, 1e9, 1e30, float("inf"), float("nan")])
def test_places_beyond_the_map_read_its_border(place: float, device: torch.device) -> None:
    maps = torch.arange(20.0).expand(1, 3, 16, 20).contiguous()
    xy = torch.tensor([place, 4.0]).expand(1, 4, 1, 2).contiguous()
    people = torch.tensor([[[-1, 0, -1, -1]]])
    value = read_limb_depths(maps.to(device), xy.to(device), people.to(device), LIMBS.to(device))
    assert value[0, 0, 0] == (19 if place > 19 else 0)


def test_one_wild_sample_does_not_move_the_mean(device: torch.device) -> None:
    maps = torch.full((1, 3, 16, 20), 0.25)
    maps[0, 0, 8, 6] = 100.0
    xy = torch.tensor([[6.0, 3.0], [6.0, 13.0], [1.0, 1.0], [0.0, 0.0]]).reshape(1, 4, 1, 2)
    people = torch.tensor([[[0, 0, -1, 0]]])
    value = read_limb_depths(maps.to(device), xy.to(device), people.to(device), LIMBS.to(device), samples=11)
    assert value[0, 0, 0].item() == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: torch.zeros(2, 3, 16)}, r"limb_depths must have shape \(\*, \*, \*, \*\), got \(2, 3, 16\)"),
        ({0: torch.zeros(2, 3, 16, 20).double()}, "limb_depths must be float32, float16 or bfloat16, got float64"),
        ({2: torch.zeros(2, 5, 3).long()}, r"people must have shape \(2, \*, 4\), got \(2, 5, 3\)"),
        ({5: 33}, "samples must be from 1 to 32, got 33"),
        ({4: 0}, "stride must be at least 1, got 0"),
    ],
)
def test_says_what_is_wrong(change: dict[int, Any], message: str) -> None:
    args = [*random_inputs(), 4, 10, True]
    for place, value in change.items():
        args[place] = value
    with pytest.raises(ValueError, match=message):
        read_limb_depths(*args)
