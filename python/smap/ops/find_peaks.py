"""Peaks of heatmaps with sub-pixel positions (paper Sec. 3.2)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from . import _library  # noqa: F401  (registers torch.ops.smap)


def find_peaks(
    heatmaps: Tensor, threshold: float = 0.1, scale: float = 1.0, capacity: int = 127, official: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """The local maxima of every heatmap, in raster order.

    A pixel is a peak when it is above the threshold and above its neighbours; of equal neighbours the first in raster
    order is, so that a plateau gives one peak. Its position is refined by a parabola per axis. When there are more than
    ``capacity``, the highest stay, of equal ones the first.

    Args:
        heatmaps: ``(B, J, h, w)`` float32, float16 or bfloat16, any strides.
        threshold: scaled values must be above it; at least 0.
        scale: values are multiplied by it before they are compared with the threshold.
        capacity: peaks per joint and image.
        official: the authors' rules: strictly above all eight neighbours, compared as scaled values, never on the
            border, position is the centroid of the positive values in a 7x7 window, the first ``capacity`` in raster
            order stay.

    Returns:
        ``xy (B, J, K, 2)`` float32 map pixels, centres at integers (the authors' are 0.5 more); ``score (B, J, K)``
        float32, the pixel's value, not scaled; ``count (B, J)`` int64. Zero beyond the count.

    Raises:
        ValueError: a shape or dtype does not fit, or (on the CPU) a value is not finite. On a GPU such pixels are never
            peaks.
    """
    return torch.ops.smap.find_peaks.default(heatmaps, threshold, scale, capacity, official)  # type: ignore[no-any-return]


def reference(
    heatmaps: Tensor, threshold: float = 0.1, scale: float = 1.0, capacity: int = 127, official: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """One pixel after the other, float32."""
    batch, joints = heatmaps.shape[:2]
    xy, score = torch.zeros(batch, joints, capacity, 2), torch.zeros(batch, joints, capacity)
    count = torch.zeros(batch, joints, dtype=torch.int64)
    values = heatmaps.float().cpu().numpy()
    for b, j in np.ndindex(batch, joints):
        scaled = values[b, j] * np.float32(scale)
        peaks = [
            (float(values[b, j, y, x]), y, x)
            for y, x in zip(*np.nonzero(scaled > np.float32(threshold)), strict=True)
            if _is_peak(scaled if official else values[b, j], y, x, official)
        ]
        if not official:
            peaks = sorted(sorted(peaks, key=lambda p: -p[0])[:capacity], key=lambda p: p[1:])
        for k, (value, y, x) in enumerate(peaks[:capacity]):
            place = _centroid(scaled, y, x) if official else _vertex(values[b, j], y, x)
            xy[b, j, k] = torch.tensor(place)
            score[b, j, k] = value
        count[b, j] = min(len(peaks), capacity)
    return xy, score, count


def _is_peak(values: np.ndarray, y: int, x: int, official: bool) -> bool:
    h, w = values.shape
    if official and not (0 < y < h - 1 and 0 < x < w - 1):
        return False
    for ny in range(max(y - 1, 0), min(y + 2, h)):
        for nx in range(max(x - 1, 0), min(x + 2, w)):
            later = (ny, nx) > (y, x)
            above = values[y, x] > values[ny, nx] or (later and not official and values[y, x] == values[ny, nx])
            if (ny, nx) != (y, x) and not above:
                return False
    return True


def _centroid(values: np.ndarray, y: int, x: int) -> tuple[float, float]:
    total = sum_x = sum_y = np.float32(0)
    for ny in range(max(y - 3, 0), min(y + 4, values.shape[0])):
        for nx in range(max(x - 3, 0), min(x + 4, values.shape[1])):
            if values[ny, nx] > 0:
                sum_x += np.float32(nx) * values[ny, nx]
                sum_y += np.float32(ny) * values[ny, nx]
                total += values[ny, nx]
    return float(sum_x / total), float(sum_y / total)


def _vertex(values: np.ndarray, y: int, x: int) -> tuple[float, float]:
    def offset(line: np.ndarray, i: int) -> float:
        if not 0 < i < len(line) - 1:
            return 0.0
        left, middle, right = (float(v) for v in line[i - 1 : i + 2])
        curvature = 2 * middle - left - right
        return 0.5 * (right - left) / curvature if curvature > 0 else 0.0

    return x + offset(values[y], x), y + offset(values[:, x], y)


@torch.library.register_fake("smap::find_peaks")
def _(heatmaps: Tensor, threshold: float, scale: float, capacity: int, official: bool) -> tuple[Tensor, Tensor, Tensor]:
    batch, joints = heatmaps.shape[:2]
    return (
        heatmaps.new_empty((batch, joints, capacity, 2), dtype=torch.float32),
        heatmaps.new_empty((batch, joints, capacity), dtype=torch.float32),
        heatmaps.new_empty((batch, joints), dtype=torch.int64),
    )
