"""What a training run is: a TOML file as frozen dataclasses."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch

from ..network import NetworkConfig, computes_bfloat16
from ..network.losses import LossConfig
from .schedule import Schedule

T = TypeVar("T")


@dataclass(frozen=True)
class Phase:
    """A stretch of the run with one picture size.

    Args:
        until: share of all steps at which it ends; the last phase ends at 1.
        size: ``(width, height)`` of the pictures, network-input pixels; smaller than the network's input: windows of
            the full picture, whose Eq. 1 keeps the full picture's w and f.
        batch: pictures per step and process.
        upright: share of the steps whose pictures are upright: ``size`` and the network's input turned. ``Estimator``
            turns its input for such photographs.

    Raises:
        ValueError: a value is out of its range.
    """

    until: float
    size: tuple[int, int]
    batch: int
    upright: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(int(v) for v in self.size))
        if not 0 < self.until <= 1:
            raise ValueError(f"until must be in (0, 1], got {self.until}")
        if len(self.size) != 2 or min(self.size) < 32 or any(v % 32 for v in self.size):
            raise ValueError(f"size must be two multiples of 32, got {self.size}")
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1, got {self.batch}")
        if not 0 <= self.upright <= 1:
            raise ValueError(f"upright must be in [0, 1], got {self.upright}")


@dataclass(frozen=True)
class DataSource:
    """Where pictures come from.

    Args:
        kind: "scenes" (rendered) or the name of a data set format of ``smap.data``. Scenes with the option
            ``empty_share = 1`` are negatives: pictures in which nobody is.
        weight: share of the pictures, relative to the other sources.
        path: folder of the pack or data set; None with "scenes": the built-in body.
        split: "train" or "val", of a pack.
        options: fields of ``synthetic.SceneConfig``; or the reader's arguments, and ``augmentation``, a table of fields
            of ``data.Augmentation``.
        seeds: of scenes: a JSON list of the only seeds to draw, such as those ``smap negatives`` found; None for any.
    """

    kind: str
    weight: float = 1.0
    path: str | None = None
    split: str = "train"
    options: dict[str, Any] = field(default_factory=dict)
    seeds: str | None = None

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise ValueError(f"data weight must be positive, got {self.weight}")
        if self.seeds is not None and self.kind != "scenes":
            raise ValueError(f"data seeds must be of scenes, got kind {self.kind!r}")
        if not isinstance(self.seeds, str | None):
            raise ValueError(f"data seeds must name a file, got {self.seeds!r}")


@dataclass(frozen=True)
class Validation:
    """Held-out pictures.

    Args:
        every: steps between validations.
        source: of the pictures, or None for no validation.
        count: how many.
        decode: fields of ``DecodeConfig``.

    Raises:
        ValueError: a value is out of its range.
    """

    every: int = 1000
    source: DataSource | None = None
    count: int = 64
    decode: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("every", "count"):
            if getattr(self, name) < 1:
                raise ValueError(f"validation {name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class TrainConfig:
    """A whole run.

    Args:
        name: of the run.
        seed: of everything random: picture n of the run is a function of ``(seed, n)``.
        network, loss, schedule, phases, data, validation: see these.
        optimiser: "muon" (``train.muon``), "adamw" or "adam".
        betas, weight_decay, clip: of the optimiser; ``clip`` bounds the gradient's norm, 0 does not.
        ema: decay of the averaged weights, which are the ones that are validated and exported; 0 keeps the last.
        precision: arithmetic of forward and backward: "bfloat16", "float32", or "auto": bfloat16 where the processor
            has instructions for it.
        compile: forward and backward through ``torch.compile``: a fifth faster after a minute or two for every size.
        drawing: where scenes are drawn: by the "workers", on the training "device", or "auto": there if it is a GPU.
        workers: processes that make pictures, per training process; 0 makes them in line.
        threads: of the training process on a CPU.
        save_seconds: between checkpoints.
        log_every: steps between lines of the curve.
        min_person_px: people less tall in network-input pixels are neither positive nor negative.
        max_people: capacity of a picture; the nearest are kept.

    Raises:
        ValueError: a value is out of its range, or phases do not follow each other to the end.
    """

    schedule: Schedule
    phases: tuple[Phase, ...]
    data: tuple[DataSource, ...]
    name: str = "smap"
    seed: int = 0
    network: NetworkConfig = field(default_factory=NetworkConfig.small)
    loss: LossConfig = field(default_factory=LossConfig)
    validation: Validation = field(default_factory=Validation)
    optimiser: Literal["muon", "adamw", "adam"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    clip: float = 5.0
    ema: float = 0.999
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    compile: bool = False
    drawing: Literal["auto", "workers", "device"] = "auto"
    workers: int = 1
    threads: int = 1
    save_seconds: float = 300.0
    log_every: int = 20
    min_person_px: float = 36.0
    max_people: int = 24

    def __post_init__(self) -> None:
        if not self.phases or list(self.phases) != sorted(self.phases, key=lambda p: p.until):
            raise ValueError("phases must be at least one, listed by 'until'")
        if self.phases[-1].until != 1:
            raise ValueError(f"phases must end at until = 1, got {self.phases[-1].until}")
        if not self.data:
            raise ValueError("data must name at least one source, got none")
        if any(phase.upright for phase in self.phases):
            for source in self.data:
                if source.kind == "scenes" and source.options.keys() & {"width", "height"}:
                    raise ValueError(f"data options must leave width and height to upright steps, got {source.options}")
        for name, choices in (
            ("optimiser", ("muon", "adamw", "adam")),
            ("precision", ("auto", "bfloat16", "float32")),
            ("drawing", ("auto", "workers", "device")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {choices}, got {getattr(self, name)!r}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be in [0, 1), got {self.ema}")
        for name in ("workers", "save_seconds", "clip", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        for name in ("threads", "log_every", "max_people"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def lowered(self, device: torch.device) -> bool:
        """Whether this device computes in bfloat16."""
        return computes_bfloat16(device) if self.precision == "auto" else self.precision == "bfloat16"

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context of forward passes on this device."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.lowered(device))

    def phase(self, step: int) -> Phase:
        done = step / self.schedule.steps
        return next((p for p in self.phases if done < p.until), self.phases[-1])

    def pictures_before(self, step: int, processes: int) -> int:
        """Number of pictures that all earlier steps use: the first picture of a step, whoever asks and whenever."""
        total, begin = 0, 0
        for index, phase in enumerate(self.phases):
            last = index + 1 == len(self.phases)
            end = step if last else min(step, _first_step(phase.until, self.schedule.steps))
            total += max(0, end - begin) * phase.batch * processes
            begin = max(begin, end)
        return total


def _first_step(share: float, steps: int) -> int:
    """The first step at or after this share of the run, as ``TrainConfig.phase`` decides it."""
    step = int(share * steps)
    while step / steps < share:
        step += 1
    while step > 0 and (step - 1) / steps >= share:
        step -= 1
    return step


def load_config(path: Path | str, pack: Path | str | None = None) -> TrainConfig:
    """Read CONFIG.toml; ``examples/train_small.toml`` names every table.

    Args:
        pack: folder of the scene pack that rendered pictures are of whose tables name no path; None: the built-in body.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not TOML, an unknown field, or a value out of range; the message names file and table.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"config must be an existing TOML file, got {path}")
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
        return _of_pack(parse_config(values), pack)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be a valid training configuration, got: {error}") from error


