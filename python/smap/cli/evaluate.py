"""Measure weights, or stored predictions of any method, on a data set, beside the paper's figures.

Data sets: mupots=DIR, panoptic=DIR, human36m=DIR, coco=DIR, muco=DIR, authors=FILE, json=DIR (docs/datasets.md) and
scenes=PACK, which renders scenes. Prints Markdown; --out also writes JSON, plots and the predictions (JSON Lines).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..data import FORMATS, Dataset, open_dataset
from ..files import write_whole
from ..metrics import PROTOCOLS
from ._estimator import add_estimator_arguments, positive, refiner_of
from ._files import prepare_folder
from .data import add_option_argument, parse_options

if TYPE_CHECKING:
    from ..evaluate import EstimatorSpec, Evaluation

# Which protocol a data set is judged by unless --protocol says otherwise.
OWN_PROTOCOL = {"mupots": "mupots", "panoptic": "panoptic"}
WORKERS_FROM = 64  # images: fewer do not pay for starting processes


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument("--data", required=True, metavar="NAME=PATH", help="data set, e.g. mupots=MultiPersonTestSet")
    add_option_argument(parser)
    data.add_argument("--limit", type=positive, metavar="N", help="only N images, chosen at random but always the same")
    data.add_argument("--protocol", choices=tuple(PROTOCOLS), help="default: that of the data set, else bodies")
    data.add_argument("--skip-damaged", action="store_true", help="leave out damaged records and count them")
    run = parser.add_argument_group("run")
    run.add_argument("--out", type=Path, metavar="DIR", help="folder of the results")
    run.add_argument("--resume", action="store_true", help="go on with the predictions in DIR")
    run.add_argument("--batch", type=positive, default=4, metavar="N", help="pictures per network pass (default: 4)")
    run.add_argument("--workers", type=int, metavar="N", help="processes (default: one per core on a CPU, 0 on a GPU)")
    run.add_argument("--quiet", action="store_true", help="no progress bar")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_arguments(parser)
    parser.add_argument(
        "--predictions", type=Path, metavar="FILE", help="stored predictions instead of weights (docs/evaluation.md)"
    )
    parser.add_argument("--guess-cameras", action="store_true", help="do not use the data set's intrinsics")
    parser.add_argument("--no-plots", action="store_true", help="no plots in DIR")
    add_estimator_arguments(parser)


def open_data(args: argparse.Namespace) -> tuple[str, Dataset]:
    """Name of the format and the data set that the options name.

    Raises:
        ValueError: there is no such format or option.
    """
    from ..evaluate import SceneDataset

    name, equals, path = args.data.partition("=")
    if not equals or (name not in FORMATS and name != "scenes"):
        raise ValueError(f"data must be NAME=PATH with NAME one of scenes, {', '.join(FORMATS)}, got {args.data!r}")
    dataset: Dataset
    options = parse_options(args.option)
    if name == "scenes":
        dataset = SceneDataset(path, **options)
    else:
        dataset = open_dataset(name, Path(path), **{"on_error": "skip" if args.skip_damaged else "raise"} | options)
    return name, dataset if args.limit is None else dataset.shuffled(0, args.limit)


def spec_of(args: argparse.Namespace) -> EstimatorSpec:
    from ..evaluate import EstimatorSpec

    return EstimatorSpec(
        args.weights,
        refiner_of(args),
        device=args.device,
        input_size=args.input_size,
        association=args.association,
        min_person_score=args.min_person_score,
        mirror=args.mirror,
    )


def workers_of(args: argparse.Namespace, images: int) -> int:
    """Processes to use: as told, else one per core where a CPU does the work and there is enough of it."""
    if args.workers is not None:
        return max(0, int(args.workers))
    from ..ops import HAS_CUDA

    on_gpu = HAS_CUDA if args.device is None else not str(args.device).startswith("cpu")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if on_gpu or images < WORKERS_FROM or cores < 2 else cores


def data_settings_of(args: argparse.Namespace) -> dict[str, object]:
    """What predictions depend on beside the estimator, for the header of their file."""
    return {"data": args.data, "options": sorted(args.option), "limit": args.limit}


def run(args: argparse.Namespace) -> int:
    from ..evaluate import evaluate, evaluate_stored, open_predictions

    name, dataset = open_data(args)
    folder = None if args.out is None else prepare_folder(args.out)
    rules = args.protocol or OWN_PROTOCOL.get(name, "bodies")
    if args.predictions is not None:
        stored = open_predictions(args.predictions)
        result = evaluate_stored(
            dataset,
            stored,
            name=args.data,
            rules=rules,
            settings={"predictions": str(args.predictions)},
            progress=not args.quiet,
        )
    else:
        spec = spec_of(args)
        result = evaluate(
            dataset,
            spec,
            name=args.data,
            rules=rules,
            batch=args.batch,
            workers=workers_of(args, len(dataset)),
            known_cameras=not args.guess_cameras,
            file=None if folder is None else folder / "predictions.jsonl",
            resume=args.resume,
            settings=data_settings_of(args) | spec.settings() | {"known_cameras": not args.guess_cameras},
            progress=not args.quiet,
        )
    report(result, folder, plots=not args.no_plots)
    return 1 if result.skipped else 0


def report(result: Evaluation, folder: Path | None, *, plots: bool) -> None:
    from ..evaluate import markdown, plot, to_json

    text = markdown(result)
    print(text, end="")
    if folder is not None:
        write_whole(folder / "report.md", text)
        write_whole(folder / "report.json", to_json(result))
        if plots:
            try:
                plot(result, folder)
            except ModuleNotFoundError as error:  # matplotlib; the figures took long to measure
                print(f"warning: {error}", file=sys.stderr)
