"""Validation during training: losses, probes and the metrics of the whole pipeline on held-out pictures."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from ..decode import DecodeConfig, decode
from ..draw import contact_sheet, overlay
from ..letterbox import Letterbox
from ..lift import lift
from ..maps import Maps
from ..metrics import Protocol, evaluate_people
from ..network import Hourglass, normalise
from ..network.losses import network_loss
from ..people import People
from ..sample import Sample
from .batch import build_targets, collate
from .config import TrainConfig, build
from .pictures import validation_samples
from .probe import Probe

_BATCH = 8
# Of everything that ``metrics.summarise`` gives, what a run is followed by.
FIGURES = (
    "recall",
    "precision",
    "left_right_accuracy",
    "pck_2d",
    "pck_2d_all",
    "pck_rel",
    "pck_rel_all",
    "mpjpe_mm",
    "root_depth_error_median",
    "oracle_root_depth_error_median",
    "pck_root_25cm",
    "pck_root_50cm",
    "oracle_pck_root_25cm",
    "pcod",
)


class Validator:
    """Holds the pictures, which are made once."""

    def __init__(self, config: TrainConfig, device: torch.device, samples: list[Sample] | None = None) -> None:
        self.config = config
        self.device = device
        self.samples = validation_samples(config) if samples is None else samples
        self.decoding = build(DecodeConfig, config.validation.decode, "validation.decode")
        self.people: list[People] = []  # of the last run, one per picture

    @torch.no_grad()
    def run(self, network: Hourglass) -> dict[str, float]:
        """Figures of a network in eval mode; ``score``, in [0, 1], is what the best checkpoint is chosen by.

        ``loss`` and the probes' figures are as in training; the others are those of ``metrics.summarise`` for the
        protocol "bodies", of people as tall as those that are learnt from.
        """
        config = self.config
        probe = Probe(config.network)
        losses: list[float] = []
        people: list[People] = []
        for begin in range(0, len(self.samples), _BATCH):
            samples = self.samples[begin : begin + _BATCH]
            batch = collate(
                samples,
                config.network.training_width,
                min_person_px=config.min_person_px,
                max_people=config.max_people,
            ).to(self.device)
            images = normalise(batch.images)
            with config.autocast(self.device):
                raw, finest = network.raw(images), network(images)
            heatmaps, pafs, limb_depths, root_depth = finest
            maps = Maps(heatmaps, pafs, limb_depths, root_depth, config.network.skeleton)
            targets = build_targets(batch, raw, config.network.skeleton, config.loss)
            losses.append(float(network_loss(raw, targets, batch.annotated, config.network, config.loss).total))
            probe.add(raw[-1][-1], targets[-1][-1], batch)
            size = (images.shape[-1], images.shape[-2])
            boxes = [Letterbox.fit(s.width, s.height, size) for s in samples]
            people += lift(maps, decode(maps, self.decoding), boxes, [s.camera for s in samples])
        self.people = people
        figures = evaluate_people(people, self.samples, Protocol(min_height_px=config.min_person_px))
        result = {"loss": float(np.mean(losses))} | probe.result() | {name: figures[name] for name in FIGURES}
        return {"score": score(figures)} | result


def sheet(validator: Validator, count: int = 8) -> NDArray[np.uint8]:
    """The first pictures with the people that the last ``run`` found, for a look."""
    pairs = list(zip(validator.samples, validator.people, strict=True))[:count]
    return contact_sheet(overlay(np.asarray(s.image, np.uint8), people) for s, people in pairs)


def score(figures: dict[str, float]) -> float:
    """One number for finding people, their joints and their place: mean of F1, 2DPCK and 3DPCK of all people and of
    the roots within half a metre of those found."""
    recall, precision = _or_zero(figures["recall"]), _or_zero(figures["precision"])
    f1 = 2 * recall * precision / (recall + precision) if recall + precision > 0 else 0.0
    rest = (figures["pck_2d_all"], figures["pck_rel_all"], figures["pck_root_50cm"])
    return (f1 + sum(map(_or_zero, rest))) / 4


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0
