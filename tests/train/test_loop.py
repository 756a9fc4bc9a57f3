from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from smap.train import Trainer
from smap.train.curve import read_curve

from .tiny import TinyBatches, tiny_config

ROOT = Path(__file__).resolve().parents[2]


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {f"{part}.{k}": v for part in ("network", "ema") for k, v in getattr(trainer, part).state_dict().items()}


def trained(folder: Path, **options) -> Trainer:
    trainer = Trainer(tiny_config(), folder, device="cpu", batches=TinyBatches, progress=False)
    trainer.run(**options)
    return trainer


def comparable(folder: Path) -> list[dict[str, float]]:
    """The curve without what depends on the clock."""
    return [{k: v for k, v in line.items() if k != "pictures_s"} for line in read_curve(folder)]


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    for stop in (4, 6, 10):
        trained(tmp_path / "pieces", until=stop)
    pieces = trained(tmp_path / "pieces")
    for key, value in weights(whole).items():
        torch.testing.assert_close(weights(pieces)[key], value, rtol=0, atol=0, msg=key)
    assert comparable(tmp_path / "pieces") == comparable(tmp_path / "whole")


@pytest.mark.parametrize("stop", [1, 5, 6, 7])
def test_a_run_that_is_stopped_between_two_lines_of_its_curve_loses_nothing(tmp_path: Path, stop: int) -> None:
    class Stopping(TinyBatches):
        """Stops the run as it makes the batch of this step."""

        trainer: Trainer

        def __call__(self):
            make = super().__call__()

            def batch(step: int):
                if step == stop:
                    self.trainer.stop()
                return make(step)

            return batch

    whole, folder = trained(tmp_path / "whole"), tmp_path / "stopped"
    trainer = Trainer(tiny_config(), folder, device="cpu", batches=Stopping, progress=False)
    Stopping.trainer = trainer
    trainer.run()
    assert stop <= trainer.step <= stop + 2
    assert (folder / "best.safetensors").exists()
    resumed = trained(folder)
    for key, value in weights(whole).items():
        torch.testing.assert_close(weights(resumed)[key], value, rtol=0, atol=0, msg=key)
    assert comparable(folder) == comparable(tmp_path / "whole")


SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from smap.train import Trainer
from tests.train.tiny import TinyBatches, tiny_config
if __name__ == "__main__":
    config = tiny_config(40, workers=1)
    trainer = Trainer(config, Path(sys.argv[1]), device="cpu", batches=TinyBatches, progress=False)
    trainer.run(observe=lambda line: print(int(line["step"]), flush=True))
