"""Check a downloaded data set, or convert it to another format.

Is it whole, and is it understood? docs/datasets.md has the formats.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..camera import Camera
from ..data import FORMATS, check, open_dataset, write_authors, write_simple
from ..data.simple import ANNOTATIONS
from ..sample import Sample


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    looking = actions.add_parser("check", help="read every record, look for every image, draw a contact sheet")
    looking.add_argument("--sheet", type=Path, help="PNG to write with pictures and their annotated people")
    looking.add_argument("--pictures", type=int, default=16, help="pictures on the sheet (default 16)")
    looking.add_argument("--seed", type=int, default=0, help="which pictures")
    converting = actions.add_parser("convert", help="write the annotations as simple JSON or for the authors' code")
    converting.add_argument("--out", type=Path, required=True, help="folder (json) or .json file (authors) to write")
    converting.add_argument("--to", choices=("json", "authors"), default="json", help="format to write (default json)")
    converting.add_argument(
        "--guess-cameras", action="store_true", help="write the paper's guess, f = width, instead of the intrinsics"
    )
    for action in (looking, converting):
        action.add_argument("dir", type=Path, help="folder of the data set")
        action.add_argument("--format", required=True, choices=tuple(FORMATS), help="format of the data set")
        add_option_argument(action)
        action.add_argument(
            "--strict", action="store_true", help="stop at the first damaged record instead of skipping"
        )


def add_option_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the reader, value as JSON or text, e.g. split=train2017 or cameras=[16,30]; may be repeated",
    )


def parse_options(pairs: list[str]) -> dict[str, Any]:
    """``["split=train", "every=5"]`` -> ``{"split": "train", "every": 5}``.

    Raises:
        ValueError: an entry has no "=".
    """
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"option must be NAME=VALUE, got {pair!r}")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def run(args: argparse.Namespace) -> int:
    options = {"on_error": "raise" if args.strict else "skip"} | parse_options(args.option)
    dataset = open_dataset(args.format, args.dir, **options)
    if args.action == "check":
        report = check(
            dataset, args.sheet, pictures=args.pictures, seed=args.seed, progress=lambda x: tqdm(x, unit=" records")
        )
        print(report)
        return 0 if report.ok else 1
    written = args.out / ANNOTATIONS if args.to == "json" else args.out
    if written.exists() and written.resolve().is_relative_to(args.dir.resolve()):
        raise ValueError(f"out must not be a file that the data set has already, got '{written}'")
    samples: Iterable[Sample] = tqdm(dataset, unit=" images", total=len(dataset))
    if args.guess_cameras:
        samples = (replace(sample, camera=Camera.default(sample.width, sample.height)) for sample in samples)
    if args.to == "json":
        count = write_simple(samples, args.out)
    else:
        count = write_authors(samples, args.out, dataset=args.format.upper())
    print(f"{count} images written to {args.out}, {dataset.problems.count} damaged records skipped")
    return 0
