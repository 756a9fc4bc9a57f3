"""Normalisations that go by other pictures."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from smap.network import Hourglass, adapt_normalisation

from .test_hourglass import TINY, TINY_RELEASE, randomise


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def pictures(seed: int = 0) -> torch.Tensor:
    return torch.randn(4, 3, 128, 192, generator=torch.Generator().manual_seed(seed))


def standardised(network: Hourglass, x: torch.Tensor) -> list[tuple[float, float]]:
    """Of every normalisation's output before its own gain and bias: the largest mean and sd of a channel."""
    seen = []

    def look(norm: nn.BatchNorm2d, _: object, y: torch.Tensor) -> None:
        y = (y - norm.bias[:, None, None]) / norm.weight[:, None, None]
        seen.append((float(y.mean((0, 2, 3)).abs().max()), float(y.std((0, 2, 3)).max())))

    handles = [norm.register_forward_hook(look) for norm in norms(network)]
    with torch.no_grad():
        network.raw(x)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("config", [TINY, TINY_RELEASE], ids=["small", "release"])
def test_every_layer_is_normalised_for_the_pictures_alone(config):
    network = randomise(Hourglass(config)).eval()
    adapted = adapt_normalisation(network, [pictures()], share=1)
    looks = standardised(adapted, pictures())
    assert len(looks) == len(norms(network))
    # 0 and at most 1, but for what unbiased variances add up to on coarse layers of few pixels.
    assert all(mean < 0.1 and sd < 1.02 for mean, sd in looks)
    assert max(mean for mean, _ in standardised(network, pictures())) > 0.5


def test_a_share_of_nothing_changes_nothing_and_the_network_is_left_alone():
    network = randomise(Hourglass(TINY)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    adapted = adapt_normalisation(network, [pictures()], share=0)
    assert network.training and not adapted.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    for name, value in adapted.state_dict().items():
        if "num_batches" not in name:
            torch.testing.assert_close(value, before[name], msg=name)
    assert [norm.momentum for norm in norms(adapted)] == [norm.momentum for norm in norms(network)]


def test_statistics_are_means_over_the_batches_and_lie_between_old_and_new():
    network = randomise(Hourglass(TINY)).eval()
    first, second = pictures(seed=1), 2 * pictures(seed=2) + 1
    of_first, of_second, of_both, of_some = (
        norms(adapt_normalisation(network, batches, share))[0]
        for batches, share in (([first], 1), ([second], 1), ([first, second], 1), ([first, second], 0.25))
    )
    for name in ("running_mean", "running_var"):
        old, a, b, both, some = (
            getattr(norm, name) for norm in (norms(network)[0], of_first, of_second, of_both, of_some)
        )
        assert not torch.allclose(a, b, rtol=0.01)
        torch.testing.assert_close(both, (a + b) / 2)
        torch.testing.assert_close(some, 0.75 * old + 0.25 * both)


def test_says_what_is_wrong():
    network = Hourglass(TINY)
    with pytest.raises(ValueError, match="batches must hold at least one picture, got none"):
        adapt_normalisation(network, [])
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\], got 1.5"):
        adapt_normalisation(network, [pictures()], share=1.5)
