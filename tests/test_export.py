"""The whole method as one program: the same people as eager, for any batch size, in every form it can be saved in."""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from smap import SMAP15, Camera, DecodeConfig, Letterbox, Maps, People, Skeleton, decode, lift
from smap.export import FORMAT, MapsToPeople, Pipeline, export_package, export_program, load
from smap.lift import Views
from smap.maps import MAP_NAMES
from smap.network import IMAGE_MEAN, IMAGE_STD, Hourglass, NetworkConfig, RefineNet, RefinerConfig, fold, normalise
from smap.ops import LIBRARIES, make_targets

from .scenes import scene_maps
from .test_round_trip import assert_same

TINY = NetworkConfig(
    blocks=(1, 1, 1, 1),
    encoder_channels=(8, 8, 8, 8),
    decoder_channels=8,
    stem_channels=8,
    input_size=(416, 256),
    precision="float32",
)
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "cpp"
SCENES = (0, 2, 3, 4, 6, 7, 1)  # the last is empty


class Recalled(nn.Module):
    """A tiny network that answers as a trained one would: with the maps of the scene that the first pixel names.

    Its own output, a thousandth of it, is added, so that it cannot be left out.
    """

    def __init__(self, maps: Maps) -> None:
        super().__init__()
        self.config = TINY
        self.own = fold(Hourglass(TINY).eval(), torch.device("cpu"), torch.float32)
        for name in ("heatmaps", "pafs", "limb_depths", "root_depth"):
            self.register_buffer(name, getattr(maps, name))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        scene = ((x[:, 0, 0, 0] * IMAGE_STD[0] + IMAGE_MEAN[0]) * 255).round().long()
        recalled = (self.heatmaps, self.pafs, self.limb_depths, self.root_depth)
        return tuple(known[scene] + 1e-3 * own.tanh() for known, own in zip(recalled, self.own(x), strict=True))


def canvases(scenes: Sequence[int]) -> Tensor:
    """Pictures of noise that name the scene in their first pixel."""
    generator = torch.Generator().manual_seed(sum(scenes))
    images = torch.randint(0, 256, (len(scenes), 256, 416, 3), dtype=torch.uint8, generator=generator)
    images[:, 0, 0, 0] = torch.tensor(scenes, dtype=torch.uint8)
    return images


