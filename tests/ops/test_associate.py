from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smap.ops.associate import associate, reference

from .check import check_op

OP = torch.ops.smap.associate.default
LIMBS = torch.tensor([[1, 0, 1], [0, 2, 0], [1, 3, 0], [3, 4, 0]])  # root 1
LENGTHS = torch.tensor([0.5, 0.25, 0.15, 0.4], dtype=torch.float64)


def inputs(
    batch: int = 2, capacity: int = 5, seed: int = 0, dtype: torch.dtype = torch.float32, joints: int = 5
) -> list[torch.Tensor]:
    """Smooth random PAFs: many pairs have a score, many are contested."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(batch, len(LIMBS) * 2, 3, 4, generator=generator)
    pafs = (
        torch.nn.functional.interpolate(coarse, (24, 32), mode="bilinear") if batch else coarse.new_empty(0, 8, 24, 32)
    )
    xy = torch.rand(batch, joints, capacity, 2, generator=generator) * torch.tensor([31.0, 23.0])
    count = torch.randint(0, capacity + 1, (batch, joints), generator=generator)
    count[:, 1] = capacity
    depths = torch.rand(batch, 24, 32, generator=generator) * 3 + 0.3
    return [
        pafs.reshape(batch, len(LIMBS), 2, 24, 32).to(dtype),
        torch.randn(batch, len(LIMBS), 24, 32, generator=generator).to(dtype),
        depths.to(dtype),
        xy,
        torch.rand(batch, joints, capacity, generator=generator),
        count,
        LIMBS,
        LENGTHS,
    ]


def settings_of(
    mode: str,
    official: bool = False,
    people: int = 8,
    half_bodies: bool = True,
    joints: int = 2,
    ordinal: bool = True,
    score: float = 0.0,
    overlap: float = 1.0,
) -> list:
    return [mode, people, joints, score, overlap, half_bodies, ordinal, 1.2, 1.0, 0.05, 0.6, official]


@pytest.mark.parametrize(("batch", "capacity"), [(2, 5), (1, 1), (0, 3)])
@pytest.mark.parametrize("mode", ["depth-aware", "optimal", "paf"])
def test_equals_reference(batch: int, capacity: int, mode: str, device: torch.device) -> None:
    check_op(OP, associate, reference, [*inputs(batch, capacity), *settings_of(mode)], device)


@pytest.mark.parametrize("mode", ["depth-aware", "optimal"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype, mode: str, device: torch.device) -> None:
    check_op(OP, associate, reference, [*inputs(2, 5, 3, dtype), *settings_of(mode)], device)


@given(
    seed=st.integers(0, 2**31),
    mode=st.sampled_from(["depth-aware", "optimal", "paf"]),
    official=st.booleans(),
    people=st.integers(1, 12),
    half_bodies=st.booleans(),
    min_joints=st.integers(1, 4),
    min_score=st.sampled_from([0.0, 0.2, 0.4]),
    max_overlap=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
)
@settings(max_examples=60)
def test_random_scenes(
    seed: int,
    mode: str,
    official: bool,
    people: int,
    half_bodies: bool,
    min_joints: int,
    min_score: float,
    max_overlap: float,
) -> None:
    rules = settings_of(mode, official, people, half_bodies, min_joints, score=min_score, overlap=max_overlap)
    args = [*inputs(1, 7, seed), *rules]
    table, count, depths = associate(*args)
    for actual, expected in zip((table, count, depths), reference(*args), strict=True):
        assert torch.equal(actual, expected)
    for joint in range(5):  # a peak belongs to one person at most
        used = table[0, :, joint][table[0, :, joint] >= 0].tolist()
        assert len(used) == len(set(used))
    if not official:
        assert torch.equal(depths[0, : count[0]], depths[0, : count[0]].sort().values)


def test_equal_depths_keep_raster_order_and_the_nearest_stay() -> None:
    args = inputs(1, 5)
    args[2] = torch.ones_like(args[2])
    table, count, _ = associate(*args, *settings_of("depth-aware", people=3, joints=1, half_bodies=False))
    assert count.item() == 3 and table[0, :, 1].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: lambda t: t[:, :3]}, r"limb_depths must have shape \(2, 4, 24, 32\)"),
        ({4: lambda t: t.double()}, "score must be float32, got float64"),
        ({6: lambda t: t + 3}, "limbs must name joints 0 to 4, got 5"),
        ({2: lambda t: t * float("nan")}, "root_depth must be finite, got nan or inf in image 0"),
        ({8: lambda t: "best"}, "mode must be paf, depth-aware or optimal, got best"),
        ({9: lambda t: 0}, "max_people must be at least 1, got 0"),
        ({9: lambda t: 2**30}, "max_people must be less than 2.31 with all their joints"),
        ({7: lambda t: -t}, "lengths must be at least 0, got -"),
        ({18: lambda t: -1.0}, "counted_share must be at least 0, got -1"),
    ],
)
def test_says_what_is_wrong(change, message: str) -> None:
    args = [*inputs(), *settings_of("depth-aware")]
    for i, f in change.items():
        args[i] = f(args[i])
    with pytest.raises(ValueError, match=message):
        associate(*args)
