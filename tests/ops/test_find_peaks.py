from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smap.ops.find_peaks import find_peaks, reference

from .check import check_op

OP = torch.ops.smap.find_peaks.default


def noise(*shape: int, seed: int = 0, levels: int = 0) -> torch.Tensor:
    values = torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return (values * levels).round() / levels if levels else values


@pytest.mark.parametrize("shape", [(2, 3, 9, 70), (1, 2, 1, 5), (1, 1, 7, 1), (0, 2, 4, 4), (1, 0, 4, 4), (1, 2, 0, 3)])
@pytest.mark.parametrize("official", [False, True])
def test_equals_reference(shape: tuple[int, ...], official: bool, device: torch.device) -> None:
    check_op(OP, find_peaks, reference, [noise(*shape), 0.1, 3.0, 20, official], device, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("official", [False, True])
def test_half_precision(dtype: torch.dtype, official: bool, device: torch.device) -> None:
    check_op(OP, find_peaks, reference, [noise(1, 2, 20, 130).to(dtype), 0.2, 1.0, 300, official], device, atol=1e-3)


@given(seed=st.integers(0, 2**32 - 1), levels=st.sampled_from([0, 2, 5]), capacity=st.integers(1, 12),
       official=st.booleans(), width=st.integers(1, 140))  # fmt: skip
@settings(max_examples=60)
def test_plateaus_ties_and_overflow(seed: int, levels: int, capacity: int, official: bool, width: int) -> None:
    args = (noise(1, 1, 12, width, seed=seed, levels=levels), 0.2, 1.0, capacity, official)
    for actual, expected in zip(find_peaks(*args), reference(*args), strict=True):
        torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-5)


@given(value=st.floats(0.25, 1.0), scale=st.sampled_from([3.0, 0.7, 0.1, 1 / 255]),
       step=st.sampled_from([(0, 1), (1, 0), (1, 1), (1, -1)]), official=st.booleans())  # fmt: skip
@settings(max_examples=100)
def test_neighbours_that_scaling_makes_equal(value: float, scale: float, step: tuple[int, int], official: bool) -> None:
    """Next to each other among floats, in either order: whoever is higher is the peak, not none of them."""
    low = torch.tensor(value)
    high = torch.nextafter(low, torch.tensor(2.0))
    for first, second in ((low, high), (high, low)):
        map_ = torch.zeros(1, 1, 8, 40)
        map_[0, 0, 3, 10], map_[0, 0, 3 + step[0], 10 + step[1]] = first, second
        args = (0.0005, scale, 5, official)
        expected = reference(map_, *args)
        for layout in (map_, map_.transpose(-1, -2).contiguous().transpose(-1, -2)):
            for actual, wanted in zip(find_peaks(layout, *args), expected, strict=True):
                torch.testing.assert_close(actual, wanted, atol=1e-4, rtol=1e-5)
        assert official or expected[2].item() == 1


def test_a_plateau_is_one_peak_and_the_border_counts() -> None:
    map_ = torch.zeros(1, 1, 8, 9)
    map_[0, 0, 3:5, 4:6] = 0.5
    map_[0, 0, 0, 0] = map_[0, 0, 7, 8] = 0.9
    xy, _, count = find_peaks(map_)
    assert count.item() == 3
    assert xy[0, 0, :3].tolist() == [[0, 0], [4.5, 3.5], [8, 7]]
    assert find_peaks(map_, official=True)[2].item() == 0


def test_subpixel_position_of_a_gaussian() -> None:
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(50.0), indexing="ij")
    for px, py in torch.rand(50, 2, generator=torch.Generator().manual_seed(0)).add(20).tolist():
        map_ = torch.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 1.5**2))[None, None]
        xy, _, count = find_peaks(map_)
        assert count.item() == 1
        torch.testing.assert_close(xy[0, 0, 0], torch.tensor([px, py]), atol=0.06, rtol=0)


def test_overflow_keeps_the_highest_in_raster_order() -> None:
    map_ = torch.zeros(1, 1, 40, 40)
    map_[0, 0, 1::3, 1::3] = torch.linspace(0.2, 0.9, 169).reshape(13, 13)
    _, score, count = find_peaks(map_, capacity=127)
    assert count.item() == 127
    torch.testing.assert_close(score[0, 0], torch.linspace(0.2, 0.9, 169)[-127:])


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800000, -0x400000, -0x800000])  # NaN, inf and their negatives
@pytest.mark.parametrize("place", [(0, 0), (5, 7), (9, 129)])
def test_every_kind_of_bad_value_is_seen(bits: int, place: tuple[int, int]) -> None:
    map_ = torch.zeros(2, 2, 10, 130)
    map_.view(torch.int32)[1, 0, place[0], place[1]] = bits
    for variant in (map_, map_.bfloat16(), map_.half(), map_.transpose(-1, -2)):
        with pytest.raises(ValueError, match=r"heatmaps must be finite, got (nan|inf) in image 1, joint 0 at x"):
            find_peaks(variant)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([torch.zeros(1, 2, 3)], r"heatmaps must have shape \(\*, \*, \*, \*\), got \(1, 2, 3\)"),
        ([torch.zeros(1, 1, 3, 3, dtype=torch.int64)], "heatmaps must be float32, float16 or bfloat16, got int64"),
        ([torch.zeros(1, 1, 3, 3), -1.0], "threshold must be at least 0, got -1"),
        ([torch.zeros(1, 1, 3, 3), 0.1, 1.0, 0], "capacity must be 1 to 16777216, got 0"),
        ([torch.zeros(1, 1, 3, 3), 0.1, 1.0, 2**62], "capacity must be 1 to 16777216, got 46116"),
    ],
)
def test_says_what_is_wrong(args: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_peaks(*args)
