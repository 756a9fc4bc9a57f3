"""Predictions in files: JSON Lines written image by image, and the files other methods leave behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..data.base import DAMAGE
from ..data.joints import MUCO, MUPOTS_JOINTS, remap
from ..errors import DatasetError
from ..files import held
from ..letterbox import Letterbox
from ..people import People, person_scores_of
from ..sample import Sample
from ..skeleton import SMAP15, Skeleton

HEADER = "smap_predictions"
VERSION = 1


class Predictions(Protocol):
    """Predictions by the name of their image."""

    def get(self, sample: Sample) -> People | None:
        """What was predicted for this image; None when the file does not mention it."""


# --- JSON Lines ---


def to_line(index: int, sample: Sample, people: People) -> str:
    """One line of a predictions file: ``People.to_json`` without what the header says, and which image it is."""
    record = json.loads(people.to_json())
    del record["frame"], record["skeleton"]
    return json.dumps({"index": index, "image": sample.name, **record}, allow_nan=False)


def from_record(record: Mapping[str, Any], skeleton: Skeleton) -> People:
    """Inverse of ``to_line``. ``scores``, ``detected``, ``score`` and ``camera_px`` may be missing: every joint with a
    place in the image then counts as detected with score 1.

    Raises:
        ValueError, KeyError, TypeError: it is no such record.
    """
    rows, joints = record["people"], skeleton.num_joints

    def table(key: str, width: int) -> NDArray[np.float32]:
        values = np.full((len(rows), joints, width), np.nan, np.float32)
        for i, row in enumerate(rows):
            if len(row[key]) != joints:
                raise ValueError(f"{key} must have {joints} joints, got {len(row[key])}")
            for j, value in enumerate(row[key]):
                if value is not None:
                    values[i, j] = value
        return values

    joints_2d = table("joints_2d_px", 2)
    seen = np.asarray(np.isfinite(joints_2d).all(-1))
    scores = np.array([r.get("scores", s) for r, s in zip(rows, seen, strict=True)], np.float32)
    detected = np.array([r.get("detected", s) for r, s in zip(rows, seen, strict=True)], np.bool_)
    camera = Camera(**record["camera_px"]) if record.get("camera_px") else None
    shape = (len(rows), joints)
    return People(
        table("joints_3d_m", 3),
        joints_2d,
        scores.reshape(shape),
        detected.reshape(shape),
        skeleton=skeleton,
        camera=camera,
        **person_scores_of(rows),
    )


def _differences(expected: Mapping[str, Any], got: Any) -> str:
    """What the header that was got says else than the expected one."""
    if not isinstance(got, dict) or HEADER not in got:
        return "no header"
    ours, theirs = _flat(expected), _flat(got)
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return ", ".join(f"{name} {theirs.get(name)} instead of {ours.get(name)}" for name in names)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: value}
    return flat


class PredictionWriter:
    """Appends predictions to a JSON Lines file, image by image; an interrupted file can be continued.

    Args:
        settings: what the predictions depend on; a file that was written with others is not continued.
        resume: continue a file that is there. Its incomplete last line, if any, is cut off.

    Raises:
        FileExistsError: the file is there and ``resume`` is False, or another writer is at it.
        DatasetError: it is not such a file, or its settings differ.
    """

    def __init__(
        self, file: str | Path, settings: Mapping[str, Any], skeleton: Skeleton = SMAP15, *, resume: bool = False
    ) -> None:
        self.file = Path(file)
        self.done: set[int] = set()
        self.header = json.dumps({HEADER: VERSION, "settings": dict(settings), "skeleton": skeleton.to_dict()})
        self.out: IO[str] | None = None  # opened by the first prediction: a run that fails at once leaves no file
        self.alone = ExitStack()
        self.new = not self.file.exists()
        if not self.new:
            if not resume:
                raise self._taken()
            self.alone.enter_context(held(self.file))
            self._continue(json.loads(self.header))

    def _taken(self) -> FileExistsError:
        return FileExistsError(f"predictions file must not be there yet (or resume it), got {str(self.file)!r}")

    def _continue(self, header: Mapping[str, Any]) -> None:
        good = 0
        with self.file.open("rb") as lines:
            for number, line in enumerate(lines):
                try:
                    record = json.loads(line) if line.endswith(b"\n") else None
                except json.JSONDecodeError:
                    record = None
                if record is None:
                    break
                if number == 0 and record != header:
                    raise DatasetError(
                        f"{self.file}: the predictions must have been made with the same settings, got "
                        + _differences(header, record)
                    )
                if number:
                    self.done.add(self._index(record, number + 1))
                good += len(line)
        with self.file.open("r+b") as whole:
            whole.truncate(good)

    def _index(self, record: Any, number: int) -> int:
        try:
            return int(record["index"])
        except DAMAGE as error:
            raise DatasetError(f"{self.file}: line {number} must be a prediction, got {str(record)[:80]!r}") from error

    def write(self, line: str, index: int) -> None:
        """Append one ``to_line``; it is on its way to the disk when this returns.

        Raises:
            FileExistsError: the file was not there at the start, and is now.
        """
        if self.out is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.out = self.file.open("x" if self.new else "a")
            except FileExistsError:
                raise self._taken() from None
            if self.new:
                self.alone.enter_context(held(self.file))
            if not self.file.stat().st_size:
                self.out.write(self.header + "\n")
        self.out.write(line + "\n")
        self.out.flush()
        self.done.add(index)

    def close(self) -> None:
        if self.out is not None:
            self.out.close()
        self.alone.close()

    def __enter__(self) -> PredictionWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class StoredPredictions:
    """A JSON Lines file, read line by line as its images are asked for.

    A line is ``{"image": name, "people": [{"joints_3d_m": [[x, y, z] or null, ...], "joints_2d_px": [[x, y] or null,
    ...]}]}``, optionally with ``scores``, ``detected``, ``score`` and ``camera_px``: what any method can write. Names
    are those of the data set's samples. The first line may be a header that names another skeleton.

    Raises:
        DatasetError: a line is not such an object.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        self.skeleton = SMAP15
        self.place: dict[str, int] = {}
        place = 0
        with self.file.open("rb") as lines:
            for number, line in enumerate(lines):
                if line.strip():
                    self._index(number, line, place)
                place += len(line)

    def _index(self, number: int, line: bytes, place: int) -> None:
        try:
            record = json.loads(line)
            if number == 0 and HEADER in record:
                self.skeleton = Skeleton.from_dict(record["skeleton"])
            else:
                self.place[str(record["image"])] = place
        except DAMAGE as error:
            raise DatasetError(
                f"{self.file}: line {number + 1}: a prediction must name its image, got {error}"
            ) from error

    def __len__(self) -> int:
        return len(self.place)

    def get(self, sample: Sample) -> People | None:
        place = self.place.get(sample.name)
        if place is None:
            return None
        with self.file.open("rb") as lines:
            lines.seek(place)
            line = lines.readline()
        try:
            return from_record(json.loads(line), self.skeleton)
        except DAMAGE as error:
            raise DatasetError(f"{self.file}: image {sample.name}: the prediction must fit, got {error}") from error


