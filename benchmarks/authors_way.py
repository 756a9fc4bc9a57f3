"""The release's host steps (zju3dv/SMAP), written from what they do, to be timed beside the library in the same run.

Peaks and pair scores, which the release computes on a GPU, are vectorised NumPy, only for the peaks that exist. The
association, in the release a C++ loop that reads single elements of tensors, loops over Python lists. Lifting and
targets are NumPy there too and do the same work here: depth maps enlarged to the input's size, and maps of the whole
picture rewritten for every limb of every person. ``tests/test_authors_way.py`` checks the results.

All in the release's layout: its order of limbs, the second from the neck to the pelvis; input pixels; centimetres.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from smap import SMAP15, Maps

Array = NDArray[np.float32]

NECK, HEAD, ROOT = 0, 1, 2
LIMBS = [(NECK, HEAD), (NECK, ROOT), *SMAP15.limbs[2:]]
BONES_CM = 100 * np.array([SMAP15.limb_lengths[i] for i in (1, 0, *range(2, 14))])
STRIDE = 4
CAPACITY, SAMPLES = 127, 25
AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
KERNELS, HALF_WIDTHS = (15, 11, 9, 7, 5), (3, 2, 1, 1, 1)  # of the five scales of the targets
f32 = np.float32


def release_layout(maps: Maps) -> tuple[Array, Array, Array]:
    """The first image as 43 maps in the range of the release (sums of three scales), limb depths and root depth."""
    order, sign = [1, 0, *range(2, 14)], np.array([1, -1] + 12 * [1], f32)
    pafs = maps.pafs[0].numpy()[order] * sign[:, None, None, None]
    both = np.concatenate([maps.heatmaps[0].numpy(), pafs.reshape(-1, *pafs.shape[2:])]) * f32(3)
    limb_depths = maps.limb_depths[0].numpy()[order] * sign[:, None, None] * f32(100)
    input_width = maps.root_depth.shape[-1] * STRIDE
    return both, limb_depths, maps.root_depth[0].numpy() * f32(100 / input_width)


def find_peaks(heatmap: Array) -> Array:
    """``(N, 3)`` x and y in map pixels, centres at one half, and height; in raster order."""
    y, x = (v + 1 for v in np.nonzero(heatmap[1:-1, 1:-1] > f32(0.2)))
    height = heatmap[y, x]
    top = np.all([height > heatmap[y + dy, x + dx] for dy, dx in AROUND], axis=0)
    y, x, height = (v[top][:CAPACITY] for v in (y, x, height))
    weight = sliding_window_view(np.pad(np.maximum(heatmap, 0), 3), (7, 7))[y, x].reshape(-1, 49)
    dy, dx = (v.ravel().astype(f32) for v in np.mgrid[-3:4, -3:4])
    total = weight.cumsum(-1)[:, -1]  # one after the other in float32, as a kernel's thread adds
    centre_x = (weight * (x[:, None] + dx).astype(f32)).cumsum(-1)[:, -1] / total + f32(0.5)
    centre_y = (weight * (y[:, None] + dy).astype(f32)).cumsum(-1)[:, -1] / total + f32(0.5)
    return np.stack([centre_x, centre_y, height], -1)


def score_pairs(paf: Array, starts: Array, ends: Array) -> Array:
    """Score of every pair of peaks ``(n, m)``: the mean of the samples that count, or -1."""
    height, width = paf.shape[1:]
    vector = ends[None] - starts[:, None]
    distance = np.sqrt(vector[..., 0] ** 2 + vector[..., 1] ** 2)
    steps = np.clip((np.sqrt(f32(5) * np.abs(vector).max(-1)) + f32(0.5)).astype(int), 5, SAMPLES)
    unit = vector / np.maximum(distance, f32(1e-6))[..., None]
    way = np.arange(SAMPLES, dtype=f32)[:, None] * vector[:, :, None] / steps[..., None, None].astype(f32)
    cell = np.clip((starts[:, None, None] + way + f32(0.5)).astype(int), 0, [width - 1, height - 1])
    sample = paf[:, cell[..., 1], cell[..., 0]]
    along = unit[..., :1] * sample[0] + unit[..., 1:] * sample[1]
    counts = (along > f32(0.05)) & (np.arange(SAMPLES) < steps[..., None])
    number = counts.sum(-1).astype(f32)
    mean = np.where(counts, along, f32(0)).cumsum(-1)[..., -1] / np.maximum(number, 1)
    otherwise = np.where(distance < np.sqrt(f32(height * width)) / f32(150), f32(0.1) + f32(1e-6), f32(-1))
    score = np.where(number / steps.astype(f32) > f32(0.95), mean, otherwise)
    return np.where(distance <= f32(1e-6), f32(-1), score)


def associate(peaks: list[Array], scores: list[Array], root_depth: Array) -> list[list[int]]:
    """Peak of every joint of every person, -1 for none: the nearest person takes the best peak left, limb by limb."""
    depths = root_depth[peaks[ROOT][:, 1].astype(int), peaks[ROOT][:, 0].astype(int)]
    order = np.argsort(depths, kind="stable")
    people = [[-1] * len(peaks) for _ in order]
    for row, k in zip(people, order.tolist(), strict=True):
        row[ROOT] = k
    with np.errstate(divide="ignore"):
        reaches = (1.2 * BONES_CM[:, None] / depths[order]).astype(f32).tolist()
    places = [joint[:, :2].tolist() for joint in peaks]
    for limb in (1, 0, *range(2, len(LIMBS))):
        source, target = LIMBS[limb][::-1] if limb == 1 else LIMBS[limb]
        table = (scores[limb].T if limb == 1 else scores[limb]).tolist()
        free = [True] * len(places[target])
        for row, reach in zip(people, reaches[limb], strict=True):
            if row[source] < 0:
                continue
            x, y = places[source][row[source]]
            best, highest = -1, 0.0
            for k, score in enumerate(table[row[source]]):
                if not free[k]:
                    continue
                if score > 0:
                    distance = ((x - places[target][k][0]) ** 2 + (y - places[target][k][1]) ** 2) ** 0.5
                    score += min(reach / distance / STRIDE - 1, 0.0)
                if score > highest:
                    best, highest = k, score
            if best >= 0:
                row[target], free[best] = best, False
    return people


def decode(both: Array, root_depth: Array) -> tuple[list[Array], list[list[int]]]:
    """Peaks of every joint, and of every person the index of each joint's peak; near to far."""
    peaks = [find_peaks(heatmap) for heatmap in both[:15]]
    pafs = both[15:].reshape(len(LIMBS), 2, *both.shape[1:])
    scores = [score_pairs(pafs[i], peaks[a][:, :2], peaks[b][:, :2]) for i, (a, b) in enumerate(LIMBS)]
    return peaks, associate(peaks, scores, root_depth)