def equal(actual: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    torch.testing.assert_close(tuple(actual), tuple(expected), rtol=0, atol=0, equal_nan=True)


@pytest.fixture(scope="module")
def scenes() -> tuple[Maps, Views, list[tuple[np.ndarray, Camera, Letterbox]]]:
    return scene_maps(SCENES)


@pytest.fixture(scope="module")
def pipeline(scenes: tuple[Maps, Views, list]) -> Pipeline:
    torch.manual_seed(0)
    return Pipeline(Recalled(scenes[0]), DecodeConfig(max_people=20))


@pytest.fixture(scope="module")
def refined_pipeline(scenes: tuple[Maps, Views, list]) -> Pipeline:
    """With a refiner that moves everybody a little."""
    torch.manual_seed(1)
    return Pipeline(Recalled(scenes[0]), DecodeConfig(max_people=20), RefineNet(RefinerConfig()).eval())


def test_examples_of_a_program_have_the_strides_that_callers_have() -> None:
    """A compiled program reads its inputs with the strides of the examples, whatever it is called with."""
    views = Views.of([Letterbox.fit(64, 48, (64, 64))] * 2, [Camera.default(64, 48)] * 2, "cpu")
    assert views.frames.is_contiguous() and views.cameras.is_contiguous()


@pytest.fixture(scope="module")
def program_file(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "smap.pt2"
    export_program(pipeline, path)
    return path


def test_an_exported_program_gives_exactly_the_people_of_eager(
    scenes: tuple[Maps, Views, list], pipeline: Pipeline, program_file: Path
) -> None:
    """Saved, loaded, at batch sizes other than the traced one (2), and true to the scenes."""
    _, views, truth = scenes
    program = load(program_file)
    for batch in ([0], [6], [0, 1], [3, 2, 1], [0, 1, 2, 3, 4, 5, 6]):
        inputs = canvases(batch), views.frames[batch], views.cameras[batch]
        joints_3d, joints_2d, scores, person_scores, count = program(*inputs)
        equal((joints_3d, joints_2d, scores, person_scores, count), pipeline(*inputs))
        torch.testing.assert_close(person_scores, scores.clamp(max=1).mean(-1))
        assert count.tolist() == [len(truth[i][0]) for i in batch]
        for row, i in enumerate(batch):
            n = int(count[row])
            people, camera, box = truth[i]
            arrays = [t[row, :n].numpy() for t in (joints_3d, joints_2d, scores, scores > 0)]
            if n:
                assert_same(People(*arrays, None, SMAP15, camera), people, camera, box)
            assert joints_3d[row, n:].isnan().all() and (scores[row, n:] == 0).all()


def test_a_pipeline_is_decode_and_lift_of_its_network(scenes: tuple[Maps, Views, list], pipeline: Pipeline) -> None:
    _, views, truth = scenes
    batch = [1, 4, 6]
    joints_3d, joints_2d, scores, _, count = pipeline(canvases(batch), views.frames[batch], views.cameras[batch])
    x = (canvases(batch).permute(0, 3, 1, 2) / 255 - torch.tensor(IMAGE_MEAN)[:, None, None]) / torch.tensor(IMAGE_STD)[
        :, None, None
    ]
    maps = Maps(*pipeline.network(x))
    boxes, cameras = [truth[i][2] for i in batch], [truth[i][1] for i in batch]
    for row, people in enumerate(lift(maps, decode(maps, DecodeConfig(max_people=20)), boxes, cameras)):
        assert int(count[row]) == len(people)
        # The normalisation above rounds differently, and the tiny network's thousandth passes that on.
        np.testing.assert_allclose(joints_3d[row, : len(people)].numpy(), people.joints_3d, atol=1e-3)
        np.testing.assert_allclose(joints_2d[row, : len(people)].numpy(), people.joints_2d, atol=1e-2)
        np.testing.assert_allclose(scores[row, : len(people)].numpy(), people.scores, atol=1e-4)


def test_a_real_network_and_a_refiner_in_one_program(tmp_path: Path) -> None:
    """Folded, at a canvas of its own; peaks of noise become people; the refiner completes them."""
    torch.manual_seed(0)
    network = Hourglass(TINY)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.out_channels == 15 + 2 * 14:
            nn.init.normal_(layer.weight)  # heads start near zero, which gives no peaks
    refiner = RefineNet(RefinerConfig(hidden=(8, 8), anchor_depth="corrected", judge=(8,))).eval()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((90, 120), (200, 100), (96, 128))]
    cameras = [None, Camera.from_fov(100, 200, 40), None]
    boxes = [Letterbox.fit(p.shape[1], p.shape[0], (128, 96)) for p in pictures]
    known = [camera or Camera.default(p.shape[1], p.shape[0]) for camera, p in zip(cameras, pictures, strict=True)]
    images = torch.from_numpy(np.stack([box.apply(p) for box, p in zip(boxes, pictures, strict=True)]))
    config = DecodeConfig(max_people=30, max_peaks=30)
    everyone = Pipeline(network.eval(), config, refiner, input_size=(128, 96))(images, *Views.of(boxes, known, "cpu"))
    config = replace(config, min_person_score=float(everyone[3][everyone[3] > 0].median()))
    pipeline = Pipeline(network, config, refiner, input_size=(128, 96))
    export_program(pipeline, tmp_path / "refined.pt2")
    program = load(tmp_path / "refined.pt2")
    assert program.input_size == (128, 96) and program.skeleton == SMAP15
    found = program.predict(pictures, cameras)
    assert min(map(len, found)) > 0
    assert any((~people.detected).any() and np.isfinite(people.joints_3d).all() for people in found)
    expected = pipeline(images, *Views.of(boxes, known, "cpu"))
    assert all(expected[-1] < everyone[-1])
    for row, people in enumerate(found):
        assert int(expected[-1][row]) == len(people) and people.camera == known[row]
        np.testing.assert_array_equal(people.joints_3d, expected[0][row, : len(people)].numpy())
        np.testing.assert_array_equal(people.person_scores, expected[3][row, : len(people)].numpy())
        assert (people.person_scores >= config.min_person_score).all()
        assert (np.diff(people.joints_3d[:, SMAP15.root, 2]) >= 0).all()
    assert program.predict([]) == []
    refused = f"min_person_score must be 0 without a refiner that judges, got {config.min_person_score}"
    with pytest.raises(ValueError, match=re.escape(refused)):
        Pipeline(network, config, RefineNet(RefinerConfig()))


def test_mirrored_pictures_are_looked_at_too(scenes: tuple[Maps, Views, list], tmp_path: Path) -> None:
    """The pipeline is that of the mean of a picture's maps and its mirror image's, mirrored back; so is its program."""
    plain, pipeline = (Pipeline(Recalled(scenes[0]), DecodeConfig(max_people=20), mirror=how) for how in (False, True))
    export_program(pipeline, tmp_path / "mirrored.pt2")
    program = load(tmp_path / "mirrored.pt2")
    for batch in ([2], [0, 3, 4]):
        images, frames, cameras = canvases(batch), scenes[1].frames[batch], scenes[1].cameras[batch]
        images[:, 0, -1, 0] = images[:, 0, 0, 0]  # both corners name the scene
        here, there = (Maps(*plain.network(normalise(i)), SMAP15) for i in (images, images.flip(2)))
        seen: list[tuple[Tensor, ...]] = []
        handle = pipeline.people.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs))
        found = pipeline(images, frames, cameras)
        handle.remove()
        for name, maps in zip(MAP_NAMES, seen[0], strict=False):
            mean = (getattr(here, name) + getattr(there.mirrored(), name)) / 2
            torch.testing.assert_close(maps, mean, rtol=1e-4, atol=2e-4)  # convolutions of another batch size
        assert found[-1].min() > 0
        equal(program(images, frames, cameras), found)


