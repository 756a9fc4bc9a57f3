from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from smap.ops.winograd_conv import reference, transform_weight, winograd_conv

from .check import check_op

CPU = torch.device("cpu")


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def problem(
    batch: int, inputs: int, outputs: int, height: int, width: int, plus: bool = False, relu: bool = False
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, int, bool]:
    weight, bias = transform_weight(numbers(outputs, inputs, 3, 3, seed=1) / inputs, numbers(outputs, seed=2))
    summand = numbers(batch, outputs, height, width, seed=3) if plus else None
    return numbers(batch, inputs, height, width), weight, bias, summand, outputs, relu


@pytest.mark.parametrize("plus", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_equals_reference(plus: bool, relu: bool) -> None:
    args = problem(2, 16, 19, 7, 10, plus, relu)
    check_op(torch.ops.smap.winograd_conv.default, winograd_conv, reference, args, CPU, rtol=1e-4, atol=1e-5)


@given(st.integers(1, 3), st.sampled_from([8, 24, 64]), st.integers(1, 40), st.integers(1, 21), st.integers(1, 30))
def test_is_the_convolution_of_torch_at_any_size(
    batch: int, inputs: int, outputs: int, height: int, width: int
) -> None:
    x, kernel, offsets = numbers(batch, inputs, height, width), numbers(outputs, inputs, 3, 3, seed=1), numbers(outputs)
    weight, bias = transform_weight(kernel, offsets)
    truth = F.conv2d(x.double(), kernel.double(), offsets.double(), padding=1)
    y = winograd_conv(x, weight, bias, None, outputs)
    assert y.shape == truth.shape and y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, truth.float(), rtol=0, atol=4e-5 * inputs**0.5)


@pytest.mark.parametrize("shape", [(1, 8, 40, 12, 20), (1, 64, 33, 3, 3), (3, 16, 5, 30, 41)])
def test_threads_change_nothing(shape: tuple[int, int, int, int, int]) -> None:
    """To the bit: neither how tiles and outputs are shared nor what else is in the batch."""
    x, weight, bias, plus, outputs, relu = problem(*shape, plus=True, relu=True)
    assert plus is not None
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            results.append(winograd_conv(x, weight, bias, plus, outputs, relu))
    finally:
        torch.set_num_threads(before)
    for y in results[1:]:
        assert torch.equal(y, results[0])
    assert torch.equal(winograd_conv(x[-1:], weight, bias, plus[-1:], outputs, relu), results[0][-1:])


def test_any_layout_and_the_same_tensor_twice() -> None:
    x, weight, bias, _, outputs, relu = problem(2, 16, 16, 6, 9)
    truth = winograd_conv(x, weight, bias, x, outputs, relu)
    pictures = x.to(memory_format=torch.channels_last)
    for y in (pictures, x.transpose(2, 3).contiguous().transpose(2, 3), torch.cat([x, x], 2)[:, :, :6]):
        assert torch.equal(winograd_conv(y, weight, bias, y, outputs, relu), truth)
    one = x[:1, :, :1, :1].expand(3, 16, 1, 1)
    alone = winograd_conv(one.clone(), weight, bias, one.clone(), outputs)
    assert torch.equal(winograd_conv(one, weight, bias, one, outputs), alone)


def test_not_a_number_stays_one() -> None:
    x, weight, bias, _, outputs, _ = problem(1, 8, 3, 9, 9)
    x[0, 0, 4, 4] = float("nan")
    y = winograd_conv(x, weight, bias, None, outputs, True)
    assert y[0, :, 3:6, 3:6].isnan().all()
    assert not y[0, :, 8].isnan().any()  # another row of tiles


@pytest.mark.parametrize("shape", [(0, 8, 5, 4, 4), (1, 8, 0, 4, 4), (1, 8, 5, 0, 4)])
def test_nothing_to_do(shape: tuple[int, int, int, int, int]) -> None:
    args = problem(*shape)
    assert winograd_conv(*args).shape == (shape[0], shape[2], *shape[3:])


@pytest.mark.parametrize(
    "change, message",
    [
        ({0: numbers(8, 9, 9)}, "x must be 4-dimensional, got 3"),
        ({0: numbers(1, 12, 9, 9)}, "x must have a multiple of 8 channels, got 12"),
        ({0: numbers(1, 8, 9, 9).double()}, "x must be float32, got float64"),
        ({0: numbers(1, 16, 9, 9)}, r"weight must have shape \(36, 1, 16, 16\), got \(36, 1, 8, 16\)"),
        ({2: numbers(3)}, r"bias must have shape \(16\), got \(3\)"),
        ({3: numbers(1, 4, 9, 9)}, r"plus must have shape \(1, 3, 9, 9\), got \(1, 4, 9, 9\)"),
        ({4: 17}, r"weight must have shape \(36, 2, 8, 16\)"),
        ({4: -1}, "outputs must be a count below"),
    ],
)
def test_bad_arguments_say_what_is_wrong(change: dict[int, object], message: str) -> None:
    args = list(problem(1, 8, 3, 9, 9))
    for place, value in change.items():
        args[place] = value  # type: ignore[call-overload]
    with pytest.raises(ValueError, match=message):
        winograd_conv(*args)  # type: ignore[arg-type]
