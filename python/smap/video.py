"""Frames from a video file and back into one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class VideoInfo:
    """``rate`` frames per second; ``frames`` as the file declares them, 0 when it does not say."""

    width: int
    height: int
    rate: float
    frames: int


class VideoReader:
    """Iterates over the frames of a video, ``(H, W, 3)`` uint8 RGB, one in memory at a time.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: OpenCV cannot read it as a video.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"video must be a file, got {str(path)!r}")
        capture = cv2.VideoCapture(str(self.path))
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if not capture.isOpened() or width < 1 or height < 1:
            raise ValueError(f"video must be a file that OpenCV reads, got {str(path)!r}")
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        self.info = VideoInfo(width, height, rate if 0 < rate < 1000 else 30.0, max(0, frames))

    def __iter__(self) -> Iterator[Image]:
        """From the first frame on, each time."""
        capture = cv2.VideoCapture(str(self.path))
        try:
            while True:
                ok, frame = capture.read()
                if not ok:
                    return
                yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
        finally:
            capture.release()


class VideoWriter:
    """Writes frames of one size to an MP4 file; a context manager, whose end completes the file.

    Of an odd width or height the video loses the last column or row.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], info: VideoInfo) -> None:
        self.path, self.info = Path(path), info
        code = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(str(path), code, info.rate, (info.width, info.height))
        if not self._writer.isOpened():
            raise OSError(f"video must be writable, got {str(path)!r}")

    def write(self, frame: Image) -> None:
        """Raises: ValueError when the frame is of another size or dtype, or the video is complete."""
        shape = (self.info.height, self.info.width, 3)
        if frame.shape != shape or frame.dtype != np.uint8:
            raise ValueError(f"frame must be {shape} uint8, got {tuple(frame.shape)} {frame.dtype}")
        if not self._writer.isOpened():
            raise ValueError(f"video must be open to be written, got {str(self.path)!r} after its end")
        self._writer.write(np.ascontiguousarray(frame[..., ::-1]))

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.release()
