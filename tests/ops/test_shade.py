from __future__ import annotations

import numpy as np
import pytest
import torch

from smap.ops.rasterize import rasterize
from smap.ops.shade import LIGHT_SIZE, REGIONS, reference, shade

from .check import check_op
from .soup import soup

SIZE = (12, 16)


def inputs(seed: int, supersample: int) -> tuple[object, ...]:
    rng = np.random.default_rng(seed)
    screen, uv, faces, instances, texels, textures = soup(seed, size=SIZE)
    visibility = rasterize(screen, uv, faces, instances, texels, textures, 2, *SIZE, supersample)
    normals = torch.from_numpy(rng.normal(0, 1, (len(screen), 3)).astype(np.float32))
    materials = torch.from_numpy(rng.uniform(-0.1, 0.6, (len(instances), REGIONS, 3, 4)).astype(np.float32))
    lights = rng.uniform(-0.1, 0.3, (2, LIGHT_SIZE)).astype(np.float32)
    lights[:, :3] += 2
    lights[:, 33:] = [[0.8, 6.0], [0.0, 0.0]]
    lights[:, 27:30] /= np.linalg.norm(lights[:, 27:30], axis=-1, keepdims=True)
    background = torch.from_numpy(rng.integers(0, 256, (2, *SIZE, 3), dtype=np.uint8))
    patterns = np.stack([[0, 3.7, 0.8, 1023], [2, 1.3, -0.6, 0b1010101010], [1, 1, 0, 1023]])
    patterns = torch.from_numpy(patterns.astype(np.float32))
    geometry = (screen, normals, uv, faces, instances, materials, patterns, texels, textures)
    return visibility, *geometry, torch.from_numpy(lights), background, supersample


@pytest.mark.parametrize("supersample", [1, 2])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_reference(seed: int, supersample: int, device: torch.device) -> None:
    args = inputs(seed, supersample)
    # One step of 255: the reference rounds in float64.
    check_op(torch.ops.smap.shade.default, shade, reference, args, device, rtol=0, atol=1)


def test_no_triangle_shows_the_background() -> None:
    args = list(inputs(0, 2))
    args[5:8] = [a[:0] for a in args[5:8]]
    args[0] = rasterize(args[1], args[3], args[4], args[5], args[8], args[9], 2, *SIZE, 2)
    torch.testing.assert_close(shade(*args), args[11])


def test_half_a_pixel_is_half_the_light() -> None:
    """A white square that ends in the middle of a column, over black: the border is half of the light, not of 255."""
    screen = torch.tensor([[-1, -1, 1], [7.5, -1, 1], [7.5, 12, 1], [-1, 12, 1]], dtype=torch.float32)
    screen[:, 0] -= torch.tensor([0, 0.5, 0.5, 0])  # column 7 spans 6.5 to 7.5: the square ends at its centre
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    instances = torch.tensor([[0, 0, 0, 0, 2, 0, 0, 0]], dtype=torch.int32)
    texels, textures = torch.full((4 * 16,), 255, dtype=torch.uint8), torch.tensor([[0, 4, 1]])
    uv = torch.zeros(4, 2)
    visibility = rasterize(screen, uv, faces, instances, texels, textures, 1, *SIZE, 2)
    materials = torch.zeros(1, REGIONS, 3, 4)
    materials[..., 3] = 1
    lights = torch.zeros(1, LIGHT_SIZE)
    lights[:, :3] = 1 / 0.282095
    normals, black = torch.ones(4, 3), torch.zeros(1, *SIZE, 3, dtype=torch.uint8)
    geometry = (screen, normals, uv, faces, instances, materials, torch.zeros(1, 4), texels, textures)
    image = shade(visibility, *geometry, lights, black, 2)[0]
    assert (image[:, :7] >= 254).all()
    assert (image[:, 8:] == 0).all()
    assert image[:, 7].float().mean() == pytest.approx(255 * 0.5**0.5, abs=1)


def plane(step: float) -> torch.Tensor:
    """A picture of a white plane whose right half lies ``step`` metres nearer, with creases darkened."""
    near = 2 - step
    corners = [[-1, -1, 2], [16, -1, 2], [16, 12, 2], [-1, 12, 2], [7.5, -1, near], [16, -1, near], [16, 12, near]]
    screen = torch.tensor([*corners, [7.5, 12, near]])
    screen[:, 2] = 1 / screen[:, 2]
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], dtype=torch.int32)
    instances = torch.tensor([[0, 0, 0, 0, 4, 0, 0, 0]], dtype=torch.int32)
    pool = torch.full((64,), 255, dtype=torch.uint8), torch.tensor([[0, 4, 1]])
    materials = torch.zeros(1, REGIONS, 3, 4)
    materials[..., 3] = 0.5
    lights = torch.zeros(1, LIGHT_SIZE)
    lights[:, :3] = 1 / 0.282095
    lights[:, 33:] = torch.tensor([1.0, 4.0])
    visibility = rasterize(screen, torch.zeros(8, 2), faces, instances, *pool, 1, *SIZE)
    geometry = (screen, torch.ones(8, 3), torch.zeros(8, 2), faces, instances, materials, torch.zeros(1, 4), *pool)
    return shade(visibility, *geometry, lights, torch.zeros(1, *SIZE, 3, dtype=torch.uint8))[0, :, :, 0].float()


def test_creases_darken_the_lower_side_of_a_step() -> None:
    flat, step = plane(1e-4), plane(0.15)
    assert (flat == 128).all()
    assert (step[:, 6:8] < 125).all()
    assert (step[:, 8:14] == 128).all()
    assert (step[:, 2:4] == 128).all()


def test_what_rasterize_did_not_draw_is_no_crash() -> None:
    args = list(inputs(3, 1))
    args[0] = torch.randint(-(2**62), 2**62, args[0].shape)
    assert shade(*args).shape == (2, *SIZE, 3)
    for place, value in ((7, float("nan")), (7, 1e30), (10, float("nan")), (10, -5.0)):  # patterns, lights
        wild = list(inputs(3, 1))
        wild[place] = torch.full_like(wild[place], value)
        assert shade(*wild).shape == (2, *SIZE, 3)
    args[5:8] = [a[:0] for a in args[5:8]]
    torch.testing.assert_close(shade(*args), args[11])


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (0, torch.zeros(2, 5, 5, dtype=torch.int64), r"visibility must have shape \(2, 12, 16\)"),
        (2, torch.zeros(5, 3), "normals must have shape"),
        (6, torch.zeros(3, 8, 3, 3), "materials must have shape"),
        (7, torch.zeros(3, 3), "patterns must have shape"),
        (10, torch.zeros(2, 9), "lights must have shape"),
        (11, torch.zeros(2, *SIZE, 3), "background must be uint8, got float32"),
    ],
)
def test_says_what_is_wrong(index: int, value: torch.Tensor, message: str) -> None:
    args = list(inputs(0, 1))
    args[index] = value
    with pytest.raises(ValueError, match=message):
        shade(*args)
