"""The inference path gives the network's maps, faster."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import torch
from torch import nn

from smap.maps import MAP_NAMES, Maps
from smap.network import Hourglass, NetworkConfig, default_dtype, find_device, fold, inference, packed, prepare
from smap.network.release import import_network

from .official import fixture_inputs, release_state
from .test_hourglass import HAND, TINY, TINY_RELEASE, randomise
from .test_release import random_release

BFLOAT16_TOLERANCE = 0.05  # root mean square, of each map's standard deviation: what ``prepare`` promises
CONFIGS = {"small": TINY, "release": TINY_RELEASE, "3 joints": replace(TINY, skeleton=HAND, stages=2)}


@pytest.fixture(params=CONFIGS)
def network(request) -> Hourglass:
    return randomise(Hourglass(CONFIGS[request.param]))


def picture(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator)


def expected(network: Hourglass, x: torch.Tensor) -> Maps:
    with torch.inference_mode():
        return Maps(*network(x), skeleton=network.config.skeleton)


def assert_maps_close(actual: Maps, truth: Maps, tolerance: float = 1e-4) -> None:
    for name in MAP_NAMES:
        a, b = getattr(actual, name), getattr(truth, name)
        assert a.shape == b.shape
        rms = (a - b).square().mean().sqrt()
        assert rms <= tolerance * b.std(), f"{name}: {rms / b.std():.2g} of the standard deviation"


@pytest.mark.parametrize("packs", [True, False])
def test_float32_is_the_network(network, packs, monkeypatch):
    if packs and not packed.can_pack(torch.float32):
        pytest.skip("needs oneDNN's fused convolutions")
    monkeypatch.setattr(inference, "can_pack", lambda dtype: packs)
    run = prepare(network, "cpu", torch.float32)
    kinds = {type(module).__name__ for module in run.folded.modules()}
    assert ("PackedConv" in kinds, "ConvNorm" in kinds) == (packs, not packs)
    # Sizes change back and forth, as pictures do.
    for shape in ((1, 3, 64, 96), (2, 3, 64, 96), (1, 3, 96, 64), (1, 3, 64, 96)):
        x = picture(*shape)
        maps = run(x)
        assert maps.skeleton == network.config.skeleton
        for name in MAP_NAMES:
            value = getattr(maps, name)
            assert value.dtype == torch.float32 and value.is_contiguous() and value.device.type == "cpu"
        assert_maps_close(maps, expected(network, x))


def test_what_is_faster_by_minimal_filtering_is_done_so():
    """In float32: 3x3 convolutions of up to 256 channels, which are all of the default network."""
    if not packed.can_pack(torch.float32) or torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("needs oneDNN's fused convolutions and AVX2")
    folded = prepare(Hourglass(NetworkConfig.small()), "cpu", torch.float32).folded
    assert sum(isinstance(module, packed.WinogradConv) for module in folded.modules()) == 16
    shapes = [(512, 512, 3, 1, 1), (64, 64, 3, 2, 1), (64, 64, 1, 1, 0), (3, 8, 3, 1, 1)]
    others = [nn.Conv2d(*shape) for shape in shapes] + [
        nn.Conv2d(64, 64, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(64, 64, 3, padding=1, bias=False),
    ]
    assert packed.can_filter(nn.Conv2d(64, 64, 3, padding=1))
    assert not any(packed.can_filter(conv) for conv in others)


def test_the_layer_that_stays_in_float32_is_filtered_in_a_bfloat16_network():
    if not packed.can_pack(torch.bfloat16) or not packed.can_filter(nn.Conv2d(64, 43, 3, padding=1)):
        pytest.skip("needs oneDNN's convolutions in bfloat16 and AVX2")
    folded = prepare(Hourglass(NetworkConfig.small()), "cpu", torch.bfloat16).folded
    filtered = [name for name, module in folded.named_modules() if isinstance(module, packed.WinogradConv)]
    assert filtered == ["pyramid.0.decoder.3.maps_2d.output"]


def test_bfloat16_keeps_its_promise(network):
    x = picture(2, 3, 128, 192)
    maps = prepare(network, "cpu", torch.bfloat16)(x)
    assert maps.heatmaps.dtype == torch.float32
    assert_maps_close(maps, expected(network, x), BFLOAT16_TOLERANCE)


def test_bfloat16_keeps_its_promise_at_the_paper_s_size(shared):
    network = import_network(release_state(shared, "smap_1stage"), "fixture")
    x = torch.from_numpy(fixture_inputs(shared).net_input(1, 128, 192, "img0"))
    assert_maps_close(prepare(network, "cpu", torch.bfloat16)(x), expected(network, x), BFLOAT16_TOLERANCE)


def test_bfloat16_makes_no_plateaus():
    """Neighbouring heatmap values that differ must not be rounded to the same: a peak would not be one."""
    network = randomise(Hourglass(TINY))
    heatmaps = prepare(network, "cpu", torch.bfloat16)(picture(1, 3, 128, 192)).heatmaps
    rounded = heatmaps.to(torch.bfloat16).float()
    assert (heatmaps[..., 1:] == heatmaps[..., :-1]).float().mean() < 1e-3
    assert (rounded[..., 1:] == rounded[..., :-1]).float().mean() > 1e-3  # which it would have been


def test_the_network_is_not_changed(network):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    run = prepare(network, "cpu", torch.float32)
    x = picture(1, 3, 64, 64)
    maps = run(x)
    for p in network.parameters():
        p.data.zero_()
    for name in MAP_NAMES:
        assert torch.equal(getattr(run(x), name), getattr(maps, name))
    network.load_state_dict(before)
    assert_maps_close(maps, expected(network, x))
    assert network.raw(x)  # heads and normalisations are still there


def test_only_weights_that_are_used_are_kept():
    network = Hourglass(TINY_RELEASE).eval()
    folded = fold(network, torch.device("cpu"), torch.float32)
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]
    ran: set[nn.Module] = set()
    convolutions = [module for module in folded.modules() if isinstance(module, nn.Conv2d)]
    for module in convolutions:
        module.register_forward_hook(lambda module, *_: ran.add(module))
    folded(picture(1, 3, 32, 32))
    assert ran == set(convolutions)


def test_images_of_a_batch_do_not_touch_each_other():
    run = prepare(randomise(Hourglass(TINY)), "cpu", torch.bfloat16)
    x = picture(3, 3, 64, 96)
    together, alone = run(x), run(x[2:])
    for name in MAP_NAMES:
        torch.testing.assert_close(getattr(together, name)[2:], getattr(alone, name), rtol=0.02, atol=0.02)


def test_no_images(network):
    maps = prepare(network, "cpu", torch.float32)(torch.zeros(0, 3, 64, 96))
    assert maps.heatmaps.shape == (0, network.config.skeleton.num_joints, 16, 24)


def test_threads_share_a_network():
    run = prepare(randomise(Hourglass(TINY)), "cpu", torch.float32)
    pictures = [picture(1, 3, 64, 64 + 32 * (i % 3)) for i in range(6)]
    truth = [run(x) for x in pictures]
    wrong: list[str] = []

    def work(i: int) -> None:
        for _ in range(10):
            maps = run(pictures[i])
            wrong.extend(n for n in MAP_NAMES if not torch.equal(getattr(maps, n), getattr(truth[i], n)))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_autocast_outside_changes_nothing(network):
    run, x = prepare(network, "cpu", torch.float32), picture(1, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        maps = run(x)
    assert torch.equal(maps.heatmaps, run(x).heatmaps)


@pytest.mark.parametrize("name", ["small", "release"])
def test_can_be_exported(name):
    network = randomise(Hourglass(CONFIGS[name]))
    folded = fold(network, torch.device("cpu"), torch.float32)
    x = picture(2, 3, 64, 96)
    batch = torch.export.Dim("batch", min=1, max=16)
    program = torch.export.export(folded, (x,), dynamic_shapes=({0: batch},))
    for images in (x, picture(5, 3, 64, 96)):
        maps = Maps(*program.module()(images), skeleton=network.config.skeleton)
        assert_maps_close(maps, expected(network, images))


def test_compiles_as_one_graph():
    network = randomise(Hourglass(TINY))
    folded = fold(network, torch.device("cpu"), torch.float32)
    compiled = torch.compile(folded, fullgraph=True, backend="aot_eager")
    x = picture(1, 3, 64, 64)
    with torch.inference_mode():
        assert_maps_close(Maps(*compiled(x)), expected(network, x))


def test_default_dtype(monkeypatch):
    small, paper, cpu = NetworkConfig.small(), NetworkConfig.paper(), torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert default_dtype(small, cpu) == torch.bfloat16
    assert default_dtype(paper, cpu) == torch.float32  # nobody has checked the authors' weights in bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False})
    assert default_dtype(small, cpu) == torch.float32


def test_refuses():
    network = Hourglass(TINY).eval()
    with pytest.raises(TypeError, match=r"dtype must be .* bfloat16, got torch\.int8"):
        prepare(network, "cpu", torch.int8)
    with pytest.raises(ValueError, match="dtype must be float32 or bfloat16 on the CPU"):
        prepare(network, "cpu", torch.float16)
    run = prepare(network, "cpu")
    with pytest.raises(TypeError, match=r"batch must be a float32 tensor, got torch\.uint8"):
        run(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"batch must be \(B, 3, H, W\)"):
        run(torch.zeros(3, 64, 64))


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "meta", "", -7])
def test_refuses_devices_that_do_not_exist(device):
    with pytest.raises(ValueError, match="device must"):
        find_device(device)


MEMORY = """
import gc, resource, sys, torch
from smap.network import load_network, prepare, Hourglass, NetworkConfig
torch.set_num_threads(1)
x = torch.zeros(1, 3, 64, 64)
prepare(Hourglass(NetworkConfig.small()).eval(), "cpu")(x)   # what torch itself needs
gc.collect()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
run = prepare(load_network(sys.argv[1]), "cpu", torch.float32)
run(x)
print(peak() - before)
"""


def test_loading_takes_less_than_twice_the_weights(tmp_path):
    path = tmp_path / "SMAP.pth"
    torch.save({"model": random_release(1)}, path)
    command = [sys.executable, "-c", MEMORY, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    activations = 30e6
    assert int(done.stdout) < 2 * path.stat().st_size + activations


def test_float32_setting_is_put_back():
    before = torch.backends.cudnn.conv.fp32_precision
    with inference._true_float32():
        assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    assert torch.backends.cudnn.conv.fp32_precision == before
    assert isinstance(torch.backends.cudnn.allow_tf32, bool)  # which raises when the settings disagree


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_cuda_graphs_are_the_network(network, dtype):
    run = prepare(network, "cuda", dtype)
    tolerance = 1e-4 if dtype == torch.float32 else BFLOAT16_TOLERANCE
    for shape in ((1, 3, 64, 96), (2, 3, 64, 96), (1, 3, 96, 64), (1, 3, 64, 96)):
        x = picture(*shape)
        for batch in (x, x.cuda()):
            maps = run(batch)
            assert maps.heatmaps.is_cuda and maps.pafs.is_contiguous()
            assert_maps_close(maps.to("cpu"), expected(network, x), tolerance)
    assert len(run._graphs) == 3


@pytest.mark.cuda
def test_cuda_results_outlive_the_next_call():
    run = prepare(randomise(Hourglass(TINY)), "cuda", torch.float32)
    a, b = picture(1, 3, 64, 64).cuda(), picture(1, 3, 64, 64).cuda() * 2
    first = run(a)
    kept = first.heatmaps.clone()
    run(b)
    assert torch.equal(first.heatmaps, kept)


@pytest.mark.cuda
def test_cuda_streams_do_not_mix():
    """Calls from different streams share the graph's buffers and must wait for each other."""
    run = prepare(randomise(Hourglass(TINY)), "cuda", torch.float32)
    pictures = [picture(1, 3, 64, 64 + k).cuda()[..., :64].contiguous() for k in range(4)]
    truth = [run(x).heatmaps.clone() for x in pictures]
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in pictures]
    results = []
    for _ in range(20):
        for x, stream in zip(pictures, streams, strict=True):
            with torch.cuda.stream(stream):
                results.append(run(x).heatmaps)
    torch.cuda.synchronize()
    for i, heatmaps in enumerate(results):
        assert torch.equal(heatmaps, truth[i % 4])


@pytest.mark.cuda
def test_cuda_graphs_are_bounded():
    run = prepare(randomise(Hourglass(TINY)), "cuda", torch.float32)
    for k in range(inference.MAX_GRAPHS + 3):
        run(torch.zeros(1, 3, 32, 32 + 4 * k))
    assert len(run._graphs) == inference.MAX_GRAPHS
