from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from smap.cli import main
from smap.estimator import recommended_decode, refiner_file
from smap.network import Hourglass, load_network, read_notes, save_network
from tests.network.test_hourglass import TINY
from tests.synthetic.tiny_models import write_avatar, write_motion

from .conftest import picture


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    network = Hourglass(replace(TINY, input_size=(96, 64), training_width=96))
    save_network(network, tmp_path / "w.safetensors", dtype=torch.float16, notes={"decode": "{}"})
    return tmp_path / "w.safetensors"


def changed(weights: Path, adapted: Path) -> set[str]:
    """Last parts of the names of what differs."""
    old, new = (load_network(path).state_dict() for path in (weights, adapted))
    return {name.rpartition(".")[2] for name in old if not torch.equal(old[name], new[name])}


def test_pictures_of_any_shape(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i, size in enumerate([(80, 60), (60, 80), (96, 64)]):
        picture(tmp_path / "mine" / f"{i}.png", people=60 * i, size=size)
    target = tmp_path / "new" / "out.safetensors"
    assert main(["adapt", str(target), str(tmp_path / "mine"), "--weights", str(weights)]) == 0
    assert capsys.readouterr().out.startswith(f"{target}: ")
    assert changed(weights, target) - {"num_batches_tracked"} == {"running_mean", "running_var"}
    assert read_notes(target) == read_notes(weights)


def test_pictures_of_a_pack(weights: Path, tmp_path: Path) -> None:
    write_avatar(tmp_path / "a.glb", number=0)
    write_avatar(tmp_path / "b.glb", number=1)
    for i in range(2):
        write_motion(tmp_path / f"{i}.bvh", np.tile(np.eye(3), (3, 22, 1, 1)))
        cv2.imwrite(str(tmp_path / f"room{i}.jpg"), np.full((60, 80, 3), 90 + 50 * i, np.uint8))
    files = [str(tmp_path / name) for name in ("a.glb", "b.glb", "0.bvh", "1.bvh")]
    pack, target = str(tmp_path / "pack"), tmp_path / "out.safetensors"
    command = ["scenes", "pack", "--avatars", *files[:2], "--motions", *files[2:], "--backgrounds", str(tmp_path)]
    assert main([*command, "--out", pack]) == 0
    assert main(["adapt", str(target), "--pack", pack, "--weights", str(weights), "--share", "1"]) == 0
    assert "running_mean" in changed(weights, target)


def test_what_is_made_of_the_default_weights_keeps_their_refiner(tmp_path: Path) -> None:
    mine, target, other = str(picture(tmp_path / "a.png")), tmp_path / "b.safetensors", tmp_path / "c.safetensors"
    assert main(["adapt", str(target), mine]) == 0
    assert main(["adapt", str(other), mine, "--weights", str(target)]) == 0
    for weights in (target, other):
        assert refiner_file(weights, "default") == refiner_file("default", "default")
        assert recommended_decode(weights, "default") == recommended_decode("default", "default")
    assert refiner_file(target, None) is None


def test_bad_input_is_one_line(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine, target = str(picture(tmp_path / "a.png")), str(tmp_path / "out.safetensors")
    (tmp_path / "empty").mkdir()
    for options in (
        [target],
        [target, mine, "--pack", str(tmp_path)],
        [target, str(tmp_path / "nowhere.png")],
        [target, str(tmp_path / "empty")],
        [target, mine, "--share", "2"],
        [str(tmp_path / "out.bin"), mine],
    ):
        assert main(["adapt", *options, "--weights", str(weights)]) == 2, options
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and err.startswith("smap adapt: ") and "must" in err, err
    assert not Path(target).exists()
