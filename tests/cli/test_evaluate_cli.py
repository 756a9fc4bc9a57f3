"""``smap evaluate``, ``smap ablate`` and ``smap data`` as a user types them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from smap import DecodeConfig
from smap.cli import ablate as ablate_command
from smap.cli import evaluate as evaluate_command
from smap.cli import main
from smap.cli.data import parse_options
from smap.evaluate import EstimatorSpec
from smap.network import Hourglass, NetworkConfig, save_network

from ..data import miniatures as mini
from ..test_evaluate import Oracle, folder, mupots_predictions

__all__ = ["folder"]  # the fixture


def test_evaluate_prints_and_writes(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate_command, "spec_of", lambda args: FakeSpec())
        assert main(["evaluate", "--data", f"json={folder}", "--out", str(out), "--quiet", "--workers", "0"]) == 0
        text = capsys.readouterr().out
        assert text == (out / "report.md").read_text() and "| Recall, % | 100.0 |" in text
        names = {path.name for path in out.iterdir()}
        assert names == {"predictions.jsonl", "report.md", "report.json", "pck.png", "root_depth.png"}
        arguments = ["evaluate", "--data", f"json={folder}", "--out", str(out), "--quiet"]
        assert main(arguments) == 2 and "must not be there yet" in capsys.readouterr().err
        assert main([*arguments, "--resume"]) == 0
        assert main([*arguments, "--resume", "--guess-cameras"]) == 2
        assert capsys.readouterr().err.endswith("same settings, got known_cameras True instead of False\n")
        limited = ["evaluate", "--data", f"json={folder}", "--limit", "3", "--quiet", "--option", "x=1"]
        assert main(limited[:-2]) == 0 and "| Images | 3 |" in capsys.readouterr().out
        assert main(limited) == 2 and "options of json must be of on_error, got x" in capsys.readouterr().err
        (folder / "1.png").unlink()
        assert main(["evaluate", "--data", f"json={folder}", "--quiet"]) == 2
        assert "1.png" in capsys.readouterr().err
        assert main(["evaluate", "--data", f"json={folder}", "--quiet", "--skip-damaged"]) == 1


class FakeSpec(EstimatorSpec):
    """Needs no weights."""

    def decode(self) -> DecodeConfig:
        return DecodeConfig()

    def __call__(self) -> Oracle:
        return Oracle()


def test_stored_predictions_of_any_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = mini.mupots(tmp_path / "set")
    file = mupots_predictions(root, tmp_path)
    assert main(["evaluate", "--data", f"mupots={root}", "--predictions", str(file), "--quiet"]) == 0
    text = capsys.readouterr().out
    assert "Protocol: mupots." in text and "## Table 2: MuPoTS-3D" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--data", "imagenet=x"], "data must be NAME=PATH"),
        (["evaluate", "--data", "mupots"], "data must be NAME=PATH"),
        (["evaluate", "--data", "json=/nowhere"], "the data set must be a folder"),
        (["evaluate", "--data", "scenes=/nowhere"], "scene pack"),
        (["evaluate", "--data", "json={folder}", "--predictions", "/nowhere.jsonl"], "predictions must be a file"),
        (["evaluate", "--data", "json={folder}", "--weights", "/nowhere"], "weights must be"),
        (["ablate", "--data", "json={folder}", "--rows", "fuller"], "rows must be among"),
        (["data", "check", "{folder}", "--format", "imagenet"], "invalid choice"),
        (["data", "check", "{folder}", "--format", "json", "--option", "split"], "option must be NAME=VALUE"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main([part.replace("{folder}", str(folder)) for part in arguments])
    except SystemExit as stop:
        code = int(stop.code or 0)
    error = capsys.readouterr().err.strip()
    assert code == 2 and message in error, error


@pytest.mark.parametrize("command", ["evaluate", "ablate"])
def test_a_data_set_without_images_is_bad_input(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "annotations.json").write_text("[]")
    assert main([command, "--data", f"json={tmp_path}", "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and "must have images, got none" in captured.err and not captured.out


def test_ablate(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablate_command, "spec_of", lambda args: FakeSpec("w"))
        options = ["--rows", "full,default intrinsics", "--out", str(tmp_path / "out"), "--quiet", "--workers", "0"]
        assert main(["ablate", "--data", f"json={folder}", *options]) == 0
    text = capsys.readouterr().out
    assert "Focal length guessed" in text and "No RefineNet (Table 3)" not in text
    rows = json.loads((tmp_path / "out" / "ablation.json").read_text())["rows"]
    assert list(rows) == ["full", "default intrinsics"] and (tmp_path / "out" / "full.jsonl").exists()


def test_real_networks_are_evaluated_on_scenes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole path with an untrained network: nothing is promised but that it runs, and gives the same twice."""
    torch.manual_seed(0)
    config = NetworkConfig(encoder_channels=(8, 8, 8, 8), decoder_channels=8, stem_channels=8, input_size=(96, 64))
    save_network(Hourglass(config), tmp_path / "w.safetensors")
    scenes = ["--data", "scenes=builtin", "--quiet", "--weights", str(tmp_path / "w.safetensors"), "--limit", "2"]
    for name, value in (("count", 3), ("width", 96), ("height", 64)):
        scenes += ["--option", f"{name}={value}"]
    assert main(["evaluate", *scenes, "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "| Images | 2 |" in text and "Size-only oracle" in text
    file = str(tmp_path / "out" / "predictions.jsonl")
    assert main(["evaluate", *scenes, "--predictions", file]) == 0
    assert capsys.readouterr().out.split("## All figures")[1] == text.split("## All figures")[1]
    assert main(["ablate", *scenes, "--out", str(tmp_path / "rows")]) == 0
    assert "2-D association (2DPA, Table 4)" in capsys.readouterr().out
    assert main(["ablate", *scenes, "--option", "seed=7", "--out", str(tmp_path / "rows"), "--resume"]) == 2
    assert "must have been made with the same settings" in capsys.readouterr().err
    assert main(["ablate", *scenes, "--association", "paf"]) == 2
    assert "association must be left to the rows" in capsys.readouterr().err


def test_figures_are_reported_without_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    options = ["--data", "scenes=builtin", "--option", "count=2", "--weights", "default", "--quiet"]
    assert main(["evaluate", *options, "--out", str(tmp_path)]) == 0
    assert "warning: no plots were made" in capsys.readouterr().err
    assert (tmp_path / "report.md").exists() and not (tmp_path / "pck.png").exists()


def test_data_check_and_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mini.coco(tmp_path / "coco")
    sheet = tmp_path / "sheet.png"
    assert main(["data", "check", str(tmp_path / "coco"), "--format", "coco", "--sheet", str(sheet)]) == 0
    assert "3 images, 3 people" in capsys.readouterr().out and sheet.exists()
    out = tmp_path / "out"
    assert main(["data", "convert", str(tmp_path / "coco"), "--format", "coco", "--out", str(out)]) == 0
    assert "3 images written" in capsys.readouterr().out
    assert main(["data", "check", str(out), "--format", "json"]) == 0
    capsys.readouterr()
    before = (out / "annotations.json").read_bytes()
    assert main(["data", "convert", str(out), "--format", "json", "--out", str(out)]) == 2
    assert "out must not be a file that the data set has already" in capsys.readouterr().err
    assert (out / "annotations.json").read_bytes() == before
    assert main(["data", "check", str(tmp_path / "coco"), "--format", "coco", "--option", "split=train2017"]) == 2
    assert "person_keypoints_train2017.json" in capsys.readouterr().err
    mini.muco(tmp_path / "muco")
    guessed = ["--guess-cameras", "--out", str(tmp_path / "guessed")]
    assert main(["data", "convert", str(tmp_path / "muco"), "--format", "muco", *guessed]) == 0
    first = json.loads((tmp_path / "guessed" / "annotations.json").read_text())[0]
    assert first["K"][0][0] == first["width"] == 1024
    (tmp_path / "coco" / "val2017" / "000000000002.jpg").unlink()
    assert main(["data", "check", str(tmp_path / "coco"), "--format", "coco"]) == 1
    authors = ["--to", "authors", "--out", str(tmp_path / "a.json")]
    assert main(["data", "convert", str(tmp_path / "coco"), "--format", "coco", *authors]) == 0
    assert len(json.loads((tmp_path / "a.json").read_text())["root"]) == 3


def test_options_are_json_or_text() -> None:
    assert parse_options(["split=test", "cameras=[1, 2]", "every=5"]) == {
        "split": "test",
        "cameras": [1, 2],
        "every": 5,
    }
