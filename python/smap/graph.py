"""Canvases -> people on the device without waiting for it, and all of that in one CUDA graph per input shape."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from .constants import kept_constants
from .decode import DecodeConfig, decode
from .lift import Lifted, Views, lift_detections
from .maps import Maps
from .network import STRIDE, RefineNet, normalise
from .network.inference import MAX_GRAPHS, capture
from .skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Network, decode, lift and refinement as one function of tensors.

    All shapes depend on those of its arguments alone, and nothing in it waits for the device.

    Args:
        network: normalised ``(B, 3, H, W)`` -> maps, without a CUDA graph of its own.
        refiner: None leaves out the refinement.
        decode: its ``max_people`` is the capacity P of the result.
        skeleton: of the network.
    """

    network: Callable[[Tensor], Maps]
    refiner: RefineNet | None
    decode: DecodeConfig
    skeleton: Skeleton

    @torch.inference_mode()
    def __call__(self, canvases: Tensor, views: Views) -> Lifted:
        """The people in a batch of images.

        Args:
            canvases: ``(B, H, W, 3)`` uint8 RGB.
            views: of the same images, on the same device.
        """
        maps = self.network(normalise(canvases))
        found = decode(maps, self.decode)
        least = self.decode.min_person_score
        return lift_detections(maps, found, views, self.refiner, stride=STRIDE, min_person_score=least)


def pack(lifted: Lifted) -> Tensor:
    """Everything in one ``(B, packed_width)`` float32, so that one copy brings it to the host."""
    joints = torch.cat([lifted.joints_3d, lifted.joints_2d, lifted.scores[..., None]], -1)
    count = lifted.counts[:, None].to(joints.dtype)  # exact: counts are far below 2^24
    return torch.cat([joints.flatten(1), lifted.person_scores, count], 1)


def packed_width(people: int, joints: int) -> int:
    return people * (joints * 6 + 1) + 1


def unpack(packed: Tensor, joints: int) -> Lifted:
    """What ``pack`` was given."""
    people = (packed.shape[1] - 1) // (joints * 6 + 1)
    of_joints, person_scores, count = packed.split([people * joints * 6, people, 1], 1)
    values = of_joints.unflatten(1, (people, joints, 6))
    return Lifted(values[..., :3], values[..., 3:5], values[..., 5], person_scores, count[:, 0].long())


@dataclass
class _Run:
    """One input shape: memory that stays where it is, and what computes on it."""

    host: tuple[Tensor, ...]  # canvases, views, result
    device: tuple[Tensor, ...]
    compute: Callable[[], None]
    constants: list[object]  # whose memory a graph reads


class Runner:
    """A ``Pipeline`` from the host's memory to the host's memory: one small copy back, and one wait for that.

    On a GPU the pipeline is captured once per input shape and replayed on the caller's stream; on the CPU it simply
    runs. May be called from several threads, which take turns.
    """

    def __init__(self, pipeline: Pipeline, device: torch.device) -> None:
        self.pipeline, self.device = pipeline, device
        self._runs: OrderedDict[tuple[int, ...], _Run] = OrderedDict()
        self._lock = threading.Lock()
        if device.type == "cuda":
            # Graphs of one runner never run at the same time, so they may use the same memory, which torch hands on
            # within one stream.
            self._pool, self._side = torch.cuda.graph_pool_handle(), torch.cuda.Stream(device)

    @torch.inference_mode()
    def __call__(self, canvases: Tensor, views: Views) -> Lifted:
        """The people in a batch of images, on the host; see ``Pipeline``, whose arguments are on the host too.

        Raises:
            TypeError: the canvases are not uint8.
            ValueError: shapes do not fit; on the CPU also see ``decode``.
        """
        if canvases.dtype != torch.uint8:  # or a shape that was met before would take it
            raise TypeError(f"canvases must be uint8, got {canvases.dtype}")
        if len(views.frames) != len(canvases):
            raise ValueError(f"views must be of {len(canvases)} images, got {len(views.frames)}")
        inputs = canvases, torch.cat(views, 1)
        with self._lock, torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext():
            shape = tuple(canvases.shape)
            run = self._runs.pop(shape, None) or self._prepare(*inputs)
            self._runs[shape] = run
            if len(self._runs) > MAX_GRAPHS:
                self._runs.popitem(last=False)
            for given, host, device in zip(inputs, run.host, run.device, strict=False):
                host.copy_(given)
                device.copy_(host, non_blocking=True)
            run.compute()
            run.host[-1].copy_(run.device[-1], non_blocking=True)
            if self.device.type == "cuda":
                torch.cuda.current_stream().synchronize()
            return unpack(run.host[-1].clone(), self.pipeline.skeleton.num_joints)

    def _prepare(self, canvases: Tensor, views: Tensor) -> _Run:
        width = packed_width(self.pipeline.decode.max_people, self.pipeline.skeleton.num_joints)
        inputs = canvases, views, torch.empty(len(canvases), width)
        device = tuple(t.to(self.device, copy=True) for t in inputs)
        on_device, frames_and_cameras, result = device

        def compute() -> None:
            frames, cameras = frames_and_cameras.split(4, 1)
            result.copy_(pack(self.pipeline(on_device, Views(frames, cameras))))

        on_gpu = self.device.type == "cuda"
        host = tuple(torch.empty_like(t, pin_memory=on_gpu) for t in inputs)
        with kept_constants() as constants:
            return _Run(host, device, self._capture(compute) if on_gpu else compute, constants)

    def _capture(self, compute: Callable[[], None]) -> Callable[[], None]:
        return capture(compute, self._side, self._pool)[0].replay
