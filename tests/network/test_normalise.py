"""Pixels to network input."""

from __future__ import annotations

import pytest
import torch

from smap.network import IMAGE_MEAN, IMAGE_STD, normalise


def test_values_and_layout():
    images = torch.randint(0, 256, (2, 5, 7, 3), dtype=torch.uint8)
    batch = normalise(images)
    assert batch.shape == (2, 3, 5, 7)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    mean, std = torch.tensor(IMAGE_MEAN), torch.tensor(IMAGE_STD)
    torch.testing.assert_close(batch.permute(0, 2, 3, 1), (images / 255 - mean) / std)


def test_refuses():
    with pytest.raises(TypeError, match="images must be uint8"):
        normalise(torch.zeros(1, 4, 4, 3))
    with pytest.raises(ValueError, match=r"images must be \(B, H, W, 3\)"):
        normalise(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
