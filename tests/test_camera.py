from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smap import Camera


@given(st.integers(0, 2**32 - 1))
def test_back_projection_inverts_projection(seed: int) -> None:
    rng = np.random.default_rng(seed)
    camera = Camera(*rng.uniform(200, 3000, 2), *rng.uniform(0, 1000, 2))
    points = np.concatenate([rng.uniform(-4, 4, (6, 2)), rng.uniform(0.3, 20, (6, 1))], -1)
    np.testing.assert_allclose(camera.back_project(camera.project(points), points[:, 2]), points, atol=1e-9)
    homogeneous = points @ camera.matrix.T
    np.testing.assert_allclose(camera.project(points), homogeneous[:, :2] / homogeneous[:, 2:], atol=1e-9)


@given(st.floats(5, 170), st.integers(10, 5000))
def test_field_of_view_spans_the_width(degrees: float, width: int) -> None:
    camera = Camera.from_fov(width, 100, degrees)
    edges = camera.back_project(np.array([[-0.5, 0], [width - 0.5, 0]]), np.ones(2))
    spanned = math.degrees(math.atan(edges[1, 0]) - math.atan(edges[0, 0]))
    assert spanned == pytest.approx(degrees)


def test_default_camera_is_the_papers() -> None:
    assert Camera.default(640, 480) == Camera(640, 640, 319.5, 239.5)


@pytest.mark.parametrize(
    "bad", [(0, 1, 1, 1), (1, -2, 1, 1), (math.nan, 1, 1, 1), (1, math.inf, 1, 1), (1, 1, 1, math.nan)]
)
def test_intrinsics_must_be_positive_and_finite(bad: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"camera .* must be (positive|finite), got"):
        Camera(*bad)


def test_field_of_view_must_be_an_angle() -> None:
    with pytest.raises(ValueError, match="degrees must be between 0 and 180, got 180"):
        Camera.from_fov(10, 10, 180)