"""


def start(folder: Path) -> subprocess.Popen[str]:
    script = folder.parent / "run.py"
    script.write_text(SCRIPT)
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.Popen([sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True, env=env)


def test_a_kill_at_any_moment_costs_nothing_but_time(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    process = start(folder)
    for line in process.stdout:  # type: ignore[union-attr]
        if int(line) >= 14:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "last.pt").exists()
    config = tiny_config(40)
    resumed = Trainer(config, folder, device="cpu", batches=TinyBatches, progress=False)
    assert 0 < resumed.step < 40
    resumed.run()
    whole = Trainer(config, tmp_path / "whole", device="cpu", batches=TinyBatches, progress=False)
    whole.run()
    for key, value in weights(whole).items():
        torch.testing.assert_close(weights(resumed)[key], value, rtol=0, atol=0, msg=key)
    assert comparable(folder) == comparable(tmp_path / "whole")


@pytest.mark.parametrize("bad_step", [4, 5])  # seen by the step after it, and by the line of the curve
def test_nan_stops_with_the_batch_saved_and_the_checkpoint_kept(tmp_path: Path, bad_step: int) -> None:
    batches = partial(TinyBatches, bad_step=bad_step)
    trainer = Trainer(tiny_config(), tmp_path, device="cpu", batches=batches, progress=False)
    with pytest.raises(FloatingPointError, match=f"loss must be finite, got nan .* at step {bad_step}"):
        trainer.run()
    (path,) = tmp_path.glob("bad_batch_*.pt")
    assert torch.load(path, weights_only=True)["batch"]["depth_scale"].isinf().all()
    again = Trainer(tiny_config(), tmp_path, device="cpu", batches=TinyBatches, progress=False)
    assert again.step == 4  # the last line before
    assert all(v.isfinite().all() for v in weights(again).values())
    again.run()


def test_tensorboard_that_cannot_write_costs_only_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    pytest.importorskip("tensorboard")
    for name in ("add_scalar", "close"):
        monkeypatch.setattr(f"torch.utils.tensorboard.SummaryWriter.{name}", fail)
    assert trained(tmp_path).step == 12
    assert (tmp_path / "last.pt").exists() and len(comparable(tmp_path)) == 6


def test_a_folder_is_of_one_run_at_a_time(tmp_path: Path) -> None:
    trainer = Trainer(tiny_config(), tmp_path, device="cpu", batches=TinyBatches, progress=False)
    other = Trainer(tiny_config(), tmp_path, device="cpu", batches=TinyBatches, progress=False)

    def meddle(_: object) -> None:
        with pytest.raises(FileExistsError, match="must not be in use by another run"):
            other.run()

    trainer.run(observe=meddle)
    assert trainer.step == 12 and len(comparable(tmp_path)) == 6


def test_stops_on_time_and_goes_on_later(tmp_path: Path) -> None:
    started = time.monotonic()
    trainer = trained(tmp_path, seconds=0.0)
    assert trainer.step == 1
    assert time.monotonic() - started < 30
    assert trained(tmp_path).step == 12


def test_the_rate_falls_at_the_end_of_borrowed_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 0.1 * next(looks))  # a tenth of a second passes with every look at it
    monkeypatch.setattr("smap.train.loop.time", clock)
    config = tiny_config(100_000, schedule={"steps": 100_000, "warmup": 0, "peak": 1e-3, "floor": 0.1})
    lines: list[dict[str, float]] = []
    trainer = Trainer(config, tmp_path, device="cpu", batches=TinyBatches, progress=False)
    trainer.run(seconds=6.0, anneal=5.0, observe=lines.append)
    rates = [line["rate"] for line in lines]
    assert rates == sorted(rates, reverse=True) and len(rates) > 4
    assert rates[0] == pytest.approx(1e-3, rel=1e-5) and 0.99e-4 < rates[-1] < 3e-4


def test_learns_a_batch_by_heart(tmp_path: Path) -> None:
    config = tiny_config(
        60, phases=[{"until": 1.0, "size": [64, 64], "batch": 2}], schedule={"steps": 60, "warmup": 5, "peak": 1e-2}
    )
    batch = TinyBatches(config, 0, 1)()(0)
    lines: list[dict[str, float]] = []
    trainer = Trainer(config, tmp_path, device="cpu", batches=lambda *_: lambda: lambda step: batch, progress=False)
    trainer.run(observe=lines.append)
    for part in ("loss_heatmaps", "loss_pafs", "loss_limb_depths", "loss_root_depth"):
        assert lines[-1][part] < 0.8 * lines[0][part], part
    assert lines[-1]["root_error"] < 0.2


def test_two_processes_share_gradients_and_pictures(tmp_path: Path) -> None:
    script = tmp_path / "ddp.py"
    script.write_text(
        """
import sys
import torch, torch.distributed as dist
torch.set_num_threads(1)
from smap.train import Trainer
from tests.train.tiny import TinyBatches, tiny_config
seen = []
class Recording(TinyBatches):
    def __call__(self):
        make = super().__call__()
        def batch(step):
            made = make(step)
            seen.append(made.images.double().mean())
            return made
        return batch
if __name__ == "__main__":
    trainer = Trainer(tiny_config(6), sys.argv[1], device="cpu", batches=Recording, progress=False)
    trainer.run()
    own = torch.cat([p.detach().flatten() for p in trainer.network.parameters()])
    both = [torch.zeros_like(own) for _ in range(2)]
    dist.all_gather(both, own)
    assert torch.equal(both[0], both[1]), "weights differ"
    mean = torch.stack(seen)
    means = [torch.zeros_like(mean) for _ in range(2)]
    dist.all_gather(means, mean)
    assert not (means[0] == means[1]).any(), "pictures are the same"
    assert trainer.step == 6
    print("rank", dist.get_rank(), "fine")
"""
    )
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(script), str(tmp_path / "run")], capture_output=True, text=True, env=env, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("fine") == 2
    assert (tmp_path / "run" / "last.pt").exists()


def test_a_compiled_run_learns_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_module = torch.nn.Module.compile
    calls = []

    def quickly(module: torch.nn.Module, dynamic: bool) -> None:  # traced, but minutes of code generation left out
        calls.append(module)
        compile_module(module, backend="aot_eager", fullgraph=True, dynamic=dynamic)

    monkeypatch.setattr(torch.nn.Module, "compile", quickly)
    runs = {}
    for compiled in (False, True):
        config = tiny_config(4, compile=compiled, phases=[{"until": 1.0, "size": [64, 64], "batch": 2}])
        trainer = Trainer(config, tmp_path / str(compiled), device="cpu", batches=TinyBatches, progress=False)
        trainer.run()
        runs[compiled] = weights(trainer)
    assert len(calls) == 1
    for key, value in runs[False].items():
        torch.testing.assert_close(runs[True][key], value, rtol=1e-3, atol=1e-4, msg=key)
