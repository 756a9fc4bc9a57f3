"""Is a downloaded data set whole and understood? Figures, problems, and a contact sheet to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..canvas import contact_sheet, draw_truth, scaled_to_fit
from ..files import write_whole
from ..image import read_image
from ..sample import Sample
from ..skeleton import Skeleton
from .base import KEPT_MESSAGES, Dataset

SHEET_COLUMNS, TILE = 4, (360, 360)  # tiles of width x height pixels
REPROJECTION_LIMIT_PX = 25.0
LIMB_RATIO_LIMIT = 1.5  # a whole data set this far from the mean skeleton has the wrong unit or the wrong joints


@dataclass
class CheckReport:
    """What ``check`` found.

    Args:
        images, people: in the records that could be read; missing_images: files that are not there.
        joints: per joint name, share of people with a 2-D and with a 3-D position.
        depth_m: 5th, 50th and 95th percentile of root depths, empty without 3-D.
        limb_ratio: median limb length over the skeleton's mean, per limb, empty without 3-D.
        reprojection_px: median distance of projected 3-D from 2-D joints; NaN without 3-D.
        problems: messages, the first of each kind of trouble; ``skipped`` records in all.
    """

    images: int = 0
    people: int = 0
    skipped: int = 0
    missing_images: int = 0
    joints: dict[str, tuple[float, float]] = field(default_factory=dict)
    depth_m: tuple[float, ...] = ()
    limb_ratio: dict[str, float] = field(default_factory=dict)
    reprojection_px: float = float("nan")
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        lines = [f"{self.images} images, {self.people} people, {self.skipped} damaged records skipped"]
        if self.missing_images:
            lines.append(f"{self.missing_images} image files are missing")
        if self.depth_m:
            lines.append("root depth, 5 / 50 / 95 %: " + " / ".join(f"{z:.2f}" for z in self.depth_m) + " m")
            lines.append(f"projection of 3-D joints onto 2-D joints, median: {self.reprojection_px:.1f} px")
        lines += [f"{name:>15}  2-D {px:6.1%}  3-D {m:6.1%}" for name, (px, m) in self.joints.items()]
        lines += [f"{name:>30}  {ratio:.2f} x the mean length" for name, ratio in self.limb_ratio.items()]
        lines += ["", *self.problems] if self.problems else ["no problems found"]
        return "\n".join(lines)


def check(
    dataset: Dataset,
    sheet: str | Path | None = None,
    *,
    pictures: int = 16,
    seed: int = 0,
    progress: Callable[[Iterable[int]], Iterable[int]] = lambda x: x,
) -> CheckReport:
    """Read every record, open a few pictures, and say what does not fit.

    Args:
        dataset: opened with ``on_error="skip"`` to see more than the first problem.
        sheet: where to write a PNG with overlays of ``pictures`` random samples; None writes nothing.
        progress: wraps the indices, e.g. ``tqdm``.

    Every record is read and its image file looked for; only the pictures of the sheet are decoded and their size
    compared. The figures are over all people.

    Raises:
        ValueError: OpenCV writes no pictures with the suffix of ``sheet``; OSError: it cannot be written there.
        DatasetError: a damaged record, unless those are skipped.
    """
    if sheet is not None and not cv2.haveImageWriter(Path(sheet).suffix):
        raise ValueError(f"sheet must be a path that OpenCV can write (.png), got {str(sheet)!r}")
    report = CheckReport()
    skeleton: Skeleton | None = None
    sums: list[NDArray[Any]] = []
    depths, ratios, errors = [], [], []
    for index in progress(range(len(dataset))):
        sample = dataset.get(index)
        if sample is None:
            continue
        skeleton = sample.skeleton
        report.images += 1
        report.people += len(sample)
        if isinstance(sample.image, Path) and not sample.image.is_file():
            report.missing_images += 1
            _note(report, f"{sample.image}: the image must be there, got nothing")
        known_2d, known_3d = np.isfinite(sample.joints_2d).all(-1), np.isfinite(sample.joints_3d).all(-1)
        sums.append(np.stack([known_2d.sum(0), known_3d.sum(0)]))
        parents, children = np.array(skeleton.limbs).T
        joints_3d = sample.joints_3d.astype(np.float64)
        lengths = np.linalg.norm(joints_3d[:, children] - joints_3d[:, parents], axis=-1)
        ratios.append(lengths / np.array(skeleton.limb_lengths))
        depths.append(joints_3d[:, skeleton.root, 2])
        both = known_2d & known_3d & (joints_3d[..., 2] > 0)
        projected = sample.camera.project(np.where(both[..., None], joints_3d, 1))
        errors.append(np.linalg.norm(projected - sample.joints_2d, axis=-1)[both & (sample.visibility > 0)])
    report.skipped = dataset.problems.count
    report.problems += dataset.problems.messages
    if skeleton is not None:
        _figures(
            report, skeleton, np.sum(sums, 0), np.concatenate(depths), np.concatenate(ratios), np.concatenate(errors)
        )
    else:
        _note(report, f"{dataset.root}: the data set must have readable records, got none")
    _draw(report, dataset.shuffled(seed, pictures), sheet)
    return report


def _note(report: CheckReport, message: str) -> None:
    if len(report.problems) < 2 * KEPT_MESSAGES:
        report.problems.append(message)


def _figures(
    report: CheckReport,
    skeleton: Skeleton,
    sums: NDArray[Any],
    depths: NDArray[Any],
    ratios: NDArray[Any],
    errors: NDArray[Any],
) -> None:
    shares = sums / max(report.people, 1)
    report.joints = {name: (float(shares[0, j]), float(shares[1, j])) for j, name in enumerate(skeleton.joints)}
    depths = depths[np.isfinite(depths)]
    if not depths.size:
        return
    report.depth_m = tuple(float(z) for z in np.percentile(depths, (5, 50, 95)))
    if (depths <= 0).any():
        _note(report, f"root depths must be positive, got {int((depths <= 0).sum())} that are not")
    for limb, (parent, child) in enumerate(skeleton.limbs):
        known = ratios[np.isfinite(ratios[:, limb]), limb]
        if known.size:
            name = f"{skeleton.joints[parent]} - {skeleton.joints[child]}"
            ratio = report.limb_ratio[name] = float(np.median(known))
            if not 1 / LIMB_RATIO_LIMIT < ratio < LIMB_RATIO_LIMIT:
                _note(report, f"limb {name} must be near its mean length, got {ratio:.2f} times (unit or joint order?)")
    if errors.size:
        report.reprojection_px = float(np.median(errors))
        if report.reprojection_px > REPROJECTION_LIMIT_PX:
            _note(
                report,
                f"3-D joints must project onto 2-D joints within {REPROJECTION_LIMIT_PX:g} px, "
                f"got {report.reprojection_px:.1f} px (camera or units?)",
            )


def _draw(report: CheckReport, samples: Dataset, sheet: str | Path | None) -> None:
    tiles, names = [], []
    for index in range(len(samples)):
        sample = samples.get(index)
        if sample is None or (isinstance(sample.image, Path) and not sample.image.is_file()):
            continue
        try:
            image = sample.image if isinstance(sample.image, np.ndarray) else read_image(sample.image)
        except ValueError as error:
            _note(report, f"{sample.image}: {error}")
            continue
        if image.shape[:2] != (sample.height, sample.width):
            size = f"{sample.width} x {sample.height}"
            _note(report, f"{sample.image}: the image must be {size}, got {image.shape[1]} x {image.shape[0]}")
        tiles.append(_tile(image, sample))
        names.append(sample.name[-48:])
    if sheet is None or not tiles:
        return
    picture = contact_sheet(tiles, columns=SHEET_COLUMNS, tile=TILE, captions=names)
    data = cv2.imencode(Path(sheet).suffix, np.ascontiguousarray(picture[..., ::-1]))[1]
    write_whole(Path(sheet), data.tobytes())


def _tile(image: NDArray[np.uint8], sample: Sample) -> NDArray[np.uint8]:
    """The picture at the size of a tile, with its people and, in grey, what is not judged."""
    tile, scale = scaled_to_fit(image, TILE)
    for box in sample.ignore:
        # No farther than just outside: OpenCV takes no larger numbers.
        x0, y0, x1, y1 = np.clip(np.round(box.astype(np.float64) * scale), -2, max(TILE) + 1).astype(int).tolist()
        cv2.rectangle(tile, (x0, y0), (x1, y1), (160, 160, 160), 1)
    draw_truth(tile, (sample.joints_2d + 0.5) * scale - 0.5, sample.visibility, sample.skeleton)
    return tile
