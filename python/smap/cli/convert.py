"""Turn the authors' SMAP.pth or RefineNet.pth into safetensors of this library."""

from __future__ import annotations

import argparse
from pathlib import Path

from ._files import prepare_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SMAP.pth", help="either checkpoint of the authors' release")
    parser.add_argument("target", type=Path, metavar="OUT.safetensors")
    parser.add_argument(
        "--first-limb",
        choices=("neck-head", "head-neck"),
        default="neck-head",
        help="direction of the first limb in that checkpoint: it does not say (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    from ..network import convert

    if args.target.suffix != ".safetensors":
        raise ValueError(f"target must end in .safetensors, got '{args.target}'")
    prepare_folder(args.target.parent)
    kind = convert(args.source, args.target, first_limb=args.first_limb)
    print(f"{args.target}: {kind}, {args.target.stat().st_size / 1e6:.1f} MB")
    return 0
