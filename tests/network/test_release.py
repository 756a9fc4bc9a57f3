"""The authors' checkpoints: names, units, colours, limbs, against the outputs of their code."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from smap.errors import WeightsError
from smap.network import Hourglass, NetworkConfig
from smap.network.release import import_network, import_refiner, release_key
from smap.skeleton import SMAP15

from .official import fixture_inputs, release_shapes, release_state
from .reference import release_forward
from .test_hourglass import TINY_RELEASE, randomise


def random_release(stages: int) -> dict[str, torch.Tensor]:
    """A checkpoint by the authors' names, made without their key list."""
    with torch.device("meta"):
        state = Hourglass(NetworkConfig.paper(stages)).state_dict()
    generator = torch.Generator().manual_seed(3)
    return {
        release_key(key): torch.zeros((), dtype=torch.int64)
        if value.dim() == 0
        else torch.rand(value.shape, generator=generator) * 0.02 + (0.5 if value.dim() == 1 else -0.01)
        for key, value in state.items()
    }


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, torch.Tensor]:
    return random_release(1)


@pytest.mark.parametrize("name", ["smap_1stage", "smap_3stage"])
def test_names_and_shapes_are_the_release(shared, name):
    with torch.device("meta"):
        state = Hourglass(NetworkConfig.paper(int(name[5]))).state_dict()
    assert {release_key(key): tuple(value.shape) for key, value in state.items()} == release_shapes(shared, name)


def test_outputs_are_the_release(shared):
    """Their 1-stage network at full size, sampled: 43 maps as the sum of three scales, depths in their units."""
    inputs = fixture_inputs(shared)
    network = import_network(release_state(shared, "smap_1stage"), "fixture")
    bgr = torch.from_numpy(inputs.net_input(1, 512, 832, "img0"))
    with torch.inference_mode():
        heatmaps, pafs, limb_depths, root = network(bgr.flip(1))
    expected = np.load(shared / "official" / "network.npz")
    # Back to their units and order, written out by hand rather than through the importer's tables.
    theirs = [1, 0, *range(2, 14)]
    pafs, limb_depths = pafs[:, theirs].clone(), limb_depths[:, theirs].clone()
    pafs[:, 1], limb_depths[:, 1] = -pafs[:, 1], -limb_depths[:, 1]
    ours = {
        "outputs_2d": torch.cat([heatmaps * 3 * 255, pafs.flatten(1, 2) * 3 * 127], 1),
        "det_d": limb_depths * 100,
        "root_d": root * 100 / 832,
    }
    for name, value in ours.items():
        stored = expected[f"s1_512x832/{name}/val"]
        flat = value.flatten().numpy()
        sampled = flat[inputs.sample_index("s1_512x832" + name, flat.size, len(stored))]
        assert np.abs(sampled - stored).max() < 1e-4 * stored.std(), name


def test_refiner_outputs_are_the_release(shared):
    inputs = fixture_inputs(shared)
    refiner = import_refiner(release_state(shared, "refinenet"), "fixture")
    rows = torch.from_numpy(inputs.refine_input(64)).reshape(64, 15, 5)
    rows = rows / torch.tensor([832, 832, 100, 100, 100])
    with torch.inference_mode():
        cm = refiner(rows).flatten(1).numpy() * 100
    expected = np.load(shared / "official" / "network.npz")["refine/out_eval"]
    assert np.abs(cm - expected).max() < 1e-4 * expected.std()


def test_stages_and_scales_are_wired_as_described():
    """Two stages, every output, against a second implementation (the fixtures hold the outputs of one stage only)."""
    network = randomise(Hourglass(TINY_RELEASE))
    state = {release_key(key): value for key, value in network.state_dict().items()}
    x = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        ours, theirs = network.raw(x), release_forward(state, x)
    assert len(ours) == len(theirs) == 2
    for raw_stage, stage in zip(ours, theirs, strict=True):
        for raw, (maps_2d, limb_depths, root) in zip(raw_stage, stage, strict=True):
            combined = torch.cat([raw.heatmaps, raw.pafs.flatten(1, 2)], 1)
            for a, b in ((combined, maps_2d), (raw.limb_depths, limb_depths), (raw.root_depth[:, None], root)):
                torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4 * float(b.std()))


def test_first_limb_direction(checkpoint):
    """The other direction turns the PAF and the depth of neck -> head, and nothing else."""
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        maps = [import_network(checkpoint, "test", way)(x) for way in ("neck-head", "head-neck")]
    head = SMAP15.limbs.index((0, 1))
    sign = torch.ones(14)
    sign[head] = -1
    heatmaps, pafs, limb_depths, root = zip(*maps, strict=True)
    torch.testing.assert_close(pafs[0] * sign[:, None, None, None], pafs[1])
    torch.testing.assert_close(limb_depths[0] * sign[:, None, None], limb_depths[1])
    assert torch.equal(heatmaps[0], heatmaps[1]) and torch.equal(root[0], root[1])
    assert pafs[0][:, head].abs().max() > 0
    with pytest.raises(ValueError, match="first_limb must be one of"):
        import_network(checkpoint, "test", "up")


def test_lists_what_does_not_fit(checkpoint):
    broken = dict(checkpoint)
    del broken["top.conv.conv.bias"]
    broken["stage0.extra"] = torch.zeros(1)
    broken["stage0.upsample.up1.u_skip.bn.bias"] = torch.zeros(3)
    with pytest.raises(WeightsError) as error:
        import_network(broken, "SMAP.pth")
    message = str(error.value)
    assert "1 missing (top.conv.conv.bias)" in message
    assert "1 unexpected (stage0.extra)" in message
    assert "1 mis-shaped (stage0.upsample.up1.u_skip.bn.bias (3,) instead of (256,))" in message


def test_refuses_values_that_are_not_finite(checkpoint):
    broken = dict(checkpoint)
    broken["top.conv.conv.bias"] = torch.full((64,), float("nan"))
    with pytest.raises(WeightsError, match=r"finite values, got NaN or infinity in stem\.0\.conv\.bias"):
        import_network(broken, "SMAP.pth")


def test_confusing_the_two_networks(checkpoint):
    with pytest.raises(WeightsError, match="got those of the refiner"):
        import_network({"block.layer5.bias": torch.zeros(45)}, "x")
    with pytest.raises(WeightsError, match="must hold the refiner's weights"):
        import_refiner(checkpoint, "x")
    with pytest.raises(WeightsError, match="got 0 stages"):
        import_network({"fc.weight": torch.zeros(1)}, "x")
