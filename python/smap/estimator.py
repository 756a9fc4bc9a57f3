"""Pictures to people in metres: the whole path behind one call."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .camera import Camera
from .decode import DecodeConfig, Detections, check_decode, decode
from .errors import BuildError, WeightsError
from .graph import Pipeline, Runner
from .image import to_rgb
from .letterbox import Letterbox, facing
from .lift import Lifted, Views, lift_detections, to_people
from .maps import Maps
from .network import (
    STRIDE,
    Hourglass,
    MirroredNetwork,
    NetworkConfig,
    RefineNet,
    find_device,
    load_network,
    load_refiner,
    normalise,
    prepare,
    read_notes,
)
from .ops import HAS_CUDA
from .people import People
from .skeleton import Skeleton

WEIGHTS = Path(__file__).parent / "weights"


class Estimator:
    """Finds every person in an image and returns their joints in metres in the camera frame (paper Fig. 2).

    Args:
        weights: "default", a ``.safetensors`` file of this library, or the authors' ``SMAP.pth``.
        refiner: likewise; "default" is the one that belongs to the default weights and to those that ``smap adapt``
            made of them, and is left out with other weights; None switches it off.
        device: where everything runs; default: the GPU if torch has one and the library was built for it, else the CPU.
        dtype: arithmetic of the network; default: the fastest that keeps the maps (see ``network.prepare``).
        decode: settings of the association; default: those that the refiner's file recommends, else the weights' file,
            else ``DecodeConfig()``. To change one of them: ``replace(smap.Estimator().decode, min_person_score=0.8)``.
        input_size: ``(width, height)`` of the network's input, multiples of 32; default: the weights' own, turned
            upright for pictures that are higher than wide, whose people would be small between wide bars otherwise.
        mirror: average the maps over each picture and its mirror image: better, at twice the network's time.

    May be called from several threads. A copy, or one that was pickled, reads the files again; processes that use it
    are started by spawn, since torch does not survive a fork once it has threads.

    Raises:
        FileNotFoundError: there is no such weights file.
        WeightsError: the weights cannot be used.
        BuildError: the device is a GPU and the library was built without CUDA.
        ValueError: the device does not exist, ``input_size`` does not fit, or ``decode`` drops people by a score that
            no refiner gives.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] = "default",
        *,
        refiner: str | os.PathLike[str] | None = "default",
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        decode: DecodeConfig | None = None,
        input_size: tuple[int, int] | None = None,
        mirror: bool = False,
    ) -> None:
        self._weights: Any = weights
        self._options: dict[str, Any] = {
            "refiner": refiner,
            "device": device,
            "dtype": dtype,
            "decode": decode,
            "input_size": input_size,
            "mirror": mirror,
        }
        self.device = find_device(device if device is not None or HAS_CUDA else "cpu")
        if self.device.type == "cuda" and not HAS_CUDA:
            raise BuildError("smap must be built with CUDA (SMAP_CUDA=ON) to run on a GPU, got a build without")
        network, self._refiner = load_models(weights, refiner)
        self.config: NetworkConfig = network.config
        self.skeleton: Skeleton = network.config.skeleton
        self.input_size = check_input_size(input_size or network.config.input_size)
        self._turns = input_size is None
        self.decode = decode or recommended_decode(weights, refiner)
        check_judged(self.decode, self._refiner)
        prepared = prepare(network, self.device, dtype)
        self._network = MirroredNetwork(prepared) if mirror else prepared
        self.dtype: torch.dtype = self._network.dtype
        if self._refiner is not None:
            self._refiner.to(self.device)

        # On the CPU the steps are taken one by one instead: decoding in parallel, lifting only people who are there.
        self._runner: Runner | None = None
        if self.device.type == "cuda":
            steps = Pipeline(self._network.eager, self._refiner, self.decode, self.skeleton)
            self._runner = Runner(steps, self.device)

    def predict(self, image: Any, camera: Camera | None = None, *, color: str = "rgb") -> People:
        """People in one image, near to far; nobody is an empty ``People``.

        Args:
            image: a path, a ``(H, W, 3)`` uint8 array, a uint8 tensor (``(3, H, W)`` or ``(H, W, 3)``) or a PIL image.
            camera: intrinsics in image pixels; default ``Camera.default``, whose focal length is a guess, and depth is
                proportional to it.
            color: channel order of an array or tensor, "rgb" or "bgr".

        Raises:
            FileNotFoundError, TypeError, ValueError: see ``smap.image.to_rgb``.
        """
        return self.predict_batch([image], [camera], color=color)[0]

    def predict_batch(
        self, images: Sequence[Any], cameras: Sequence[Camera | None] | None = None, *, color: str = "rgb"
    ) -> list[People]:
        """``predict`` for several images of any sizes, in one network pass (two, when some are upright, some not).

        Raises:
            ValueError: ``cameras`` are not as many as the images; otherwise as ``predict``.
        """
        pictures, known = read_pictures(images, cameras, color)
        boxes = [self.letterbox(picture.shape[1], picture.shape[0]) for picture in pictures]
        people: dict[int, People] = {}
        for size in dict.fromkeys(box.input_size for box in boxes):
            members = [i for i, box in enumerate(boxes) if box.input_size == size]
            found = self._predict(
                [pictures[i] for i in members], [boxes[i] for i in members], [known[i] for i in members]
            )
            people.update(zip(members, found, strict=True))
        return [people[i] for i in range(len(boxes))]

    def letterbox(self, width: int, height: int) -> Letterbox:
        """Where a picture of this size lies on the network's input: what ``smap.lift`` needs beside maps."""
        size = facing(self.input_size, width, height) if self._turns else self.input_size
        return Letterbox.fit(width, height, size, STRIDE)

    def _predict(
        self, pictures: list[NDArray[np.uint8]], boxes: list[Letterbox], cameras: list[Camera]
    ) -> list[People]:
        """Pictures whose canvases are of one size."""
        canvases = lay_out(pictures, boxes)
        with torch.autocast(self.device.type, enabled=False):  # the caller's is for other networks
            if self._runner is not None:
                lifted = self._runner(canvases, Views.of(boxes, cameras, "cpu"))
            else:
                lifted = self._lift(self._maps(canvases), Views.of(boxes, cameras, self.device))
        return to_people(lifted, cameras, self.skeleton)

    @torch.inference_mode()
    def network(self, batch: Tensor) -> Maps:
        """``(B, 3, H, W)`` float32 normalised RGB (``smap.network.normalise``) -> maps."""
        return self._network(batch)

    @torch.inference_mode()
    def _maps(self, canvases: Tensor) -> Maps:
        return self._network(normalise(canvases.to(self.device)))

    @torch.inference_mode()
    def _lift(self, maps: Maps, views: Views) -> Lifted:
        detections = self._detect(maps)
        most, least = int(detections.count.max()), self.decode.min_person_score
        return lift_detections(maps, detections, views, self._refiner, stride=STRIDE, min_person_score=least, most=most)

    def _detect(self, maps: Maps) -> Detections:
        """Decode; on the CPU one thread per image, which needs no barrier between them on a busy machine."""
        workers = min(len(maps), torch.get_num_threads())
        if self.device.type != "cpu" or workers < 2:
            return decode(maps, self.decode)
        with ThreadPoolExecutor(workers) as pool:
            single = pool.map(partial(decode, config=self.decode), (maps[i : i + 1] for i in range(len(maps))))
            return Detections.cat(list(single))

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), self._weights, **self._options), ()

    def __repr__(self) -> str:
        size = "x".join(map(str, self.input_size))
        refined = "with" if self._refiner is not None else "without"
        return f"Estimator({size}, {self.dtype}, {self.device}, {refined} refiner)"


