"""Write network, decode and lift as one program for other pipelines, exported or compiled.

The program (torch.export or, with --compile, AOTInductor) takes pictures on canvases and cameras and returns people in
metres; `smap.export.load` and, compiled, C++ (examples/cpp) run it. Compiling takes a C++ compiler and minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ._estimator import add_estimator_arguments, decode_of, positive, refiner_of
from ._files import prepare_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", type=Path, metavar="OUT.pt2")
    parser.add_argument("--compile", action="store_true", help="a package of machine code for this kind of processor")
    dtypes, dtype = ("float32", "bfloat16", "float16"), "float32"
    parser.add_argument("--dtype", choices=dtypes, default=dtype, help=f"of the network (default: {dtype})")
    parser.add_argument(
        "--max-people", type=positive, help="size of the output (default: the weights' or DecodeConfig's)"
    )
    add_estimator_arguments(parser, device="cpu")


def run(args: argparse.Namespace) -> int:
    import torch

    from ..export import Pipeline, export_package, export_program
    from ..network import find_device

    pipeline = Pipeline.of(
        args.weights,
        refiner=refiner_of(args),
        decode=decode_of(args, max_people=args.max_people),
        input_size=args.input_size,
        device=find_device(args.device or "cpu"),
        dtype=getattr(torch, args.dtype),
        mirror=args.mirror,
    )
    prepare_folder(args.target.parent)
    (export_package if args.compile else export_program)(pipeline, args.target)
    width, height = pipeline.input_size
    kind = "compiled package" if args.compile else "program"
    print(f"{args.target}: {kind} for {width}x{height} canvases, {args.target.stat().st_size / 1e6:.1f} MB")
    return 0
