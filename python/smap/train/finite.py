"""Whether the loss of a step and its gradient were finite."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from .batch import Batch
from .checkpoint import write_checkpoint


class FiniteCheck:
    """Looks one step later, and before anything is saved: a GPU has the figures at hand by then. Asked at once, it
    would idle until the next step's kernels come.

    Args:
        folder: gets the batch of a step that was not finite.
        rank: of this process among those that train together.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self.folder, self.rank = folder, rank
        self._unchecked: tuple[int, Batch, Tensor, torch.cuda.Event | None] | None = None

    def later(self, step: int, batch: Batch, loss: Tensor, norm: Tensor) -> None:
        """Remember a step, its loss and the norm of its gradient, scalars on any device."""
        figures = torch.stack([loss, norm]).to("cpu", non_blocking=True)
        arrived = torch.cuda.current_stream(loss.device).record_event() if loss.is_cuda else None
        self._unchecked = step, batch, figures, arrived

    def last(self) -> None:
        """Look at the step remembered, if there is one.

        Raises:
            FloatingPointError: loss or gradient were not finite; the batch lies in the folder.
        """
        if self._unchecked is None:
            return
        (step, batch, figures, arrived), self._unchecked = self._unchecked, None
        if arrived is not None:
            arrived.synchronize()
        loss, norm = figures.tolist()
        # Reduced gradients carry another process's NaN in the norm as well, so that all stop together.
        if math.isfinite(loss) and math.isfinite(norm):
            return
        path = self.folder / f"bad_batch_step{step}_rank{self.rank}.pt"
        write_checkpoint(path, {"step": step, "batch": vars(batch), "loss": loss})
        raise FloatingPointError(
            f"loss must be finite, got {loss} with gradient norm {norm} at step {step}: the batch is in {path}, the "
            f"last checkpoint is untouched"
        )
