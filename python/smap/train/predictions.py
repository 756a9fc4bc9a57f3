"""What a network finds in rendered scenes, with the truth: the errors that RefineNet learns to correct."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ..decode import DecodeConfig, decode
from ..letterbox import Letterbox
from ..lift import lift
from ..metrics import match_bodies
from ..network import Hourglass, normalise, prepare
from ..sample import Sample
from ..skeleton import Skeleton
from ..synthetic import SceneConfig, render_scene
from ..synthetic.assets import Assets
from .corrupt import Found
from .workers import in_parts

_BATCH = 8  # pictures at a time through the network


class Predictor:
    """A network in eval mode, on the CPU, and how its maps are decoded."""

    def __init__(self, network: Hourglass, decoding: DecodeConfig) -> None:
        self.config, self._network, self._decoding = network.config, prepare(network, "cpu"), decoding

    @torch.no_grad()
    def __call__(self, samples: Sequence[Sample], *, mirrored: bool = False) -> Found:
        """The people it finds in pictures of one size, its input's or that turned upright, and who they are in truth.

        Args:
            mirrored: find them once more in the mirrored pictures, where the network makes other errors, and give
                everybody twice: as they are and mirrored.

        Raises: ValueError when a picture has another size.
        """
        sizes = {(s.width, s.height) for s in samples}
        expected = self.config.input_size
        if sizes - {expected, expected[::-1]} or len(sizes) > 1:
            raise ValueError(f"pictures must be {expected} or its turn, all alike, got {sorted(sizes)}")
        images = normalise(torch.from_numpy(np.stack([np.asarray(s.image) for s in samples])))
        views = [self._network(images)]
        if mirrored:
            views.append(self._network(images.flip(-1)).mirrored())
        boxes = [Letterbox.fit(s.width, s.height, (s.width, s.height)) for s in samples]
        rows: list[tuple[NDArray[Any], ...]] = []
        for maps in views:
            everyone = lift(maps, decode(maps, self._decoding), boxes, [s.camera for s in samples])
            for sample, box, people in zip(samples, boxes, everyone, strict=True):
                seen = np.where((sample.visibility > 0)[..., None], sample.joints_2d, np.nan)
                match = match_bodies(people.joints_2d, seen, skeleton=self.config.skeleton)
                for person in np.flatnonzero(match >= 0):
                    one = people[int(match[person])]
                    if one.detected.sum() >= 2 and np.isfinite(sample.joints_3d[person]).all():
                        xy = box.image_to_input(one.joints_2d)
                        rows.append((xy, one.joints_3d, one.detected, sample.joints_3d[person]))
        if not rows:
            empty = torch.zeros(0, self.config.skeleton.num_joints, 3)
            return Found(empty[..., :2], empty, empty[..., 0] > 0, empty)
        xy, joints, found, truth = (np.stack(column) for column in zip(*rows, strict=True))
        tensors = (torch.from_numpy(np.nan_to_num(xy.astype(np.float32))), torch.from_numpy(np.nan_to_num(joints)))
        here = Found(*tensors, torch.from_numpy(found), torch.from_numpy(truth.astype(np.float32)))
        if not mirrored:
            return here
        there = _turned(here, self.config.skeleton, images.shape[-1])
        return Found(*(torch.cat(pair) for pair in zip(here, there, strict=True)))


def _turned(people: Found, skeleton: Skeleton, width: int) -> Found:
    """The same in mirrored pictures of this width."""
    flip, across = list(skeleton.flipped_joints), torch.tensor([-1.0, 1.0, 1.0])
    x, y = people.input_xy[:, flip].unbind(-1)
    return Found(
        torch.stack([width - 1 - x, y], -1),
        people.joints_3d[:, flip] * across,
        people.found[:, flip],
        people.truth[:, flip] * across,
    )


def predict_scenes(
    network: Hourglass,
    decoding: DecodeConfig,
    pack: Assets,
    kinds: Sequence[SceneConfig],
    seeds: Sequence[int],
    *,
    mirrored: bool = False,
    workers: int = 0,
    progress: bool = False,
) -> Found:
    """What a network finds in random scenes.

    Args:
        network: in eval mode.
        kinds: of scenes, in turn; of the sizes that ``Predictor`` takes.
        seeds: one for each picture.
        mirrored: see ``Predictor``.
        workers: processes that draw and look, each at a part; 0 does it here. The result is the same.
    """
    jobs = [
        _Job(kinds[i % len(kinds)], seeds[begin : begin + _BATCH], mirrored)
        for i, begin in enumerate(range(0, len(seeds), _BATCH))
    ]
    parts = []
    with tqdm(total=len(seeds), unit="picture", disable=not progress, dynamic_ncols=True) as bar:
        for part in in_parts(partial(_predict_scenes, network, decoding, pack), jobs, workers):
            parts.append(part)
            bar.update(min(_BATCH, len(seeds) - bar.n))
    return Found(*(torch.from_numpy(np.concatenate(column)) for column in zip(*parts, strict=True)))


class _Job(NamedTuple):
    kind: SceneConfig
    seeds: Sequence[int]
    mirrored: bool


def _predict_scenes(
    network: Hourglass, decoding: DecodeConfig, pack: Assets
) -> Callable[[_Job], tuple[NDArray[Any], ...]]:
    predictor = Predictor(network, decoding)

    def predict(job: _Job) -> tuple[NDArray[Any], ...]:
        samples = [render_scene(pack, job.kind, seed) for seed in job.seeds]
        return tuple(t.numpy() for t in predictor(samples, mirrored=job.mirrored))

    return predict
