"""Validation during training: losses and probes on held-out pictures."""

from __future__ import annotations

import torch

from ..network import Hourglass, normalise
from ..network.losses import network_loss
from .batch import build_targets, collate
from .config import TrainConfig
from .pictures import validation_samples
from .probe import Probe

_BATCH = 8


class Validator:
    """Holds the pictures, which are made once."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.samples = validation_samples(config)

    @torch.no_grad()
    def run(self, network: Hourglass) -> dict[str, float]:
        """Figures of a network in eval mode; ``score`` is the one that the best checkpoint is chosen by."""
        config = self.config
        probe, totals = Probe(config.network), []
        for begin in range(0, len(self.samples), _BATCH):
            batch = collate(
                self.samples[begin : begin + _BATCH],
                config.network.training_width,
                min_person_px=config.min_person_px,
                max_people=config.max_people,
            ).to(self.device)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
                raw = network.raw(normalise(batch.images))
            targets = build_targets(batch, raw, config.network.skeleton, config.loss)
            totals.append(float(network_loss(raw, targets, batch.annotated, config.network, config.loss).total))
            probe.add(raw[-1][-1], targets[-1][-1], batch)
        loss = sum(totals) / len(totals)
        return {"loss": loss, "score": -loss} | probe.result()
