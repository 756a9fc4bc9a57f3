"""Run the paper's ablations that need no training, on any data set.

Tables 3 and 4 and supplement 3.2: the association, RefineNet, known and guessed intrinsics. docs/evaluation.md says how
to train the other rows.
"""

from __future__ import annotations

import argparse

from ..files import write_whole
from ._estimator import add_estimator_arguments
from ._files import prepare_folder
from .evaluate import OWN_PROTOCOL, add_data_arguments, data_settings_of, open_data, spec_of, workers_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_arguments(parser)
    parser.add_argument(
        "--rows", metavar="NAME,...", help="only these: full, paf, optimal, no refiner, default intrinsics"
    )
    add_estimator_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from ..estimator import refiner_file
    from ..evaluate import ablate, ablation_json, ablation_markdown, rows_of

    if args.association is not None:
        raise ValueError(f"association must be left to the rows (--rows), got {args.association!r}")
    name, dataset = open_data(args)
    spec = spec_of(args)
    rows = rows_of(spec, refined=refiner_file(spec.weights, spec.refiner) is not None)
    if args.rows is not None:
        wanted = [part.strip() for part in args.rows.split(",")]
        unknown = [part for part in wanted if part not in {row.name for row in rows}]
        if unknown:
            raise ValueError(f"rows must be among {', '.join(row.name for row in rows)}, got {', '.join(unknown)}")
        rows = [row for row in rows if row.name in wanted]
    folder = None if args.out is None else prepare_folder(args.out)
    results = ablate(
        dataset,
        rows,
        name=args.data,
        rules=args.protocol or OWN_PROTOCOL.get(name, "bodies"),
        batch=args.batch,
        workers=workers_of(args, len(dataset)),
        folder=folder,
        resume=args.resume,
        settings=data_settings_of(args),
        progress=not args.quiet,
    )
    text = ablation_markdown(results, args.data)
    print(text, end="")
    if folder is not None:
        write_whole(folder / "ablation.md", text)
        write_whole(folder / "ablation.json", ablation_json(results, args.data))
    return 1 if any(result.skipped for result in results.values()) else 0
