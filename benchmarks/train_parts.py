"""Where the time of a training step goes: `python -m benchmarks.train_parts CONFIG.toml --pack PACK [--device cuda]`.

Draws some planned batches of the configuration and trains on them, each part on its own with the device idle before and
after. What a run makes of it is the `pictures_s` of its curve: there the parts overlap.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from smap.network import normalise
from smap.network.losses import network_loss
from smap.train import Trainer, load_config
from smap.train.batch import build_targets
from smap.train.pictures import BatchMaker, Drawer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--pack", type=Path, help="as of `smap train`")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3, help="of all batches; the first warms up")
    parser.add_argument("--compile", action="store_true", help="also whole updates through torch.compile")
    parser.add_argument("--profile", action="store_true", help="the costliest kernels of drawing and of training")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    config = replace(load_config(arguments.config, arguments.pack), drawing="device", compile=False)
    started = time.perf_counter()
    make = BatchMaker(config)()
    print(f"opening sources: {time.perf_counter() - started:.2f} s")
    times: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], object]) -> object:
        wait(device)
        start = time.perf_counter()
        result = work()
        wait(device)
        times.setdefault(name, []).append(time.perf_counter() - start)
        return result

    planned = [timed("plan (one core)", lambda step=step: make(step)) for step in range(arguments.batches)]
    draw = Drawer(config, device)
    print(f"first drawing: {seconds(lambda: draw(planned[0]), device):.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, folder, device=device, progress=False)
        trainer.network.train()
        for round in range(arguments.rounds):
            if round == 1:
                times = {name: values for name, values in times.items() if name.startswith("plan")}
            for step, item in enumerate(planned):
                batch = timed("draw", lambda item=item: draw(item)).to(device)
                images = normalise(batch.images)
                with config.autocast(device):
                    raw = timed("forward", lambda images=images: trainer.network.raw(images))
                targets = timed(
                    "targets", lambda b=batch, r=raw: build_targets(b, r, config.network.skeleton, config.loss)
                )
                terms = (raw, targets, batch.annotated, config.network, config.loss)
                loss = timed("loss", lambda terms=terms: network_loss(*terms))
                timed("backward", loss.total.backward)
                timed("optimiser", trainer.optimiser.step)
                timed("average", lambda: trainer._average(9))
                timed("probe", lambda b=batch, r=raw, t=targets: trainer.probe.add(r[-1][-1], t[-1][-1], b))
                trainer.optimiser.zero_grad(set_to_none=True)
                del raw, targets, terms, loss
                timed("whole update", lambda b=batch, s=step: trainer._update(s, b))
        if arguments.compile:
            compiled = Trainer(replace(config, compile=True), Path(folder) / "compiled", device=device, progress=False)
            batches = [draw(item).to(device) for item in planned]
            print(f"compiling: {seconds(lambda: compiled._update(0, batches[0]), device):.1f} s", flush=True)
            for step in range(3 * len(batches)):
                b = batches[step % len(batches)]
                timed("compiled update", lambda b=b, s=step: compiled._update(s, b))
        size = config.phase(0).batch
        for name, values in times.items():
            median = statistics.median(values)
            print(f"{name:18} {median * 1000:9.1f} ms  {size / median:9.0f} pictures/s")
        if device.type == "cuda":
            print(f"memory: {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
        if arguments.profile:
            batch = draw(planned[0]).to(device)
            for name, work in (("draw", lambda: draw(planned[0])), ("update", lambda: trainer._update(0, batch))):
                work()
                wait(device)
                kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
                with profile(activities=kinds) as recorded:
                    work()
                    wait(device)
                order = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
                print(f"--- {name}")
                print(recorded.key_averages().table(sort_by=order, row_limit=25, max_name_column_width=70))


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
