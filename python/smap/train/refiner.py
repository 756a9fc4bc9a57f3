"""Training of RefineNet (paper Sec. 3.3): on captured poses, damaged, and on what the network itself finds."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..camera import NEAREST
from ..decode import DecodeConfig
from ..network import Hourglass, RefineNet, RefinerConfig
from ..synthetic import SceneConfig
from ..synthetic.assets import Assets, Split
from ..synthetic.skeletons import random_skeletons
from .corrupt import Corruption, Found, corrupt, photograph
from .judge import evaluate_judge, train_judge
from .predictions import Predicted, predict_scenes
from .schedule import Schedule

_VALIDATION_BODIES = 2000

# Fields of ``DecodeConfig`` below what is set where nobody judges, so that the judge sees whoever may be there.
CANDIDATES: dict[str, Any] = {"peak_threshold": 0.12, "min_joints": 3, "min_score": 0.0}


@dataclass(frozen=True)
class RefinerTraining:
    """Settings of ``train_refiner``.

    Args:
        schedule: of AdamW.
        batch: people per step.
        bodies: captured poses on random builds that are drawn before the first step.
        pictures: rendered for the network's own predictions; 0 or no network: corrupted poses only.
        network_share: of those predictions in a batch.
        decode: of the network's maps: as many people as may be there, for the judge to choose from.
        corruption: of the others; its ``input_size`` is the network's where there is one.
        pose_variety: of the scenes and bodies, see ``SceneConfig``.
        hidden: widths of the layers.
        judge: of those that say how sure a person is and where joints are in the picture; none where no network finds
            both true and false people.
        judge_steps: of their training, after the others', with ``batch`` people each.
        ema: decay of the averaged weights.
        seed: of everything random.
        workers: processes that render pictures and look at them; 0 does without.
    """

    schedule: Schedule = Schedule(steps=4000, peak=2e-3, warmup=100)  # noqa: RUF009 - frozen
    batch: int = 1024
    bodies: int = 40_000
    pictures: int = 1500
    network_share: float = 0.4
    decode: DecodeConfig = DecodeConfig(**CANDIDATES)  # noqa: RUF009 - frozen
    corruption: Corruption = field(default_factory=Corruption)
    pose_variety: float = 0.4
    hidden: tuple[int, ...] = (256, 512, 512, 256)
    judge: tuple[int, ...] = (256, 256)
    judge_steps: int = 3000
    ema: float = 0.995
    seed: int = 0
    workers: int = 0


def train_refiner(
    pack: Assets,
    network: Hourglass | None,
    config: RefinerTraining,
    *,
    predicted: Predicted | None = None,
    split: Split = "train",
    progress: bool = True,
    observe: Callable[[int, float], None] | None = None,
) -> RefineNet:
    """A refiner in eval mode that completes hidden joints, corrects the others and judges people (``RefineNet.judge``).

    Args:
        network: whose predictions on rendered scenes it learns to correct, in eval mode; None: only corrupted poses.
        predicted: what ``look_at_scenes`` gave; None calls it where there is a network.
        observe: gets step and mean error in metres now and then.
    """
    config = _of_network(config, network)
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    bodies = torch.from_numpy(random_skeletons(pack, _scenes(config, split), config.bodies, rng))
    if predicted is None and network is not None and config.pictures:
        predicted = look_at_scenes(pack, network, config, split=split, progress=progress)
    seen = None if predicted is None else predicted.matched()
    share = config.network_share if seen is not None and len(seen.found) else 0.0
    judge = config.judge if predicted is not None and 0 < int(predicted.real.sum()) < len(predicted.real) else ()
    refiner = RefineNet(RefinerConfig(hidden=config.hidden, anchor_depth="corrected", judge=judge))
    averaged = torch.optim.swa_utils.AveragedModel(
        refiner, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema), use_buffers=True
    )
    optimiser = torch.optim.AdamW(refiner.parameters(), lr=config.schedule.peak, weight_decay=1e-4)
    width = max(config.corruption.input_size)
    refiner.train()
    for step in tqdm(range(config.schedule.steps), disable=not progress, unit="step"):
        for group in optimiser.param_groups:
            group["lr"] = config.schedule.rate(step)
        own = round(config.batch * share)
        chosen = bodies[torch.randint(len(bodies), (config.batch - own,), generator=generator)]
        found = corrupt(
            *photograph(chosen, config.corruption, generator), refiner.config.skeleton, config.corruption, generator
        )
        if own:
            assert seen is not None
            found = Found(*(torch.cat(pair) for pair in zip(found, _thinned(seen, own, generator), strict=True)))
        errors = refined_errors(refiner, found, width)
        loss = errors.loss()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(refiner.parameters(), 1.0)
        optimiser.step()
        averaged.update_parameters(refiner)
        if observe is not None and (step % 100 == 0 or step + 1 == config.schedule.steps):
            observe(step, float(errors.joints.detach().mean()))
    result = averaged.module
    assert isinstance(result, RefineNet)
    result.eval()
    if predicted is not None and judge:
        train_judge(result, predicted, width, config.judge_steps, config.batch, generator, progress=progress)
    return result


def _thinned(people: Found, count: int, generator: torch.Generator) -> Found:
    """So many of them, with fewer joints than were found: completing is learnt on real errors too."""
    rows = torch.randint(len(people.found), (count,), generator=generator)
    kept = people.found[rows]
    thinner = kept & (torch.rand(kept.shape, generator=generator) >= 0.3 * torch.rand(count, 1, generator=generator))
    thinner = torch.where((thinner.sum(1) >= 2)[:, None], thinner, kept)
    return Found(people.input_xy[rows], people.joints_3d[rows], thinner, people.truth[rows])


def look_at_scenes(
    pack: Assets, network: Hourglass, config: RefinerTraining, *, split: Split = "train", progress: bool = False
) -> Predicted:
    """What ``train_refiner`` learns from beside damaged poses: the people, true and false, that a network finds."""
    kinds = _kinds(_scenes(_of_network(config, network), split))
    seeds = _seeds(np.random.default_rng([config.seed, 1]), config.pictures)
    return predict_scenes(
        network, config.decode, pack, kinds, seeds, mirrored=True, workers=config.workers, progress=progress
    )


def source_digest(pack: Assets, network: Hourglass, config: RefinerTraining, *, split: Split = "train") -> str:
    """Of all that ``look_at_scenes`` depends on."""
    settings = config.decode, config.pictures, config.seed, config.pose_variety, split, pack
    digest = hashlib.sha256(f"{settings} {json.dumps(network.config.to_dict())}".encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _kinds(scenes: SceneConfig) -> list[SceneConfig]:
    """What the network is shown: photographs of any shape; of five one is close, one upright and one without people."""
    usual = replace(scenes, letterbox_share=0.6, max_roll=15.0)
    near = replace(usual, depth=(1.2, 5.0), fov=(35.0, 62.0), max_roll=30.0)
    upright = replace(usual, width=scenes.height, height=scenes.width)
    return [usual, near, usual, upright, replace(usual, empty_share=1.0)]


def _scenes(config: RefinerTraining, split: Split) -> SceneConfig:
    return SceneConfig(*config.corruption.input_size, split=split, pose_variety=config.pose_variety)


def _seeds(rng: np.random.Generator, count: int) -> list[int]:
    return [int(seed) for seed in rng.integers(2**62, size=count)]


def _of_network(config: RefinerTraining, network: Hourglass | None) -> RefinerTraining:
    if network is None:
        return config
    return replace(config, corruption=replace(config.corruption, input_size=network.config.input_size))


class Errors(NamedTuple):
    """Of refined people.

    Args:
        joints: ``(P, J)`` metres between refined and true positions, both relative to the anchor joint; 0 for the
            anchor.
        depths: ``(P,)`` logarithm of true over refined depth of the anchor.
    """

    joints: Tensor
    depths: Tensor

    def loss(self) -> Tensor:
        depths = nn.functional.smooth_l1_loss(self.depths, torch.zeros_like(self.depths), beta=0.05)
        return self.joints.mean() + depths


def refined_errors(refiner: RefineNet, people: Found, input_length: int) -> Errors:
    """How far a refiner's output, in its mode of training or evaluation, is from the truth."""
    output = refiner(refiner.features(people.input_xy, people.joints_3d, people.found, input_length))
    anchor, _ = refiner.anchors(people.found)
    rows = torch.arange(len(anchor))
    relative = people.truth - people.truth[rows, anchor][:, None]
    errors = (output - relative).norm(dim=-1)
    mask = torch.ones_like(errors)
    mask[rows, anchor] = 0
    depths = _depth_errors(people, anchor)
    if refiner.config.anchor_depth == "corrected":
        depths = depths - output[rows, anchor, 2]
    return Errors(errors * mask, depths)


