from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from smap import DecodeConfig, export
from smap.cli import main
from smap.network import Hourglass, NetworkConfig, save_network

TINY = NetworkConfig(blocks=(1, 1, 1, 1), encoder_channels=(8, 8, 8, 8), decoder_channels=8, stem_channels=8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(Hourglass(TINY), path, notes={"decode": '{"peak_threshold": 0.3}'})
    return path


def test_a_program(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new" / "smap.pt2"
    options = ["--weights", str(weights), "--input-size", "128x96", "--max-people", "7"]
    assert main(["export", str(target), *options]) == 0
    assert capsys.readouterr().out.startswith(f"{target}: program for 128x96 canvases, ")
    program = export.load(target)
    assert program.input_size == (128, 96)
    found = program(torch.zeros(1, 96, 128, 3, dtype=torch.uint8), torch.ones(1, 4), torch.ones(1, 4))
    assert found[0].shape == (1, 7, 15, 3)
    assert len(program.predict([np.zeros((50, 60, 3), np.uint8)])) == 1


def test_a_package_is_asked_for(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the weights' own settings. The compilation itself takes minutes and has its own test."""
    asked = []

    def package(pipeline: export.Pipeline, path: Path) -> None:
        asked.append((pipeline.input_size, pipeline.dtype, pipeline.people.decode, pipeline.mirror))
        path.write_bytes(b"")

    monkeypatch.setattr(export, "export_package", package)
    options = ["--weights", str(weights), "--compile", "--dtype", "bfloat16", "--max-people", "9", "--mirror"]
    assert main(["export", str(tmp_path / "smap.pt2"), *options]) == 0
    decode = DecodeConfig(peak_threshold=0.3, max_people=9)
    assert asked == [(NetworkConfig.small().input_size, torch.bfloat16, decode, True)]
    assert export.Pipeline.of(weights).people.decode == DecodeConfig(peak_threshold=0.3)


def test_bad_input_is_one_line(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for target, options in (
        ("smap.onnx", []),
        ("smap.pt2", ["--weights", "nowhere.safetensors"]),
        ("smap.pt2", ["--input-size", "130x90"]),
        ("smap.pt2", ["--association", "hungry"]),
    ):
        assert main(["export", str(tmp_path / target), "--weights", str(weights), *options]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and err.startswith("smap export: ") and "must" in err, err
    assert not list(tmp_path.iterdir())
