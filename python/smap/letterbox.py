"""The only place that converts between the three pixel frames: image, input (network canvas) and map.

Pixel centres are at integer coordinates in all of them, as in OpenCV: input = (image + 0.5) * scale + padding - 0.5
and map = (input + 0.5) / stride - 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

PADDING_VALUE = 128  # grey, before normalisation: the authors' choice


@dataclass(frozen=True)
class Letterbox:
    """An image scaled to fit a canvas, aspect kept, centred (paper Sec. 4.2: resizing keeps the field of view).

    Args:
        width, height: of the image, pixels.
        input_size: ``(width, height)`` of the network's input, pixels.
        stride: input pixels per map pixel.

    Raises:
        ValueError: a size or the stride is less than 1.
    """

    width: int
    height: int
    input_size: tuple[int, int]
    stride: int = 4

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_size", (int(self.input_size[0]), int(self.input_size[1])))
        for name in ("width", "height", "stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"letterbox {name} must be at least 1, got {getattr(self, name)}")
        if min(self.input_size) < 1:
            raise ValueError(f"input_size must be at least (1, 1), got {self.input_size}")

    @classmethod
    def fit(cls, width: int, height: int, input_size: tuple[int, int], stride: int = 4) -> Letterbox:
        """An image of this size, in pixels, on a canvas of ``(width, height)`` input pixels."""
        return cls(int(width), int(height), input_size, stride)

    @property
    def scale(self) -> float:
        """Input pixels per image pixel."""
        return min(self.input_size[0] / self.width, self.input_size[1] / self.height)

    @property
    def padding(self) -> tuple[float, float]:
        """Canvas left of and above the image, input pixels."""
        return (
            (self.input_size[0] - self.width * self.scale) / 2,
            (self.input_size[1] - self.height * self.scale) / 2,
        )

    @property
    def map_size(self) -> tuple[int, int]:
        """``(width, height)`` of the maps."""
        return self.input_size[0] // self.stride, self.input_size[1] // self.stride

    @property
    def map_affine(self) -> tuple[float, float, float]:
        """``(scale, offset_x, offset_y)`` of ``map_xy = image_xy * scale + offset``: for ops that take numbers."""
        scale = self.scale / self.stride
        return (
            scale,
            scale / 2 + self.padding[0] / self.stride - 0.5,
            scale / 2 + self.padding[1] / self.stride - 0.5,
        )

    def image_to_input(self, xy: NDArray[Any]) -> NDArray[np.float64]:
        """``(..., 2)`` image pixels -> input pixels."""
        return np.asarray((np.asarray(xy, np.float64) + 0.5) * self.scale + np.array(self.padding) - 0.5)

    def input_to_image(self, xy: NDArray[Any]) -> NDArray[np.float64]:
        """``(..., 2)`` input pixels -> image pixels."""
        return np.asarray((np.asarray(xy, np.float64) + 0.5 - np.array(self.padding)) / self.scale - 0.5)

    def image_to_map(self, xy: NDArray[Any]) -> NDArray[np.float64]:
        """``(..., 2)`` image pixels -> map pixels."""
        return (self.image_to_input(xy) + 0.5) / self.stride - 0.5

    def map_to_image(self, xy: NDArray[Any]) -> NDArray[np.float64]:
        """``(..., 2)`` map pixels -> image pixels."""
        return self.input_to_image((np.asarray(xy, np.float64) + 0.5) * self.stride - 0.5)

    def depth_factor(self, fx: float) -> float:
        """Metres per unit of normalised depth: ``Z = depth_factor * Z~`` (Eq. 1 with w and f in input pixels)."""
        return fx * self.scale / self.input_size[0]

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Scale and pad ``(height, width, 3)`` uint8 to ``(input height, input width, 3)``."""
        if image.shape != (self.height, self.width, 3) or image.dtype != np.uint8:
            raise ValueError(f"image must be ({self.height}, {self.width}, 3) uint8, got {image.shape} {image.dtype}")
        # A bilinear warp aliases below half size: average whole blocks first, exactly aligned with the pixel grid.
        block = max(1, int(1 / self.scale)) if self.scale < 1 else 1
        if block > 1:
            bottom, right = -self.height % block, -self.width % block
            if bottom or right:
                image = np.asarray(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
            size = (image.shape[1] // block, image.shape[0] // block)
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        scale = self.scale * block
        offset = [scale / 2 + padding - 0.5 for padding in self.padding]
        affine = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
        if scale == 1 and all(float(x).is_integer() for x in self.padding):
            left, top = int(self.padding[0]), int(self.padding[1])
            canvas = np.full((self.input_size[1], self.input_size[0], 3), PADDING_VALUE, np.uint8)
            canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
            return canvas
        value = (PADDING_VALUE,) * 3
        warped = cv2.warpAffine(image, affine, self.input_size, flags=cv2.INTER_LINEAR, borderValue=value)
        return np.asarray(warped, np.uint8)


def facing(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """A canvas' ``(width, height)``, turned upright for pictures that are higher than wide and vice versa."""
    return size[::-1] if (height > width) != (size[1] > size[0]) else size
