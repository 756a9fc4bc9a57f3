"""The processes of one training run."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Processes:
    """This process among those of ``torchrun``."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - immutable

    @classmethod
    def join(cls, device: torch.device) -> Processes:
        """Join the group that ``torchrun`` announces in the environment, if it does."""
        if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(device=device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(dist.get_rank(), dist.get_world_size(), device)

    def any(self, value: bool) -> bool:
        """True in every process as soon as it is in one."""
        return self.most(float(value)) > 0

    def most(self, value: float) -> float:
        """The largest of all processes' values, between 0 and 1: the same number in each of them."""
        value = min(1.0, max(0.0, value))
        if self.count == 1:
            return value
        shared = torch.tensor(value, device=self.device)
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        return float(shared)

    def leave(self) -> None:
        if self.count > 1:
            dist.destroy_process_group()
