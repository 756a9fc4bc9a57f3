"""The whole method as one program, pictures in and people in metres out, for other pipelines and other languages."""

from __future__ import annotations

import copy
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from .camera import Camera
from .decode import DecodeConfig, decode
from .estimator import check_input_size, check_judged, lay_out, load_models, read_pictures, recommended_decode
from .letterbox import Letterbox
from .lift import Lifted, Views, lift_detections, to_people
from .maps import MAP_NAMES, Maps
from .network import STRIDE, Hourglass, NetworkConfig, RefineNet, fold, normalise
from .network.mirror import mean_of_both, with_mirror_images
from .people import People
from .skeleton import Skeleton

PathLike = str | os.PathLike[str]

# People of a batch of images, near to far, padded to P = DecodeConfig.max_people: joints_3d (B, P, J, 3) metres in the
# camera frame, joints_2d (B, P, J, 2) image pixels, scores (B, P, J) heights of the peaks, person_scores (B, P), all
# float32, and the counts (B,) int64. Rows from the count on are NaN, as are joints that were not found unless a refiner
# completed them; their score is 0. The fields of ``Lifted``, as a plain tuple.
PeopleTensors = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]

FORMAT = "3"  # raise when the inputs, the outputs or the metadata of exported programs change, or the ops in them
COMPILED = "/data/aotinductor/"  # a folder that only packages have
DESCRIPTION = "smap.json"  # the metadata of an exported program, beside its graph


class MapsToPeople(nn.Module):
    """Decode, lift and refine as a module, for maps from any network; no parameters but the refiner's.

    Args:
        skeleton: of the maps.
        decode: settings of the association; ``max_people`` is the size of the output.
        refiner: completes and corrects people, see ``lift.refine``.

    Raises:
        ValueError: ``decode`` drops people by a score that the refiner does not give.
    """

    def __init__(self, skeleton: Skeleton, decode: DecodeConfig | None = None, refiner: RefineNet | None = None):
        super().__init__()
        self.skeleton = skeleton
        self.decode = decode or DecodeConfig()
        check_judged(self.decode, refiner)
        self.refiner = refiner

    def forward(
        self,
        heatmaps: Tensor,
        pafs: Tensor,
        limb_depths: Tensor,
        root_depth: Tensor,
        frames: Tensor,
        cameras: Tensor,
    ) -> PeopleTensors:
        """The fields of ``Maps``, then those of ``lift.Views``; returns ``PeopleTensors``."""
        maps, views = Maps(heatmaps, pafs, limb_depths, root_depth, self.skeleton), Views(frames, cameras)
        found, least = decode(maps, self.decode), self.decode.min_person_score
        lifted = lift_detections(maps, found, views, self.refiner, stride=STRIDE, min_person_score=least)
        joints_3d, joints_2d, scores, person_scores, counts = lifted
        return joints_3d, joints_2d, scores, person_scores, counts


