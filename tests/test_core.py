"""The compiled core on NumPy arrays, in programs without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from smap import DecodeConfig, _core, decode
from smap.decode import limb_tables

from .test_decode import one_person


def test_needs_no_torch() -> None:
    code = (
        "import sys, numpy as np; from smap import _core;"
        "heat = np.zeros((1, 3, 20, 30), np.float32); heat[0, :, 10, 7] = 1;"
        "assert _core.find_peaks(heat)[2].tolist() == [[1, 1, 1]];"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("association", ["depth-aware", "optimal", "paf"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_equals_the_ops(association: str, dtype: torch.dtype) -> None:
    maps, config = one_person(2, dtype), DecodeConfig(association=association, max_people=9, max_peaks=11)
    expected = decode(maps, config)
    peaks = _core.find_peaks(maps.heatmaps.numpy(), threshold=config.peak_threshold, capacity=config.max_peaks)
    for actual, wanted in zip(peaks, (expected.peaks.xy, expected.peaks.score, expected.peaks.count), strict=True):
        np.testing.assert_array_equal(actual, wanted)
    limbs, lengths = (table.numpy() for table in limb_tables(maps.skeleton, torch.device("cpu")))
    people = _core.associate(
        maps.pafs.numpy(),
        maps.limb_depths.numpy(),
        maps.root_depth.numpy(),
        *peaks,
        limbs,
        lengths,
        mode=association,
        max_people=config.max_people,
        sample_threshold=config.sample_threshold,
        counted_share=config.counted_share,
    )
    for actual, wanted in zip(people, (expected.people, expected.count, expected.root_depths), strict=True):
        np.testing.assert_array_equal(actual, wanted)


def test_any_strides() -> None:
    heat = one_person().heatmaps.numpy()
    turned = np.ascontiguousarray(heat.transpose(3, 1, 0, 2)).transpose(2, 1, 3, 0)
    for actual, expected in zip(_core.find_peaks(turned), _core.find_peaks(heat), strict=True):
        np.testing.assert_array_equal(actual, expected)
    reversed_rows = _core.find_peaks(np.ascontiguousarray(heat[:, :, ::-1])[:, :, ::-1])
    np.testing.assert_array_equal(reversed_rows[0], _core.find_peaks(heat)[0])


@pytest.mark.parametrize(
    ("heatmaps", "message"),
    [
        (np.zeros((1, 3, 4)), "heatmaps must be float32 or float16, got float64"),
        (np.zeros((1, 3, 4), np.float32), r"heatmaps must have shape \(\*, \*, \*, \*\), got \(1, 3, 4\)"),
        (np.full((1, 1, 2, 2), np.nan, np.float32), "heatmaps must be finite, got nan in image 0, joint 0 at x 0, y 0"),
    ],
)
def test_says_what_is_wrong(heatmaps: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _core.find_peaks(heatmaps)
