"""Pictures from files, arrays, PIL images and tensors: always ``(H, W, 3)`` uint8 RGB afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_PIXELS = 2**27  # 134 megapixels; more is a mistake or an attack, and would take gigabytes to decode
MAX_BYTES = 2**29  # of a file: as many pixels without compression, and to spare
# Read when OpenCV is first imported; refuses such a file by its header, before it takes memory.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2  # noqa: E402

_ORIENTATION = 0x0112  # EXIF tag
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """The picture in a file, ``(H, W, 3)`` uint8 RGB, turned upright as its EXIF tag says.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty, truncated, not a picture, or larger than ``MAX_PIXELS`` or ``MAX_BYTES``.
    """
    name, path = os.fspath(path), Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"image must be an existing file, got {name!r}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"image file must have at most {MAX_BYTES} bytes, got {path.stat().st_size} in {str(path)!r}")
    data = np.fromfile(path, np.uint8)
    if not data.size:
        raise ValueError(f"image file must not be empty, got {str(path)!r}")
    if _is_truncated(data.tobytes()):
        raise ValueError(f"image file must be complete, got a truncated one {str(path)!r}")
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "pixels" in str(error).lower():
            raise ValueError(f"image file must have at most {MAX_PIXELS} pixels, got more in {str(path)!r}") from error
        image = None
    if image is None:
        raise ValueError(f"image file must be a complete picture that OpenCV reads, got {str(path)!r}")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """``(H, W, 3)`` uint8 RGB -> the bytes of a PNG file."""
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def _is_truncated(data: bytes) -> bool:
    """A JPEG or PNG without its end marker: OpenCV fills the missing part with grey and calls it a success."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data
    if not data.startswith(b"\xff\xd8"):
        return False
    place = 2
    # Step over the segments before the scan: an EXIF thumbnail in them has an end marker of its own. Whatever a phone
    # appends after the picture does no harm.
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return b"\xff\xd9" not in data[place:]


def to_rgb(image: Any, color: str = "rgb") -> NDArray[np.uint8]:
    """Whatever ``Estimator.predict`` takes -> ``(H, W, 3)`` uint8 RGB.

    Args:
        image: a path; a ``(H, W, 3)`` uint8 array; a uint8 tensor ``(3, H, W)`` or ``(H, W, 3)``; a PIL image,
            turned as its EXIF orientation says, as a path's is.
        color: channel order of an array or tensor, "rgb" or "bgr" (OpenCV's).

    Raises:
        TypeError: neither of these, or not uint8.
        ValueError: a shape or ``color`` does not fit, or the file of a PIL image is damaged; see ``read_image`` for
            files.
    """
    if color not in ("rgb", "bgr"):
        raise ValueError(f"color must be 'rgb' or 'bgr', got {color!r}")
    if isinstance(image, (str, os.PathLike)):
        return read_image(image)
    if hasattr(image, "convert") and hasattr(image, "getbands"):  # PIL, without importing it
        image, color = _of_pil(image), "rgb"
    if hasattr(image, "detach") and hasattr(image, "cpu"):  # a tensor: open files can be detached, too
        image = image.detach().cpu().numpy()
        if image.ndim == 3 and image.shape[0] == 3 and image.shape[2] != 3:
            image = image.transpose(1, 2, 0)
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a path, an array, a uint8 tensor or a PIL image, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8, 0 to 255, got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"image must be (H, W, 3) with at least one pixel, got {image.shape}")
    if image.shape[0] * image.shape[1] > MAX_PIXELS:
        raise ValueError(f"image must have at most {MAX_PIXELS} pixels, got {image.shape}")
    return np.ascontiguousarray(image[..., ::-1] if color == "bgr" else image)


def _of_pil(image: Any) -> NDArray[np.uint8]:
    try:
        image.load()
    except (OSError, SyntaxError) as error:  # SyntaxError: a PNG with a damaged chunk
        raise ValueError(f"image must be a complete picture that PIL reads, got {error}") from error
    if image.mode.startswith("I"):  # grey of 16 bit, which PIL's own conversion would make white, or of 8
        grey = np.asarray(image).astype(np.int64)
        grey = np.clip(grey >> 8 if grey.max() > 255 else grey, 0, 255)
        rgb = np.repeat(grey[..., None], 3, -1).astype(np.uint8)
    else:
        rgb = np.asarray(image.convert("RGB"), np.uint8)
    turn = image.getexif().get(_ORIENTATION, 1)
    if turn in (5, 6, 7, 8):  # rows and columns change places
        rgb = rgb.transpose(1, 0, 2)
    if turn in (3, 4, 7, 8):
        rgb = rgb[::-1]
    if turn in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    return rgb
