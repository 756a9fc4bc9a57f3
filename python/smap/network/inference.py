"""Running a network: layers folded, memory laid out and arithmetic chosen for the device."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from ..maps import MAP_DTYPES, Maps
from ..memory import reuse_freed_blocks
from ..skeleton import Skeleton
from .blocks import ConvNorm
from .config import NetworkConfig
from .hourglass import Hourglass, check_batch
from .packed import can_pack, pack

T = TypeVar("T")

_PRECISION_LOCK = threading.Lock()
_CAPTURE_LOCK = threading.Lock()  # a process captures one graph at a time
MAX_GRAPHS = 8  # input shapes whose CUDA graphs are kept; the one longest unused goes first


def prepare(
    network: Hourglass, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> PreparedNetwork:
    """The fast way to run a network; the network itself is not changed and need not be kept.

    Args:
        device: None takes a GPU when there is one.
        dtype: of the arithmetic. None takes ``default_dtype``: float32 keeps the maps of the network as it is; bfloat16
            keeps their root-mean-square change within 5 % of each map's standard deviation (1 % is usual) at two to
            three times the speed where the processor has it.

    Raises:
        TypeError: ``dtype`` is not float32, float16 or bfloat16.
        ValueError: the device does not exist, or cannot compute in this dtype.
    """
    device = find_device(device)
    dtype = default_dtype(network.config, device) if dtype is None else dtype
    if dtype not in MAP_DTYPES:
        raise TypeError(f"dtype must be float32, float16 or bfloat16, got {dtype}")
    if dtype == torch.float16 and device.type == "cpu":
        raise ValueError("dtype must be float32 or bfloat16 on the CPU, got float16")
    folded = fold(network, device, dtype)
    if device.type == "cpu":
        reuse_freed_blocks()
        if can_pack(dtype):
            pack(folded)
    return PreparedNetwork(folded, device, dtype)


def find_device(device: torch.device | str | None = None) -> torch.device:
    """A device that can be used: the given one, or a GPU when there is one, else the CPU.

    Raises:
        ValueError: there is no such device here.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise ValueError(f"device must exist on this machine, got {str(device)!r}") from error
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be 'cpu' or 'cuda', got {str(device)!r}")
    if found.type == "cuda" and found.index is None:  # "the current GPU" may be another one tomorrow
        found = torch.device("cuda", torch.cuda.current_device())
    return found


def default_dtype(config: NetworkConfig, device: torch.device) -> torch.dtype:
    """bfloat16 where the weights are known to bear it and the processor computes in it, else float32."""
    bears = config.precision == "bfloat16"
    return torch.bfloat16 if bears and computes_bfloat16(device) else torch.float32


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the processor has instructions for it; elsewhere it is many times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # Missing in an old torch: unknown processor, so no.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def fold(network: Hourglass, device: torch.device, dtype: torch.dtype) -> Hourglass:
    """A copy for inference alone: normalisations folded into their convolutions, heads that nobody reads left out.

    ``forward`` takes its input in ``dtype``; ``raw`` no longer works. The copy has no state but its weights and can be
    exported (``torch.export``) or compiled.

    The last layer of the 2-D maps stays in float32: rounded to bfloat16, 2 to 4 in a hundred peaks would be exactly as
    high as a neighbour (Gaussians of 1.5 to 2 map pixels anywhere on the grid).
    """
    with torch.device("meta"):  # no memory for weights that are about to be replaced
        folded = Hourglass(network.config)
    folded.drop_unused_heads()
    for name, module in list(folded.named_modules()):
        if isinstance(module, nn.Conv2d):
            parent = name.rpartition(".")[0]
            layer = network.get_submodule(parent)
            norm = layer.norm if isinstance(layer, ConvNorm) else nn.Identity()
            weight, bias = _fold(cast(nn.Conv2d, network.get_submodule(name)), norm)
            precision = torch.float32 if ".maps_2d.output" in name else dtype
            weight = weight.to(device, precision, copy=True, memory_format=torch.channels_last)
            module.weight = nn.Parameter(weight, requires_grad=False)
            module.bias = nn.Parameter(bias.to(device, precision, copy=True), requires_grad=False)
            if isinstance(layer, ConvNorm):
                folded.set_submodule(f"{parent}.norm", nn.Identity())
    for unit in folded.stages[-1].units[-network.config.averaged_scales :]:
        unit.maps_2d.float32_output = True
    return folded.eval()


