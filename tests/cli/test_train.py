from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from smap.cli import main
from smap.network import Hourglass, load_network, read_notes
from smap.train import load_config, network_state
from smap.train.checkpoint import read_checkpoint

CONFIG = """
name = "tiny"
workers = 0
log_every = 2

[network]
blocks = [1, 1, 1, 1]
encoder_channels = [8, 8, 8, 8]
decoder_channels = 8
stem_channels = 8
input_size = [64, 64]
training_width = 64

[schedule]
steps = 4
warmup = 1

[[phases]]
until = 1.0
size = [64, 64]
batch = 2

[[data]]
kind = "scenes"  # of the built-in body

[validation]
every = 2
count = 2
source = { kind = "scenes", split = "val" }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(CONFIG)
    return path


def test_trains_and_goes_on_elsewhere_in_small_files(config: Path, tmp_path: Path, capsys) -> None:
    here, parts, there = tmp_path / "here", tmp_path / "parts", tmp_path / "there"
    command = ["train", str(config), "--device", "cpu", "--quiet"]
    assert main([*command, "--out", str(here), "--minutes", "1e-9", "--portable", str(parts)]) == 0
    assert "step 1 of 4, not validated" in capsys.readouterr().out
    again = [*command, "--out", str(tmp_path / "again"), "--minutes", "1e-9"]
    assert main([*again, "--continue-from", str(parts), "--portable", str(tmp_path / "next parts")]) == 0
    assert main([*again, "--portable", str(tmp_path / "next parts")]) == 0  # as it was started
    capsys.readouterr()
    assert main([*command, "--out", str(there), "--continue-from", str(parts)]) == 0
    out, err = capsys.readouterr()
    assert "step 4 of 4" in out and err.startswith("note: no --pack") and err.count("\n") == 1
    steps = [json.loads(line)["step"] for line in (there / "curve.jsonl").read_text().splitlines()]
    assert steps == [2, 2, 4, 4]  # training and validation
    best = there / "best.safetensors"
    assert load_network(best).config.input_size == (64, 64)
    assert float(read_notes(best)["loss"]) > 0
    config.write_text(CONFIG.replace("steps = 4", "steps = 6"))
    assert main([*command, "--out", str(tmp_path / "next"), "--start-from", str(best)]) == 0
    assert "step 6 of 6" in capsys.readouterr().out
    deeper, shallower = tmp_path / "deeper", tmp_path / "shallower"
    config.write_text(CONFIG.replace("blocks = [1, 1, 1, 1]", "blocks = [1, 1, 2, 2]"))
    assert main([*command, "--out", str(deeper), "--start-from", str(best)]) == 0
    assert load_network(deeper / "best.safetensors").config.blocks == (1, 1, 2, 2)
    config.write_text(CONFIG)
    assert main([*command, "--out", str(shallower), "--start-from", str(deeper / "best.safetensors")]) == 2
    assert "must fit its network key by key, got 24 unexpected" in capsys.readouterr().err


def test_another_input_width_keeps_the_depths_of_its_weights(config: Path, tmp_path: Path, capsys) -> None:
    command = ["train", str(config), "--device", "cpu", "--quiet"]
    assert main([*command, "--out", str(tmp_path / "narrow")]) == 0
    best = tmp_path / "narrow" / "best.safetensors"
    config.write_text(CONFIG.replace("training_width = 64", "training_width = 128"))
    wide = load_config(config).network
    network = Hourglass(wide).eval()
    network.load_state_dict(network_state(best, wide)["model"])
    picture = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(network(picture)[3], load_network(best)(picture)[3])
    assert main([*command, "--out", str(tmp_path / "narrow")]) == 2
    assert "must be 128, as in the configuration, got 64" in capsys.readouterr().err
    config.write_text(CONFIG.replace("training_width = 64", 'training_width = 64\nroot_depth = "linear"'))
    assert main([*command, "--out", str(tmp_path / "linear"), "--start-from", str(best)]) == 2
    assert "must be linear, as in the configuration, got log" in capsys.readouterr().err


def test_a_checkpoint_that_cannot_be_written_is_an_error(config: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("smap.train.loop.write_checkpoint", full)
    assert main(["train", str(config), "--device", "cpu", "--quiet", "--out", str(tmp_path / "run")]) == 2
    out, err = capsys.readouterr()
    assert "step 4 of 4" not in out
    assert "last.pt stays as it was: no space left" in err
    assert "must have room for the last checkpoint" in err.splitlines()[-1]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_is_one_line_whoever_reads_it(config: Path, tmp_path: Path, capsys, workers: int) -> None:
    record = {"image": "a.jpg", "width": 64, "height": 64, "K": [[64, 0, 32], [0, 64, 32], [0, 0, 1]], "people": []}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "annotations.json").write_text(json.dumps([record]))
    (tmp_path / "data" / "a.jpg").write_bytes(b"no picture")
    text = CONFIG.replace("workers = 0", f"workers = {workers}")
    config.write_text(text.replace('kind = "scenes"  # of', f'kind = "json"\npath = "{tmp_path / "data"}"  # not'))
    assert main(["train", str(config), "--device", "cpu", "--quiet", "--out", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "a.jpg" in err, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_a_checkpoint(config: Path, tmp_path: Path, number: int) -> None:
    config.write_text(CONFIG.replace("steps = 4", "steps = 100000").replace("workers = 0", "workers = 1"))
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "smap", "train", str(config), "--out", str(folder), "--device", "cpu", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        deadline = time.monotonic() + 120
        while not (folder / "curve.jsonl").exists() or not (folder / "curve.jsonl").read_text():
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        os.killpg(run.pid, number)  # as terminals and schedulers do
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 130
    steps = [json.loads(line)["step"] for line in (folder / "curve.jsonl").read_text().splitlines()]
    reached = int(re.search(r"step (\d+) of 100000", said)[1])  # type: ignore[index]
    assert steps[-1] <= reached <= steps[-1] + 2
    assert read_checkpoint(folder / "last.pt")["step"] == reached


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.toml", "--out", "run"], "config must be an existing TOML file, got none.toml"),
        (["run.toml", "--out", "run", "--minutes", "0"], "minutes must be positive, got 0.0"),
        (["run.toml", "--out", "run", "--continue-from", "none"], "must hold a portable checkpoint"),
        (["run.toml", "--out", "run", "--start-from", "none"], "weights must be an existing file, got none"),
        (["run.toml", "--out", "run", "--portable", "."], "portable must be a new folder or one of a portable"),
        (["run.toml", "--out", "run", "--device", "cuda:99"], "device must exist on this machine, got"),
        (["run.toml"], "required: --out"),
    ],
)
def test_bad_input_is_one_line(config: Path, tmp_path: Path, monkeypatch, capsys, arguments, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) if "required" in message else _nothing():
        assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


class _nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...
