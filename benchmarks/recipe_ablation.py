"""What each departure from the paper's recipe buys: a small network trained several times, one setting changed.

    python -m benchmarks.recipe_ablation --pack PACK        # a table in Markdown; --steps 300 --seed 1

Every run starts from the same weights and sees the same pictures in the same order, rendered once. Too short for good
weights; long enough to see which heads learn sooner.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from smap.train import TrainConfig, Trainer, parse_config
from smap.train.batch import Batch
from smap.train.config import plain
from smap.train.pictures import BatchMaker
from smap.train.validate import Validator

WINDOW, BATCH = [192, 160], 16
# A tenth of the default network's arithmetic.
NETWORK = {"blocks": [1, 1, 2, 1], "encoder_channels": [24, 48, 80, 128], "decoder_channels": 32, "stem_channels": 16}
VARIANTS: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "AdamW instead of Muon": {"optimiser": "adamw"},
    "heatmap errors unweighted": {"loss": {"heat_emphasis": 0.0}},
    "PAF errors unweighted": {"loss": {"paf_base": 1.0, "paf_emphasis": 0.0}},
    "limb depths over the whole map": {"loss": {"limb_mean": "map"}},
    "root depth in one cell": {"loss": {"root_neighbours": False}},
    "root depth linear, L1": {"network": {"root_depth": "linear"}, "loss": {"root_norm": "l1"}},
    "no coarse scales": {"loss": {"coarse_weight": 0.0}},
    "last weights, not averaged ones": {"ema": 0.0},
    "the release's losses": {"loss": {"preset": "release"}, "network": {"root_depth": "linear"}},
}
COLUMNS = {
    "left_right": "left/right at the joints",
    "limb_depth_r2": "limb depth R2",
    "root_error": "root depth error",
    "pck_2d_all": "2DPCK, all",
    "root_depth_error_median": "root depth error, found",
    "score": "score",
}


def config_of(pack: str | None, steps: int, seed: int, changes: dict[str, Any]) -> TrainConfig:
    scenes = {"kind": "scenes", "path": pack}
    base: dict[str, Any] = {
        "seed": seed,
        "optimiser": "muon",
        "precision": "float32",
        "ema": 0.98,
        "workers": 0,
        "network": NETWORK,
        "schedule": {"steps": steps, "peak": 2e-3, "warmup": min(30, steps // 4)},
        "phases": [{"until": 1.0, "size": WINDOW, "batch": BATCH}],
        "data": [scenes],
        "validation": {
            "every": steps,
            "count": 64,
            "decode": {"peak_threshold": 0.2, "min_joints": 5},
            "source": scenes | {"split": None if pack is None else "val"},
        },
    }
    merged = {
        key: {**base.get(key, {}), **value} if isinstance(value, dict) else value for key, value in changes.items()
    }
    return parse_config(base | merged)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small network several times, one setting changed each time.")
    parser.add_argument("--pack", help="scene pack (default: the built-in body)")
    parser.add_argument("--steps", type=int, default=300, help=f"of {BATCH} windows each (default: 300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", metavar="NAME", help="a variant; may be repeated (default: all)")
    args = parser.parse_args()
    names = args.only or list(VARIANTS)
    if unknown := set(names) - set(VARIANTS):
        parser.error(f"--only must name one of {', '.join(VARIANTS)}, got {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    first = config_of(args.pack, args.steps, args.seed, {})
    make = BatchMaker(first)()
    batches = [make(step) for step in range(args.steps)]
    samples = Validator(first, torch.device("cpu")).samples
    print(f"{args.steps} steps of {BATCH} windows of {WINDOW[0]}x{WINDOW[1]}, {len(samples)} pictures to judge by\n")
    print("| | " + " | ".join(COLUMNS.values()) + " | seconds |\n|---|" + "---:|" * (len(COLUMNS) + 1))
    for name in names:
        config = replace(config_of(args.pack, args.steps, args.seed, VARIANTS[name]), validation=first.validation)
        start = time.thread_time()
        figures = train(config, batches, samples)
        cells = " | ".join(f"{figures[key]:.3f}" for key in COLUMNS)
        print(f"| {name} | {cells} | {time.thread_time() - start:.0f} |", flush=True)


def train(config: TrainConfig, batches: list[Batch], samples: list[Any]) -> dict[str, float]:
    unvalidated = parse_config(json.loads(json.dumps(plain(config))) | {"validation": {}})
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            unvalidated, Path(folder), device="cpu", batches=lambda *_: lambda: batches.__getitem__, progress=False
        )
        trainer.run()
    return Validator(config, torch.device("cpu"), samples).run(trainer.ema)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
