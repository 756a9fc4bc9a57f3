from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from smap.errors import WeightsError
from smap.train import Trainer, read_portable, write_portable
from smap.train.checkpoint import read_checkpoint, write_checkpoint

from .tiny import TinyBatches, tiny_config

STATE = {"step": 3, "model": {"a": torch.rand(5, 7)}, "ema": {}, "optimiser": None, "config": "{}"}


def test_round_trip(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "last.pt", STATE)
    back = read_checkpoint(tmp_path / "last.pt")
    torch.testing.assert_close(back["model"]["a"], STATE["model"]["a"], rtol=0, atol=0)
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    trainer = Trainer(tiny_config(), tmp_path, device="cpu", batches=TinyBatches, progress=False)
    assert trainer.save()
    before = (tmp_path / "last.pt").read_bytes()
    trainer.step = 7
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # or the kernel ends the process
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
    try:
        assert not trainer.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "last.pt").read_bytes() == before
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(WeightsError, match="must be a training checkpoint"):
        read_checkpoint(tmp_path / "last.pt")


def test_another_network(tmp_path: Path) -> None:
    Trainer(tiny_config(), tmp_path, device="cpu", batches=TinyBatches, progress=False).save()
    other = tiny_config(network={"blocks": [1, 1, 1, 1], "encoder_channels": [16, 8, 8, 8], "decoder_channels": 8})
    with pytest.raises(WeightsError, match="mis-shaped"):
        Trainer(other, tmp_path, device="cpu", batches=TinyBatches, progress=False)


def test_portable_parts_are_small_and_continue_the_run(tmp_path: Path) -> None:
    config = tiny_config()
    trainer = Trainer(config, tmp_path / "run", device="cpu", batches=TinyBatches, progress=False)
    trainer.run(until=4)
    paths = write_portable(tmp_path / "parts", trainer.state(), part_bytes=10_000)
    parts = [p for p in paths if p.suffix == ".safetensors"]
    assert len(parts) > 3
    assert all(sum(t.nbytes for t in load_file(p).values()) <= 10_000 for p in parts)
    state = read_portable(tmp_path / "parts")
    for key, value in trainer.network.state_dict().items():
        torch.testing.assert_close(state["model"][key], value, rtol=0.01, atol=1e-30)
    count = {"step": torch.tensor(9901.0), "moments": torch.full((3,), 9901.0)}
    write_portable(tmp_path / "counts", {"optimiser": count})
    assert read_portable(tmp_path / "counts")["optimiser"]["step"] == 9901  # 9920 in 16 bit
    again = Trainer(config, tmp_path / "again", device="cpu", batches=TinyBatches, progress=False, start_from=state)
    assert again.step == 4
    again.run(until=6)
    trainer.step = 9
    later = write_portable(tmp_path / "parts", trainer.state())
    assert read_portable(tmp_path / "parts")["step"] == 9
    assert set((tmp_path / "parts").iterdir()) == set(later) and not set(paths[:-1]) & set(later)
    later[0].unlink()
    with pytest.raises(FileNotFoundError, match=r"part-1-000\.safetensors"):
        read_portable(tmp_path / "parts")
    with pytest.raises(FileNotFoundError, match="must hold a portable checkpoint"):
        read_portable(tmp_path / "none")


def test_a_run_that_is_cut_off_leaves_its_last_portable_checkpoint(tmp_path: Path) -> None:
    config, parts = tiny_config(log_every=1, save_seconds=0.0), tmp_path / "parts"
    trainer = Trainer(config, tmp_path / "run", device="cpu", batches=TinyBatches, portable=parts, progress=False)

    def cut(line: dict[str, float]) -> None:
        if line["step"] == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.run(observe=cut)
    state = read_portable(parts)
    assert state["step"] == 3
    again = Trainer(config, tmp_path / "again", device="cpu", batches=TinyBatches, progress=False, start_from=state)
    again.run(until=5)
    assert again.step == 5


def test_the_portable_checkpoint_does_not_need_the_other_ones_disk(tmp_path: Path, monkeypatch) -> None:
    parts = tmp_path / "parts"
    trainer = Trainer(tiny_config(), tmp_path, device="cpu", batches=TinyBatches, portable=parts, progress=False)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("smap.train.loop.write_checkpoint", full)
    assert not trainer.save()
    assert read_portable(parts)["step"] == 0


def test_a_full_disk_leaves_the_last_portable_checkpoint(tmp_path: Path, monkeypatch) -> None:
    write_portable(tmp_path, STATE)
    before = sorted(tmp_path.iterdir())

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("smap.train.checkpoint.save_file", full)
    with pytest.raises(OSError, match="must be writable, got No space left"):
        write_portable(tmp_path, {**STATE, "step": 4})
    assert sorted(tmp_path.iterdir()) == before and read_portable(tmp_path)["step"] == 3
