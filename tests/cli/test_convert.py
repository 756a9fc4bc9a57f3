from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from smap.cli import main
from smap.network import load_network, load_refiner, read_notes

from ..network.official import release_state
from ..network.test_weights import release_file


def test_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = release_file(tmp_path / "SMAP.pth"), tmp_path / "new" / "out.safetensors"
    assert main(["convert", str(source), str(target), "--first-limb", "head-neck"]) == 0
    assert capsys.readouterr().out.startswith(f"{target}: network, ")
    load_network(target)
    assert read_notes(target)["first limb"] == "head-neck"


def test_refiner(tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(release_state(shared, "refinenet"), tmp_path / "RefineNet.pth")
    assert main(["convert", str(tmp_path / "RefineNet.pth"), str(tmp_path / "r.safetensors")]) == 0
    assert "refiner" in capsys.readouterr().out
    load_refiner(tmp_path / "r.safetensors")


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.filterwarnings("error")
def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.pth").touch()
    (tmp_path / "bomb.pth").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    torch.save({"model": {"conv.weight": torch.zeros(3)}}, tmp_path / "other.pth")
    release_file(tmp_path / "good.pth")
    (tmp_path / "file").touch()
    for source, target in (
        ("nowhere.pth", "out.safetensors"),
        ("empty.pth", "out.safetensors"),
        ("bomb.pth", "out.safetensors"),
        ("other.pth", "out.safetensors"),
        ("good.pth", "out.bin"),
        ("good.pth", "file/out.safetensors"),
    ):
        assert main(["convert", str(tmp_path / source), str(tmp_path / target)]) == 2, source
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and err.startswith("smap convert: ") and "must" in err, err
        assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out.safetensors").exists()