def bodies(peaks: list[Array], people: list[list[int]]) -> Array:
    """``(P, 15, 4)``: x and y in input pixels, 0, height of the peak; zero for joints that were not found."""
    result = np.zeros((len(people), len(peaks), 4), f32)
    for body, row in zip(result, people, strict=True):
        for joint, k in enumerate(row):
            if k >= 0:
                x, y, height = peaks[joint][k]
                body[joint] = STRIDE * x, STRIDE * y, 0, height
    return result


def lift(found: Array, limb_depths: Array, root_depth: Array, view: Mapping[str, float]) -> NDArray[np.float64]:
    """``(P, 15, 4)`` camera coordinates in centimetres and height of the peak; zero for joints that were not found.

    Args:
        view: scale, img_width, img_height, net_width, net_height, f_x, f_y, cx, cy: the release's names.
    """
    size = int(view["net_width"]), int(view["net_height"])
    large = cv2.resize(limb_depths.transpose(1, 2, 0), size, interpolation=cv2.INTER_NEAREST)
    large_root = cv2.resize(root_depth, size, interpolation=cv2.INTER_NEAREST)
    people = found.astype(np.float64)
    for person in people:
        rise = np.zeros(len(LIMBS))
        for limb, (a, b) in enumerate(LIMBS):
            if person[a, 3] > 0 and person[b, 3] > 0:
                x, y = (np.rint(np.linspace(person[a, i], person[b, i], 10)).astype(int) for i in (0, 1))
                values = large[y, x, limb]
                rise[limb] = np.clip(values, *np.percentile(values, [10, 90])).mean()
        z = person[:, 2]
        z[ROOT] = large_root[int(person[ROOT, 1]), int(person[ROOT, 0])] * view["scale"] * view["f_x"]
        z[NECK] = z[ROOT] - rise[1]
        z[HEAD] = z[NECK] + rise[0]
        for limb, (a, b) in list(enumerate(LIMBS))[2:]:
            z[b] = z[a] + rise[limb]
        for axis, side, focal, centre in ((0, "width", "f_x", "cx"), (1, "height", "f_y", "cy")):
            border = (view[f"net_{side}"] / view["scale"] - view[f"img_{side}"]) / 2
            person[:, axis] = (person[:, axis] / view["scale"] - border - view[centre]) * z / view[focal]
        for joint in person:
            if joint[3] == 0:
                joint[:] = 0
    return people