# --- other methods ---


class AuthorsPredictions:
    """The authors' result file (zju3dv/SMAP, exps/stage3_root2/test.py): ``{"3d_pairs": [...]}``.

    ``pred_2d`` is people x 15 x (x, y, Z, score) in network-input pixels, ``pred_3d`` people x 15 x (X, Y, Z, score) in
    centimetres; people without a root are none. Images are found by the last two parts of their path.

    Raises:
        FileNotFoundError: no such file.
        DatasetError: not such a file.
    """

    def __init__(self, file: str | Path, input_size: tuple[int, int] = (832, 512)) -> None:
        self.file, self.input_size = Path(file), input_size
        text = self.file.read_bytes()
        try:
            pairs = json.loads(text)["3d_pairs"]
            self.pairs = {_tail(pair["image_path"]): pair for pair in pairs}
        except DAMAGE as error:
            raise DatasetError(f"{self.file}: the file must hold '3d_pairs' with image_path, got {error!r}") from error

    def __len__(self) -> int:
        return len(self.pairs)

    def get(self, sample: Sample) -> People | None:
        pair = self.pairs.get(_tail(sample.name))
        if pair is None:
            return None
        joints = SMAP15.num_joints
        flat = np.asarray(pair["pred_2d"], np.float64).reshape(-1, joints, 4)
        solid = np.asarray(pair["pred_3d"], np.float64).reshape(-1, joints, 4)
        found = flat[:, SMAP15.root, 3] > 0
        flat, solid = flat[found], solid[found]
        box = Letterbox.fit(sample.width, sample.height, self.input_size)
        # As their evaluation does it (lib/eval/convert.py): no half pixels.
        joints_2d = (flat[..., :2] - np.array(box.padding)) / box.scale
        seen = flat[..., 3] > 0
        return People(
            np.where(solid[..., 3:] > 0, solid[..., :3] / 100, np.nan),
            np.where(seen[..., None], joints_2d, np.nan),
            np.clip(flat[..., 3], 0, 1),
            seen,
            camera=sample.camera,
        )


