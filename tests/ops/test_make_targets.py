from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from smap import SMAP15
from smap.ops.make_targets import make_targets, reference

from .check import check_op

LIMBS = torch.tensor(SMAP15.limbs)
SCALES = torch.tensor([[2.6, 3.0], [1.1, 1.25]])
SIZE = (28, 40)


def crowd(batch: int, people: int, joints: int = 15, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """People of some joints around a middle, some hidden, some over the border."""
    generator = torch.Generator().manual_seed(seed)
    middle = torch.rand(batch, people, 1, 2, generator=generator) * torch.tensor([SIZE[1], SIZE[0]])
    xy = middle + 5 * torch.randn(batch, people, joints, 2, generator=generator)
    depths = 1 + 8 * torch.rand(batch, people, 1, generator=generator)
    depths = depths + 0.2 * torch.randn(batch, people, joints, generator=generator)
    visibility = torch.randint(0, 3, (batch, people, joints), generator=generator).to(torch.uint8)
    return xy, depths, visibility, 0.8 + 0.4 * torch.rand(batch, generator=generator)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("batch", "people"), [(2, 5), (1, 1), (1, 0), (0, 2)])
def test_equals_reference(batch: int, people: int, dtype: torch.dtype, device: torch.device) -> None:
    # 16-bit results may differ by one unit in the last place where float32 lies on a tie.
    atol = {torch.float32: 2e-6, torch.float16: 5e-4, torch.bfloat16: 4e-3}[dtype]
    args = (*crowd(batch, people), LIMBS, SCALES)
    expected = reference(*args, SIZE, dtype)
    check_op(
        torch.ops.smap.make_targets.default,
        lambda *a: make_targets(*a[:6], (a[6], a[7]), a[8]),
        lambda *a: expected,
        (*args, *SIZE, dtype),
        device,
        rtol=0,
        atol=atol,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_large_maps_with_few_people_are_cleared_to_the_last_pixel(dtype: torch.dtype) -> None:
    """Past the cache, from whatever was in the memory; rows and maps of any alignment."""
    size = (147, 131)
    args = (*crowd(1, 2), LIMBS, SCALES.repeat(2, 1), size)
    expected = reference(*args, dtype)
    assert expected.limb_depths.numel() * 2 > 2**20
    for _ in range(3):
        stale = [torch.full_like(t, math.nan) for t in expected]
        del stale
        for actual, wanted in zip(make_targets(*args, dtype), expected, strict=True):
            torch.testing.assert_close(actual, wanted, rtol=0, atol=4e-3 if dtype == torch.bfloat16 else 2e-6)


def test_people_of_unknown_depth_among_others() -> None:
    # Not in check_op: opcheck takes NaN for a difference.
    xy, depths, *rest = crowd(2, 6)
    depths[:, ::2] = math.nan
    depths[:, 1, 3] = math.nan
    args = (xy, depths, *rest, LIMBS, SCALES, SIZE)
    actual, expected = make_targets(*args), reference(*args)
    assert expected.limb_depths.isnan().any()
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, rtol=0, atol=2e-6, equal_nan=True)


def test_any_skeleton_size_and_number_of_scales() -> None:
    for joints, limbs, scales in ((1, [], 1), (3, [(2, 0), (0, 1)], 3), (4, [(0, 1), (1, 2), (1, 3)], 0)):
        tensors = (
            torch.tensor(limbs, dtype=torch.int64).reshape(-1, 2),
            torch.rand(scales, 2) + 1,
        )
        args = (*crowd(2, 3, joints), *tensors, (9, 7))
        for actual, expected in zip(make_targets(*args), reference(*args), strict=True):
            torch.testing.assert_close(actual, expected, rtol=0, atol=2e-6, equal_nan=True)


def person(x: float, y: float, z: float) -> tuple[Tensor, Tensor]:
    """Two joints, 8 map pixels apart."""
    return torch.tensor([[x, y], [x + 8, y]], dtype=torch.float32), torch.tensor([z, z + 0.3])


def two(*people: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    xy = torch.stack([p[0] for p in people])[None]
    z = torch.stack([p[1] for p in people])[None]
    ones = torch.full(z.shape, 2, dtype=torch.uint8)
    return xy, z, ones, torch.ones(1), torch.tensor([[0, 1]]), torch.tensor([[1.1, 1.25]])


def test_everybody_keeps_a_peak_of_height_one_at_its_sub_pixel_place(device: torch.device) -> None:
    args = [a.to(device) for a in two(person(6.25, 9.5, 3.0), person(6.25 + 4, 12.0, 5.0), person(20, 20, 2.0))]
    heat = make_targets(*args, SIZE).heatmaps[0, 0, 0].cpu()
    for x, y in args[0][0, :, 0].tolist():
        row, column = round(y + 1e-3), round(x)
        expected = math.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * 1.1**2))
        assert heat[row, column] == pytest.approx(expected, abs=1e-5)
        window = heat[row - 3 : row + 4, column - 3 : column + 4]
        if x == 20:
            grid = torch.arange(-3.0, 4)
            assert (window.sum(0) @ grid / window.sum()) + column == pytest.approx(x, abs=0.01)