def load_models(
    weights: str | os.PathLike[str], refiner: str | os.PathLike[str] | None
) -> tuple[Hourglass, RefineNet | None]:
    """The network and the refiner that these arguments of ``Estimator`` name, on the CPU, for inference."""
    network = load_network(resolve_weights(weights))
    file = refiner_file(weights, refiner)
    return network, None if file is None else load_refiner(file).folded()


def refiner_file(weights: str | os.PathLike[str], refiner: str | os.PathLike[str] | None) -> Path | None:
    """The file of the refiner that these arguments of ``Estimator`` name, if they name one."""
    if refiner is None or (refiner == "default" and not _goes_with_default_refiner(weights)):
        return None
    return resolve_weights(refiner, "refiner")


def _goes_with_default_refiner(weights: str | os.PathLike[str]) -> bool:
    path = Path(weights)
    adapted = path.suffix == ".safetensors" and path.is_file() and read_notes(path).get("refiner") == "default"
    return weights == "default" or adapted


def read_pictures(
    images: Sequence[Any], cameras: Sequence[Camera | None] | None, color: str
) -> tuple[list[NDArray[np.uint8]], list[Camera]]:
    """Arguments of ``Estimator.predict_batch`` -> ``(H, W, 3)`` RGB pictures and their cameras, known or guessed."""
    if isinstance(images, (str, bytes)):
        raise TypeError(f"images must be a sequence of pictures, got the string {images!r}")
    if isinstance(cameras, Camera):
        raise TypeError("cameras must be a sequence, one of each image, got a single Camera")
    pictures = [to_rgb(image, color) for image in images]
    given = [None] * len(pictures) if cameras is None else list(cameras)
    for camera in given:
        if camera is not None and not isinstance(camera, Camera):
            raise TypeError(f"camera must be a smap.Camera(fx, fy, cx, cy), got {type(camera).__name__}")
    if len(given) != len(pictures):
        raise ValueError(f"cameras must be one per image = {len(pictures)}, got {len(given)}")
    known = [
        camera or Camera.default(picture.shape[1], picture.shape[0])
        for camera, picture in zip(given, pictures, strict=True)
    ]
    return pictures, known


