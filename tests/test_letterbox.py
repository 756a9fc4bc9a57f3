from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smap import Letterbox
from smap.letterbox import facing

sizes = st.tuples(st.integers(8, 4000), st.integers(8, 4000))
canvases = st.sampled_from([(416, 256), (832, 512), (256, 416), (64, 64)])


@given(sizes, canvases, st.sampled_from([2, 4, 8]), st.integers(0, 2**32 - 1))
def test_map_and_image_invert(size: tuple[int, int], canvas: tuple[int, int], stride: int, seed: int) -> None:
    box = Letterbox.fit(*size, canvas, stride)
    xy = np.random.default_rng(seed).uniform(-0.5, max(size), (5, 2))
    np.testing.assert_allclose(box.map_to_image(box.image_to_map(xy)), xy, atol=1e-8)
    scale, offset_x, offset_y = box.map_affine
    np.testing.assert_allclose(xy * scale + (offset_x, offset_y), box.image_to_map(xy), atol=1e-8)


@given(sizes, canvases)
def test_image_fits_the_canvas_and_touches_two_sides(size: tuple[int, int], canvas: tuple[int, int]) -> None:
    box = Letterbox.fit(*size, canvas)
    left, top = box.image_to_input(np.array([-0.5, -0.5]))
    right, bottom = box.image_to_input(np.array(size) - 0.5)
    assert left >= -0.5 - 1e-6
    assert top >= -0.5 - 1e-6
    assert right <= canvas[0] - 0.5 + 1e-6
    assert bottom <= canvas[1] - 0.5 + 1e-6
    assert min(left + 0.5, top + 0.5) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "size", [(640, 480), (480, 640), (1920, 1080), (417, 255), (1300, 900), (200, 100), (416, 256)]
)
def test_pixels_land_where_coordinates_say(size: tuple[int, int]) -> None:
    """A soft blob at a known place has its centroid, after the warp, at the converted place."""
    box = Letterbox.fit(*size, (416, 256))
    rng = np.random.default_rng(size[0])
    for _ in range(5):
        centre = rng.uniform(0.25, 0.75, 2) * size
        y, x = np.mgrid[: size[1], : size[0]]
        sigma = 6 / box.scale
        blob = 255 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))
        image = np.repeat(blob.astype(np.uint8)[..., None], 3, 2)
        canvas = box.apply(image)[..., 0].astype(np.float64)
        inside = box.apply(np.full_like(image, 255))[..., 0] == 255
        canvas *= inside
        rows, columns = np.mgrid[: canvas.shape[0], : canvas.shape[1]]
        found = np.array([(canvas * columns).sum(), (canvas * rows).sum()]) / canvas.sum()
        np.testing.assert_allclose(found, box.image_to_input(centre), atol=0.12)


def test_padding_is_grey_and_the_image_of_canvas_size_is_untouched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (256, 416, 3), np.uint8)
    np.testing.assert_array_equal(Letterbox.fit(416, 256, (416, 256)).apply(image), image)
    tall = Letterbox.fit(100, 400, (416, 256)).apply(np.zeros((400, 100, 3), np.uint8))
    assert (tall[:, :150] == 128).all()
    assert tall.shape == (256, 416, 3)


def test_depth_factor_is_eq_1() -> None:
    box = Letterbox.fit(1920, 1080, (832, 512))
    depth, focal = 4.0, 1500.0
    normalised = depth * 832 / (focal * box.scale)  # Z w / f, w and f in input pixels
    assert normalised * box.depth_factor(focal) == pytest.approx(depth)


def test_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="letterbox width must be at least 1, got 0"):
        Letterbox.fit(0, 5, (416, 256))
    with pytest.raises(ValueError, match="image must be"):
        Letterbox.fit(10, 5, (416, 256)).apply(np.zeros((5, 11, 3), np.uint8))


@pytest.mark.parametrize("size", [(576, 352), (352, 576)])
def test_a_canvas_faces_as_the_picture_does(size: tuple[int, int]) -> None:
    assert facing(size, 640, 480) == (576, 352)
    assert facing(size, 480, 640) == (352, 576)
    assert facing(size, 500, 500) == (576, 352)  # no reason to stand
