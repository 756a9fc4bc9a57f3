"""Follow people through a video: identities, metres, and the video drawn over.

Writes DIR/NAME.jsonl, one line per frame with everyone's id and joints, and with --overlay DIR/NAME_overlay.mp4.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ._estimator import add_camera_arguments, add_estimator_arguments, camera_for, make_estimator
from ._files import free_name, prepare_folder

if TYPE_CHECKING:
    from ..estimator import Estimator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO", help="files that OpenCV reads")
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="folder of the results (out)")
    output.add_argument("--overlay", action="store_true", help="also write DIR/NAME_overlay.mp4")
    output.add_argument("--smooth", action="store_true", help="steady the joints over time")
    output.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
    add_camera_arguments(parser)
    add_estimator_arguments(parser)


def run(args: argparse.Namespace) -> int:
    folder = prepare_folder(args.out)
    estimator = make_estimator(args)
    names: dict[str, Path] = {}
    for path in args.videos:
        names[free_name(path.name, names)] = path
    failed = 0
    for name, path in names.items():
        try:
            frames, people = follow(path, folder / name, estimator, args)
        except (ValueError, FileNotFoundError) as error:
            if len(args.videos) == 1:
                raise
            print(f"{args.prog}: skipped {path}: {error}", file=sys.stderr)
            failed += 1
            continue
        if not args.quiet:
            print(f"{args.prog}: {path}: {frames} frames, {people} people", file=sys.stderr)
    return 1 if failed else 0


def follow(path: Path, out: Path, estimator: Estimator, args: argparse.Namespace) -> tuple[int, int]:
    """One video; returns the numbers of frames and of identities. Lines are written as they come.

    Args:
        out: of the results, without suffix.
    """
    from ..draw import overlay
    from ..tracking import Smoother, Tracker
    from ..video import VideoReader, VideoWriter

    reader = VideoReader(path)
    camera = camera_for(args, reader.info.width, reader.info.height)
    tracker, smoother = Tracker(), Smoother(reader.info.rate)
    count, identities = 0, set[int]()
    with ExitStack() as stack:
        lines = stack.enter_context(out.with_name(f"{out.name}.jsonl").open("w"))
        video = None
        if args.overlay:
            video = stack.enter_context(VideoWriter(out.with_name(f"{out.name}_overlay.mp4"), reader.info))
        for frame in tqdm(reader, total=reader.info.frames or None, unit="frame", disable=args.quiet or None):
            people = tracker.update(estimator.predict(frame, camera))
            if args.smooth:
                people = smoother.update(people)
            place = json.dumps({"frame_index": count, "seconds": round(count / reader.info.rate, 4)})
            lines.write(place[:-1] + ", " + people.to_json()[1:] + "\n")
            if video is not None:
                video.write(overlay(frame, people))
            identities.update(people.ids.tolist() if people.ids is not None else ())
            count += 1
    if count == 0:
        raise ValueError(f"video must have at least one frame that OpenCV reads, got none in {str(path)!r}")
    return count, len(identities)
