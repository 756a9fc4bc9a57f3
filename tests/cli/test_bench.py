from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from smap import Camera, DecodeConfig, Letterbox, decode, lift
from smap.cli import bench, main


@pytest.fixture
def estimator(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    fake = SimpleNamespace(
        decode=DecodeConfig(),
        device=torch.device("cpu"),
        input_size=(64, 32),
        network=lambda batch: batch.sum(),
        predict=lambda image: image.sum(),
    )
    monkeypatch.setattr(bench, "make_estimator", lambda args: fake)
    return fake


@pytest.mark.usefixtures("estimator")
def test_table_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "bench.json"
    assert main(["bench", "--seconds", "0.01", "--people", "2", "5", "--picture", "40x30", "--json", str(file)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    data = json.loads(file.read_text())
    assert [row["what"] for row in data["rows"]] == [line.split("|")[1].strip() for line in lines[2:]]
    assert [row["what"] for row in data["rows"]] == [
        "decode, 2 people (2 found)",
        "decode + lift, 2 people (2 found)",
        "decode, 5 people (5 found)",
        "decode + lift, 5 people (5 found)",
        "network, 64x32",
        "predict, 40x30 picture",
    ]
    assert all(row["wall_ms"] > 0 and row["runs"] > 0 for row in data["rows"])
    assert {"version", "device", "threads"} <= set(data["machine"])


@pytest.mark.usefixtures("estimator")
def test_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--seconds", "nan"]) == 2
    assert "seconds must be" in capsys.readouterr().err


@pytest.mark.parametrize("count", [3, 10, 20])
def test_the_crowd_is_what_it_says(count: int) -> None:
    """Timings are of that many people: decoding and lifting the made-up maps gives the crowd back."""
    camera, box = Camera.default(*bench.MAP_INPUT), Letterbox.fit(*bench.MAP_INPUT, bench.MAP_INPUT)
    maps = bench.crowd_maps(count, camera, box)
    people = lift(maps, decode(maps), box, camera)[0]
    truth = bench.crowd(count, camera)[:, 2]
    assert len(people) == count
    found = people.joints_3d[:, 2]
    nearest = np.linalg.norm(found[:, None] - truth, axis=-1).min(0)
    assert (nearest < 0.15).mean() >= 0.9