def test_maps_of_another_network_and_skeleton(tmp_path: Path) -> None:
    """``MapsToPeople`` exports on its own."""
    arm = Skeleton(("shoulder", "elbow", "wrist"), ((0, 1), (1, 2)), (0.31, 0.25))
    camera, box = Camera.from_fov(320, 240, 60), Letterbox.fit(320, 240, (320, 240))
    truth = torch.tensor([[[-0.5, 0.0, 2.5], [-0.4, 0.25, 2.3], [-0.2, 0.15, 2.2]]])
    xy = torch.from_numpy(box.image_to_map(camera.project(truth.numpy()))).float()
    ones, scale = torch.ones(1, 1, 3, dtype=torch.uint8), torch.tensor([1 / box.depth_factor(camera.fx)])
    limbs, widths = torch.tensor(arm.limbs), torch.tensor([[1.5, 1.0]])
    made = make_targets(xy[None], truth[None, ..., 2].contiguous(), ones, scale, limbs, widths, (60, 80))
    maps = (made.heatmaps[:, 0], made.pafs[:, 0], made.limb_depths[:, 0], made.root_depth)
    inputs = (*maps, *Views.of([box], [camera], "cpu"))
    batch = {0: torch.export.Dim("batch", min=1)}
    module = MapsToPeople(arm, DecodeConfig(max_people=4))
    program = torch.export.export(
        module, tuple(t.repeat(3, *(1,) * (t.dim() - 1)) for t in inputs), dynamic_shapes=(batch,) * 6
    )
    found = program.module()(*inputs)
    equal(found, module(*inputs))
    torch.testing.assert_close(found[0][0, :1], truth, atol=0.02, rtol=0)
    assert found[-1].tolist() == [1]


def test_inputs_that_do_not_fit_are_an_error(program_file: Path) -> None:
    program = load(program_file)
    images, views = torch.zeros(2, 256, 416, 3, dtype=torch.uint8), torch.ones(2, 4)
    for inputs, error, message in (
        ((images.float(), views, views), TypeError, "images must be torch.uint8, got torch.float32"),
        ((images[:, :-4], views, views), ValueError, r"images must be \(B, 256, 416, 3\), .*got \(2, 252, 416, 3\)"),
        ((images, views[:1], views), ValueError, r"frames must be \(B, 4\), .*got \(1, 4\)"),
        ((images, views, views.double()), TypeError, "cameras must be torch.float32"),
        ((images[:0], views[:0], views[:0]), ValueError, "B >= 1"),
    ):
        with pytest.raises(error, match=message):
            program(*inputs)
    with pytest.raises(ValueError, match="cameras must be one per image = 1, got 2"):
        program.predict([np.zeros((10, 10, 3), np.uint8)], [None, None])


