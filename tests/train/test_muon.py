from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import Parameter

from smap.network import Hourglass
from smap.train import Trainer
from smap.train.muon import Muon, orthogonalise
from smap.train.optimiser import make_optimiser

from .tiny import TinyBatches, tiny_config


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(8, 8), (6, 40), (40, 6), (2, 5, 9)])
def test_orthogonalised_matrices_keep_their_directions_and_even_out_their_strengths(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    left, strengths, right = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalise(matrix, dtype)
    actual = torch.linalg.svdvals(result)
    # Directions that carry next to nothing stay weaker.
    strong = strengths > 0.05 * strengths[..., :1]
    assert (actual[strong] > 0.5).all() and (actual < 1.3).all()
    agreement = torch.einsum("...ri,...rc,...ic->...i", left, result, right)
    assert (agreement[strong] > 0.5).all()


def test_without_a_gradient_nothing_moves_and_zero_gradients_only_decay() -> None:
    still, fading = Parameter(torch.ones(2, 2)), Parameter(torch.ones(2, 2))
    optimiser = Muon([{"params": [still, fading], "orthogonal": True}], lr=0.1, weight_decay=0.5)
    fading.grad = torch.zeros(2, 2)
    optimiser.step()
    torch.testing.assert_close(still.detach(), torch.ones(2, 2))
    torch.testing.assert_close(fading.detach(), torch.full((2, 2), 0.95))


def test_groups_that_are_not_orthogonal_are_adamw() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(5, 3, generator=generator)
    mine, theirs = Parameter(start.clone()), Parameter(start.clone())
    ours = Muon([{"params": [mine]}], lr=0.02, betas=(0.8, 0.95), weight_decay=0.1)
    reference = torch.optim.AdamW([theirs], lr=0.02, betas=(0.8, 0.95), weight_decay=0.1)
    for _ in range(20):
        gradient = torch.randn(5, 3, generator=generator)
        mine.grad, theirs.grad = gradient.clone(), gradient.clone()
        ours.step()
        reference.step()
    torch.testing.assert_close(mine, theirs)


def test_vectors_cannot_be_orthogonal() -> None:
    with pytest.raises(ValueError, match="orthogonal group must have two dimensions or more"):
        Muon([{"params": [Parameter(torch.ones(3))], "orthogonal": True}])


def test_every_weight_is_in_one_group_and_the_edges_are_adamws() -> None:
    config = tiny_config(optimiser="muon")
    network = Hourglass(config.network)
    optimiser = make_optimiser(network, config)
    grouped = [p for group in optimiser.param_groups for p in group["params"]]
    assert len(grouped) == len({id(p) for p in grouped}) == len(list(network.parameters()))
    hidden = {id(p) for p in optimiser.param_groups[0]["params"]}
    assert optimiser.param_groups[0]["orthogonal"] and len(hidden) > 10
    assert id(network.stem[0].conv.weight) not in hidden
    assert id(network.stages[0].units[0].maps_2d.output.weight) not in hidden


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    def run(folder: str, until: int | None = None) -> dict[str, torch.Tensor]:
        config = tiny_config(optimiser="muon")
        trainer = Trainer(config, tmp_path / folder, device="cpu", batches=TinyBatches, progress=False)
        trainer.run(until)
        return trainer.network.state_dict()

    whole = run("whole")
    run("pieces", 6)
    for key, value in run("pieces").items():
        torch.testing.assert_close(value, whole[key], rtol=0, atol=0, msg=key)
