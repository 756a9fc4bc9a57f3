"""The result: people in metres in the camera frame."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .skeleton import SMAP15, Skeleton


@dataclass(frozen=True, eq=False, repr=False)
class Person:
    """One row of ``People``: ``joints_3d (J, 3)``, ``joints_2d (J, 2)``, ``scores (J,)``, ``detected (J,)``."""

    joints_3d: NDArray[np.float32]
    joints_2d: NDArray[np.float32]
    scores: NDArray[np.float32]
    detected: NDArray[np.bool_]
    score: float
    id: int | None
    skeleton: Skeleton

    @property
    def root(self) -> NDArray[np.float32]:
        """``(3,)`` metres: the root joint, or NaN when it has no position."""
        return np.asarray(self.joints_3d[self.skeleton.root], np.float32)

    @property
    def depth(self) -> float:
        """Metres to the root, or to the first joint down the tree that has a position; infinite without any."""
        order = [self.skeleton.root, *(child for _, child in self.skeleton.limbs)]
        depths = self.joints_3d[order, 2]
        known = depths[np.isfinite(depths)]
        return float(known[0]) if len(known) else float("inf")

    def __repr__(self) -> str:
        x, y, z = self.root
        joints = f"{int(self.detected.sum())}/{len(self.detected)} joints"
        return f"Person({joints}, score {self.score:.2f}, root at ({x:.2f}, {y:.2f}, {z:.2f}) m)"


@dataclass(frozen=True, eq=False, repr=False)
class People:
    """Everyone in one image, near to far.

    Args:
        joints_3d: ``(P, J, 3)`` float32 metres in the camera frame (x right, y down, z forward); NaN where there is no
            position: joints that were not found, unless the refiner completed them.
        joints_2d: ``(P, J, 2)`` float32 image pixels, where the joints are seen; NaN likewise. Refined ``joints_3d``
            project near them, not onto them: farther off, the less the refiner believes in what was seen.
        scores: ``(P, J)`` float32 in [0, 1], height of the joint's heatmap peak, 0 where not detected.
        detected: ``(P, J)`` bool, the joint was seen in the heatmaps (False for a completed one).
        ids: ``(P,)`` int64 identities from a tracker, or None.
        skeleton: names the joints.
        camera: the intrinsics that the metres rest on.
        person_scores: ``(P,)`` float32 in [0, 1], how sure it is that somebody is there, ``Person.score``; by default
            the mean of the joints' scores, 0 where not detected. A refiner may know better (``RefineNet.judge``).

    Raises:
        ValueError: a shape does not fit the number of people or the skeleton; a person's score is not in [0, 1].
    """

    joints_3d: NDArray[np.float32]
    joints_2d: NDArray[np.float32]
    scores: NDArray[np.float32]
    detected: NDArray[np.bool_]
    ids: NDArray[np.int64] | None = None
    skeleton: Skeleton = SMAP15
    camera: Camera | None = None
    person_scores: NDArray[np.float32] = None  # type: ignore[assignment]  # never None afterwards

    def __post_init__(self) -> None:
        people, joints = len(self.joints_3d), self.skeleton.num_joints
        for name, shape, dtype in (
            ("joints_3d", (people, joints, 3), np.float32),
            ("joints_2d", (people, joints, 2), np.float32),
            ("scores", (people, joints), np.float32),
            ("detected", (people, joints), np.bool_),
            ("ids", (people,), np.int64),
            ("person_scores", (people,), np.float32),
        ):
            value = getattr(self, name)
            if name == "ids" and value is None:
                continue
            if name == "person_scores" and value is None:
                value = np.clip(np.nan_to_num(self.scores), 0, 1).mean(1)  # other methods' scores may be anything
            value = np.ascontiguousarray(value, dtype)
            if value.shape != shape:
                raise ValueError(f"{name} must be {shape}, got {value.shape}")
            if name == "person_scores" and not ((value >= 0) & (value <= 1)).all():
                raise ValueError(f"person_scores must be in [0, 1], got {value.min()} to {value.max()}")
            object.__setattr__(self, name, value)

    @classmethod
    def empty(cls, skeleton: Skeleton = SMAP15, camera: Camera | None = None) -> People:
        """Nobody."""
        joints = skeleton.num_joints
        return cls(
            np.zeros((0, joints, 3), np.float32),
            np.zeros((0, joints, 2), np.float32),
            np.zeros((0, joints), np.float32),
            np.zeros((0, joints), np.bool_),
            None,
            skeleton,
            camera,
        )

    def __len__(self) -> int:
        return len(self.joints_3d)

    def __getitem__(self, index: int) -> Person:
        if not isinstance(index, (int, np.integer)):
            raise TypeError(f"index of a person must be an integer (see select for several), got {index!r}")
        if not -len(self) <= index < len(self):
            raise IndexError(f"person must be below {len(self)}, got {index}")
        identity = None if self.ids is None else int(self.ids[index])
        return Person(
            self.joints_3d[index],
            self.joints_2d[index],
            self.scores[index],
            self.detected[index],
            float(self.person_scores[index]),
            identity,
            self.skeleton,
        )

    def __iter__(self) -> Iterator[Person]:
        return (self[i] for i in range(len(self)))

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> People:
        """These people only, such as ``people.select(people.person_scores > 0.8)``: a mask ``(P,)`` or indices."""
        per_person = ("joints_3d", "joints_2d", "scores", "detected", "ids", "person_scores")
        values = {name: getattr(self, name) for name in per_person}
        selected: dict[str, Any] = {k: None if value is None else value[rows] for k, value in values.items()}
        return replace(self, **selected)

    def to_json(self) -> str:
        """One JSON object; joints without a position and scores that are not finite are null. ``from_json`` inverts."""

        def rows(values: NDArray[Any], digits: int) -> list[Any]:
            finite = np.isfinite(values).all(-1)
            rounded = np.round(values.astype(np.float64), digits)
            return [rounded[i].tolist() if finite[i] else None for i in range(len(values))]

        people = [
            {
                **({} if p.id is None else {"id": p.id}),
                "score": round(p.score, 4),
                "joints_3d_m": rows(p.joints_3d, 5),
                "joints_2d_px": rows(p.joints_2d, 3),
                "scores": [
                    score if math.isfinite(score) else None
                    for score in np.round(p.scores.astype(np.float64), 4).tolist()
                ],
                "detected": p.detected.tolist(),
            }
            for p in self
        ]
        camera = self.camera and {name: getattr(self.camera, name) for name in ("fx", "fy", "cx", "cy")}
        return json.dumps(
            {
                "frame": "camera: x right, y down, z forward, metres",
                "camera_px": camera,
                "skeleton": self.skeleton.to_dict(),
                "people": people,
            },
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> People:
        """Inverse of ``to_json``, to the printed digits (0.01 mm, 0.001 px).

        Raises:
            ValueError: the text is not such an object.
        """
        try:
            data = json.loads(text)
            skeleton = Skeleton.from_dict(data["skeleton"])
            camera = Camera(**data["camera_px"]) if data["camera_px"] else None
            people, joints = data["people"], skeleton.num_joints

            def rows(key: str, width: int) -> NDArray[np.float32]:
                table = np.full((len(people), joints, width), np.nan, np.float32)
                for i, person in enumerate(people):
                    for j, row in enumerate(person[key]):
                        if row is not None:
                            table[i, j] = row
                return table

            return cls(
                rows("joints_3d_m", 3),
                rows("joints_2d_px", 2),
                np.array([p["scores"] for p in people], np.float32).reshape(len(people), joints),
                np.array([p["detected"] for p in people], np.bool_).reshape(len(people), joints),
                np.array([p["id"] for p in people], np.int64) if people and "id" in people[0] else None,
                skeleton,
                camera,
                **person_scores_of(people),
            )
        except (KeyError, TypeError, IndexError, ValueError) as error:
            found = str(text)[:80]
            raise ValueError(f"text must be JSON written by People.to_json, got {found!r} ({error})") from error

    def to_coco(self, image_id: int = 0, category_id: int = 1) -> list[dict[str, Any]]:
        """COCO result records: this skeleton's joints as x, y, v (v = 2 detected, 1 completed, 0 none) and a score."""
        records = []
        for p in self:
            known = np.asarray(np.isfinite(p.joints_2d).all(-1))
            v = np.where(known, np.where(p.detected, 2, 1), 0)
            xyv = np.concatenate([np.where(known[:, None], p.joints_2d, 0), v[:, None]], -1)
            record = {
                "image_id": image_id,
                "category_id": category_id,
                "keypoints": np.round(xyv.astype(np.float64), 3).ravel().tolist(),
                "score": p.score,
            }
            records.append(record)
        return records

    def __repr__(self) -> str:
        return f"People({len(self)}: {', '.join(map(repr, self))})"


def person_scores_of(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``person_scores`` as a keyword of ``People``, when all records, one of each person, have a ``score``."""
    if not all("score" in record for record in records):
        return {}
    return {"person_scores": np.array([record["score"] for record in records], np.float32)}
