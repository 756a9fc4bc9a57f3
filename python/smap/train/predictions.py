"""What a network finds in rendered scenes, with the truth: what RefineNet learns to correct and to judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ..decode import DecodeConfig, decode
from ..letterbox import Letterbox
from ..lift import lift, project
from ..metrics import match_bodies
from ..network import Hourglass, normalise, prepare
from ..sample import Sample
from ..skeleton import Skeleton
from ..synthetic import SceneConfig, render_scene
from ..synthetic.assets import Assets
from .checkpoint import read_checkpoint, write_checkpoint
from .corrupt import Found
from .workers import in_parts

_BATCH = 8  # pictures at a time through the network


class Predicted(NamedTuple):
    """People that a network found, among them false ones.

    Args:
        input_xy: ``(P, J, 2)`` float32 network-input pixels.
        joints_3d: ``(P, J, 3)`` float32 metres in the camera frame.
        scores: ``(P, J)`` float32 in [0, 1], 0 for joints that were not found, which mean nothing in the two above.
        truth: ``(P, J, 3)`` float32 metres in the camera frame, NaN where nobody is.
        cameras: ``(P, 4)`` float32 fx, fy, cx, cy in network-input pixels.
    """

    input_xy: Tensor
    joints_3d: Tensor
    scores: Tensor
    truth: Tensor
    cameras: Tensor

    @property
    def real(self) -> Tensor:
        """``(P,)`` bool, somebody is there."""
        return self.truth.isfinite().flatten(1).all(1)

    def project(self, points: Tensor) -> Tensor:
        """``(P, J, 3)`` metres -> ``(P, J, 2)`` network-input pixels, see ``lift.project``."""
        return project(points, self.cameras)

    def matched(self) -> Found:
        """Those of whom the truth is known and two joints were found."""
        found = self.scores > 0
        rows = self.real & (found.sum(1) >= 2)
        return Found(self.input_xy[rows], self.joints_3d[rows], found[rows], self.truth[rows])

    @staticmethod
    def cat(parts: Sequence[Predicted]) -> Predicted:
        return Predicted(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def save(self, path: Path, source: str) -> None:
        """Keep them in a file with what they depend on."""
        write_checkpoint(path, {"source": source, **self._asdict()})

    @staticmethod
    def load(path: Path, source: str) -> Predicted:
        """What ``save`` kept.

        Raises:
            WeightsError: it is no such file.
            ValueError: its people depend on something else.
        """
        state = read_checkpoint(path, what="file of predictions", keys=("source", *Predicted._fields))
        if state["source"] != source:
            raise ValueError(f"predictions must be of this network, pack and settings, got others in '{path}'")
        return Predicted(*(state[name] for name in Predicted._fields))


class Predictor:
    """A network in eval mode, on the CPU, and how its maps are decoded."""

    def __init__(self, network: Hourglass, decoding: DecodeConfig) -> None:
        self.config, self._network, self._decoding = network.config, prepare(network, "cpu"), decoding

    @torch.no_grad()
    def __call__(self, samples: Sequence[Sample], *, mirrored: bool = False) -> Predicted:
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
        parts: list[Predicted] = []
        for maps in views:
            everyone = lift(maps, decode(maps, self._decoding), boxes, [s.camera for s in samples])
            for sample, box, people in zip(samples, boxes, everyone, strict=True):
                seen = np.where((sample.visibility > 0)[..., None], sample.joints_2d, np.nan)
                truth = np.full((len(people), *sample.joints_3d.shape[1:]), np.nan, np.float32)
                match = match_bodies(people.joints_2d, seen, skeleton=self.config.skeleton)
                truth[match[match >= 0]] = sample.joints_3d[match >= 0]
                xy, scores = box.image_to_input(people.joints_2d), np.where(people.detected, people.scores, 0)
                camera = sample.camera
                cameras = np.broadcast_to([camera.fx, camera.fy, camera.cx, camera.cy], (len(people), 4))
                columns = (np.nan_to_num(xy), np.nan_to_num(people.joints_3d), scores, truth, cameras)
                parts.append(Predicted(*(torch.from_numpy(c.astype(np.float32)) for c in columns)))
        here = Predicted.cat(parts)
        return Predicted.cat([here, _turned(here, self.config.skeleton, images.shape[-1])]) if mirrored else here


def _turned(people: Predicted, skeleton: Skeleton, width: int) -> Predicted:
    """The same in mirrored pictures of this width."""
    flip, across = list(skeleton.flipped_joints), torch.tensor([-1.0, 1.0, 1.0])
    x, y = people.input_xy[:, flip].unbind(-1)
    fx, fy, cx, cy = people.cameras.unbind(-1)
    return Predicted(
        torch.stack([width - 1 - x, y], -1),
        people.joints_3d[:, flip] * across,
        people.scores[:, flip],
        people.truth[:, flip] * across,
        torch.stack([fx, fy, width - 1 - cx, cy], -1),
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
) -> Predicted:
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
    parts: list[Predicted] = []
    with tqdm(total=len(seeds), unit="picture", disable=not progress, dynamic_ncols=True) as bar:
        for part in in_parts(partial(_predict_scenes, network, decoding, pack), jobs, workers):
            parts.append(Predicted(*map(torch.from_numpy, part)))
            bar.update(min(_BATCH, len(seeds) - bar.n))
    return Predicted.cat(parts)


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
