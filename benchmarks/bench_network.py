"""The network: plain float32 against the inference path, one thread: `pytest benchmarks/bench_network.py`.

Thread CPU time on the CPU, so that a busy machine disturbs less; ratios hold within one run only.
"""

from __future__ import annotations

import time

import pytest
import torch

from smap.network import Hourglass, NetworkConfig, computes_bfloat16, prepare

CONFIGS = {"small": NetworkConfig.small(), "paper, 1 stage": NetworkConfig.paper(1)}
WIDTH, HEIGHT = NetworkConfig.small().input_size

pytestmark = [
    pytest.mark.benchmark(group="network", timer=time.thread_time, warmup=True, warmup_iterations=2, min_rounds=7)
]


@pytest.fixture(params=CONFIGS)
def network(request) -> Hourglass:
    torch.manual_seed(0)
    return Hourglass(CONFIGS[request.param]).eval()


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.randn(1, 3, HEIGHT, WIDTH).to(memory_format=torch.channels_last)


def describe(benchmark, network: Hourglass, device: str, dtype: torch.dtype) -> None:
    parameters = sum(p.numel() for p in network.parameters())
    benchmark.extra_info.update(device=device, dtype=str(dtype), shape=[1, 3, HEIGHT, WIDTH], parameters=parameters)


def test_eager_float32(benchmark, network, batch) -> None:
    describe(benchmark, network, "cpu", torch.float32)
    with torch.inference_mode():
        benchmark(network, batch)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_prepared(benchmark, network, batch, dtype) -> None:
    if dtype == torch.bfloat16 and not computes_bfloat16(torch.device("cpu")):
        pytest.skip("the processor does not compute in bfloat16")
    describe(benchmark, network, "cpu", dtype)
    benchmark(prepare(network, "cpu", dtype), batch)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.benchmark(group="network on a GPU", timer=time.perf_counter)
@pytest.mark.cuda
def test_prepared_on_a_gpu(benchmark, network, batch, dtype) -> None:
    describe(benchmark, network, torch.cuda.get_device_name(), dtype)
    run, resident = prepare(network, "cuda", dtype), batch.cuda()

    def synchronised() -> None:
        run(resident)
        torch.cuda.synchronize()

    benchmark(synchronised)