def test_files_that_are_no_programs_are_an_error(pipeline: Pipeline, program_file: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent.pt2")
    other = tmp_path / "other.pt2"
    for content in (b"", b"no archive"):
        other.write_bytes(content)
        with pytest.raises(ValueError, match="of `smap export`"):
            load(other)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("other/data.pkl", b"")
    with pytest.raises(ValueError, match="of `smap export`"):
        load(other)
    torch.export.save(torch.export.load(program_file), other, extra_files={"smap.json": '{"smap.format": "0"}'})
    with pytest.raises(ValueError, match=f"program must be of format {FORMAT}, got 0"):
        load(other)
    with pytest.raises(ValueError, match=r"path must end in \.pt2"):
        export_program(pipeline, tmp_path / "smap.onnx")
    with pytest.raises(ValueError, match=r"input_size must be .*, both multiples of 32, got \(418, 256\)"):
        Pipeline(Hourglass(TINY), input_size=(418, 256))


def test_a_failed_export_leaves_the_old_file(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "smap.pt2"
    path.write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(torch.export, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        export_program(pipeline, path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_a_compiled_package_runs_in_python_and_in_cpp(
    scenes: tuple[Maps, Views, list], refined_pipeline: Pipeline, tmp_path: Path
) -> None:
    """AOTInductor: the same people, up to the rounding of its own kernels, for every batch size."""
    pipeline = refined_pipeline
    path = tmp_path / "smap.pt2"
    export_package(pipeline, path)
    package = load(path)
    assert package.input_size == (416, 256) and package.skeleton == SMAP15
    _, views, truth = scenes
    for batch in ([0], [0, 1], [6, 5, 4, 3, 2, 1, 0]):
        inputs = canvases(batch), views.frames[batch], views.cameras[batch]
        found, expected = package(*inputs), pipeline(*inputs)
        equal(found[4:], expected[4:])
        assert int(found[4].sum()) == sum(len(truth[i][0]) for i in batch)
        torch.testing.assert_close(found[:4], expected[:4], rtol=1e-4, atol=1e-3, equal_nan=True)
    with pytest.raises(ValueError, match="images must be"):
        package(canvases([0])[:, 4:], views.frames[:1], views.cameras[:1])

    prefix = f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}"
    for command in (["cmake", "-S", str(EXAMPLE), "-B", "build", prefix], ["cmake", "--build", "build"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    noise = canvases([2])[0].numpy()
    half = np.full((512, 832, 3), SCENES.index(6), np.uint8)  # twice the canvas
    textured = cv2.resize(noise, None, fx=1.8, fy=1.8, interpolation=cv2.INTER_NEAREST)
    for picture, camera in ((noise, None), (half, Camera(900, 910, 420, 250)), (textured, None)):
        (tmp_path / "in.ppm").write_bytes(b"P6 %d %d 255\n" % picture.shape[1::-1] + picture.tobytes())
        arguments = [] if camera is None else [str(v) for v in (camera.fx, camera.fy, camera.cx, camera.cy)]
        lines = run_example(tmp_path, "smap.pt2", str(LIBRARIES), "in.ppm", *arguments).stdout.splitlines()
        people = package.predict([picture], [camera])[0]
        assert len(lines) == people.detected.sum() > 15
        for line, (person, joint) in zip(lines, np.argwhere(people.detected), strict=True):
            number, name, *values = line.split()
            assert (int(number), name) == (person, SMAP15.joints[joint])
            known = [*people.joints_3d[person, joint], *people.joints_2d[person, joint], people.scores[person, joint]]
            np.testing.assert_allclose([float(v) for v in values], known, rtol=1e-3, atol=2e-3)

    for arguments, message in (
        (("smap.pt2",), "usage:"),
        (("smap.pt2", str(tmp_path), "in.ppm"), "_ops.so"),
        (("smap.pt2", str(LIBRARIES), "smap.pt2"), "picture must be a binary PPM"),
    ):
        done = run_example(tmp_path, *arguments)
        assert done.returncode == 2 and message in done.stderr


def run_example(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([folder / "build" / "people", *arguments], cwd=folder, capture_output=True, text=True)
