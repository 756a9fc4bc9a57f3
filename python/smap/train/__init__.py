"""Training: ``Trainer(load_config("run.toml"), folder).run()`` (paper Sec. 3.1 and 4.1, supplement 1.1)."""

from .checkpoint import is_portable, network_state, read_portable, write_portable
from .config import DataSource, Phase, TrainConfig, Validation, load_config, parse_config
from .loop import Trainer
from .schedule import Schedule

__all__ = [
    "DataSource",
    "Phase",
    "Schedule",
    "TrainConfig",
    "Trainer",
    "Validation",
    "is_portable",
    "load_config",
    "network_state",
    "parse_config",
    "read_portable",
    "write_portable",
]
