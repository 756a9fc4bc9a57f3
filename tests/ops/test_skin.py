from __future__ import annotations

import numpy as np
import pytest
import torch

from smap.ops.rasterize import Instance
from smap.ops.skin import reference, skin

from .check import check_op


def inputs(seed: int, vertices: tuple[int, ...] = (5, 3, 7)) -> tuple[object, ...]:
    """Meshes of these vertices in two pictures, the last two with one set of bones."""
    rng = np.random.default_rng(seed)
    rows = torch.zeros(len(vertices), len(Instance), dtype=torch.int32)
    rows[:, Instance.PICTURE] = torch.tensor([0, 1, 1])
    rows[:, Instance.FIRST_VERTEX] = torch.tensor([0, *np.cumsum(vertices)[:-1]])
    rows[:, Instance.FIRST_UV] = torch.tensor([4, 0, 9])
    skins = torch.tensor([[2, 0], [7, 1], [0, 1]], dtype=torch.int32)
    rest = torch.from_numpy(rng.normal(0, 0.5, (12, 6)).astype(np.float32))
    bones = torch.from_numpy(rng.integers(0, 6, (16, 4), dtype=np.uint8))
    weights = torch.from_numpy(rng.dirichlet(np.ones(4), 16).astype(np.float32))
    poses = torch.from_numpy(rng.normal(0, 0.5, (2, 6, 12)).astype(np.float32))
    poses[..., 11] += 2
    cameras = torch.tensor([[300.0, 310, 100, 90], [200, 190, 80, 70]])
    return rows, skins, rest, bones, weights, poses, cameras, sum(vertices)


@pytest.mark.parametrize("seed", range(4))
def test_equals_reference(seed: int, device: torch.device) -> None:
    check_op(torch.ops.smap.skin.default, skin, reference, inputs(seed), device, rtol=1e-4, atol=1e-2)


def test_a_vertex_of_one_bone_moves_with_it() -> None:
    rows, skins, rest, bones, weights, poses, cameras, count = inputs(0)
    weights[:] = torch.tensor([1.0, 0, 0, 0])
    poses[:] = torch.tensor([1.0, 0, 0, 0.5, 0, 1, 0, -0.25, 0, 0, 1, 4])
    screen, normals = skin(rows, skins, rest, bones, weights, poses, cameras, count)
    torch.testing.assert_close(normals[:5], rest[2:7, 3:])
    place = rest[2:7, :3] + torch.tensor([0.5, -0.25, 4])
    torch.testing.assert_close(screen[:5, 2], 1 / place[:, 2])
    torch.testing.assert_close(screen[:5, 0], place[:, 0] / place[:, 2] * 300 + 100)


def test_vertices_behind_the_camera_have_no_depth() -> None:
    args = list(inputs(1))
    args[5] = args[5] * torch.tensor([1.0] * 11 + [-1])
    assert (skin(*args)[0][:, 2] >= 0).all()
    assert (skin(*args)[0][:, 2] == 0).any()


def test_rows_out_of_range_give_zeros() -> None:
    args = list(inputs(2))
    args[1] = torch.tensor([[100, 0], [0, 9], [-5, 1]], dtype=torch.int32)
    screen, _ = skin(*args)
    assert (screen[:8] == 0).all()


def test_nothing_to_pose() -> None:
    args = [a[:0] if isinstance(a, torch.Tensor) and i < 2 else a for i, a in enumerate(inputs(0)[:-1])]
    screen, normals = skin(*args, 0)
    assert screen.shape == normals.shape == (0, 3)


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (1, torch.zeros(3, 3, dtype=torch.int32), r"skins must have shape \(3, 2\)"),
        (2, torch.zeros(12, 3), "rest must have shape"),
        (3, torch.zeros(16, 4), "bones must be uint8, got float32"),
        (5, torch.zeros(2, 6, 9), "poses must have shape"),
        (7, -1, r"vertices must be a count below 2\^31, got -1"),
        (7, 3, "instances must have rising first vertices"),
    ],
)
def test_says_what_is_wrong(index: int, value: object, message: str) -> None:
    args = list(inputs(0))
    args[index] = value
    with pytest.raises(ValueError, match=message):
        skin(*args)