@torch.no_grad()
def _fold(conv: nn.Conv2d, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that does what the two do in eval mode."""
    weight = conv.weight.detach()
    bias = torch.zeros_like(weight[:, 0, 0, 0]) if conv.bias is None else conv.bias.detach()
    if isinstance(norm, nn.BatchNorm2d):
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        weight, bias = weight * gain[:, None, None, None], (bias - norm.running_mean) * gain + norm.bias
    return weight, bias


@dataclass
class _Graph:
    """One captured forward pass: write ``batch``, replay, read ``maps``."""

    graph: torch.cuda.CUDAGraph
    batch: Tensor
    maps: tuple[Tensor, ...]


class PreparedNetwork:
    """A network ready to run: ``(B, 3, H, W)`` float32 normalised RGB -> ``Maps`` in float32 on ``device``.

    On a GPU the pass for each input shape is captured once in a CUDA graph and replayed on the caller's stream. May be
    called from several threads.
    """

    def __init__(self, folded: Hourglass, device: torch.device, dtype: torch.dtype):
        self.folded, self.device, self.dtype = folded, device, dtype
        self._graphs: OrderedDict[tuple[int, ...], _Graph] = OrderedDict()
        self._lock = threading.Lock()
        self._replayed: torch.cuda.Event | None = None

    @property
    def config(self) -> NetworkConfig:
        return self.folded.config

    @property
    def skeleton(self) -> Skeleton:
        return self.config.skeleton

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Maps:
        """Raises: TypeError or ValueError when ``batch`` is not floating point or not ``(B, 3, H, W)``."""
        return self._maps(batch, graphed=self.device.type == "cuda" and not torch.cuda.is_current_stream_capturing())

    @torch.inference_mode()
    def eager(self, batch: Tensor) -> Maps:
        """The same without a CUDA graph of its own, for a larger one to capture."""
        return self._maps(batch, graphed=False)

    def _maps(self, batch: Tensor, graphed: bool) -> Maps:
        if not isinstance(batch, Tensor) or not batch.is_floating_point():
            kind = batch.dtype if isinstance(batch, Tensor) else type(batch).__name__
            raise TypeError(f"batch must be a float32 tensor, got {kind}")
        graphed = graphed and len(batch) > 0
        with torch.autocast(self.device.type, enabled=False):
            heatmaps, pafs, limb_depths, root = self._replay(batch) if graphed else self._forward(self._input(batch))
        return Maps(heatmaps, pafs, limb_depths, root, self.skeleton)

    def __repr__(self) -> str:
        return f"PreparedNetwork({self.skeleton!r}, {self.dtype}, {self.device})"

    def _input(self, batch: Tensor) -> Tensor:
        check_batch(batch)
        # From a GPU: pinned memory of the host is the caller's again as soon as this returns.
        return batch.to(self.device, self.dtype, non_blocking=batch.is_cuda, memory_format=torch.channels_last)

    def _forward(self, x: Tensor) -> tuple[Tensor, ...]:
        with _true_float32() if x.is_cuda else nullcontext():
            return tuple(maps.float().contiguous() for maps in self.folded(x))

    def _replay(self, batch: Tensor) -> tuple[Tensor, ...]:
        with self._lock, torch.cuda.device(self.device):
            stream = torch.cuda.current_stream()
            if self._replayed is not None:
                stream.wait_event(self._replayed)  # another stream may still read the buffers of the last call
            else:
                self._replayed = torch.cuda.Event()
            shape = tuple(batch.shape)
            entry = self._graphs.pop(shape, None) or self._capture(batch)
            self._graphs[shape] = entry
            if len(self._graphs) > MAX_GRAPHS:
                self._graphs.popitem(last=False)
            entry.batch.copy_(batch, non_blocking=batch.is_cuda)
            entry.graph.replay()
            maps = tuple(m.clone() for m in entry.maps)
            self._replayed.record(stream)
        return maps

    def _capture(self, batch: Tensor) -> _Graph:
        x = self._input(batch).clone(memory_format=torch.preserve_format)
        graph, maps = capture(lambda: self._forward(x), torch.cuda.Stream(self.device))
        return _Graph(graph, x, maps)


def capture(compute: Callable[[], T], side: torch.cuda.Stream, pool: Any = None) -> tuple[torch.cuda.CUDAGraph, T]:
    """A CUDA graph of a function without arguments, and what it returned: memory that every replay fills anew.

    Args:
        side: a stream of the device that is current, to capture on.
        pool: memory to share with other graphs, see ``torch.cuda.graph``.
    """
    with _CAPTURE_LOCK:
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # outside the capture: cuDNN chooses its algorithms, constants go to the device
            for _ in range(2):
                compute()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool, side, "thread_local"):  # other threads may go on using the GPU
            result = compute()
    return graph, result


@contextmanager
def _true_float32() -> Iterator[None]:
    """Keep cuDNN from rounding float32 to TF32, its default, which keeps three digits.

    The setting belongs to the process, hence the lock; a captured graph keeps what it was captured with.
    """
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    with _PRECISION_LOCK:
        before = convolutions.fp32_precision
        convolutions.fp32_precision = "ieee"
        try:
            yield
        finally:
            convolutions.fp32_precision = before
