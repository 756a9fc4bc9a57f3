"""Training of what says how sure a person is and where the joints are (``RefineNet.judge``), and its figures."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..metrics.pose import HEAD_FRACTION, distances_2d, left_right_counts
from ..network import Judged, RefineNet
from .predictions import Predicted
from .schedule import Schedule

_FAR = 0.3  # of a person's size in the picture
_PLACE_WEIGHT = 3.0  # beside the loss of whether somebody is there


def train_judge(
    refiner: RefineNet,
    people: Predicted,
    input_length: int,
    steps: int,
    batch: int,
    generator: torch.Generator,
    *,
    progress: bool = False,
) -> None:
    """Teach it whether somebody is there and where joints are in the picture, from what the refiner, which stays as it
    is, makes of people: logistic regression, and the distance to the true place, of which more than ``_FAR`` of a
    person's size counts little: who holds a joint of the wrong leg cannot make half the way to the right one.

    Args:
        input_length: longer side of the network's input, pixels.
        steps, batch: people per step.
    """
    choices, possible = refiner.choices(people.input_xy, people.scores, _refined_xy(refiner, people, input_length))
    features, real = refiner.judge_features(choices, possible, people.scores, input_length), people.real
    truth = people.project(people.truth)
    size = (truth - truth.mean(1, keepdim=True)).norm(dim=-1).mean(1) + 1
    known = size.isfinite() & possible.any(-1).all(-1)
    layers, schedule = refiner.judge_layers.train(), Schedule(steps=steps, peak=2e-3, warmup=100)
    optimiser = torch.optim.AdamW(layers.parameters(), lr=schedule.peak, weight_decay=1e-2)
    for step in tqdm(range(schedule.steps), disable=not progress, unit="step"):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(step)
        rows = torch.randint(len(real), (batch,), generator=generator)
        logits, weights = refiner.weigh(features[rows], possible[rows])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, real[rows].float())
        placed = known[rows]
        if placed.any():
            there = rows[placed]
            places = (weights[placed][..., None] * choices[there]).sum(2)
            distances = (places - truth[there]).norm(dim=-1) / size[there, None]
            loss = loss + _PLACE_WEIGHT * (distances / (distances + _FAR)).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    layers.eval()


def average_precision(scores: Tensor, real: Tensor) -> float:
    """Mean over the real people of the precision among those who are at least as sure: ``(P,)`` float and bool."""
    order = scores.argsort(descending=True, stable=True)
    hits = real[order].double()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())


@torch.no_grad()
def evaluate_judge(refiner: RefineNet, people: Predicted, input_length: int) -> dict[str, float]:
    """Per cent, before the judge and, if there is one, after: average precision of people, ordered by the mean of their
    joints' scores and by the judge's; of the joints that were found those within half a head of the true place in the
    picture, and of their pairs of left and right those that are the right way round."""
    skeleton, real, seen = refiner.config.skeleton, people.real, people.scores[people.real] > 0
    truth = people.project(people.truth)[real].numpy()
    looks = {"before": Judged(people.scores.mean(1), people.input_xy)}
    if refiner.config.judge:
        refined_xy = _refined_xy(refiner, people, input_length)
        looks["after"] = refiner.judge(people.input_xy, people.scores, refined_xy, input_length)
    figures = {}
    for name, look in looks.items():
        places = look.input_xy[real].masked_fill(~seen[..., None], math.nan).numpy()
        near = distances_2d(places, truth, skeleton=skeleton)[seen.numpy()] < HEAD_FRACTION
        right, pairs = left_right_counts(places, truth, skeleton=skeleton)
        figures[f"average_precision_{name}_percent"] = 100 * average_precision(look.person_scores, real)
        figures[f"pck_2d_{name}_percent"] = 100 * float(near.mean()) if near.size else math.nan
        figures[f"left_right_{name}_percent"] = 100 * right / pairs if pairs else math.nan
    return figures


def _refined_xy(refiner: RefineNet, people: Predicted, input_length: int) -> Tensor:
    """``(P, J, 2)`` network-input pixels of refined people."""
    return people.project(refiner.refine(people.input_xy, people.joints_3d, people.scores > 0, input_length))
