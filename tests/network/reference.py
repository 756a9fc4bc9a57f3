"""The release's network in functions over its own state_dict, step by step as it is described: slow and plain."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

Outputs = list[list[tuple[Tensor, ...]]]  # [stage][scale]: 2-D maps, limb depths, root depth


def release_forward(state: Mapping[str, Tensor], x: Tensor) -> Outputs:
    """All outputs for a BGR batch, resized to the finest scale, in the release's units and order."""

    def layer(name: str, x: Tensor, stride: int = 1, relu: bool = True) -> Tensor:
        weight = state[f"{name}.conv.weight"]
        x = F.conv2d(x, weight, state[f"{name}.conv.bias"], stride, weight.shape[-1] // 2)
        mean, var, gain, bias = (state[f"{name}.bn.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        x = F.batch_norm(x, mean, var, gain, bias)
        return F.relu(x) if relu else x

    def head(name: str, x: Tensor, size: torch.Size) -> Tensor:
        return _resize(layer(f"{name}_conv2", layer(f"{name}_conv1", x), relu=False), size)

    stages = sum(f"stage{s}.upsample.up1.u_skip.conv.weight" in state for s in range(9))
    x = F.max_pool2d(layer("top.conv", x, 2), 3, 2, 1)
    outputs: Outputs = []
    skips: list[Tensor] = []
    for s in range(stages):
        encoded = []
        for i in range(4):
            block = 0
            while f"{(name := f'stage{s}.downsample.layer{i + 1}.{block}')}.conv_bn_relu1.conv.weight" in state:
                stride = 2 if i > 0 and block == 0 else 1
                y = layer(f"{name}.conv_bn_relu1", x)
                y = layer(f"{name}.conv_bn_relu2", y, stride)
                y = layer(f"{name}.conv_bn_relu3", y, relu=False)
                x = F.relu(y + (layer(f"{name}.downsample", x, stride, relu=False) if block == 0 else x))
                block += 1
            if skips:
                x = x + skips[i]
            encoded.append(x)
        size = encoded[0].shape[-2:]
        scales, units = [], []
        for u in range(1, 5):
            name, feature = f"stage{s}.upsample.up{u}", encoded[4 - u]
            y = layer(f"{name}.u_skip", feature, relu=False)
            if u > 1:
                y = y + layer(f"{name}.up_conv", _resize(units[-1], y.shape[-2:]), relu=False)
            units.append(F.relu(y))
            scales.append(tuple(head(f"{name}.{k}", units[-1], size) for k in ("res", "res_d", "res_rd")))
        outputs.append(scales)
        if s + 1 < stages:
            skips = []
            for i in range(4):
                name = f"stage{s}.upsample.up{4 - i}"
                skips.append(layer(f"{name}.skip1", encoded[i]) + layer(f"{name}.skip2", units[3 - i]))
            x = layer(f"stage{s}.upsample.up4.cross_conv", units[-1])
    return outputs


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)
