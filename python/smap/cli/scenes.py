"""Render random multi-person scenes with exact truth.

--preview draws a contact sheet with skeletons; --out writes pictures and JSON records for any trainer, and goes on
where an interrupted run stopped. Without --pack the people are plain built-in bodies.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ._estimator import parse_size, positive
from ._files import prepare_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pack", type=Path, metavar="DIR", help="scene pack: avatars, poses, backgrounds")
    job = parser.add_mutually_exclusive_group(required=True)
    job.add_argument("--preview", type=Path, metavar="SHEET.png", help="write a contact sheet")
    job.add_argument("--out", type=Path, metavar="DATASET", help="write a data set into this folder")
    parser.add_argument("--count", type=positive, metavar="N", help="scenes (default: 24 drawn, 1000 written)")
    parser.add_argument("--seed", type=int, default=0, help="of the first scene; the next ones count up (default: 0)")
    parser.add_argument("--size", type=parse_size, metavar="WxH", help="of the pictures (default: 416x256)")
    parser.add_argument(
        "--split",
        choices=("train", "validation", "all"),
        default="train",
        help="which people, motion clips and backgrounds to use (default: train)",
    )


def run(args: argparse.Namespace) -> int:
    from ..synthetic import BuiltinPack, Pack, SceneConfig, preview, write_dataset

    prepare_folder(args.preview.parent if args.preview else args.out)
    size = {"width": args.size[0], "height": args.size[1]} if args.size else {}
    config = SceneConfig(split=None if args.split == "all" else args.split, **size)
    pack = Pack.load(args.pack) if args.pack else BuiltinPack()
    if args.preview:
        preview(pack, args.preview, config, count=args.count or 24, seed=args.seed)
        print(f"{args.preview}: {args.count or 24} scenes")
    else:
        written = write_dataset(pack, args.out, args.count or 1000, config, seed=args.seed)
        print(f"{args.out}: {written} scenes written")
    return 0
