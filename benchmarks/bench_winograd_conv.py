"""3x3 convolutions of the default network in float32, one thread, beside oneDNN's.

`pytest benchmarks/bench_winograd_conv.py`; in brackets channels in and out, then the map's height and width.
"""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from smap.network.packed import PackedConv, WinogradConv

SHAPES = [(48, 48, 88, 144), (96, 96, 44, 72), (160, 160, 22, 36), (256, 256, 11, 18), (64, 43, 88, 144)]

pytestmark = [pytest.mark.benchmark(group="winograd_conv", timer=time.thread_time, warmup=True, min_rounds=20)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape)))
@pytest.mark.parametrize("kind", [WinogradConv, PackedConv], ids=["winograd_conv", "oneDNN"])
def test_convolution(benchmark, kind, shape) -> None:
    inputs, outputs, height, width = shape
    conv = nn.Conv2d(inputs, outputs, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.randn(1, inputs, height, width).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        benchmark(kind(conv, relu=True), x)
