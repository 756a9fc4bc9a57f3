"""CMU Panoptic: HD views of people in the dome (CMU-Perceptual-Computing-Lab/panoptic-toolbox)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import DatasetError
from ..sample import Sample
from .base import Dataset, OnError, Problems, existing, folder, numbers
from .joints import PANOPTIC15, PANOPTIC19, remap, visibility_in

CM_TO_M = 1e-2
CAMERAS = (16, 30)  # paper Sec. 4.1
MIN_CONFIDENCE = 0.1  # as the toolbox's demos; -1 is a joint that was not reconstructed
IMAGES_PER_ACTIVITY = 2400  # zju3dv/SMAP issue 24; 4 x 2400 = the paper's 9600 images

# zju3dv/SMAP issue 1. The test activities carry the names of the paper's Table 1.
TEST = {
    "Haggling": ("160226_haggling1", "160422_haggling1"),
    "Mafia": ("160226_mafia1",),
    "Ultimatum": ("160226_ultimatum1", "160422_ultimatum1"),
    "Pizza": ("160906_pizza1",),
}
SPLITS = {
    "train": (
        "160224_haggling1",
        "160224_mafia1",
        "160224_mafia2",
        "160226_mafia2",
        "160224_ultimatum1",
        "160224_ultimatum2",
    ),
    "val": ("160422_mafia2",),
    "test": tuple(name for names in TEST.values() for name in names),
}
ACTIVITY = {name: activity for activity, names in TEST.items() for name in names}

POSE_FOLDERS = {"hdPose3d_stage1": ("joints15", PANOPTIC15), "hdPose3d_stage1_coco19": ("joints19", PANOPTIC19)}
FRAME_FILE = re.compile(r"body3DScene_(\d{8})\.json")


class _View:
    """One HD camera of one sequence."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        matrix = numbers(fields, "K", (3, 3))
        self.camera = Camera(matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
        self.rotation = numbers(fields, "R", (3, 3))
        self.t = np.ravel(np.asarray(fields["t"], np.float64))
        if self.t.shape != (3,):
            raise ValueError(f"t must be three numbers, got shape {self.t.shape}")
        self.distortion = numbers(fields, "distCoef", (5,))
        width, height = numbers(fields, "resolution", (2,)) if "resolution" in fields else (1920, 1080)
        self.width, self.height = int(width), int(height)

    def to_camera(self, world_cm: NDArray[np.float64]) -> NDArray[np.float64]:
        """World centimetres -> metres in the camera frame."""
        return np.asarray((world_cm @ self.rotation.T + self.t) * CM_TO_M)

    def project(self, joints_3d: NDArray[np.float64]) -> NDArray[np.float64]:
        """Metres -> image pixels, lens distortion (k1, k2, p1, p2, k3) included; NaN behind the camera."""
        k1, k2, p1, p2, k3 = self.distortion
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = (joints_3d[..., :2] / joints_3d[..., 2:]).T
        r2 = x * x + y * y
        radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        bent = np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y),
                np.ones_like(x),
            ],
            0,
        ).T
        return np.where(joints_3d[..., 2:] > 0, self.camera.project(bent), np.nan)


def read_panoptic(
    root: str | Path,
    *,
    split: str | None = "test",
    sequences: Iterable[str] | None = None,
    cameras: Sequence[int] = CAMERAS,
    images_per_activity: int | None = None,
    min_confidence: float = MIN_CONFIDENCE,
    on_error: OnError = "raise",
) -> Dataset:
    """Frames of ``<sequence>/hdPose3d_stage1[_coco19]/body3DScene_<frame>.json`` seen by HD cameras.

    Args:
        root: the folder of the sequences; each with ``calibration_<sequence>.json`` and
            ``hdImgs/00_16/00_16_<frame>.jpg`` (or .png) as the toolbox extracts them.
        split: "test" (the paper's four activities), "train", "val" (zju3dv/SMAP issue 1), or None for all that is
            there. Sequences of a split that are missing are an error.
        sequences: instead of a split.
        cameras: numbers of HD cameras, as in the paper by default.
        images_per_activity: how many images to take, evenly over an activity's sequences, cameras and frames; default
            2400 for the test split (the paper's 9600 images), all otherwise.
        min_confidence: joints below are unknown.

    World coordinates are centimetres. ``joints15`` (preferred: what the paper uses) are this library's joints;
    ``joints19`` has no head top. Joints outside the picture are marked 0, all others visible: the set does not say what
    is occluded. Positions in the image carry the lens distortion, the camera does not. ``Sample.extra``: sequence,
    activity, camera, frame, person_ids, distortion.

    Raises:
        DatasetError: a folder does not look like that; on reading, a damaged frame.
        ValueError: there is no such split.
    """
    root = folder(root)
    if split is not None and split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)} or None, got {split!r}")
    if sequences is not None:
        names = list(sequences)
    elif split is not None:
        names = list(SPLITS[split])
    else:
        names = sorted(path.parent.name for path in root.glob("*/calibration_*.json"))
    if not names:
        raise DatasetError(f"{root}: the folder must hold sequences with calibration_<sequence>.json, got none")
    if images_per_activity is None and split == "test" and sequences is None:
        images_per_activity = IMAGES_PER_ACTIVITY
    return Panoptic(root, names, tuple(cameras), images_per_activity, min_confidence, Problems(on_error))


