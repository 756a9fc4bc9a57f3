from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from smap.ops.rasterize import NOTHING, Instance, rasterize, reference, unpack

from .check import check_op
from .soup import instance_table, soup, texture_pool

SIZE = (24, 32)  # height, width


@pytest.mark.parametrize("supersample", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equals_reference(seed: int, supersample: int, device: torch.device) -> None:
    args = (*soup(seed), 2, *SIZE, supersample, 30)
    check_op(torch.ops.smap.rasterize.default, rasterize, reference, args, device, rtol=0, atol=0)


@pytest.mark.parametrize(("meshes", "triangles"), [(0, 4), (2, 0)])
def test_nothing_to_draw(meshes: int, triangles: int, device: torch.device) -> None:
    args = (*soup(0, meshes=meshes, triangles=triangles), 2, *SIZE, 1, meshes * triangles)
    check_op(torch.ops.smap.rasterize.default, rasterize, reference, args, device)
    assert (rasterize(*[a.to(device) if isinstance(a, torch.Tensor) else a for a in args]) == NOTHING).all()


def one_mesh(points: np.ndarray, faces: np.ndarray, flags: int = 0) -> tuple[torch.Tensor, ...]:
    """Points ``(V, 3)``: x, y in pixels and depth in metres."""
    screen = np.concatenate([points[:, :2], 1 / points[:, 2:]], -1).astype(np.float32)
    instances = instance_table([0], len(faces), len(points), [flags])
    pool = texture_pool(np.random.default_rng(0), 1)
    uv = torch.zeros(len(points), 2)
    return torch.from_numpy(screen), uv, torch.from_numpy(faces.astype(np.int32)), instances, *pool


def each_alone(points: np.ndarray, faces: np.ndarray) -> torch.Tensor:
    """``(T, H, W)``: every triangle in a picture of its own."""
    screen, uv, triangles, instances, *pool = one_mesh(points, faces)
    instances = instances.repeat(len(faces), 1)
    number = torch.arange(len(faces), dtype=torch.int32)
    instances[:, Instance.PICTURE] = instances[:, Instance.FIRST_TRIANGLE] = instances[:, Instance.FIRST_ID] = number
    instances[:, Instance.TRIANGLE_COUNT] = 1
    return rasterize(screen, uv, triangles, instances, *pool, len(faces), *SIZE)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(4, 40), st.booleans())
def test_shared_edges_are_watertight(seed: int, count: int, on_grid: bool) -> None:
    """Every sample inside a triangulated square is covered by exactly one of its triangles, on sample centres too."""
    rng = np.random.default_rng(seed)
    corners = np.array([[-3, -3], [SIZE[1] + 3, -3], [SIZE[1] + 3, SIZE[0] + 3], [-3, SIZE[0] + 3]], float)
    inner = rng.uniform(0, 1, (count, 2)) * (SIZE[1], SIZE[0])
    xy = np.concatenate([corners, np.unique(np.round(inner), axis=0) if on_grid else inner])
    faces = Delaunay(xy).simplices
    flip = rng.random(len(faces)) < 0.5  # winding must not matter without culling
    faces[flip] = faces[flip][:, ::-1]
    points = np.concatenate([xy, rng.uniform(1, 5, (len(xy), 1))], -1)
    assert ((each_alone(points, faces) != NOTHING).sum(0) == 1).all()


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.permutations(range(10)))
@example(127, [0, 2, 3, 4, 5, 6, 7, 1, 8, 9])  # two of them meet
def test_the_order_of_triangles_does_not_matter(seed: int, order: list[int]) -> None:
    screen, uv, faces, instances, *pool = soup(seed, meshes=1, pictures=1)
    depth, ids = unpack(rasterize(screen, uv, faces, instances, *pool, 1, *SIZE))
    depth_2, ids_2 = unpack(rasterize(screen, uv, faces[list(order)], instances, *pool, 1, *SIZE))
    torch.testing.assert_close(depth, depth_2, rtol=0, atol=0)
    # Triangles that meet at one depth may take each other's place: whoever won in the other order is there, as near.
    winner = torch.tensor(order)[ids_2.clamp(min=0)]
    changed = (ids >= 0) & (winner != ids)
    for triangle in winner[changed].unique():
        alone = instances.clone()
        alone[:, Instance.FIRST_TRIANGLE], alone[:, Instance.TRIANGLE_COUNT] = triangle, 1
        own_depth, _ = unpack(rasterize(screen, uv, faces, alone, *pool, 1, *SIZE))
        here = changed & (winner == triangle)
        torch.testing.assert_close(own_depth[here], depth[here], rtol=0, atol=0)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_the_nearest_triangle_wins(seed: int) -> None:
    """Flat triangles at depths of their own: each sample shows the nearest that covers it."""
    rng = np.random.default_rng(seed)
    count = 6
    depths = rng.permutation(np.arange(1, count + 1)).astype(float)
    xy = rng.uniform(-5, 35, (count * 3, 2))
    points = np.concatenate([xy, np.repeat(depths, 3)[:, None]], -1)
    faces = np.arange(count * 3).reshape(count, 3)
    depth, ids = unpack(rasterize(*one_mesh(points, faces), 1, *SIZE)[0])
    alone = unpack(each_alone(points, faces))[0]
    torch.testing.assert_close(depth, alone.min(0).values, rtol=0, atol=0)
    found = ids >= 0
    np.testing.assert_allclose(depth[found].numpy(), depths[ids[found].numpy()], rtol=1e-5)


