"""Identities over time: people of one frame matched to those of the frames before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from .people import People, Person

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrackingConfig:
    """When two sightings are one person.

    Args:
        max_cost: sum of the image distance in person heights and of ``depth_weight`` times the difference of the
            logarithms of depth; pairs above are never matched.
        depth_weight: what a doubled depth costs, relative to a step of one's own height in the image: people who cross
            in the image keep their identity by depth.
        max_missed: frames without a sighting before an identity ends.
        memory: share of the old velocity that is kept at each sighting, in [0, 1).

    Raises:
        ValueError: a value is out of its range.
    """

    max_cost: float = 0.6
    depth_weight: float = 0.7
    max_missed: int = 15
    memory: float = 0.6

    def __post_init__(self) -> None:
        if not (self.max_cost > 0 and self.depth_weight >= 0 and self.max_missed >= 0 and 0 <= self.memory < 1):
            raise ValueError(
                f"max_cost must be positive, depth_weight and max_missed at least 0, memory in [0, 1), got {self}"
            )


@dataclass(frozen=True, eq=False)
class Track:
    """One identity: where its joints were last, and how they moved.

    ``xy`` ``(J, 2)`` image pixels, NaN where never seen; ``log_depth`` of the root; ``velocity`` ``(2,)`` pixels per
    frame of the whole body; ``height`` in pixels.
    """

    id: int
    xy: Floats
    log_depth: float
    velocity: Floats
    height: float
    missed: int = 0


class Tracker:
    """Gives people identities, frame by frame: ``people = tracker.update(estimator.predict(frame))``.

    Each frame is matched to the moving predictions of all identities at once (optimal assignment), by image position
    relative to body size and by depth.
    """

    def __init__(self, config: TrackingConfig = TrackingConfig()) -> None:
        self.config = config
        self.tracks: list[Track] = []
        self._next = 0

    def update(self, people: People) -> People:
        """The same people with ``ids``; new ones count up from 0 and are never given twice."""
        moved = [replace(track, xy=track.xy + track.velocity) for track in self.tracks]
        costs = np.array([[self._cost(track, person) for track in moved] for person in people])
        costs = costs.reshape(len(people), len(moved))
        # A refused pair costs more than any number of accepted ones, so it is taken only where nothing else is left.
        refused = costs > self.config.max_cost
        rows, columns = linear_sum_assignment(np.where(refused, 1e6, costs))
        matches = {int(r): int(c) for r, c in zip(rows, columns, strict=True) if not refused[r, c]}

        ids = np.empty(len(people), np.int64)
        seen: list[Track] = []
        for row, person in enumerate(people):
            if row in matches:
                track = self._moved_to(self.tracks[matches[row]], person)
            else:
                track = Track(self._next, _positions(person), _log_depth(person), np.zeros(2), _height(person))
                self._next += 1
            ids[row] = track.id
            seen.append(track)
        unseen = [replace(t, missed=t.missed + 1) for i, t in enumerate(moved) if i not in matches.values()]
        self.tracks = seen + [track for track in unseen if track.missed <= self.config.max_missed]
        return replace(people, ids=ids)

    def _cost(self, track: Track, person: Person) -> float:
        distance = np.linalg.norm(track.xy - _positions(person), axis=-1)
        known = np.isfinite(distance)
        if not known.any():
            return float("inf")
        image = float(np.median(distance[known])) / max(track.height, _height(person), 1.0)
        depth = abs(track.log_depth - _log_depth(person)) / np.log(2)
        return image + self.config.depth_weight * (float(depth) if np.isfinite(depth) else 0.0)

    def _moved_to(self, track: Track, person: Person) -> Track:
        xy, frames = _positions(person), track.missed + 1
        # While unseen, the track's own position went on with its velocity; step back to where it was seen.
        step = xy - (track.xy - track.velocity * track.missed)
        known = np.isfinite(step).all(-1)
        velocity = np.median(step[known], axis=0) / frames if known.any() else track.velocity
        velocity = self.config.memory * track.velocity + (1 - self.config.memory) * velocity
        depth = _log_depth(person)
        return Track(
            track.id,
            np.where(np.isfinite(xy), xy, track.xy + track.velocity),  # what is hidden now goes on with the body
            depth if np.isfinite(depth) else track.log_depth,
            velocity,
            _height(person),
        )


class Smoother:
    """Steadies tracked joints without making them lag: the 1 Euro filter (Casiez et al., CHI 2012), per coordinate.

    Args:
        rate: frames per second.
        cutoff: hertz, of a joint at rest: lower is steadier.
        gain: how much the cutoff rises with speed, hertz per metre a second: higher lags less.

    Raises:
        ValueError: a value is not positive.
    """

    def __init__(self, rate: float, cutoff: float = 1.0, gain: float = 3.0) -> None:
        if not (rate > 0 and cutoff > 0 and gain > 0):
            raise ValueError(f"rate, cutoff and gain must be positive, got {rate}, {cutoff} and {gain}")
        self.rate, self.cutoff, self.gain = rate, cutoff, gain
        self._state: dict[int, tuple[Floats, Floats]] = {}  # id -> joints, metres; velocity, metres a second

    def update(self, people: People) -> People:
        """The same people with steadier ``joints_3d``; image positions stay as seen.

        Raises:
            ValueError: the people have no identities.
        """
        if people.ids is None:
            raise ValueError("people must have identities to be smoothed, got none: Tracker.update gives them")
        joints = people.joints_3d.astype(np.float64)
        state = {}
        for row, identity in enumerate(people.ids.tolist()):
            raw = joints[row]
            if identity in self._state:
                last, speed = self._state[identity]
                new = np.isfinite(raw) & ~np.isfinite(last)
                last = np.where(new, raw, last)
                change = np.nan_to_num((raw - last) * self.rate)
                speed = speed + self._share(1.0) * (change - speed)
                pace = np.linalg.norm(speed, axis=-1, keepdims=True)
                joints[row] = last + self._share(self.cutoff + self.gain * pace) * (raw - last)
            else:
                speed = np.zeros_like(raw)
            state[identity] = (np.where(np.isfinite(joints[row]), joints[row], np.nan), speed)
        # Those not seen now are forgotten: after a gap the old position would only pull.
        self._state = state
        return replace(people, joints_3d=joints.astype(np.float32))

    def _share(self, cutoff: float | Floats) -> float | Floats:
        """Weight of the new value of a low-pass filter."""
        return 1 / (1 + self.rate / (2 * np.pi * cutoff))


def _positions(person: Person) -> Floats:
    return person.joints_2d.astype(np.float64)


def _height(person: Person) -> float:
    """Diagonal of the box around the joints, pixels."""
    xy = _positions(person)
    xy = xy[np.isfinite(xy).all(-1)]
    return float(np.linalg.norm(np.ptp(xy, axis=0))) if len(xy) else 0.0


def _log_depth(person: Person) -> float:
    depth = person.depth
    return float(np.log(depth)) if depth > 0 else float("nan")
