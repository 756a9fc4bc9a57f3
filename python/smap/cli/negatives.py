"""Find pictures without people in which a network sees some, for training it on.

Draws the scenes of the configuration's first [[data]] table of pictures without people (empty_share = 1.0) and writes
the seeds of those that mislead the network. Give the file to that table, seeds = "OUT.json", and train on.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

from ..files import write_whole
from ._estimator import positive
from ._files import prepare_folder
from .train import add_pack_argument, tell_builtin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG.toml", help="of `smap train`")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.json", help="gets the seeds")
    add_pack_argument(parser)
    parser.add_argument("--weights", default="default", metavar="FILE", help="of the network (default: built in)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the GPU if there is one)")
    parser.add_argument("--count", type=positive, default=5000, help="scenes drawn (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first scene (default: 0)")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw and look (default: none)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    from ..estimator import Estimator
    from ..train import load_config
    from ..train.negatives import find_negatives

    if args.out.is_dir():
        raise ValueError(f"out must be a file, got the folder {args.out}")
    config = load_config(args.config, args.pack)
    empty = [s for s in config.data if s.kind == "scenes" and s.options.get("empty_share") == 1]
    if not empty:
        raise ValueError(f"{args.config} must have a [[data]] table of scenes with empty_share = 1.0, got none")
    for name in ("seed", "workers"):
        if getattr(args, name) < 0:
            raise ValueError(f"{name} must be at least 0, got {getattr(args, name)}")
    if empty[0].path is None:
        tell_builtin()
    prepare_folder(args.out.parent)
    estimator = partial(Estimator, args.weights, refiner=None, device=args.device, input_size=config.network.input_size)
    seeds = find_negatives(
        empty[0], estimator, args.count, first=args.seed, workers=args.workers, progress=not args.quiet
    )
    if not seeds:
        print(f"none of {args.count} pictures without people misleads {args.weights}: {args.out} is not written")
        return 1
    write_whole(args.out, json.dumps(seeds) + "\n")
    print(f"{args.out}: {len(seeds)} of {args.count} pictures without people mislead {args.weights}")
    return 0
