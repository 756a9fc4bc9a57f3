from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smap import SMAP15, Camera, Letterbox, Sample
from smap.data.augment import Augmentation, training_picture

FULL = (416, 256)
WILD = Augmentation(degrees=40, zoom=(0.5, 2.0), shift=100)


def dotted(seed: int, width: int = 640, height: int = 480) -> Sample:
    """White discs at the joints of people on black, so that the picture itself says where they went."""
    rng = np.random.default_rng(seed)
    camera = Camera(500, 500, width / 2 + 7, height / 2 - 5)
    joints_3d = rng.uniform([-0.8, -0.6, 3], [0.8, 0.6, 5], (2, 15, 3))
    joints_2d = camera.project(joints_3d)
    image = np.zeros((height, width, 3), np.uint8)
    for x, y in joints_2d[0].round().astype(int).tolist()[:1]:
        cv2.circle(image, (x, y), 5, (255, 255, 255), -1)
    joints_2d[0, 0] = joints_2d[0, 0].round()
    visibility = np.full((2, 15), 2, np.uint8)
    ignore = np.array([[100, 50, 200, 150]], np.float32)
    return Sample(image, width, height, camera, joints_2d, joints_3d, visibility, ignore=ignore)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_joints_and_camera_stay_together(seed: int) -> None:
    sample = dotted(seed)
    out = training_picture(sample, FULL, FULL, WILD, np.random.default_rng(seed))
    projected = out.camera.project(out.joints_3d)
    exact = np.ones((2, 15), bool)
    left_right = np.array(SMAP15.flipped_joints)
    exact[0, [0, left_right[0]]] = False  # rounded above
    np.testing.assert_allclose(out.joints_2d[exact], projected[exact], atol=0.02)
    np.testing.assert_allclose(out.joints_3d[..., 2].mean(), sample.joints_3d[..., 2].mean(), rtol=1e-5)
    assert out.camera.fx == pytest.approx(out.camera.fy)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([FULL, (224, 192)]))
def test_the_picture_moves_with_its_joints(seed: int, size: tuple[int, int]) -> None:
    out = training_picture(dotted(seed), FULL, size, WILD, np.random.default_rng(seed))
    assert out.image.shape == (size[1], size[0], 3)
    x, y = out.joints_2d[0, 0]  # the neck, on the axis of the mirror
    if not (8 < x < size[0] - 8 and 8 < y < size[1] - 8):
        return
    bright = out.image[..., 0].astype(float) * (out.image[..., 0] > 128 + 20)
    rows, columns = np.indices(bright.shape)
    centre = np.array([(columns * bright).sum(), (rows * bright).sum()]) / bright.sum()
    np.testing.assert_allclose(centre, [x, y], atol=0.5)


def test_without_augmentation_it_is_the_letterbox() -> None:
    sample = dotted(0)
    out = training_picture(sample, FULL, FULL, Augmentation.none(), np.random.default_rng(0))
    box = Letterbox.fit(640, 480, FULL)
    np.testing.assert_allclose(out.joints_2d, box.image_to_input(sample.joints_2d), atol=1e-3)
    difference = abs(out.image.astype(int) - box.apply(sample.image).astype(int))
    assert difference.mean() < 0.5
    assert out.camera.fx == pytest.approx(500 * box.scale)


def test_mirroring_swaps_sides_and_twice_is_nothing() -> None:
    sample = dotted(1, *FULL)
    mirror = Augmentation(degrees=0, zoom=(1, 1), shift=0, flip=1, focus=0)
    rng = np.random.default_rng(0)
    once = training_picture(sample, FULL, FULL, mirror, rng)
    np.testing.assert_allclose(once.joints_2d[:, 3, 0], 415 - sample.joints_2d[:, 9, 0], atol=1e-3)
    np.testing.assert_allclose(once.ignore, [[215, 50, 315, 150]], atol=1e-3)
    twice = training_picture(once, FULL, FULL, mirror, rng)
    np.testing.assert_array_equal(twice.image, sample.image)
    np.testing.assert_allclose(twice.joints_3d, sample.joints_3d, atol=1e-5)
    np.testing.assert_allclose(twice.joints_2d, sample.joints_2d, atol=1e-2)


def test_what_leaves_the_picture_is_hidden() -> None:
    out = training_picture(dotted(2), FULL, (64, 64), Augmentation.none(), np.random.default_rng(3))
    inside = ((out.joints_2d >= -0.5) & (out.joints_2d < 63.5)).all(-1)
    assert (out.visibility[~inside] == 0).all()
    assert (out.visibility[inside] == 2).all()


def test_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="zoom must be"):
        Augmentation(zoom=(2, 1))
    with pytest.raises(ValueError, match=r"flip must be in \[0, 1\], got 2"):
        Augmentation(flip=2)
