"""Hourglass: sizes, shapes, units, and what it computes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from smap.network import ROOT_LOG_OFFSET, ROOT_LOG_SCALE, Hourglass, NetworkConfig
from smap.skeleton import SMAP15, Skeleton

TINY = replace(NetworkConfig.small(), blocks=(1, 1, 1, 1), encoder_channels=(16, 16, 32, 32), decoder_channels=16)
TINY_RELEASE = replace(
    NetworkConfig.paper(2), blocks=(1, 1, 1, 1), encoder_channels=(16, 16, 32, 32), decoder_channels=16, stem_channels=8
)
HAND = Skeleton(("wrist", "thumb", "finger"), ((0, 1), (0, 2)), (0.1, 0.15))


def randomise(network: nn.Module) -> nn.Module:
    """Statistics and gains that an untrained network would hide (all ones and zeros)."""
    generator = torch.Generator().manual_seed(7)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value, low, high in (
                (module.weight, 0.5, 1.0),
                (module.bias, -0.2, 0.2),
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 2.0),
            ):
                value.data.uniform_(low, high, generator=generator)
        elif isinstance(module, nn.Conv2d):
            # Head outputs start near zero; give every layer weights that let its input through.
            fan_in = module.weight[0].numel()
            module.weight.data.normal_(std=fan_in**-0.5, generator=generator)
            if module.bias is not None:
                module.bias.data.uniform_(-0.2, 0.2, generator=generator)
    return network.eval()


@pytest.mark.parametrize(("stages", "parameters", "keys"), [(1, 26_050_488, 588), (3, 91_318_696, 1876)])
def test_paper_size_is_the_release(stages, parameters, keys):
    with torch.device("meta"):
        network = Hourglass(NetworkConfig.paper(stages))
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert len(network.state_dict()) == keys


def test_small_is_small():
    with torch.device("meta"):
        network = Hourglass(NetworkConfig.small())
    assert 2.5e6 < sum(p.numel() for p in network.parameters()) < 4.2e6


@pytest.mark.parametrize("config", [TINY, TINY_RELEASE], ids=["log", "linear"])
def test_another_training_width_changes_what_is_learnt_but_no_map(config):
    network = randomise(Hourglass(config))
    x = torch.randn(1, 3, 64, 96)
    before, raw = network(x), network.raw(x)[-1][-1].root_depth
    network.set_training_width(2 * config.training_width)
    for expected, actual in zip(before, network(x), strict=True):
        torch.testing.assert_close(actual, expected)
    expected = raw + ROOT_LOG_SCALE * math.log(2) if config.root_depth == "log" else 2 * raw
    torch.testing.assert_close(network.raw(x)[-1][-1].root_depth, expected)
    assert network.config.training_width == 2 * config.training_width


@pytest.mark.parametrize("config", [TINY, TINY_RELEASE], ids=["small", "release"])
def test_added_blocks_change_nothing_until_they_are_trained(config):
    network = randomise(Hourglass(config))
    deeper = network.with_blocks((1, 3, 2, 1))
    assert deeper.config.blocks == (1, 3, 2, 1) and not deeper.training
    assert sum(p.numel() for p in deeper.parameters()) > sum(p.numel() for p in network.parameters())
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        for ours, theirs in zip(deeper(x), network(x), strict=True):
            torch.testing.assert_close(ours, theirs)
    again = network.with_blocks((1, 3, 2, 1)).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in deeper.state_dict().items())
    with pytest.raises(ValueError, match=r"blocks must be at least \(1, 3, 2, 1\), layer by layer, got \(2, 2, 2, 2\)"):
        deeper.with_blocks((2, 2, 2, 2))


@pytest.mark.parametrize("config", [TINY, replace(TINY, stages=2), TINY_RELEASE], ids=["small", "2 stages", "release"])
@pytest.mark.parametrize("skeleton", [SMAP15, HAND], ids=["15 joints", "3 joints"])
def test_training_outputs(config, skeleton):
    network = Hourglass(replace(config, skeleton=skeleton)).train()
    raw = network.raw(torch.randn(2, 3, 64, 96))
    assert [len(scales) for scales in raw] == [4] * config.stages
    joints, limbs = skeleton.num_joints, skeleton.num_limbs
    for scales in raw:
        for k, maps in enumerate(scales):
            h, w = (16, 24) if config.release_layout else (16 >> (3 - k), 24 >> (3 - k))
            assert maps.heatmaps.shape == (2, joints, h, w)
            assert maps.pafs.shape == (2, limbs, 2, h, w)
            assert maps.limb_depths.shape == (2, limbs, h, w)
            assert maps.root_depth.shape == (2, h, w)
    sum(m.square().sum() for scales in raw for maps in scales for m in maps).backward()
    without_gradient = [name for name, p in network.named_parameters() if p.grad is None]
    assert not without_gradient


def test_untrained_maps_are_empty():
    torch.manual_seed(0)
    heatmaps, pafs, limb_depths, root = Hourglass(TINY).eval()(torch.randn(1, 3, 64, 64))
    assert max(m.abs().max() for m in (heatmaps, pafs, limb_depths)) < 0.1
    expected = torch.tensor(-ROOT_LOG_OFFSET / ROOT_LOG_SCALE).exp() * 64 / TINY.training_width
    assert torch.allclose(root, expected.expand_as(root), rtol=0.1)


@pytest.mark.parametrize("config", [TINY, TINY_RELEASE], ids=["small", "release"])
def test_maps_are_the_raw_outputs_in_library_units(config):
    network = randomise(Hourglass(config))
    x = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        scales, (heatmaps, pafs, limb_depths, root) = network.raw(x)[-1], network(x)
    used = scales[-config.averaged_scales :]
    torch.testing.assert_close(heatmaps, torch.stack([m.heatmaps for m in used]).mean(0))
    torch.testing.assert_close(pafs, torch.stack([m.pafs for m in used]).mean(0))
    torch.testing.assert_close(limb_depths, scales[-1].limb_depths / config.limb_depth_scale)
    raw = scales[-1].root_depth
    metres = ((raw - ROOT_LOG_OFFSET) / ROOT_LOG_SCALE).exp() if config.root_depth == "log" else raw
    torch.testing.assert_close(root, metres * 96 / config.training_width)


def test_inference_computes_only_what_it_returns():
    network = Hourglass(TINY_RELEASE).eval()
    ran: set[str] = set()
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *_, name=name: ran.add(name))
    with torch.no_grad():
        network(torch.randn(1, 3, 32, 32))
    every = {name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    heads = {name for name in every if ".maps_2d." in name or ".limb_depths." in name or ".root_depth." in name}
    kept = (*(f"pyramid.1.decoder.{k}.maps_2d." for k in (1, 2, 3)), "pyramid.1.decoder.3.")
    used = {name for name in heads if name.startswith(kept)}
    assert ran == (every - heads) | used


def test_images_of_a_batch_do_not_touch_each_other():
    network = randomise(Hourglass(TINY))
    x = torch.randn(3, 3, 64, 96)
    with torch.no_grad():
        together = network(x)
        alone = network(x[1:2])
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a[1:2], b)


def test_wider_canvas_is_corrected():
    """The same pixels beside an empty margin: same people in pixels, so Z w / f grows with w."""
    network = randomise(Hourglass(TINY))
    wide, narrow = torch.zeros(1, 3, 512, 1024), torch.zeros(1, 3, 512, 512)
    with torch.no_grad():
        ratio = network(wide)[3][0, 64, 64] / network(narrow)[3][0, 64, 64]
    assert abs(ratio - 2) < 0.02


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 62, 64)])
def test_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"batch must be \(B, 3, H, W\).*got"):
        Hourglass(TINY)(torch.zeros(shape))


@pytest.mark.parametrize("config", [NetworkConfig.small(HAND), NetworkConfig.paper(2)])
def test_config_survives_json(config):
    import json

    assert NetworkConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stages", 0),
        ("block", "dense"),
        ("blocks", (1, 2, 3)),
        ("encoder_channels", (0, 1, 2, 3)),
        ("root_depth", "inverse"),
        ("limb_depth_scale", float("nan")),
        ("input_size", (415, 256)),
        ("averaged_scales", 5),
        ("precision", "int8"),
    ],
)
def test_config_refuses(field, value):
    with pytest.raises(ValueError, match=f"{field} must"):
        replace(NetworkConfig.small(), **{field: value})


def test_config_refuses_unknown_fields():
    with pytest.raises(ValueError, match=r"known fields only.*depth"):
        NetworkConfig.from_dict({"depth": 3})
