"""Train a network as a TOML file says; continues where an earlier run in the folder stopped.

Several GPUs or nodes: torchrun --nproc-per-node N -m smap train CONFIG.toml --out FOLDER
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ._files import prepare_folder

if TYPE_CHECKING:
    from ..train import Trainer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG.toml", help="see examples/train_small.toml")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: checkpoints and curve")
    add_pack_argument(parser)
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the GPU when there is one)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after about so long; run again to go on")
    parser.add_argument(
        "--anneal", type=float, default=0.0, metavar="M", help="of --minutes, the last M let the learning rate fall"
    )
    parser.add_argument("--start-from", type=Path, metavar="FILE", help="weights to begin a new run with")
    parser.add_argument("--continue-from", type=Path, metavar="FOLDER", help="a portable checkpoint to continue from")
    parser.add_argument(
        "--portable",
        type=Path,
        metavar="FOLDER",
        help="with every checkpoint also write one in 16 bit, in files under 16 MiB, to continue from elsewhere",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def add_pack_argument(parser: argparse.ArgumentParser) -> None:
    help_text = "scene pack of the rendered pictures whose tables in CONFIG.toml name none (default: the built-in body)"
    parser.add_argument("--pack", type=Path, metavar="DIR", help=help_text)


def tell_builtin() -> None:
    """On stderr: a forgotten pack costs hours."""
    print("note: no --pack, so people are plain capsules: enough for a trial, not for photographs", file=sys.stderr)


def run(args: argparse.Namespace) -> int:
    from ..memory import keep_freed_memory
    from ..train import Trainer, is_portable, load_config, network_state, read_portable

    if not args.minutes > 0:
        raise ValueError(f"minutes must be positive, got {args.minutes}")
    if not 0 <= args.anneal <= args.minutes or args.anneal == math.inf:
        raise ValueError(f"anneal must be between 0 and minutes = {args.minutes}, got {args.anneal}")
    if args.start_from is not None and args.continue_from is not None:
        raise ValueError("start-from must not be given beside continue-from, got both")
    config = load_config(args.config, args.pack)
    prepare_folder(args.out)
    if args.portable is not None:
        prepare_folder(args.portable)
        if not all(map(is_portable, args.portable.iterdir())):  # said before the training, not after
            raise ValueError(f"portable must be a new folder or one of a portable checkpoint, got '{args.portable}'")
    state = None
    if args.start_from is not None:
        state = network_state(args.start_from, config.network)
    elif args.continue_from is not None:
        state = read_portable(args.continue_from)
    keep_freed_memory()
    trainer = Trainer(
        config, args.out, device=args.device, start_from=state, portable=args.portable, progress=not args.quiet
    )
    builtin = trainer.main and any(source.kind == "scenes" and source.path is None for source in config.data)
    tell = cache(tell_builtin)  # once, with the curve's first line: a run that is refused says only why
    try:
        with stoppable(trainer) as signals:
            observe = (lambda _: tell()) if builtin else None
            trainer.run(seconds=60 * args.minutes, anneal=60 * args.anneal, observe=observe)
    except FloatingPointError as error:
        raise ValueError(str(error)) from error
    finally:
        trainer.leave()
    if not trainer.saved:
        raise OSError(f"{args.out} must have room for the last checkpoint, got an error when it was written")
    if trainer.main:
        score = f"best score {trainer.best:.4g}" if math.isfinite(trainer.best) else "not validated"
        print(f"{args.out}: step {trainer.step} of {config.schedule.steps}, {score}")
    return 130 if signals else 0


@contextmanager
def stoppable(trainer: Trainer) -> Iterator[list[int]]:
    """Ctrl-C or SIGTERM ends the run with a checkpoint, a second one at once. Yields the signals that came."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # no place to wait for signals
        yield came
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, _: object) -> None:
        came.append(number)
        restore()
        print("stopping soon, with a checkpoint; once more stops at once", file=sys.stderr)
        trainer.stop()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, handle)
    try:
        yield came
    finally:
        restore()
