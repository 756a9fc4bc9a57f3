"""Train RefineNet on captured poses and, with weights given, on what that network finds in rendered scenes.

Prints the mean errors on held-out people: of joints that were found, before and after, and of completed ones; with
weights also how well it tells people from what is none and places joints in the picture, and the file recommends the
settings that go with that.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from ._files import prepare_folder
from .train import tell_builtin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", type=Path, metavar="OUT.safetensors")
    parser.add_argument("--pack", type=Path, help="scene pack with the poses (default: the built-in body's)")
    help_text = "of the network whose people are to be refined, or 'default' (default: captured poses alone)"
    parser.add_argument("--weights", metavar="FILE", help=help_text)
    parser.add_argument("--steps", type=int, default=4000, help="of the training (default: %(default)s)")
    parser.add_argument("--bodies", type=int, default=40_000, help="captured poses drawn (default: %(default)s)")
    parser.add_argument("--pictures", type=int, default=1500, help="rendered for the network (default: %(default)s)")
    parser.add_argument(
        "--predictions",
        type=Path,
        metavar="FILE.pt",
        help="where what the network found is kept, and read instead of rendering when it is there",
    )
    help_text = "that the file recommends, see DecodeConfig (default: %(default)s)"
    parser.add_argument("--min-person-score", type=float, default=0.35, metavar="P", help=help_text)
    parser.add_argument("--validation", type=int, default=200, help="held-out pictures (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=0, help="processes that render (default: none of their own)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    import torch

    from ..estimator import recommended_decode, resolve_weights
    from ..network import load_network, save_refiner
    from ..synthetic import BuiltinPack, Pack
    from ..train.predictions import Predicted
    from ..train.refiner import (
        CANDIDATES,
        RefinerTraining,
        look_at_scenes,
        source_digest,
        train_refiner,
        validate_refiner,
    )

    if args.target.suffix != ".safetensors":
        raise ValueError(f"target must end in .safetensors, got '{args.target}'")
    for name in ("steps", "bodies", "pictures", "validation", "workers"):
        if getattr(args, name) < (1 if name in ("steps", "bodies") else 0):
            raise ValueError(f"{name} must be positive, got {getattr(args, name)}")
    prepare_folder(args.target.parent)
    network = load_network(resolve_weights(args.weights)) if args.weights else None
    pack = Pack.load(args.pack) if args.pack else BuiltinPack()
    config = RefinerTraining(bodies=args.bodies, pictures=args.pictures, seed=args.seed, workers=args.workers)
    config = replace(config, schedule=replace(config.schedule, steps=args.steps))
    if network is not None:
        config = replace(config, decode=recommended_decode(args.weights, **CANDIDATES))
    recommended = replace(config.decode, min_person_score=args.min_person_score)
    if args.pack is None:
        tell_builtin()
    predicted = None
    if args.predictions is not None:
        if network is None or not args.pictures:
            raise ValueError(f"predictions must come with weights and pictures, got '{args.predictions}' alone")
        source = source_digest(pack, network, config)
        if args.predictions.exists():
            predicted = Predicted.load(args.predictions, source)
        else:
            prepare_folder(args.predictions.parent)
            predicted = look_at_scenes(pack, network, config, progress=not args.quiet)
            predicted.save(args.predictions, source)
    refiner = train_refiner(pack, network, config, predicted=predicted, progress=not args.quiet)
    figures = validate_refiner(refiner, pack, network, config, args.validation)
    notes = {name: f"{value:.1f}" for name, value in figures.items()}
    if refiner.config.judge:
        notes["decode"] = json.dumps(asdict(recommended))
    save_refiner(refiner, args.target, dtype=torch.float16, notes=notes)
    for name, value in figures.items():
        print(f"{name:40s} {value:10.1f}")
    return 0