def _of_pack(config: TrainConfig, pack: Path | str | None) -> TrainConfig:
    def filled(source: DataSource) -> DataSource:
        unnamed = pack is not None and source.kind == "scenes" and source.path is None
        return dataclasses.replace(source, path=str(pack)) if unnamed else source

    validation = config.validation
    if validation.source is not None:
        validation = dataclasses.replace(validation, source=filled(validation.source))
    return dataclasses.replace(config, data=tuple(map(filled, config.data)), validation=validation)


def parse_config(values: dict[str, Any]) -> TrainConfig:
    """Nested plain types, as TOML and JSON give them -> ``TrainConfig``. Inverse of ``plain``.

    Raises:
        ValueError: a table or field is unknown, missing, of another type or out of its range.
    """
    values = dict(values)
    network = dict(values.pop("network", {}))
    preset = network.pop("preset", "small")
    if preset not in ("small", "paper"):
        raise ValueError(f"network preset must be 'small' or 'paper', got {preset!r}")
    base = (NetworkConfig.paper() if preset == "paper" else NetworkConfig.small()).to_dict()
    settings: dict[str, Any] = {"network": NetworkConfig.from_dict(base | network)}
    settings["loss"] = LossConfig.from_dict(values.pop("loss", {}), settings["network"].training_width)
    settings["schedule"] = build(Schedule, values.pop("schedule", {}), "schedule")
    settings["phases"] = tuple(build(Phase, v, "phases") for v in values.pop("phases", []))
    settings["data"] = tuple(build(DataSource, v, "data") for v in values.pop("data", []))
    validation = dict(values.pop("validation", {}))
    if validation.get("source") is not None:
        validation["source"] = build(DataSource, validation["source"], "validation.source")
    settings["validation"] = build(Validation, validation, "validation")
    return build(TrainConfig, values | settings, "configuration")


def build(kind: type[T], values: dict[str, Any], table: str) -> T:
    """A dataclass from a table. Raises ValueError for fields it does not have, or lacks."""
    declared = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if unknown := set(values) - set(declared):
        raise ValueError(f"{table} must have known fields only, got {sorted(unknown)}")
    required = {
        name
        for name, f in declared.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    if missing := required - set(values):
        raise ValueError(f"{table} must set {sorted(missing)}, got {sorted(values)}")
    try:
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:  # text where a number is compared, say
        raise ValueError(f"{table} must have values of the declared types, got {values} ({error})") from error


def plain(config: TrainConfig) -> dict[str, Any]:
    """JSON types; ``parse_config`` inverts."""
    values = dataclasses.asdict(config)
    values["network"] = config.network.to_dict()
    return values
