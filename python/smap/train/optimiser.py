"""Which weights of a network learn how."""

from __future__ import annotations

import torch
from torch import nn

from ..network import Hourglass
from ..network.blocks import Head
from .config import TrainConfig
from .muon import Muon


def make_optimiser(
    network: Hourglass, config: TrainConfig, dtype: torch.dtype = torch.float32
) -> torch.optim.Optimizer:
    """Weight decay for the convolutions only: it would pull normalisation and biases towards nothing useful.

    Muon is for what lies between the picture and the maps: the first convolution and the heads' last go to AdamW.
    """
    edges = {id(m.weight) for m in network.modules() if isinstance(m, nn.Conv2d) and m.in_channels == 3}
    edges |= {id(p) for m in network.modules() if isinstance(m, Head) for p in m.output.parameters()}
    matrices = [p for p in network.parameters() if p.dim() > 1]
    hidden = [p for p in matrices if id(p) not in edges]
    outer = [p for p in matrices if id(p) in edges]
    vectors = [p for p in network.parameters() if p.dim() <= 1]
    decay, rate = config.weight_decay, config.schedule.peak
    if config.optimiser == "muon":
        groups = [
            {"params": hidden, "weight_decay": decay, "orthogonal": True},
            {"params": outer, "weight_decay": decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        return Muon(groups, lr=rate, betas=config.betas, dtype=dtype)
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    kind = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=rate, betas=config.betas, foreach=True)
