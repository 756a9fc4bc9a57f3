"""Fitting a network to other pictures without annotations: the statistics of its normalisations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn

from .hourglass import Hourglass


@torch.no_grad()
def adapt_normalisation(network: Hourglass, batches: Iterable[Tensor], share: float = 0.3) -> Hourglass:
    """A copy in eval mode whose batch normalisations go by other pictures (AdaBN, Li et al. 2016, arXiv:1603.04779).

    Weights stay as they are. Means and variances become, by ``share``, those of the pictures given. Pictures without
    people serve as well: people then stand out more, so that more are found, and false ones too.

    Args:
        network: not changed.
        batches: ``(B, 3, H, W)`` as the network takes them, of the size that it will see; at least one.
        share: of the new statistics, from 0 (the network's own) to 1 (the pictures' alone).

    Raises:
        ValueError: there are no batches, or ``share`` is out of its range.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be in [0, 1], got {share}")
    adapted = deepcopy(network).eval()
    for norm in _norms(adapted):
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    seen = 0
    for batch in batches:
        adapted.raw(batch)
        seen += len(batch)
    if not seen:
        raise ValueError("batches must hold at least one picture, got none")
    for norm, own in zip(_norms(adapted), _norms(network), strict=True):
        norm.momentum = own.momentum
        for statistic, before in zip(_statistics(norm), _statistics(own), strict=True):
            statistic.lerp_(before, 1 - share)
    return adapted.eval()


def _norms(network: Hourglass) -> Iterator[nn.BatchNorm2d]:
    return (module for module in network.modules() if isinstance(module, nn.BatchNorm2d))


def _statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean, norm.running_var
