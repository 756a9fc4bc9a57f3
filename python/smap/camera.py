"""The pinhole camera: frame, units and the depth normalisation of Eq. 1.

Camera frame: x right, y down, z forward, metres. Pixel centres are at integer coordinates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAREST = 0.1  # metres: what is nearer to the camera counts as behind it


@dataclass(frozen=True)
class Camera:
    """Intrinsics in pixels: ``x = fx X / Z + cx``, ``y = fy Y / Z + cy``.

    Raises:
        ValueError: a focal length is not positive or a value is not finite.
    """

    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        for name in ("fx", "fy", "cx", "cy"):
            value = float(getattr(self, name))
            if not math.isfinite(value):
                raise ValueError(f"camera {name} must be finite, got {value}")
            if name in ("fx", "fy") and value <= 0:
                raise ValueError(f"camera {name} must be positive, got {value}")
            object.__setattr__(self, name, value)

    @classmethod
    def default(cls, width: int, height: int) -> Camera:
        """The paper's guess for an unknown picture (Sec. 3.3): focal length = image width, centre in the middle."""
        return cls(float(width), float(width), (width - 1) / 2, (height - 1) / 2)

    @classmethod
    def from_fov(cls, width: int, height: int, degrees: float) -> Camera:
        """A camera with this horizontal field of view, square pixels and its centre in the middle."""
        if not 0 < degrees < 180:
            raise ValueError(f"degrees must be between 0 and 180, got {degrees}")
        focal = width / 2 / math.tan(math.radians(degrees) / 2)
        return cls(focal, focal, (width - 1) / 2, (height - 1) / 2)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """K, ``(3, 3)``."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])

    def project(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """``(..., 3)`` metres -> ``(..., 2)`` image pixels."""
        points = np.asarray(points, np.float64)
        focal, centre = np.array([self.fx, self.fy]), np.array([self.cx, self.cy])
        return np.asarray(points[..., :2] / points[..., 2:] * focal + centre)

    def back_project(self, image_xy: NDArray[Any], depth: NDArray[Any]) -> NDArray[np.float64]:
        """``(..., 2)`` image pixels and ``(...)`` metres along z -> ``(..., 3)`` metres (Eq. 3)."""
        depth = np.asarray(depth, np.float64)[..., None]
        focal, centre = np.array([self.fx, self.fy]), np.array([self.cx, self.cy])
        xy = (np.asarray(image_xy, np.float64) - centre) / focal * depth
        return np.concatenate([xy, np.broadcast_to(depth, xy[..., :1].shape)], -1)