def make_targets(people: NDArray[np.float64], size: tuple[int, int]) -> Array:
    """Heatmaps, PAFs and limb depths ``(5, 57, h, w)``.

    Args:
        people: ``(P, 15, 4)`` x and y in input pixels, Z, visibility.
    """
    maps = [
        np.concatenate([heatmaps(people, kernel, size), limb_maps(people, half_width, size)])
        for kernel, half_width in zip(KERNELS, HALF_WIDTHS, strict=True)
    ]
    return np.stack(maps)


def heatmaps(people: NDArray[np.float64], kernel: int, size: tuple[int, int]) -> Array:
    maps = np.zeros((people.shape[1], *size), f32)
    for joint, heat in enumerate(maps):
        for x, y, _, visibility in people[:, joint]:
            if visibility > 0:
                heat[int(y / STRIDE), int(x / STRIDE)] = 1
        heat[:] = cv2.GaussianBlur(heat, (kernel, kernel), 0)
        if heat.max() > 1e-8:
            heat *= 255 / heat.max()
    return maps


def limb_maps(people: NDArray[np.float64], half_width: float, size: tuple[int, int]) -> Array:
    maps, covers = np.zeros((len(LIMBS), 3, *size), f32), np.zeros((len(LIMBS), *size), f32)
    for limb, (a, b) in enumerate(LIMBS):
        for person in people:
            if person[a, 3] > 0 and person[b, 3] > 0:
                maps[limb] = average_in(maps[limb], covers[limb], person[a], person[b], half_width)
    maps[:, :2] *= 127
    return maps.reshape(-1, *size)


def average_in(mean: Array, cover: Array, start: Array, end: Array, half_width: float) -> Array:
    """``mean (3, h, w)`` over one limb more; ``cover`` counts the limbs at each pixel. All of it on whole maps."""
    a, b = (joint[:3].astype(int) / [STRIDE, STRIDE, 1] for joint in (start, end))
    length = np.hypot(*(b - a)[:2])
    if length < 1:
        return mean
    ux, uy = (b - a)[:2] / length
    low = np.maximum(np.round(np.minimum(a, b)[:2] - half_width), 0).astype(int)
    high = np.minimum(np.round(np.maximum(a, b)[:2] + half_width), cover.shape[::-1]).astype(int)
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    band = np.abs((x - a[0]) * uy - (y - a[1]) * ux) < half_width
    limb = mean * f32(0)
    limb[:, y, x] = band * np.array([ux, uy, (b - a)[2]])[:, None, None]
    total = mean * cover + limb
    cover[(limb[0] != 0) | (limb[1] != 0)] += 1
    return total / np.maximum(cover, 1)
