"""What every command that runs the network asks for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..camera import Camera

if TYPE_CHECKING:
    from ..decode import DecodeConfig
    from ..estimator import Estimator


def add_estimator_arguments(parser: argparse.ArgumentParser, device: str = "the GPU if there is one") -> None:
    """Args: device: that is taken when none is named."""
    group = parser.add_argument_group("network")
    group.add_argument(
        "--weights", default="default", metavar="FILE", help=".safetensors or the authors' SMAP.pth (default: built in)"
    )
    group.add_argument(
        "--refiner",
        default="default",
        metavar="FILE",
        help=".safetensors or the authors' RefineNet.pth; 'none' switches it off (default: that of the weights)",
    )
    group.add_argument("--device", help=f"cpu, cuda, cuda:1, ... (default: {device})")
    group.add_argument(
        "--input-size", type=parse_size, metavar="WxH", help="of the network's input (default: the weights' own)"
    )
    help_text = "average over the mirrored picture: better, at twice the network's time"
    group.add_argument("--mirror", action="store_true", help=help_text)
    help_text = "optimal, depth-aware or paf: how joints become people (default: what the weights' file recommends)"
    group.add_argument("--association", metavar="NAME", help=help_text)
    help_text = "people of whom the refiner is less sure are dropped (default: what its file recommends)"
    group.add_argument("--min-person-score", type=float, metavar="P", help=help_text)


def refiner_of(args: argparse.Namespace) -> str | None:
    return None if args.refiner == "none" else args.refiner


def decode_of(args: argparse.Namespace, **more: object) -> DecodeConfig:
    """What the files recommend, but for what the options say, and ``more``."""
    from ..estimator import recommended_decode

    changes = {"association": args.association, "min_person_score": args.min_person_score, **more}
    return recommended_decode(args.weights, refiner_of(args), **changes)


def make_estimator(args: argparse.Namespace) -> Estimator:
    """Raises what ``Estimator`` does: FileNotFoundError, WeightsError, ValueError."""
    from ..estimator import Estimator

    return Estimator(
        args.weights,
        refiner=refiner_of(args),
        device=args.device,
        decode=decode_of(args),
        input_size=args.input_size,
        mirror=args.mirror,
    )


def add_camera_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "camera", "Depth is proportional to the focal length; by default it is guessed to be the image width."
    )
    choice = group.add_mutually_exclusive_group()
    choice.add_argument("--camera", type=parse_camera, metavar="FX,FY,CX,CY", help="intrinsics in image pixels")
    choice.add_argument("--fov", type=parse_fov, metavar="DEG", help="horizontal field of view")


def camera_for(args: argparse.Namespace, width: int, height: int) -> Camera:
    """The camera that the options name, for an image of this size."""
    if args.camera is not None:
        camera: Camera = args.camera
        return camera
    if args.fov is not None:
        return Camera.from_fov(width, height, args.fov)
    return Camera.default(width, height)


def parse_camera(text: str) -> Camera:
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be four numbers FX,FY,CX,CY, got {text!r}") from None
    try:
        return Camera(fx, fy, cx, cy)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_fov(text: str) -> float:
    try:
        degrees = float(text)
        Camera.from_fov(1, 1, degrees)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be degrees between 0 and 180, got {text!r}") from None
    return degrees


def parse_size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        width = height = 0
    if width < 1 or height < 1:
        raise argparse.ArgumentTypeError(f"must be WIDTHxHEIGHT, got {text!r}")
    return width, height


def positive(text: str) -> int:
    """An argparse type: a whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return number