def lay_out(pictures: Sequence[NDArray[np.uint8]], boxes: Sequence[Letterbox]) -> Tensor:
    """Pictures on canvases of one size, ``(B, H, W, 3)`` uint8 RGB; at least one."""
    width, height = boxes[0].input_size
    canvases = np.empty((len(boxes), height, width, 3), np.uint8)
    for canvas, box, picture in zip(canvases, boxes, pictures, strict=True):
        canvas[:] = box.apply(picture)
    return torch.from_numpy(canvases)


def resolve_weights(weights: str | os.PathLike[str], kind: str = "default") -> Path:
    """A path, or the file of that name that comes with the library."""
    what = "weights" if kind == "default" else kind
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(f"{what} must be 'default' or a file, got {weights!r}")
    named = WEIGHTS / f"{kind if weights == 'default' else weights}.safetensors"
    path = named if isinstance(weights, str) and named.is_file() else Path(weights)
    if not path.is_file():
        raise FileNotFoundError(f"{what} must be 'default' or a file, got {str(weights)!r}")
    return path


def recommended_decode(
    weights: str | os.PathLike[str], refiner: str | os.PathLike[str] | None = None, **changes: Any
) -> DecodeConfig:
    """The settings that these arguments of ``Estimator`` were validated with: JSON fields of ``DecodeConfig`` under
    "decode" in the notes of the refiner's file or, when it says nothing, the weights'.

    Args:
        changes: fields that differ; None is as recommended.

    Raises:
        FileNotFoundError: there is no such file.
        WeightsError: they do not fit.
        ValueError: a change is out of its range.
    """
    recommended = _recommended(weights, refiner)
    return replace(recommended, **{name: value for name, value in changes.items() if value is not None})


def _recommended(weights: str | os.PathLike[str], refiner: str | os.PathLike[str] | None) -> DecodeConfig:
    for path in (refiner_file(weights, refiner), resolve_weights(weights)):
        if path is None or path.suffix != ".safetensors":  # the authors' checkpoints say nothing
            continue
        text = read_notes(path).get("decode")
        if text is not None:
            try:
                return DecodeConfig(**json.loads(text))
            except (TypeError, ValueError) as error:
                raise WeightsError(f"{path} must recommend fields of DecodeConfig, got {text!r} ({error})") from error
    return DecodeConfig()


def check_judged(decode: DecodeConfig, refiner: RefineNet | None) -> None:
    check_decode(decode)
    if decode.min_person_score > 0 and (refiner is None or not refiner.config.judge):
        raise ValueError(f"min_person_score must be 0 without a refiner that judges, got {decode.min_person_score}")


def check_input_size(size: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(size, Sequence) or len(size) != 2 or any(v < 32 or v % 32 for v in size):
        raise ValueError(f"input_size must be (width, height), both multiples of 32, got {size}")
    return int(size[0]), int(size[1])