class Pipeline(nn.Module):
    """Network, decode, lift and refinement as one module (paper Fig. 2): traceable, any batch size, no host steps.

    Args:
        network: is copied; of an ``Hourglass`` the normalisations are folded and the unused heads left out. Another
            module needs a ``config`` and the ``forward`` of ``Hourglass``.
        decode: settings of the association; ``max_people`` is the size of the output.
        refiner: None leaves people as lifted.
        input_size: ``(width, height)`` of the canvases, multiples of 32; default: the network's own.
        device, dtype: of the network's arithmetic; maps and people are float32 always.
        mirror: average the maps over each picture and its mirror image, see ``Estimator``.

    Raises:
        ValueError: ``input_size`` does not fit, or ``decode`` drops people by a score that the refiner does not give.
    """

    def __init__(
        self,
        network: nn.Module,
        decode: DecodeConfig | None = None,
        refiner: RefineNet | None = None,
        *,
        input_size: tuple[int, int] | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        mirror: bool = False,
    ):
        super().__init__()
        config: NetworkConfig = network.config  # type: ignore[assignment]
        self.input_size, self.dtype = check_input_size(input_size or config.input_size), dtype
        self.mirror = mirror
        if isinstance(network, Hourglass):
            self.network: nn.Module = fold(network, torch.device(device), dtype)
        else:
            self.network = copy.deepcopy(network).to(device, dtype)
        for weight in self.network.parameters():
            weight.data = weight.data.contiguous()  # the only layout that torch.export.save knows
        self.people = MapsToPeople(config.skeleton, decode, copy.deepcopy(refiner))
        self.people.to(device)
        self.eval().requires_grad_(False)

    @classmethod
    def of(
        cls,
        weights: PathLike = "default",
        *,
        refiner: PathLike | None = "default",
        decode: DecodeConfig | None = None,
        input_size: tuple[int, int] | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        mirror: bool = False,
    ) -> Pipeline:
        """The pipeline of weights files; arguments and errors as ``Estimator``."""
        network, refine_net = load_models(weights, refiner)
        decode = decode or recommended_decode(weights, refiner)
        return cls(network, decode, refine_net, input_size=input_size, device=device, dtype=dtype, mirror=mirror)

    @property
    def skeleton(self) -> Skeleton:
        return self.people.skeleton

    def forward(self, images: Tensor, frames: Tensor, cameras: Tensor) -> PeopleTensors:
        """Find the people in a batch of pictures; returns ``PeopleTensors``.

        Args:
            images: ``(B, H, W, 3)`` uint8 RGB canvases of ``input_size``, as ``Letterbox.apply`` makes them.
            frames: ``(B, 4)`` float32, where each picture lies on its map; see ``lift.Views``.
            cameras: ``(B, 4)`` float32 fx, fy, cx, cy in image pixels.
        """
        pictures = normalise(images).to(self.dtype)
        found = self.network(with_mirror_images(pictures) if self.mirror else pictures)
        heatmaps, pafs, limb_depths, root_depth = (m.float() for m in found)
        maps = Maps(heatmaps, pafs, limb_depths, root_depth, self.skeleton)
        if self.mirror:
            maps = mean_of_both(maps)
        people: PeopleTensors = self.people(*(getattr(maps, name) for name in MAP_NAMES), frames, cameras)
        return people


class Program:
    """A file of ``export_program`` or ``export_package``, loaded.

    Args:
        run: images, frames and cameras -> the fields of ``PeopleTensors``.
        metadata: of ``describe``.
    """

    def __init__(self, run: Callable[[Tensor, Tensor, Tensor], Sequence[Tensor]], metadata: Mapping[str, str]):
        self._run = run
        self.skeleton = Skeleton.from_dict(json.loads(metadata["smap.skeleton"]))
        self.input_size = int(metadata["smap.input_width"]), int(metadata["smap.input_height"])
        self.device = torch.device(metadata["smap.device"])

    @torch.no_grad()
    def __call__(self, images: Tensor, frames: Tensor, cameras: Tensor) -> PeopleTensors:
        """As ``Pipeline.forward``, on any device.

        Raises:
            TypeError, ValueError: dtype or shape does not fit. The programs themselves do not check all of this.
        """
        width, height = self.input_size
        inputs = []
        for name, value, dtype, shape in (
            ("images", images, torch.uint8, (len(images), height, width, 3)),
            ("frames", frames, torch.float32, (len(images), 4)),
            ("cameras", cameras, torch.float32, (len(images), 4)),
        ):
            if value.dtype != dtype:
                raise TypeError(f"{name} must be {dtype}, got {value.dtype}")
            if tuple(value.shape) != shape or not len(images):
                rule = f"(B, {', '.join(map(str, shape[1:]))}), B >= 1 and the same for all"
                raise ValueError(f"{name} must be {rule}, got {tuple(value.shape)}")
            inputs.append(value.to(self.device).contiguous())
        joints_3d, joints_2d, scores, person_scores, counts = self._run(*inputs)
        return joints_3d, joints_2d, scores, person_scores, counts

    def predict(
        self, images: Sequence[Any], cameras: Sequence[Camera | None] | None = None, *, color: str = "rgb"
    ) -> list[People]:
        """People in pictures of any sizes; arguments and errors as ``Estimator.predict_batch``.

        All pictures lie on the program's one canvas, upright ones between wide bars: for many of those export another
        program with ``input_size`` turned.
        """
        pictures, known = read_pictures(images, cameras, color)
        if not pictures:
            return []
        boxes = [Letterbox.fit(p.shape[1], p.shape[0], self.input_size, STRIDE) for p in pictures]
        canvases = lay_out(pictures, boxes)
        people = Lifted(*self(canvases, *Views.of(boxes, known, self.device)))
        return to_people(people, known, self.skeleton)