def test_the_nearer_person_wins_where_limbs_overlap() -> None:
    near, far = person(6, 9, 2.0), person(6, 9, 6.0)
    for order in ((near, far), (far, near)):
        xy, z, *rest = two(*order)
        xy[0, 0 if order[0] is far else 1] = torch.tensor([[10.0, 5.0], [10.0, 13.0]])  # the farther one crosses
        targets = make_targets(xy, z, *rest, SIZE)
        torch.testing.assert_close(targets.pafs[0, 0, 0, :, 9, 10], torch.tensor([1.0, 0.0]), atol=1e-5, rtol=0)
        torch.testing.assert_close(targets.pafs[0, 0, 0, :, 12, 10], torch.tensor([0.0, 1.0]), atol=1e-5, rtol=0)


def test_depth_of_nobody_of_somebody_unknown_and_of_the_known() -> None:
    xy, z, *rest = two(person(4, 5, 3.0), person(20, 15, 4.0))
    z[0, 1, 1] = math.nan
    depth = make_targets(xy, z, *rest, SIZE).limb_depths[0, 0, 0]
    assert depth[5, 8] == pytest.approx(0.3)
    assert depth[15, 24].isnan()
    assert depth[25, 2] == 0


def test_a_half_body_is_rooted_at_the_next_joint_of_the_tree() -> None:
    xy, z, visibility, _, limbs, scales = two(person(4, 5, 3.0), person(20, 15, 4.0))
    visibility[0, 1, 0] = 0
    targets = make_targets(xy, z, visibility, torch.tensor([2.0]), limbs, scales, SIZE)
    assert targets.root_depth[0, 5, 4] == 6.0
    assert targets.root_depth[0, 15, 20] == 0
    assert targets.root_depth[0, 15, 28] == pytest.approx(8.6)
    assert targets.root_weight[0, 5, 4] == 1
    assert targets.root_weight[0].sum() == pytest.approx(2 * (1 + 8 * 0.35))


def test_of_two_roots_in_one_cell_the_nearer_is_written_and_beside_it_each_keeps_its_own() -> None:
    near, far = person(10.2, 10.0, 2.0), person(10.4, 10.3, 6.0)
    for order in ((near, far), (far, near)):
        assert make_targets(*two(*order), SIZE).root_depth[0, 10, 10] == 2
    targets = make_targets(*two(near, person(12.2, 10.0, 6.0)), SIZE)
    assert targets.root_depth[0, 10, 10] == 2
    assert targets.root_depth[0, 10, 12] == 6


def test_order_of_people_does_not_matter() -> None:
    xy, z, visibility, scale = crowd(1, 6)
    args = make_targets(xy, z, visibility, scale, LIMBS, SCALES, SIZE)
    back = make_targets(xy.flip(1), z.flip(1), visibility.flip(1), scale, LIMBS, SCALES, SIZE)
    torch.testing.assert_close(args.heatmaps, back.heatmaps, rtol=0, atol=0)
    torch.testing.assert_close(args.pafs, back.pafs, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(args.root_depth, back.root_depth, rtol=0, atol=0)


def test_joints_that_are_nowhere_make_nothing() -> None:
    xy, z, *rest = two(person(4, 5, 3.0), person(20, 15, 4.0))
    xy[0, 0] = math.nan
    xy[0, 1] = 1e30
    targets = make_targets(xy, z, *rest, SIZE)
    assert not any(t.count_nonzero() for t in targets)


def test_gradient_of_nobody_is_empty() -> None:
    xy, *rest = crowd(2, 0)
    xy.requires_grad_()
    heatmaps = make_targets(xy, *rest, LIMBS, SCALES, SIZE).heatmaps
    (grad,) = torch.autograd.grad(heatmaps.sum(), xy)
    assert grad.shape == xy.shape


def test_gradient_moves_the_highest_gaussian(device: torch.device) -> None:
    xy, *rest = (a.to(device) for a in two(person(6.25, 9.5, 3.0), person(9.25, 12.0, 5.0)))
    weight = torch.rand(1, 1, 2, *SIZE, generator=torch.Generator().manual_seed(1)).to(device)

    def loss(points: Tensor) -> Tensor:
        return (make_targets(points, *rest, SIZE).heatmaps * weight).sum()

    xy.requires_grad_()
    (grad,) = torch.autograd.grad(loss(xy), xy)
    step = 2e-2
    for index in [(0, 0, 0, 0), (0, 1, 0, 1), (0, 1, 1, 0)]:
        moved = torch.zeros_like(xy)
        moved[index] = step
        numeric = (loss(xy.detach() + moved) - loss(xy.detach() - moved)) / (2 * step)
        assert float(grad[index]) == pytest.approx(float(numeric), rel=2e-2, abs=2e-2)


@pytest.mark.parametrize(
    ("index", "change", "message"),
    [
        (0, lambda a: a[..., :1], r"joints must have shape \(\*, \*, \*, 2\), got \(2, 3, 15, 1\)"),
        (1, lambda a: a[:, :2], r"depths must have shape \(2, 3, 15\), got \(2, 2, 15\)"),
        (2, lambda a: a.float(), "visibility must be uint8, got float32"),
        (3, lambda a: a[:1], r"depth_scale must have shape \(2\), got \(1\)"),
        (4, lambda a: a + 14, "limbs must name joints of the people, got 16"),
        (5, lambda a: a * 0, "scales must be positive, got 0"),
    ],
)
def test_says_what_is_wrong(index: int, change, message: str) -> None:
    args = [*crowd(2, 3), LIMBS, SCALES]
    args[index] = change(args[index])
    with pytest.raises(ValueError, match=message):
        make_targets(*args, SIZE)
    with pytest.raises(ValueError, match="dtype must be float32, float16 or bfloat16, got float64"):
        make_targets(*crowd(1, 1), LIMBS, SCALES, SIZE, torch.float64)
