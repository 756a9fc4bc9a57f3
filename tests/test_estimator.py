from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from smap import SMAP15, BuildError, Camera, DecodeConfig, Estimator, Letterbox, Maps, People, WeightsError
from smap.estimator import recommended_decode
from smap.export import MapsToPeople
from smap.maps import MAP_NAMES
from smap.network import Hourglass, NetworkConfig, RefineNet, RefinerConfig, save_network, save_refiner

from .scenes import random_scene
from .test_round_trip import assert_same, targets

TINY = NetworkConfig(blocks=(1, 1, 1, 1), encoder_channels=(8, 8, 16, 16), decoder_channels=8, stem_channels=8)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(Hourglass(TINY), path)
    return path


@pytest.fixture(scope="module")
def refiner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "refiner.safetensors"
    save_refiner(RefineNet(RefinerConfig()), path)
    return path


class PerfectNetwork:
    """Answers with the maps of known scenes, whatever the picture."""

    def __init__(self, maps: list[Maps]) -> None:
        self.maps = maps

    def __call__(self, batch: torch.Tensor) -> Maps:
        assert batch.shape[0] == len(self.maps)
        names = ("heatmaps", "pafs", "limb_depths", "root_depth")
        return Maps(*(torch.cat([getattr(m, name) for m in self.maps]) for name in names))


def test_a_perfect_network_gives_the_same_people(weights: Path) -> None:
    estimator = Estimator(weights, device="cpu", input_size=(832, 512))
    scenes = [random_scene(seed, 4) for seed in (1, 2, 3)]
    pictures = [np.zeros((box.height, box.width, 3), np.uint8) for _, _, box in scenes]
    estimator._network = PerfectNetwork([targets(*scene) for scene in scenes])
    for threads in (1, 3):  # one by one, and decoded in parallel
        torch.set_num_threads(threads)
        try:
            results = estimator.predict_batch(pictures, [camera for _, camera, _ in scenes])
        finally:
            torch.set_num_threads(1)
        for found, (people, camera, box) in zip(results, scenes, strict=True):
            assert_same(found, people, camera, box)
            assert found.camera == camera


def test_the_refiner_completes_what_was_not_seen(weights: Path, refiner: Path) -> None:
    people, camera, box = random_scene(5, 2)
    seen = np.ones(people.shape[:2], bool)
    seen[:, SMAP15.joints.index("left_wrist")] = False
    picture = np.zeros((box.height, box.width, 3), np.uint8)
    maps = targets(people, camera, box, seen)
    results = {}
    for name, choice in (("without", None), ("with", refiner)):
        estimator = Estimator(weights, refiner=choice, device="cpu", input_size=(832, 512))
        estimator._network = PerfectNetwork([maps])
        results[name] = estimator.predict(picture, camera)
    wrist = SMAP15.joints.index("left_wrist")
    assert np.isnan(results["without"].joints_3d[:, wrist]).all()
    assert np.isfinite(results["with"].joints_3d).all()
    assert not results["with"].detected[:, wrist].any()
    known = results["without"].detected
    np.testing.assert_allclose(results["with"].joints_2d[known], results["without"].joints_2d[known], atol=1e-3)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda estimator: pickle.loads(pickle.dumps(estimator))])
