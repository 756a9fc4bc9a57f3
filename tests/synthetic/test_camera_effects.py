"""degrade and light: what happens to pictures, not where people are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smap.synthetic.assets import rotations_of
from smap.synthetic.degrade import degrade
from smap.synthetic.light import harmonics, rotate_harmonics

CHECKS = (np.indices((64, 96)).sum(0) // 8 % 2 * 200 + 20).astype(np.uint8)[..., None].repeat(3, -1)


def test_strength_zero_changes_nothing() -> None:
    np.testing.assert_array_equal(degrade(CHECKS, 0, np.random.default_rng(0)), CHECKS)


def test_effects_keep_the_picture_recognisable() -> None:
    before = CHECKS.copy()
    correlations = []
    for seed in range(60):
        out = degrade(CHECKS, 1, np.random.default_rng(seed))
        assert out.shape == CHECKS.shape
        assert out.dtype == np.uint8
        correlations.append(np.corrcoef(out.ravel(), CHECKS.ravel())[0, 1])
    np.testing.assert_array_equal(CHECKS, before)
    assert min(correlations) > 0.5
    assert np.median(correlations) > 0.95
    assert len(np.unique(np.round(correlations, 4))) > 30  # effects differ


def test_the_same_generator_gives_the_same_picture() -> None:
    a, b = (degrade(CHECKS, 1, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(a, b)


@settings(deadline=None, max_examples=30)
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
