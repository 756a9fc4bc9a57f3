from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smap import Camera
from smap.ops.back_project import back_project, reference

from .check import check_op


def random_inputs(batch: int, points: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(batch * 1000 + points)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=dtype)

    cameras = torch.cat([500 + 1000 * uniform(batch, 2), 300 + 100 * uniform(batch, 2)], -1)
    return 600 * uniform(batch, points, 2), 0.5 + 9 * uniform(batch, points), cameras


@pytest.mark.parametrize(("batch", "points"), [(2, 15), (1, 1), (0, 4), (3, 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_reference(batch: int, points: int, dtype: torch.dtype, device: torch.device) -> None:
    args = random_inputs(batch, points, dtype)
    check_op(torch.ops.smap.back_project.default, back_project, reference, args, device, rtol=1e-4, atol=1e-4)


def test_gradients_of_all_three_inputs(device: torch.device) -> None:
    args = [a.to(device).requires_grad_() for a in random_inputs(2, 3, torch.float64)]
    assert torch.autograd.gradcheck(back_project, args)


@given(st.integers(0, 2**32 - 1))
def test_inverts_projection(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.uniform(-3, 3, (1, 7, 2)), rng.uniform(0.5, 12, (1, 7, 1))], -1)
    camera = Camera(*rng.uniform(300, 2000, 2), *rng.uniform(0, 1000, 2))
    k = torch.tensor([[camera.fx, camera.fy, camera.cx, camera.cy]], dtype=torch.float64)
    xy, depth = torch.from_numpy(camera.project(points)), torch.from_numpy(points[..., 2].copy())
    np.testing.assert_allclose(back_project(xy, depth, k).numpy(), points, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: (a[0][..., :1], a[1], a[2]), r"xy must have shape \(\*, \*, 2\), got \(2, 5, 1\)"),
        (lambda a: (a[0], a[1][:, :4], a[2]), r"depth must have shape \(2, 5\), got \(2, 4\)"),
        (lambda a: (a[0], a[1], a[2].half()), "cameras must be float32, got float16"),
    ],
)
def test_says_what_is_wrong(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        back_project(*change(random_inputs(2, 5)))