def test_copies_are_made_alike(weights: Path, refiner: Path, copied: Callable[[Estimator], Estimator]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    decode = DecodeConfig(peak_threshold=0.0, min_joints=1)
    estimator = Estimator(weights, refiner=refiner, device="cpu", input_size=(96, 64), decode=decode, mirror=True)
    expected = estimator.predict(picture)
    twin = copied(estimator)
    assert repr(twin) == repr(estimator) and twin.decode == decode
    np.testing.assert_array_equal(twin.predict(picture).joints_3d, expected.joints_3d)


def test_sizes_and_defaults(weights: Path) -> None:
    estimator = Estimator(weights, device="cpu")
    assert estimator.input_size == TINY.input_size
    assert estimator.skeleton == SMAP15
    assert estimator.device == torch.device("cpu")
    maps = estimator.network(torch.zeros(2, 3, 256, 416))
    assert len(maps) == 2
    assert maps.heatmaps.shape[-2:] == (64, 104)
    assert estimator.predict(np.zeros((10, 20, 3), np.uint8)).camera == Camera.default(20, 10)
    assert estimator.predict_batch([]) == []


def test_pictures_of_any_size_in_one_batch_are_those_alone(weights: Path) -> None:
    estimator = Estimator(weights, device="cpu", dtype=torch.float32)
    pictures = [RNG.integers(0, 256, (*size, 3), np.uint8) for size in ((48, 64), (100, 30), (256, 416))]
    together = estimator.predict_batch(pictures)
    for picture, result in zip(pictures, together, strict=True):
        alone = estimator.predict(picture)
        assert len(alone) == len(result)
        np.testing.assert_allclose(alone.joints_3d, result.joints_3d, atol=1e-4)


def test_upright_pictures_get_an_upright_canvas_and_the_same_metres(weights: Path) -> None:
    estimator = Estimator(weights, device="cpu", dtype=torch.float32)
    across, upright = estimator.input_size, estimator.input_size[::-1]
    assert estimator.letterbox(640, 480).input_size == estimator.letterbox(480, 480).input_size == across
    assert estimator.letterbox(480, 640).input_size == upright
    assert Estimator(weights, device="cpu", input_size=(416, 256)).letterbox(480, 640).input_size == (416, 256)
    assert Estimator(weights, device="cpu", input_size=(256, 416)).letterbox(640, 480).input_size == (256, 416)
    # What the network says for an upright canvas is lifted on that canvas: a perfect one gives the same people.
    people, camera, box = upright_scene(estimator)
    estimator._network = PerfectNetwork([targets(people, camera, box)])
    found = estimator.predict(np.zeros((box.height, box.width, 3), np.uint8), camera)
    assert_same(found, people, camera, box)


def upright_scene(estimator: Estimator) -> tuple[np.ndarray, Camera, Letterbox]:
    for seed in range(100):
        people, camera, box = random_scene(seed, 2, estimator.input_size[::-1])
        if box.height > box.width and len(people):
            assert estimator.letterbox(box.width, box.height) == box
            return people, camera, box
    raise AssertionError("no upright scene")


def test_a_mirrored_picture_gives_the_mirrored_people(weights: Path) -> None:
    estimator = Estimator(weights, device="cpu", dtype=torch.float32, mirror=True)
    batch = torch.from_numpy(RNG.normal(size=(2, 3, 64, 96)).astype(np.float32))
    maps, turned = estimator.network(batch), estimator.network(batch.flip(-1)).mirrored()
    plain = Estimator(weights, device="cpu", dtype=torch.float32).network(batch)
    for name in MAP_NAMES:
        torch.testing.assert_close(getattr(maps, name), getattr(turned, name))
        assert not torch.allclose(getattr(maps, name), getattr(plain, name))
    picture = RNG.integers(0, 256, (64, 96, 3), np.uint8)
    assert estimator.predict(picture).skeleton == SMAP15


def test_bgr_is_rgb_turned_round(weights: Path) -> None:
    estimator = Estimator(weights, device="cpu", dtype=torch.float32)
    picture = RNG.integers(0, 256, (64, 96, 3), np.uint8)
    a, b = estimator.predict(picture), estimator.predict(picture[..., ::-1], color="bgr")
    np.testing.assert_array_equal(a.joints_3d, b.joints_3d)


def test_says_what_is_wrong(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"weights must be 'default' or a file, got 'nowhere\.pth'"):
        Estimator("nowhere.pth")
    with pytest.raises(ValueError, match="device must"):
        Estimator(weights, device="cuda:99")
    sizes = r"input_size must be \(width, height\), both multiples of 32"
    with pytest.raises(ValueError, match=sizes + r", got \(100, 64\)"):
        Estimator(weights, input_size=(100, 64))
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"\x00" * 100)
    with pytest.raises(WeightsError, match="other"):
        Estimator(other)
    estimator = Estimator(weights, device="cpu")
    picture = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="cameras must be one per image = 2, got 1"):
        estimator.predict_batch([picture, picture], [None])
    with pytest.raises(TypeError, match="image must be uint8, 0 to 255, got float32"):
        estimator.predict(picture.astype(np.float32))
    with pytest.raises(FileNotFoundError):
        estimator.predict(tmp_path / "missing.jpg")
    with pytest.raises(FileNotFoundError, match="refiner must be 'default' or a file, got 'none'"):
        Estimator(weights, refiner="none")
    with pytest.raises(TypeError, match="cameras must be a sequence, one of each image"):
        estimator.predict_batch([picture, picture], Camera(900, 900, 320, 240))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="weights must be 'default' or a file, got 3"):
        Estimator(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="refiner must be 'default' or a file, got False"):
        Estimator(weights, refiner=False)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"camera must be a smap\.Camera\(fx, fy, cx, cy\), got tuple"):
        estimator.predict(picture, (900, 900, 320, 240))
    with pytest.raises(TypeError, match=r"images must be a sequence of pictures, got the string 'a\.jpg'"):
        estimator.predict_batch("a.jpg")
    with pytest.raises(TypeError, match="decode settings must be a DecodeConfig, got 'optimal'"):
        Estimator(weights, decode="optimal")
    with pytest.raises(TypeError, match="batch must be a float32 tensor, got ndarray"):
        estimator.network(picture)
    for size in ((416,), (32.5, 32), 416):
        with pytest.raises(ValueError, match=sizes):
            Estimator(weights, input_size=size)