class MatPredictions:
    """``preds_2d_kpt_mupots.mat`` and ``preds_3d_kpt_mupots.mat`` of the 3DMPPE release and those who follow it.

    One array per image ``TS1_img_000000``: people x 17 (or more) MuPoTS-3D joints x 2 pixels, and x 3 millimetres.

    Raises:
        DatasetError: one of the two files is missing or damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        from scipy.io import loadmat

        self.folder = Path(folder)
        try:
            self.flat, self.solid = (loadmat(self.folder / f"preds_{kind}_kpt_mupots.mat") for kind in ("2d", "3d"))
        except (OSError, ValueError, NotImplementedError) as error:
            raise DatasetError(
                f"{self.folder}: the folder must hold preds_2d_kpt_mupots.mat and 3d, got {error}"
            ) from error

    def __len__(self) -> int:
        return sum(not name.startswith("__") for name in self.solid)

    def get(self, sample: Sample) -> People | None:
        name = sample.name.replace("/", "_").removesuffix(".jpg")
        if name not in self.flat or name not in self.solid:
            return None
        flat, solid = (np.asarray(kind[name], np.float64) for kind in (self.flat, self.solid))
        flat = remap(flat.reshape(-1, *flat.shape[-2:])[:, :MUPOTS_JOINTS], MUCO)
        solid = remap(solid.reshape(-1, *solid.shape[-2:])[:, :MUPOTS_JOINTS], MUCO) / 1000
        flat[(flat == 0).all(-1)] = np.nan  # their mark of a joint that was not found
        seen = np.asarray(np.isfinite(flat).all(-1))
        joints = (solid.astype(np.float32), flat.astype(np.float32), seen.astype(np.float32))
        return People(*joints, seen, camera=sample.camera)


def _tail(path: str) -> str:
    return "/".join(str(path).replace("\\", "/").split("/")[-2:])


def open_predictions(path: str | Path) -> StoredPredictions | AuthorsPredictions | MatPredictions:
    """Predictions of any method: JSON Lines (``.jsonl``), the authors' ``.json``, or a folder with 3DMPPE's .mat files.

    Raises:
        FileNotFoundError: there is nothing at that path.
        DatasetError: it is none of these.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"predictions must be a file or folder, got {str(path)!r}")
    if path.is_dir():
        return MatPredictions(path)
    return AuthorsPredictions(path) if path.suffix == ".json" else StoredPredictions(path)