def test_depth_is_perspective_correct() -> None:
    """A slanted plane: depth at each pixel is where the pixel's ray meets the plane."""
    focal, centre = 20.0, np.array([15.5, 11.5])
    plane = np.array([[-4, -3, 3], [5, -3, 8], [5, 4, 8], [-4, 4, 3]], float)  # x, y, z in the camera frame
    screen = np.concatenate([plane[:, :2] / plane[:, 2:] * focal + centre, plane[:, 2:]], -1)
    depth, ids = unpack(rasterize(*one_mesh(screen, np.array([[0, 1, 2], [0, 2, 3]])), 1, *SIZE)[0])
    x, _ = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    slope = 5 / 9  # z = 3 + slope (X + 4), X = z (x - cx) / f
    expected = (3 + 4 * slope) / (1 - slope * (x - centre[0]) / focal)
    inside = (ids >= 0).numpy()
    assert inside.sum() > 200
    np.testing.assert_allclose(depth.numpy()[inside], expected[inside], rtol=0.02)


def test_back_faces_are_culled_only_where_asked() -> None:
    points = np.array([[2, 2, 1], [2, 20, 1], [28, 2, 1.0]])  # counter-clockwise as seen
    for flags, faces, drawn in ((1, [[0, 1, 2]], True), (1, [[0, 2, 1]], False), (0, [[0, 2, 1]], True)):
        out = rasterize(*one_mesh(points, np.array(faces), flags), 1, *SIZE)
        assert bool((out != NOTHING).any()) is drawn


def test_a_batch_equals_its_pictures() -> None:
    screen, uv, faces, instances, *pool = soup(5, meshes=4, pictures=4)
    batch = rasterize(screen, uv, faces, instances, *pool, 4, *SIZE)
    for b in range(4):
        row = instances[b : b + 1].clone()
        row[0, 0] = 0
        torch.testing.assert_close(rasterize(screen, uv, faces, row, *pool, 1, *SIZE)[0], batch[b])


def test_indices_out_of_range_are_left_out() -> None:
    screen, uv, faces, instances, *pool = soup(1, meshes=1, pictures=1)
    wild = faces.clone()
    wild[::2] = torch.tensor([0, 10**6, -5], dtype=torch.int32)
    _, ids = unpack(rasterize(screen, uv, wild, instances, *pool, 1, *SIZE))
    assert (ids[ids >= 0] % 2 == 1).all()
    instances[0, 0] = 7
    assert (rasterize(screen, uv, faces, instances, *pool, 1, *SIZE) == NOTHING).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: torch.zeros(3, 2)}, r"screen must have shape \(\*, 3\), got \(3, 2\)"),
        ({2: torch.zeros(3, 3)}, "triangles must be int32, got float32"),
        ({5: torch.tensor([[0, 16, 9]])}, "textures must lie inside texels, got row 0"),
        ({5: torch.tensor([[0, 16, 3], [2**63 - 1, 1, 1]])}, "textures must lie inside texels, got row 1"),
        ({5: torch.tensor([[0, 2**40, 3]])}, "textures must lie inside texels, got row 0"),
        ({7: 0}, "picture size must be positive"),
        ({9: 9}, "supersample must be 1 to 4, got 9"),
    ],
)
def test_says_what_is_wrong(change: dict[int, object], message: str) -> None:
    args = [*soup(0), 2, *SIZE, 1]
    for i, value in change.items():
        args[i] = value
    with pytest.raises(ValueError, match=message):
        rasterize(*args)
