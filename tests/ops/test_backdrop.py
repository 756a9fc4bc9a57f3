from __future__ import annotations

import numpy as np
import pytest
import torch

from smap.ops.backdrop import LAYER_SIZE, Layer, backdrop, reference

from .check import check_op

SIZE = (12, 16)
PICTURES = ((9, 7), (8, 16))  # height and width
PLAIN = torch.tensor([[1.0, 1, 1, 0, 0, 0]])
LIT = torch.ones(1, 1, 1)


def pool(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    texels = np.random.default_rng(seed).integers(0, 256, sum(3 * h * w for h, w in PICTURES), dtype=np.uint8)
    (h, w), (tall, wide) = PICTURES
    return torch.from_numpy(texels), torch.tensor([[0, w, h], [3 * h * w, wide, tall]])


def layer(image: int, matrix: list[list[float]]) -> torch.Tensor:
    """All of a picture, as it is."""
    out = torch.zeros(LAYER_SIZE)
    out[Layer.IMAGE] = image
    out[Layer.MATRIX : Layer.MATRIX + 9] = torch.tensor(matrix).flatten()
    if image >= 0:
        out[Layer.CROP + 2 : Layer.CROP + 4] = torch.tensor(PICTURES[image][::-1])
    out[Layer.CONTRAST + 2 : Layer.MOST + 1] = 1
    return out


NO_LAYER = layer(-1, [[0] * 3] * 3)


def inputs(seed: int) -> tuple[object, ...]:
    """A plane with a floor before it, a sphere, a picture without a layer."""
    rng = np.random.default_rng(seed)
    wall = layer(0, [[0.8, 0.1, -3.3], [0.07, 0.9, -1.2], [0.004, -0.003, 1]])
    floor = layer(1, [[2.1, 0.3, 1], [0.2, -1.7, 60], [0, 0.09, 0.2]])
    floor[Layer.CROP : Layer.CROP + 4] = torch.tensor([2.0, 1, 5, 6])
    floor[Layer.MEAN : Layer.MEAN + 3] = torch.tensor([90.0, 120, 60])
    floor[Layer.CONTRAST : Layer.MOST + 1] = torch.tensor([0.01, 0.05, -0.1, 0.6])
    floor[Layer.LINE : Layer.LINE + 3] = torch.tensor([0.11, 1, -6.3])
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    sphere = layer(1, (turn @ np.array([[0.1, 0, -0.83], [0, 0.1, -0.57], [0, 0, 1]])).tolist())
    sphere[Layer.SPHERE] = 1
    layers = torch.stack([torch.stack(pair) for pair in ((wall, floor), (sphere, NO_LAYER), (NO_LAYER, NO_LAYER))])
    colours = torch.from_numpy(rng.uniform(0.7, 1.2, (3, 6)).astype(np.float32)) * torch.tensor([1, 1, 1, 9, -9, 5])
    shadows = torch.from_numpy(rng.uniform(0.3, 1, (3, 6, 8)).astype(np.float32))
    return *pool(seed), layers, colours, shadows, *SIZE


@pytest.mark.parametrize("seed", range(3))
def test_equals_reference(seed: int, device: torch.device) -> None:
    # One step of 255: the reference rounds in float64.
    check_op(torch.ops.smap.backdrop.default, backdrop, reference, inputs(seed), device, rtol=0, atol=1)


def test_a_picture_seen_straight_is_the_picture_and_its_mirror_images() -> None:
    texels, images = pool()
    (h, w), _ = PICTURES
    picture = texels[: 3 * h * w].view(h, w, 3)
    straight = layer(0, [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    out = backdrop(texels, images, torch.stack([straight, NO_LAYER])[None], PLAIN, LIT, 2 * h, 2 * w)[0]
    torch.testing.assert_close(out[:h, :w], picture)
    torch.testing.assert_close(out[:h, w:], picture.flip(1))
    torch.testing.assert_close(out[h:, :w], picture.flip(0))


def test_the_horizon_is_no_crash() -> None:
    flat = layer(1, [[1e6, 0, 0], [0, 1e9, 0], [0, 1, -5]])
    out = backdrop(*pool(), torch.stack([flat, NO_LAYER])[None], PLAIN, LIT, *SIZE)
    assert out.shape == (1, *SIZE, 3)


def test_wrong_rows_are_black() -> None:
    texels, images = pool()
    images[1, 0] = 10**9
    for image in (1, 2):
        row = layer(1, [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
        row[Layer.IMAGE] = image
        assert not backdrop(texels, images, torch.stack([row, NO_LAYER])[None], PLAIN, LIT, *SIZE).any()
    row[Layer.IMAGE], row[Layer.CROP + 2 : Layer.CROP + 4] = 0, 4e9
    images[0] = torch.tensor([0, 2**32, 2**32])  # as many bytes as no integer holds
    assert not backdrop(texels, images, torch.stack([row, NO_LAYER])[None], PLAIN, LIT, *SIZE).any()


def test_more_light_than_all_is_white_and_less_than_none_is_black() -> None:
    texels, images = pool()
    row = layer(1, [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    bright = torch.tensor([[1.0, 1, 1, 200, 200, 200]])
    for light, expected in ((2.0, 255), (-1.0, 0), (float("nan"), 0)):
        out = backdrop(texels, images, torch.stack([row, NO_LAYER])[None], bright, LIT * light, *SIZE)
        assert (out == expected).all()


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (0, torch.zeros(9), "texels must be uint8, got float32"),
        (2, torch.zeros(3, 2, 9), "layers must have shape"),
        (3, torch.zeros(2, 6), r"colours must have shape \(3, 6\)"),
        (4, torch.zeros(3, 0, 4), "shadows must have pixels"),
        (5, 0, "picture size must be positive"),
    ],
)
def test_says_what_is_wrong(index: int, value: object, message: str) -> None:
    args = list(inputs(0))
    args[index] = value
    with pytest.raises(ValueError, match=message):
        backdrop(*args)
