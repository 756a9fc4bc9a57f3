"""Render random multi-person scenes with exact truth.

--preview draws a contact sheet with skeletons; --out writes pictures and JSON records for any trainer, and goes on
where an interrupted run stopped. Without --pack the people are plain built-in bodies.

`smap scenes pack --avatars *.glb --motions *.bvh --backgrounds DIR --out PACK` makes a pack from your own files.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal

from ._estimator import parse_size, positive
from ._files import prepare_folder

SPLITS: dict[str, Literal["train", "val"] | None] = {"train": "train", "validation": "val", "all": None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("pack",), help="make a scene pack instead of scenes")
    parser.add_argument("--pack", type=Path, metavar="DIR", help="scene pack: avatars, poses, backgrounds")
    job = parser.add_mutually_exclusive_group()
    job.add_argument("--preview", type=Path, metavar="SHEET.png", help="write a contact sheet")
    job.add_argument("--out", type=Path, metavar="DIR", help="write a data set, or the pack, into this folder")
    parser.add_argument("--count", type=positive, metavar="N", help="scenes (default: 24 drawn, 1000 written)")
    parser.add_argument("--seed", type=int, default=0, help="of the first scene; the next ones count up (default: 0)")
    parser.add_argument("--size", type=parse_size, metavar="WxH", help="of the pictures (default: 416x256)")
    parser.add_argument(
        "--split",
        choices=tuple(SPLITS),
        default="train",
        help="which people, motion clips and backgrounds to use (default: train)",
    )
    parser.add_argument("--avatars", type=Path, nargs="+", metavar="GLB", help="skinned people for a new pack")
    parser.add_argument("--motions", type=Path, nargs="+", metavar="BVH", help="motion clips for a new pack")
    parser.add_argument("--backgrounds", type=Path, metavar="DIR", help="pictures without people for a new pack")


def run(args: argparse.Namespace) -> int:
    from ..synthetic import BuiltinPack, Pack, SceneConfig, build_pack, preview, write_dataset

    if args.action == "pack":
        if not (args.avatars and args.motions and args.backgrounds and args.out):
            raise ValueError("pack must be given --avatars, --motions, --backgrounds and --out, got not all of them")
        prepare_folder(args.out)
        for name in ("models.npz", "poses.npz", "stills.npz"):  # of a pack built elsewhere, too
            if (args.out / name).exists():
                raise ValueError(f"out must be a folder without a pack, got one with {name}, '{args.out}'")
        print(build_pack(args.avatars, args.motions, args.backgrounds, args.out))
        return 0
    if args.seed < 0:
        raise ValueError(f"seed must be at least 0, got {args.seed}")
    if not (args.preview or args.out):
        raise ValueError("scenes must be given --preview or --out, got neither")
    prepare_folder(args.preview.parent if args.preview else args.out)
    size = {"width": args.size[0], "height": args.size[1]} if args.size else {}
    config = SceneConfig(split=SPLITS[args.split], **size)
    pack = Pack.load(args.pack) if args.pack else BuiltinPack()
    if args.preview:
        preview(pack, args.preview, config, count=args.count or 24, seed=args.seed)
        print(f"{args.preview}: {args.count or 24} scenes")
    else:
        written = write_dataset(pack, args.out, args.count or 1000, config, seed=args.seed)
        print(f"{args.out}: {written} scenes written")
    return 0
