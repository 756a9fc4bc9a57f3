"""The training loop: one process, or one of several under ``torchrun``."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from ..network import Hourglass, NetworkConfig, RawMaps, find_device, normalise, save_network
from ..network.checkpoint import check_shapes
from ..network.losses import LossParts, network_loss
from ..ops import HAS_CUDA
from .batch import Batch, build_targets
from .checkpoint import check_units, read_checkpoint, write_checkpoint, write_portable
from .config import TrainConfig, plain
from .curve import Curve
from .finite import FiniteCheck
from .optimiser import make_optimiser
from .pictures import BatchMaker, Drawer, Planned
from .probe import Probe
from .processes import Processes
from .validate import Validator, sheet
from .workers import BatchStream, draw_ahead

LAST, BEST_WEIGHTS = "last.pt", "best.safetensors"


class RawNetwork(nn.Module):
    """``Hourglass.raw`` as a forward, which is what DistributedDataParallel wraps."""

    def __init__(self, network: Hourglass) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[list[RawMaps]]:
        return self.network.raw(images)


class Trainer:
    """One run in one folder; continues from the folder's last checkpoint when there is one.

    Args:
        config: what to train. Of a run that continues, ``schedule``, ``data``, ``validation`` and the like may have
            changed, ``network`` not.
        folder: gets ``last.pt``, ``best.safetensors`` (without validation: of the last checkpoint), ``curve.jsonl``
            and, with tensorboard installed, its events.
        device: None: the GPU of this process, else the CPU.
        batches: of config, rank and number of processes: what ``BatchStream`` takes; other pictures than the
            configuration's.
        portable: folder for a checkpoint in small files, see ``write_portable``, as often as ``last.pt``.
        start_from: state to begin with when the folder has no checkpoint: ``network_state`` of a weights file, or
            ``read_portable`` of another machine's run.
        progress: show a bar.

    Raises:
        WeightsError: a checkpoint of another network, or damaged.
        OSError: the folder cannot be written.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: Path | str,
        *,
        device: torch.device | str | None = None,
        start_from: dict[str, Any] | None = None,
        batches: Callable[[TrainConfig, int, int], Callable[[], Callable[[int], Batch | Planned]]] = BatchMaker,
        portable: Path | str | None = None,
        progress: bool = True,
    ) -> None:
        self.config = config
        self.folder = Path(folder)
        self.portable = None if portable is None else Path(portable)
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = torch.device(device if device is not None else "cuda" if HAS_CUDA else "cpu")
        if wanted.type == "cuda" and wanted.index is None:
            wanted = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        self.device = find_device(wanted)
        if self.device.type == "cpu":
            torch.set_num_threads(config.threads)
        else:
            torch.cuda.set_device(self.device)
            torch.backends.cudnn.benchmark = True  # few sizes, each many times
        self.processes = Processes.join(self.device)
        self.main = self.processes.rank == 0
        self.progress = progress and self.main
        self._batches = batches

        torch.manual_seed(config.seed)
        self.network = Hourglass(config.network).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = Hourglass(config.network).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema.load_state_dict(self.network.state_dict())
        self.ema.eval().requires_grad_(False)
        lowered = self.processes.most(float(not config.lowered(self.device))) == 0  # in all processes or in none
        self.optimiser = make_optimiser(self.network, config, torch.bfloat16 if lowered else torch.float32)
        self.step = 0
        # Since the curve's last line: sums of losses, of so many steps, and what the heads said.
        self.sums, self.summed = torch.zeros(len(LossParts._fields), device=self.device), 0
        self.probe = Probe(config.network)
        self.best = -math.inf
        self.saved = True  # whether the last checkpoint is on the disk
        self._ease = 1.0  # on the learning rate, see ``run``
        self.check = FiniteCheck(self.folder, self.processes.rank)
        self._stopping = False
        last = self.folder / LAST
        if last.exists():
            self._restore(read_checkpoint(last), last)
        elif start_from is not None:
            self._restore(start_from, Path("the weights to start from"))
        self.model: nn.Module = RawNetwork(self.network)
        if config.compile:
            self.model.compile(dynamic=False)  # few sizes, each compiled for itself
        if self.processes.count > 1:
            ids = [self.device.index] if self.device.type == "cuda" else None
            self.model = DistributedDataParallel(self.model, device_ids=ids)

    # --- state ---

    def state(self) -> dict[str, Any]:
        """All that the rest of the run depends on."""
        return {
            "step": self.step,
            "best": self.best,
            "model": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "line": {"sums": self.sums, "summed": self.summed, "probe": self.probe.state()},
            "config": json.dumps(plain(self.config)),
        }

    def _restore(self, state: dict[str, Any], source: Path) -> None:
        expected = {key: tuple(value.shape) for key, value in self.network.state_dict().items()}
        for part in ("model", "ema"):
            check_shapes(expected, state[part], f"{part} of {source}")
        if "config" in state:
            stored = NetworkConfig.from_dict(json.loads(state["config"])["network"])
            check_units(stored, self.config.network, ("root_depth", "limb_depth_scale", "training_width"), source)
        self.network.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        if state.get("optimiser"):
            self.optimiser.load_state_dict(state["optimiser"])
        if line := state.get("line"):  # a portable checkpoint has none
            self.sums.copy_(line["sums"])
            self.summed = int(line["summed"])
            self.probe.restore(line["probe"], self.device)
        self.step = int(state["step"])
        self.best = float(state["best"])

    def save(self) -> bool:
        """Write a checkpoint, and the portable one if there is to be one. A disk that is full costs only this one: the
        last good one stays and training goes on.

        Raises:
            FloatingPointError: as ``run``.
        """
        self.check.last()
        if not self.main:
            return True
        state, whole, validated = self.state(), True, self.best > -math.inf
        rest = {name: value for name, value in state.items() if name != "line"}  # 16 bits are too few for sums
        writes: list[tuple[Path | None, Callable[[Path], object]]] = [
            (self.folder / LAST, lambda path: write_checkpoint(path, state)),
            (self.portable, lambda path: write_portable(path, rest)),
            (None if validated else self.folder / BEST_WEIGHTS, lambda path: self._write_weights(path, {})),
        ]
        for path, write in writes:  # they may lie on different disks
            if path is None:
                continue
            try:
                write(path)
            except OSError as error:
                warn(f"{path} stays as it was: {error}")
                whole = False
        self.saved = whole
        return whole

    # --- the loop ---

    def run(
        self,
        until: int | None = None,
        *,
        seconds: float = math.inf,
        anneal: float = 0.0,
        observe: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        """Train up to step ``until`` (the schedule's end), or for about so many seconds; then save.

        Args:
            anneal: over the last so many of ``seconds`` the learning rate falls to the schedule's floor, whatever the
                schedule says: good weights at the end of borrowed time. Such a run depends on the clock.
            observe: gets every line of the curve.

        Raises:
            FloatingPointError: the loss is not finite; the batch lies in the folder.
            FileExistsError: another run goes on in the folder.
        """
        config = self.config
        end = min(config.schedule.steps, config.schedule.steps if until is None else until)
        if self.step >= end:
            self.save()
            return
        deadline = time.monotonic() + seconds
        self._ease, self._stopping = 1.0, False
        saved = window = time.monotonic()
        curve = Curve(self.folder, self.step) if self.main else None
        validator: Validator | None = None
        rank, count = self.processes.rank, self.processes.count
        drawing = config.drawing if config.drawing != "auto" else "device" if self.device.type == "cuda" else "workers"
        decided = replace(config, drawing=drawing)
        stream = BatchStream(self._batches(decided, rank, count), self.step, config.workers)
        drawn = draw_ahead(stream, Drawer(decided, self.device))
        pictures = 0
        every_step = self.device.type == "cpu"  # looks at the clock; a GPU, whose steps are short, would wait for it
        with tqdm(
            total=config.schedule.steps, initial=self.step, disable=not self.progress, unit="step", dynamic_ncols=True
        ) as bar:
            try:
                if self.main and config.validation.source is not None:  # made while the workers open their sources
                    validator = Validator(config, self.device)
                for step, batch in drawn:
                    self.sums += torch.stack(self._update(step, batch))
                    self.summed += 1
                    pictures += len(batch) * count
                    self.step = step + 1
                    bar.update()
                    due = self.step % config.log_every == 0 or self.step == end
                    if not due and not every_step:
                        continue
                    if due:  # a run that is continued from any checkpoint writes the lines of one that never stopped
                        self.check.last()
                        line = self._line(pictures / (time.monotonic() - window))
                        shown = ("loss", "left_right", "root_error", "pictures_s")
                        bar.set_postfix({name: f"{line[name]:.3g}" for name in shown})
                        if curve is not None:
                            curve.write(line)
                        if observe is not None:
                            observe(line)
                        pictures, window = 0, time.monotonic()
                    over = self.step >= end or self.processes.any(self._stopping or time.monotonic() > deadline)
                    finished = self.step >= config.schedule.steps or (over and anneal > 0)
                    validating = finished or (due and self._validation_due())
                    if validator is not None and curve is not None and validating:
                        self._validate(validator, curve)
                    if due and time.monotonic() - saved > config.save_seconds:
                        self.save()
                        saved = time.monotonic()
                    if over:
                        break
                    if anneal > 0:
                        self._ease = 1 - self.processes.most((time.monotonic() + anneal - deadline) / anneal)
                self.save()
            finally:
                with ExitStack() as closing:
                    if curve is not None:
                        closing.callback(curve.close)
                    closing.callback(stream.close)
                    closing.callback(drawn.close)  # first

    def stop(self) -> None:
        """Let ``run`` end, with a checkpoint, after this step, on a GPU at the next line of the curve; may be called by
        a signal handler."""
        self._stopping = True

    def leave(self) -> None:
        """Leave the other processes, once, when all is done."""
        self.processes.leave()

    def _update(self, step: int, batch: Batch) -> LossParts:
        config = self.config
        batch = batch.to(self.device)
        rate = self._rate(step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        images = normalise(batch.images)
        with config.autocast(self.device):
            raw = self.model(images)
        targets = build_targets(batch, raw, config.network.skeleton, config.loss)
        parts = network_loss(raw, targets, batch.annotated, config.network, config.loss)
        parts.total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.clip if config.clip > 0 else math.inf)
        self.check.last()
        self.check.later(step, batch, parts.total.detach(), norm.detach())
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        average(self.ema, self.network, min(config.ema, (1 + step) / (10 + step)))  # short early in the run
        self.probe.add(raw[-1][-1], targets[-1][-1], batch)
        return LossParts(*(p.detach() for p in parts))

    def _rate(self, step: int) -> float:
        schedule = self.config.schedule
        return schedule.rate(step) * (schedule.floor + (1 - schedule.floor) * self._ease)

    def _validation_due(self) -> bool:
        """Whether one of the steps of the line that ends here completed a stretch between validations."""
        every, steps = self.config.validation.every, (self.step - 1) % self.config.log_every + 1
        return self.step // every > (self.step - steps) // every

    def _line(self, rate: float) -> dict[str, float]:
        """Of all since the last one; the next begins afresh."""
        names = ("loss" if name == "total" else f"loss_{name}" for name in LossParts._fields)
        loss = dict(zip(names, (self.sums / self.summed).tolist(), strict=True))
        self.sums.zero_()
        self.summed = 0
        rates = {"rate": self._rate(self.step - 1), "pictures_s": rate}
        return {"step": float(self.step)} | loss | rates | self.probe.result()

    def _validate(self, validator: Validator, curve: Curve) -> None:
        result = validator.run(self.ema)
        curve.write({"step": float(self.step)} | {f"val_{name}": value for name, value in result.items()})
        curve.picture(self.step, sheet(validator))
        if result["score"] >= self.best or not (self.folder / BEST_WEIGHTS).exists():
            self.best = result["score"]
            try:
                self._write_weights(self.folder / BEST_WEIGHTS, result)
            except OSError as error:
                warn(f"{self.folder / BEST_WEIGHTS} stays as it was: {error}")

    def _write_weights(self, path: Path, figures: dict[str, float]) -> None:
        """The averaged weights, for ``Estimator``, with these figures in their notes."""
        notes = {"step": str(self.step), "decode": json.dumps(self.config.validation.decode)}
        notes |= {name: f"{value:.4f}" for name, value in figures.items()}
        save_network(self.ema, path, dtype=torch.float16, notes=notes)


@torch.no_grad()
def average(means: nn.Module, network: nn.Module, decay: float) -> None:
    """Moves averaged weights towards those of the network; numbers that are no weights are copied."""
    pairs = list(zip(means.state_dict().values(), network.state_dict().values(), strict=True))
    averaged, values = zip(*(pair for pair in pairs if pair[0].dtype.is_floating_point), strict=True)
    torch._foreach_lerp_(averaged, values, 1 - decay)
    for mean, value in pairs:
        if not mean.dtype.is_floating_point:
            mean.copy_(value)


def warn(text: str) -> None:
    """On stderr, beside the progress bar."""
    tqdm.write(f"warning: {text}", file=sys.stderr)
