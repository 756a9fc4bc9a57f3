"""Fit a network to other pictures, such as your camera's, without annotations.

Its normalisations go by the pictures' statistics from then on; weights stay as they are, in 16 bit, and what is made of
the default weights keeps their refiner. Some hundred pictures will do, with or without people. Without people more
people are found afterwards, and more false ones: choose the threshold anew (--min-person-score), or train a refiner for
the new network (smap train-refiner).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ._files import find_images, prepare_folder, read_input

_BATCH = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", type=Path, metavar="OUT.safetensors")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="files, folders (with subfolders) and globs")
    parser.add_argument(
        "--pack", type=Path, help="scene pack whose pictures without people are taken, those to train on"
    )
    parser.add_argument("--weights", default="default", metavar="FILE", help="of the network (default: built in)")
    help_text = "of the pictures' statistics beside the network's own, 0 to 1 (default: %(default)s)"
    parser.add_argument("--share", type=float, default=0.3, metavar="S", help=help_text)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    import torch

    from ..estimator import refiner_file, resolve_weights
    from ..network import adapt_normalisation, load_network, read_notes, save_network
    from ..synthetic import Pack

    if args.target.suffix != ".safetensors":
        raise ValueError(f"target must end in .safetensors, got '{args.target}'")
    if bool(args.images) == (args.pack is not None):
        raise ValueError("pictures must be named, or a pack with --pack, one of the two")
    prepare_folder(args.target.parent)
    weights = resolve_weights(args.weights)
    network, notes = load_network(weights), read_notes(weights) if weights.suffix == ".safetensors" else {}
    if refiner_file(args.weights, "default"):
        notes = {**notes, "refiner": "default"}
    pictures: Iterator[NDArray[np.uint8]]
    if args.pack is None:
        files = find_images(args.images)
        pictures, count = map(read_input, files), len(files)
    else:
        pack = Pack.load(args.pack)
        stills = pack.stills("train").tolist()
        pictures, count = map(pack.still, stills), len(stills)
    pictures = iter(tqdm(pictures, total=count, unit="picture", delay=1, disable=args.quiet))
    adapted = adapt_normalisation(network, batches(pictures, network.config.input_size), args.share)
    save_network(adapted, args.target, dtype=torch.float16, notes=notes)
    print(f"{args.target}: {weights.name} with {args.share:g} of other pictures' statistics")
    return 0


def batches(pictures: Iterable[NDArray[np.uint8]], size: tuple[int, int]) -> Iterator[Any]:
    """Pictures as the network takes them, those on an upright canvas apart from the others."""
    from ..estimator import lay_out
    from ..letterbox import Letterbox, facing
    from ..network import STRIDE, normalise

    waiting: dict[tuple[int, int], list[tuple[NDArray[np.uint8], Letterbox]]] = {}
    for picture in pictures:
        height, width = picture.shape[:2]
        box = Letterbox.fit(width, height, facing(size, width, height), STRIDE)
        group = waiting.setdefault(box.input_size, [])
        group.append((picture, box))
        if len(group) == _BATCH:
            yield normalise(lay_out(*zip(*group, strict=True)))
            group.clear()
    for group in waiting.values():
        if group:
            yield normalise(lay_out(*zip(*group, strict=True)))