def _depth_errors(people: Found, anchor: Tensor) -> Tensor:
    """``(P,)`` logarithm of true over found depth of the anchor."""
    rows = torch.arange(len(anchor))
    return (people.truth[rows, anchor, 2] / people.joints_3d[rows, anchor, 2].clamp_min(NEAREST)).log()


def found_errors(refiner: RefineNet, people: Found) -> Tensor:
    """``(P, J)`` metres: the same of what was found, NaN for the joints that were not and the anchor."""
    anchor, _ = refiner.anchors(people.found)
    rows = torch.arange(len(anchor))
    relative = people.truth - people.truth[rows, anchor][:, None]
    said = people.joints_3d - people.joints_3d[rows, anchor][:, None]
    errors = torch.where(people.found, (said - relative).norm(dim=-1), math.nan)
    errors[rows, anchor] = math.nan
    return errors


@torch.no_grad()
def evaluate_refiner(refiner: RefineNet, people: Found, input_length: int) -> dict[str, float]:
    """Millimetres, relative to the anchor: joints that were found, before and after, and those that were completed;
    per cent: the anchor's depth, before and after, in the median."""
    before, refined = found_errors(refiner, people), refined_errors(refiner, people, input_length)
    after = refined.joints
    judged = before.isfinite()
    hidden = ~people.found & people.truth.isfinite().all(-1)
    return {
        "people": float(len(before)),
        "found_before_mm": float(1000 * before[judged].mean()),
        "found_after_mm": float(1000 * after[judged].mean()),
        "completed_mm": float(1000 * after[hidden].mean()),
        "depth_before_percent": float(100 * _depth_errors(people, refiner.anchors(people.found)[0]).abs().median()),
        "depth_after_percent": float(100 * refined.depths.abs().median()),
    }