def export_program(pipeline: Pipeline, path: PathLike | None = None) -> ExportedProgram:
    """Trace a pipeline into one ``torch.export`` program for batches of any size.

    Args:
        path: a ``.pt2`` file to write as well; ``load`` reads it, as does ``torch.export.load`` where the ops are
            loaded (``import smap.ops``).
    """
    width, height = pipeline.input_size
    box = Letterbox.fit(width, height, pipeline.input_size, STRIDE)
    device = next((t.device for t in pipeline.parameters()), torch.device("cpu"))
    views = Views.of([box] * 2, [Camera.default(width, height)] * 2, device)
    images = torch.zeros(2, height, width, 3, dtype=torch.uint8, device=device)
    batch = {0: Dim("batch", min=1)}
    with torch.no_grad():
        program = torch.export.export(pipeline, (images, *views), dynamic_shapes=(batch,) * 3)
    if path is not None:
        with _replacing(path) as file:
            torch.export.save(program, file, extra_files={DESCRIPTION: json.dumps(describe(pipeline))})
    return program


def export_package(pipeline: Pipeline, path: PathLike, *, options: Mapping[str, Any] | None = None) -> None:
    """Compile a pipeline with AOTInductor into a ``.pt2`` package, for ``load`` and for C++ (``examples/cpp``).

    Takes a C++ compiler and minutes. The package holds machine code for the processor or GPU it was made on.

    Args:
        options: of inductor (``torch._inductor.config``), such as ``{"cpp.march": "x86-64-v3", "cpp.simdlen": 256}``
            for every x86 processor with AVX2.
    """
    program = export_program(pipeline)
    configs = {**(options or {}), "aot_inductor.metadata": describe(pipeline)}
    with _replacing(path) as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)  # torch's own, to itself
        torch._inductor.aoti_compile_and_package(program, package_path=str(file), inductor_configs=configs)


def load(path: PathLike) -> Program:
    """Load a file of ``export_program`` or ``export_package``. Both hold code: load only files that you trust.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file.
    """
    path = Path(path)
    with path.open("rb") as file:
        names = zipfile.ZipFile(file).namelist() if zipfile.is_zipfile(file) else []
    if any(COMPILED in name for name in names):
        package = torch._inductor.aoti_load_package(str(path))
        return Program(package, _check(package.loader.get_metadata(), path))  # type: ignore[attr-defined]
    if not any(name.endswith(f"/{DESCRIPTION}") for name in names):
        raise ValueError(f"program must be a .pt2 file of `smap export`, got '{path}'")
    files = {DESCRIPTION: ""}
    program = torch.export.load(path, extra_files=files)
    return Program(program.module(), _check(json.loads(files[DESCRIPTION]), path))


def describe(pipeline: Pipeline) -> dict[str, str]:
    """What exported files say of themselves."""
    device = next((t.device for t in pipeline.parameters()), torch.device("cpu"))
    return {
        "smap.format": FORMAT,
        "smap.input_width": str(pipeline.input_size[0]),
        "smap.input_height": str(pipeline.input_size[1]),
        "smap.stride": str(STRIDE),
        "smap.joints": " ".join(pipeline.skeleton.joints),
        "smap.skeleton": json.dumps(pipeline.skeleton.to_dict()),
        "smap.device": device.type,
    }


def _check(metadata: Mapping[str, str], path: Path) -> Mapping[str, str]:
    if metadata.get("smap.format") != FORMAT:
        raise ValueError(f"program must be of format {FORMAT}, got {metadata.get('smap.format')} in '{path}'")
    return metadata


@contextmanager
def _replacing(path: PathLike) -> Iterator[Path]:
    """A place to write to that becomes ``path`` only when all is written."""
    path = Path(path)
    if path.suffix != ".pt2":
        raise ValueError(f"path must end in .pt2, got '{path}'")
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        yield Path(folder) / path.name
        (Path(folder) / path.name).replace(path)