class Panoptic(Dataset):
    """See ``read_panoptic``. Opening lists folders and reads calibrations; poses are read when asked for."""

    def __init__(
        self,
        root: Path,
        names: list[str],
        cameras: tuple[int, ...],
        images_per_activity: int | None,
        min_confidence: float,
        problems: Problems,
    ) -> None:
        super().__init__(root, problems)
        self.min_confidence = min_confidence
        self.views: dict[tuple[str, int], _View] = {}
        self.poses: dict[str, Path] = {}
        self.index: list[tuple[str, int, int]] = []  # sequence, camera, frame
        activities = [ACTIVITY.get(name, name) for name in names]
        for name, activity in zip(names, activities, strict=True):
            self._calibrate(name, cameras)
            frames = self._frames(name)
            if images_per_activity is not None:
                wanted = images_per_activity // activities.count(activity) // len(cameras)
                frames = frames[np.linspace(0, len(frames) - 1, min(wanted, len(frames))).round().astype(int)]
            self.index += [(name, camera, int(frame)) for frame in frames for camera in cameras]

    def _calibrate(self, name: str, cameras: tuple[int, ...]) -> None:
        file = existing(self.root / name / f"calibration_{name}.json", "the calibration")
        with Problems("raise").record(file, "the file"):
            found = {(int(c["panel"]), int(c["node"])): c for c in json.loads(file.read_text())["cameras"]}
        for camera in cameras:
            with Problems("raise").record(file, f"camera 00_{camera:02d}"):
                if (0, camera) not in found:
                    raise ValueError("the camera must be in the file, got none of this name")
                self.views[name, camera] = _View(found[0, camera])

    def _frames(self, name: str) -> NDArray[np.int64]:
        folders = [self.root / name / folder for folder in POSE_FOLDERS]
        self.poses[name] = next((path for path in folders if path.is_dir()), folders[0])
        existing(self.poses[name], "the folder of poses (unpack hdPose3d_stage1.tar or hdPose3d_stage1_coco19.tar)")
        matches = (FRAME_FILE.fullmatch(path.name) for path in self.poses[name].iterdir())
        frames = sorted(int(match[1]) for match in matches if match)
        if not frames:
            raise DatasetError(f"{self.poses[name]}: the folder must hold body3DScene_<8 digits>.json, got none")
        return np.array(frames)

    def __len__(self) -> int:
        return len(self.index)

    def read(self, index: int) -> Sample:
        name, camera, frame = self.index[index]
        view = self.views[name, camera]
        key, joints = POSE_FOLDERS[self.poses[name].name]
        bodies = json.loads(self._file(index).read_text())["bodies"]
        values = np.zeros((len(bodies), len(joints), 4))
        for i, body in enumerate(bodies):
            count = int(key.removeprefix("joints"))
            values[i] = remap(numbers(body, key, (4 * count,)).reshape(count, 4), joints)
        known = values[..., 3] >= self.min_confidence  # NaN compares False
        joints_3d = np.where(known[..., None], view.to_camera(values[..., :3]), np.nan)
        joints_2d = view.project(joints_3d.reshape(-1, 3)).reshape(len(bodies), len(joints), 2)
        view_name = f"00_{camera:02d}"
        image = f"{name}/hdImgs/{view_name}/{view_name}_{frame:08d}"
        suffix = ".png" if (self.root / f"{image}.png").exists() else ".jpg"
        return Sample(
            self.root / f"{image}{suffix}",
            view.width,
            view.height,
            view.camera,
            joints_2d.astype(np.float32),
            joints_3d.astype(np.float32),
            visibility_in(joints_2d, view.width, view.height),
            name=f"{name}/{view_name}/{frame:08d}",
            extra={
                "sequence": name,
                "activity": ACTIVITY.get(name, name),
                "camera": camera,
                "frame": frame,
                "person_ids": [int(body.get("id", -1)) for body in bodies],
                "distortion": view.distortion.tolist(),
            },
        )

    def _file(self, index: int) -> Path:
        name, _, frame = self.index[index]
        return self.poses[name] / f"body3DScene_{frame:08d}.json"

    def describe(self, index: int) -> tuple[str, str]:
        return str(self._file(index)), f"camera 00_{self.index[index][1]:02d}"
