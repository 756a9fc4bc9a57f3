"""Find people in pictures and say where they are, in metres.

Prints each person's place; --json, --overlay and --view3d write files instead. Pictures that cannot be read are
reported and skipped, and the exit code is 1 then; a single one that cannot be read is an error, exit code 2.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..camera import Camera
from ..files import write_whole
from ..image import encode_png
from ..people import People
from ._estimator import add_camera_arguments, add_estimator_arguments, camera_for, make_estimator, positive
from ._files import Input, ahead, find_images, prepare_folder, read_input

Image = NDArray[np.uint8]
KINDS = {"json": ".json", "overlay": "_overlay.png", "view3d": "_view3d.png"}  # of results, and how their names end


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="files, folders (with subfolders) and globs")
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, metavar="DIR", help="folder of the results (default for pictures: out)")
    output.add_argument("--json", action="store_true", help="DIR/NAME.json, or JSON Lines to stdout without --out")
    output.add_argument("--overlay", action="store_true", help="DIR/NAME_overlay.png: people over the picture")
    output.add_argument("--view3d", action="store_true", help="DIR/NAME_view3d.png: the scene seen from above")
    output.add_argument("--resume", action="store_true", help="skip pictures whose results are in DIR already")
    output.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
    parser.add_argument("--batch", type=positive, default=1, metavar="N", help="pictures per network pass (default: 1)")
    add_camera_arguments(parser)
    add_estimator_arguments(parser)


def run(args: argparse.Namespace) -> int:
    writer = Writer(args)
    inputs = writer.without_results(find_images(args.images, writer.folder))
    if len(inputs) == 1 and inputs[0].source == args.images[0]:
        read_input(inputs[0])  # one picture by name: its error is the command's, before weights are loaded
    todo = [x for x in inputs if not (args.resume and writer.is_done(x))]
    people, failed, start = 0, 0, time.perf_counter()
    bar = tqdm(total=len(inputs), initial=len(inputs) - len(todo), unit="image", disable=args.quiet or None)
    with bar:
        estimator = make_estimator(args)
        for batch in batches(read_all(todo, args.batch), args.batch):
            for item, error in batch.errors:
                bar.write(f"{args.prog}: skipped {item.source}: {error}", file=sys.stderr)
            if batch.images:
                cameras = [camera_for(args, image.shape[1], image.shape[0]) for image in batch.images]
                results = estimator.predict_batch(batch.images, cameras)
                for item, image, camera, found in zip(batch.items, batch.images, cameras, results, strict=True):
                    writer.write(item, image, camera, found)
                    people += len(found)
            failed += len(batch.errors)
            bar.update(len(batch.items) + len(batch.errors))
    if not args.quiet:
        done, seconds = len(todo) - failed, time.perf_counter() - start
        skipped = f", {len(inputs) - len(todo)} done before" if len(todo) < len(inputs) else ""
        print(
            f"{args.prog}: {done} images, {people} people, {failed} skipped{skipped}, {seconds:.1f} s", file=sys.stderr
        )
    return 1 if failed else 0


class Batch:
    """Pictures for one network pass, and those that could not be read."""

    def __init__(self) -> None:
        self.items: list[Input] = []
        self.images: list[Image] = []
        self.errors: list[tuple[Input, Exception]] = []


def read_all(inputs: Iterable[Input], depth: int) -> Iterator[tuple[Input, Image | Exception]]:
    """Pictures, read ahead in threads, or why they could not be read."""

    def read(item: Input) -> Image | Exception:
        try:
            return read_input(item)
        except (ValueError, OSError, MemoryError) as error:
            return error

    return ((item, future.result()) for item, future in ahead(read, inputs, depth + 1))


def batches(pictures: Iterable[tuple[Input, Image | Exception]], size: int) -> Iterator[Batch]:
    batch = Batch()
    for item, picture in pictures:
        if isinstance(picture, Exception):
            batch.errors.append((item, picture))
        else:
            batch.items.append(item)
            batch.images.append(picture)
        if len(batch.items) + len(batch.errors) == size:
            yield batch
            batch = Batch()
    if batch.items or batch.errors:
        yield batch


class Writer:
    """Writes results as they come and keeps none."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.json, self.overlay, self.view3d = args.json, args.overlay, args.view3d
        pictures = self.overlay or self.view3d
        self.folder: Path | None = args.out or (Path("out") if pictures else None)
        if self.folder is not None:
            prepare_folder(self.folder)
        self.to_files = args.out is not None
        if args.resume and not (self.to_files and (self.json or pictures)):
            raise ValueError("--resume must come with --out and something to write, got neither results nor a folder")

    def without_results(self, inputs: list[Input]) -> list[Input]:
        """Without pictures of an earlier run, when results go to the folder of the pictures."""
        if self.folder is None:
            return inputs
        folder, names = self.folder, {item.name for item in inputs}

        def is_result(source: str) -> bool:
            ends = [suffix for suffix in KINDS.values() if source.endswith(suffix)]
            return any(os.path.relpath(source, folder).removesuffix(suffix) in names for suffix in ends)

        return [item for item in inputs if not is_result(item.source)]

    def outputs(self, item: Input) -> dict[str, Path]:
        folder = self.folder or Path()
        return {kind: folder / f"{item.name}{suffix}" for kind, suffix in KINDS.items() if getattr(self, kind)}

    def is_done(self, item: Input) -> bool:
        return all(path.is_file() for path in self.outputs(item).values())

    def write(self, item: Input, image: Image, camera: Camera, people: People) -> None:
        paths = self.outputs(item)
        if "overlay" in paths:
            from ..draw import overlay

            write_whole(paths["overlay"], encode_png(overlay(image, people)))
        if "view3d" in paths:
            from ..view3d import render

            write_whole(paths["view3d"], encode_png(render(people, camera)))
        if self.json and self.to_files:
            write_whole(paths["json"], people.to_json() + "\n")
        elif self.json:
            tqdm.write(json.dumps({"image": item.source})[:-1] + ", " + people.to_json()[1:], file=sys.stdout)
        elif not paths:
            lines = [f"{item.source}: {len(people)} people", *(f"  {person}" for person in people)]
            tqdm.write("\n".join(lines), file=sys.stdout)
