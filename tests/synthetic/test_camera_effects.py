"""degrade and light: what happens to pictures, not where people are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smap.synthetic.assets import rotations_of
from smap.synthetic.degrade import BLURRED, COARSE, Effects, degrade, draw_effects, no_effects
from smap.synthetic.light import harmonics, rotate_harmonics
from smap.synthetic.resample import blur_matrix

CHECKS = (np.indices((64, 96)).sum(0) // 8 % 2 * 200 + 20).astype(np.uint8)[..., None].repeat(3, -1)


def degraded(images: np.ndarray, drawn: list[Effects]) -> np.ndarray:
    effects = Effects._make(np.stack(column) for column in zip(*drawn, strict=True))
    return degrade(torch.from_numpy(images), effects).numpy()


def with_effects(**changes: list[float]) -> Effects:
    return no_effects()._replace(**{name: np.array(value, np.float32) for name, value in changes.items()})


def test_strength_zero_changes_nothing() -> None:
    np.testing.assert_array_equal(degraded(CHECKS[None], [draw_effects(0, np.random.default_rng(0))])[0], CHECKS)


def test_effects_keep_the_picture_recognisable() -> None:
    before = CHECKS[None].repeat(60, 0)
    out = degraded(before, [draw_effects(1, np.random.default_rng(seed)) for seed in range(60)])
    assert out.shape == before.shape
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(before[0], CHECKS)
    correlations = [np.corrcoef(image.ravel(), CHECKS.ravel())[0, 1] for image in out]
    assert min(correlations) > 0.5
    assert np.median(correlations) > 0.95
    assert len(np.unique(np.round(correlations, 4))) > 30  # effects differ


def test_the_same_generator_gives_the_same_effects() -> None:
    a, b = (draw_effects(1, np.random.default_rng(5)) for _ in range(2))
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


def smooth(seed: int = 0, size: tuple[int, int] = (64, 96)) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (*size, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip((blurred - 127) * 4 + 127, 0, 255).astype(np.uint8)


def test_filters_hold_no_number_that_slows_a_cpu_down() -> None:
    smallest = torch.finfo(torch.float32).tiny
    matrix = blur_matrix(torch.tensor([0.3, 1.3, 5.0]), 300)
    assert ((matrix == 0) | (matrix > smallest)).all()


def test_blur_and_low_resolution_are_those_of_opencv() -> None:
    image = smooth()
    for sigma in (0.4, 1.0, 1.8):
        expected = cv2.GaussianBlur(image, (0, 0), sigma)
        found = degraded(image[None], [with_effects(lens=[BLURRED, sigma])])[0]
        assert np.abs(found.astype(int) - expected).max() <= 2
    small = cv2.resize(image, (48, 32), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(small, (96, 64), interpolation=cv2.INTER_LINEAR)
    found = degraded(image[None], [with_effects(lens=[COARSE, 2.0])])[0]
    assert np.abs(found.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("size", [(64, 96), (60, 90)])
@pytest.mark.parametrize("quality", [25, 50, 90])
def test_jpeg_loses_what_libjpeg_loses(quality: int, size: tuple[int, int]) -> None:
    image = smooth(1, size)
    _, code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    expected = cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1].astype(float)
    found = degraded(image[None], [with_effects(quality=[quality])])[0]
    loss = np.abs(expected - image).mean()
    assert np.abs(found - expected).mean() < 0.2 * loss + 0.5
    assert np.abs(found.astype(float) - image).mean() == pytest.approx(loss, rel=0.1)


def test_noise_has_its_deviation_wherever_it_begins() -> None:
    grey = np.full((3, 64, 96, 3), 128, np.uint8)
    out = degraded(grey, [with_effects(noise=[6.0, row, column]) for row, column in ((0, 0), (1000, 5), (7, 1020))])
    assert out.astype(float).std((1, 2, 3)) == pytest.approx([6] * 3, rel=0.15)
    assert not np.array_equal(out[0], out[1])


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_rotated_light_shines_from_the_rotated_direction(seed: int) -> None:
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(size=(9, 3))
    rotation = rotations_of(rng.normal(size=4)).astype(np.float64)
    directions = rng.normal(size=(20, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    expected = harmonics(directions @ rotation.T) @ coefficients
    found = harmonics(directions) @ rotate_harmonics(coefficients, rotation)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_harmonics_are_orthonormal() -> None:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(200_000, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    basis = harmonics(directions)
    assert basis.T @ basis * 4 * np.pi / len(basis) == pytest.approx(np.eye(9), abs=0.03)