def test_a_gpu_needs_a_build_with_cuda(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smap.estimator.HAS_CUDA", False)
    monkeypatch.setattr("smap.estimator.find_device", lambda device: torch.device(device))
    with pytest.raises(BuildError, match="smap must be built with CUDA"):
        Estimator(weights, device="cuda:0")


def test_not_a_number_in_the_maps_is_said_once(weights: Path) -> None:
    people, camera, box = random_scene(1, 1)
    maps = targets(people, camera, box)
    maps.heatmaps[0, 0, 3, 3] = float("nan")
    estimator = Estimator(weights, device="cpu", input_size=(832, 512))
    estimator._network = PerfectNetwork([maps])
    with pytest.raises(ValueError, match="heatmaps must be finite"):
        estimator.predict(np.zeros((box.height, box.width, 3), np.uint8), camera)


def test_letterbox_of_the_estimator_is_the_public_one(weights: Path) -> None:
    """Whoever runs the steps by hand gets the same people."""
    from smap import decode, lift
    from smap.network import normalise

    estimator = Estimator(weights, device="cpu", dtype=torch.float32)
    picture = RNG.integers(0, 256, (90, 120, 3), np.uint8)
    box, camera = Letterbox.fit(120, 90, estimator.input_size), Camera.default(120, 90)
    maps = estimator.network(normalise(torch.from_numpy(box.apply(picture))[None]))
    by_hand = lift(maps, decode(maps, estimator.decode), box, camera)[0]
    np.testing.assert_array_equal(estimator.predict(picture).joints_3d, by_hand.joints_3d)


def test_the_refiner_recommends_before_the_weights(tmp_path: Path, weights: Path, refiner: Path) -> None:
    telling, judging = tmp_path / "telling.safetensors", tmp_path / "judging.safetensors"
    save_network(Hourglass(TINY), telling, notes={"decode": '{"peak_threshold": 0.3}'})
    note = '{"peak_threshold": 0.15, "min_person_score": 0.5}'
    save_refiner(RefineNet(RefinerConfig(judge=(4,))), judging, notes={"decode": note})
    own, judged = DecodeConfig(peak_threshold=0.3), DecodeConfig(peak_threshold=0.15, min_person_score=0.5)
    for arguments, expected in (
        ((weights, None), DecodeConfig()),
        ((weights, refiner), DecodeConfig()),
        ((telling, None), own),
        ((telling, "default"), own),  # the default refiner belongs to the default weights
        ((telling, refiner), own),
        ((telling, judging), judged),
    ):
        assert recommended_decode(*arguments) == expected
        assert Estimator(arguments[0], refiner=arguments[1], device="cpu").decode == expected
    changed = recommended_decode(telling, judging, min_person_score=0.7, association=None)
    assert changed == DecodeConfig(peak_threshold=0.15, min_person_score=0.7)
    save_refiner(RefineNet(RefinerConfig()), judging, notes={"decode": '{"peak_threshold": "high"}'})
    with pytest.raises(WeightsError, match="must recommend fields of DecodeConfig, got"):
        recommended_decode(telling, judging)


def test_people_can_be_dropped_only_by_a_refiner_that_judges(tmp_path: Path, weights: Path, refiner: Path) -> None:
    sure = DecodeConfig(peak_threshold=0.0, counted_share=0.0, min_joints=1, min_person_score=0.5)
    for without in (None, refiner):
        with pytest.raises(ValueError, match=r"min_person_score must be 0 without a refiner that judges, got 0\.5"):
            Estimator(weights, refiner=without, decode=sure, device="cpu")
    with pytest.raises(ValueError, match="min_person_score must be 0 without a refiner"):
        MapsToPeople(SMAP15, sure)
    judging = tmp_path / "judging.safetensors"
    save_refiner(RefineNet(RefinerConfig(judge=(4,))), judging)
    picture = RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8)

    def people(least: float) -> People:
        decode = replace(sure, min_person_score=least)
        return Estimator(weights, refiner=judging, decode=decode, device="cpu", input_size=(128, 96)).predict(picture)

    found = people(0.0)
    least = float(found.person_scores.mean())  # of a judge that has learnt nothing
    kept, expected = people(least), found.select(found.person_scores >= least)
    assert 0 < len(expected) < len(found)
    np.testing.assert_array_equal(kept.joints_3d, expected.joints_3d)
    np.testing.assert_array_equal(kept.person_scores, expected.person_scores)
    with pytest.raises(ValueError, match=r"min_person_score must be in \[0, 1\], got 80"):
        DecodeConfig(min_person_score=80)
