"""The commands with a real network, a tiny one that knows nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from smap import Camera, People
from smap.cli import main
from smap.network import Hourglass, save_network

from ..test_estimator import TINY
from .conftest import picture


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(Hourglass(TINY), path)
    return str(path)


def test_predict(tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(picture(tmp_path / f"{i}.png", size=(64 + i, 48))) for i in range(3)]
    options = ["--weights", weights, "--device", "cpu", "--fov", "60", "--batch", "2", "--json", "--overlay"]
    assert main(["predict", *files, *options, "--out", str(tmp_path / "out")]) == 0
    people = People.from_json((tmp_path / "out" / "2.json").read_text())
    assert people.camera == Camera.from_fov(66, 48, 60)
    assert "3 images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "toaster"], "device must"),
        (["--device", "cuda:77"], "device must"),
        (["--weights", "nowhere.pth"], "nowhere.pth"),
        (["--weights", __file__], "must"),
        (["--refiner", "nowhere.pth"], "nowhere.pth"),
        (["--input-size", "100x100"], "input_size must be"),
        (["--association", "telepathy"], "association must be"),
        (["--min-person-score", "7"], "min_person_score must be in [0, 1], got 7"),
        (
            ["--min-person-score", "0.5", "--refiner", "none"],
            "min_person_score must be 0 without a refiner that judges",
        ),
    ],
)
@pytest.mark.parametrize("command", ["predict", "bench"])
def test_bad_input_is_one_line(
    tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str], command: str, options: list[str], message: str
) -> None:
    if "--weights" not in options:
        options = ["--weights", weights, *options]
    argv = [command, *([str(picture(tmp_path / "a.png"))] if command == "predict" else []), *options]
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith(f"smap {command}: ") and message in err


def test_bench(tmp_path: Path, weights: str) -> None:
    file = tmp_path / "bench.json"
    options = ["--weights", weights, "--device", "cpu", "--threads", "1", "--seconds", "0.01", "--people", "2"]
    assert main(["bench", *options, "--json", str(file)]) == 0
    data = json.loads(file.read_text())
    assert data["machine"]["threads"] == "1" and len(data["rows"]) == 4
