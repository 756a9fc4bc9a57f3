"""Training of RefineNet (paper Sec. 3.3): on captured poses, damaged, and on what the network itself finds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ..decode import DecodeConfig, decode
from ..letterbox import Letterbox
from ..lift import lift
from ..metrics import match_bodies
from ..network import Hourglass, RefineNet, RefinerConfig, normalise, prepare
from ..sample import Sample
from ..synthetic import SceneConfig, render_scene
from ..synthetic.assets import Assets
from ..synthetic.skeletons import random_skeletons
from .corrupt import Corruption, Found, corrupt, photograph
from .schedule import Schedule

_BATCH = 8  # pictures at a time through the network
_VALIDATION_BODIES = 2000


@dataclass(frozen=True)
class RefinerTraining:
    """Settings of ``train_refiner``.

    Args:
        schedule: of AdamW.
        batch: people per step.
        bodies: captured poses on random builds that are drawn before the first step.
        pictures: rendered for the network's own predictions; 0 or no network: corrupted poses only.
        network_share: of those predictions in a batch.
        decode: of the network's maps.
        corruption: of the others; its ``input_size`` is the network's where there is one.
        pose_variety: of the scenes and bodies, see ``SceneConfig``.
        hidden: widths of the layers.
        ema: decay of the averaged weights.
        seed: of everything random.
    """

    schedule: Schedule = Schedule(steps=4000, peak=2e-3, warmup=100)  # noqa: RUF009 - frozen
    batch: int = 1024
    bodies: int = 40_000
    pictures: int = 1500
    network_share: float = 0.3
    decode: DecodeConfig = DecodeConfig()  # noqa: RUF009 - frozen
    corruption: Corruption = field(default_factory=Corruption)
    pose_variety: float = 0.4
    hidden: tuple[int, ...] = (160, 256, 256, 128)
    ema: float = 0.995
    seed: int = 0


def train_refiner(
    pack: Assets,
    network: Hourglass | None,
    config: RefinerTraining,
    *,
    split: str = "train",
    progress: bool = True,
    observe: Callable[[int, float], None] | None = None,
) -> RefineNet:
    """A refiner in eval mode that completes hidden joints and corrects the others.

    Args:
        network: whose predictions on rendered scenes it learns to correct, in eval mode; None: only corrupted poses.
        observe: gets step and mean error in metres now and then.
    """
    config = _of_network(config, network)
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    scenes = SceneConfig(
        *config.corruption.input_size,
        split="train" if split == "train" else "val",
        pose_variety=config.pose_variety,
    )
    bodies = torch.from_numpy(random_skeletons(pack, scenes, config.bodies, rng))
    predicted = None
    if network is not None and config.pictures:
        predicted = predictions(
            network,
            (render_scene(pack, scenes, int(rng.integers(2**62))) for _ in range(config.pictures)),
            config.decode,
        )
        predicted = predicted if len(predicted.found) else None
    refiner = RefineNet(RefinerConfig(hidden=config.hidden))
    averaged = torch.optim.swa_utils.AveragedModel(
        refiner, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema), use_buffers=True
    )
    optimiser = torch.optim.AdamW(refiner.parameters(), lr=config.schedule.peak, weight_decay=1e-4)
    width = config.corruption.input_size[0]
    refiner.train()
    for step in tqdm(range(config.schedule.steps), disable=not progress, unit="step"):
        for group in optimiser.param_groups:
            group["lr"] = config.schedule.rate(step)
        own = round(config.batch * config.network_share) if predicted is not None else 0
        chosen = bodies[torch.randint(len(bodies), (config.batch - own,), generator=generator)]
        found = corrupt(
            *photograph(chosen, config.corruption, generator), refiner.config.skeleton, config.corruption, generator
        )
        if predicted is not None and own:
            rows = torch.randint(len(predicted.found), (own,), generator=generator)
            # Fewer joints than the network found: completing is learnt on real errors too.
            kept = predicted.found[rows]
            thinner = kept & (
                torch.rand(kept.shape, generator=generator) >= 0.3 * torch.rand(own, 1, generator=generator)
            )
            thinner = torch.where((thinner.sum(1) >= 2)[:, None], thinner, kept)
            mine = Found(predicted.input_xy[rows], predicted.joints_3d[rows], thinner, predicted.truth[rows])
            found = Found(*(torch.cat(pair) for pair in zip(found, mine, strict=True)))
        error = refined_errors(refiner, found, width)
        loss = error.mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(refiner.parameters(), 1.0)
        optimiser.step()
        averaged.update_parameters(refiner)
        if observe is not None and (step % 100 == 0 or step + 1 == config.schedule.steps):
            observe(step, float(loss.detach()))
    result = averaged.module
    assert isinstance(result, RefineNet)
    return result.eval()


def _of_network(config: RefinerTraining, network: Hourglass | None) -> RefinerTraining:
    if network is None:
        return config
    return replace(config, corruption=replace(config.corruption, input_size=network.config.input_size))


def refined_errors(refiner: RefineNet, people: Found, input_length: int) -> Tensor:
    """``(P, J)`` metres between refined and true positions, both relative to the anchor joint; 0 for the anchor."""
    features = refiner.features(people.input_xy, people.joints_3d, people.found, input_length)
    anchor, _ = refiner.anchors(people.found)
    rows = torch.arange(len(anchor))
    relative = people.truth - people.truth[rows, anchor][:, None]
    errors: Tensor = (refiner(features) - relative).norm(dim=-1)
    mask = torch.ones_like(errors)
    mask[rows, anchor] = 0
    return errors * mask


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
    """Millimetres, relative to the anchor: joints that were found, before and after, and those that were completed."""
    before, after = found_errors(refiner, people), refined_errors(refiner, people, input_length)
    judged = before.isfinite()
    hidden = ~people.found & people.truth.isfinite().all(-1)
    return {
        "people": float(len(before)),
        "found_before_mm": float(1000 * before[judged].mean()),
        "found_after_mm": float(1000 * after[judged].mean()),
        "completed_mm": float(1000 * after[hidden].mean()),
    }


@torch.no_grad()
def predictions(network: Hourglass, samples: Iterable[Sample], decoding: DecodeConfig | None = None) -> Found:
    """What a network in eval mode finds in pictures of its input size, with the truth of the people it belongs to.

    Raises: ValueError when a picture has another size.
    """
    skeleton, prepared = network.config.skeleton, prepare(network, "cpu")
    rows: list[tuple[NDArray[Any], ...]] = []
    batch: list[Sample] = []

    def flush() -> None:
        if not batch:
            return
        images = normalise(torch.from_numpy(np.stack([np.asarray(s.image) for s in batch])))
        maps = prepared(images)
        size = (images.shape[-1], images.shape[-2])
        boxes = [Letterbox.fit(s.width, s.height, size) for s in batch]
        everyone = lift(maps, decode(maps, decoding or DecodeConfig()), boxes, [s.camera for s in batch])
        for sample, box, people in zip(batch, boxes, everyone, strict=True):
            seen = np.where((sample.visibility > 0)[..., None], sample.joints_2d, np.nan)
            match = match_bodies(people.joints_2d, seen, skeleton=skeleton)
            for person in np.flatnonzero(match >= 0):
                one = people[int(match[person])]
                if one.detected.sum() >= 2 and np.isfinite(sample.joints_3d[person]).all():
                    xy = box.image_to_input(one.joints_2d)
                    rows.append((xy, one.joints_3d, one.detected, sample.joints_3d[person]))
        batch.clear()

    for sample in samples:
        if (sample.width, sample.height) != network.config.input_size:
            raise ValueError(f"pictures must be {network.config.input_size}, got {(sample.width, sample.height)}")
        batch.append(sample)
        if len(batch) == _BATCH:
            flush()
    flush()
    if not rows:
        empty = torch.zeros(0, skeleton.num_joints, 3)
        return Found(empty[..., :2], empty, empty[..., 0] > 0, empty)
    xy, joints, found, truth = (np.stack(column) for column in zip(*rows, strict=True))
    tensors = (torch.from_numpy(np.nan_to_num(xy.astype(np.float32))), torch.from_numpy(np.nan_to_num(joints)))
    return Found(*tensors, torch.from_numpy(found), torch.from_numpy(truth.astype(np.float32)))


def validate_refiner(
    refiner: RefineNet, pack: Assets, network: Hourglass | None, config: RefinerTraining, pictures: int
) -> dict[str, float]:
    """``evaluate_refiner`` on held-out poses and people: "corrupted ..." and, with a network, "predicted ..."."""
    config = _of_network(config, network)
    scenes = SceneConfig(*config.corruption.input_size, split="val")
    rng, generator = np.random.default_rng(config.seed + 1), torch.Generator().manual_seed(config.seed + 1)
    width = config.corruption.input_size[0]
    bodies = torch.from_numpy(random_skeletons(pack, scenes, _VALIDATION_BODIES, rng))
    truth, cameras = photograph(bodies, config.corruption, generator)
    found = corrupt(truth, cameras, refiner.config.skeleton, config.corruption, generator)
    figures = {f"corrupted {k}": v for k, v in evaluate_refiner(refiner, found, width).items()}
    if network is not None and pictures:
        rendered = (render_scene(pack, scenes, int(rng.integers(2**62))) for _ in range(pictures))
        predicted = predictions(network, rendered, config.decode)
        figures |= {f"predicted {k}": v for k, v in evaluate_refiner(refiner, predicted, width).items()}
    return figures