def validate_refiner(
    refiner: RefineNet, pack: Assets, network: Hourglass | None, config: RefinerTraining, pictures: int
) -> dict[str, float]:
    """``evaluate_refiner`` on held-out poses and people: "corrupted ..." and, with a network, "predicted ...", with
    what ``evaluate_judge`` says of the people that it finds."""
    config = _of_network(config, network)
    scenes = SceneConfig(*config.corruption.input_size, split="val")
    rng, generator = np.random.default_rng(config.seed + 1), torch.Generator().manual_seed(config.seed + 1)
    width = max(config.corruption.input_size)
    bodies = torch.from_numpy(random_skeletons(pack, scenes, _VALIDATION_BODIES, rng))
    truth, cameras = photograph(bodies, config.corruption, generator)
    found = corrupt(truth, cameras, refiner.config.skeleton, config.corruption, generator)
    figures = {f"corrupted {k}": v for k, v in evaluate_refiner(refiner, found, width).items()}
    if network is not None and pictures:
        seeds = _seeds(rng, pictures)
        predicted = predict_scenes(network, config.decode, pack, [scenes], seeds, workers=config.workers)
        figures |= {f"predicted {k}": v for k, v in evaluate_refiner(refiner, predicted.matched(), width).items()}
        figures |= {f"predicted {k}": v for k, v in evaluate_judge(refiner, predicted, width).items()}
    return figures
