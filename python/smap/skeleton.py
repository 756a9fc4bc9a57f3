"""Joints and limbs: the tree that every other part of the library receives as an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Skeleton:
    """A tree of joints (paper Sec. 3.1).

    Args:
        joints: names; a joint whose name starts with ``left_`` mirrors the one that starts with ``right_``.
        limbs: ``(parent, child)`` joint indices, listed from the root outwards: the first limb starts at the root and
            every parent is the root or the child of an earlier limb, so loops over limbs need no special case.
        limb_lengths: mean length of each limb in metres (``D_bone`` of Eq. 2).

    Raises:
        ValueError: the limbs are not a tree listed root outwards, or the lengths are not positive.
    """

    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    limb_lengths: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "joints", tuple(str(name) for name in self.joints))
        object.__setattr__(self, "limbs", tuple((int(a), int(b)) for a, b in self.limbs))
        object.__setattr__(self, "limb_lengths", tuple(float(length) for length in self.limb_lengths))
        if len(set(self.joints)) != len(self.joints) or not self.joints:
            raise ValueError(f"joints must be distinct names, at least one, got {self.joints}")
        if len(self.limbs) != len(self.joints) - 1:
            raise ValueError(f"limbs must number joints - 1 = {len(self.joints) - 1}, got {len(self.limbs)}")
        if not 0 <= self.root < len(self.joints):
            raise ValueError(f"limbs must begin at a joint, 0 to {len(self.joints) - 1}, got {self.root}")
        reached = {self.root}
        for parent, child in self.limbs:
            if parent not in reached or child in reached or not 0 <= child < len(self.joints):
                raise ValueError(f"limbs must form a tree listed from the root outwards, got {(parent, child)}")
            reached.add(child)
        if len(self.limb_lengths) != len(self.limbs) or not all(0 < x < float("inf") for x in self.limb_lengths):
            raise ValueError(f"limb_lengths must be one positive length (m) per limb, got {self.limb_lengths}")

    @property
    def num_joints(self) -> int:
        return len(self.joints)

    @property
    def num_limbs(self) -> int:
        return len(self.limbs)

    @property
    def root(self) -> int:
        """Joint index of the root (the pelvis)."""
        return self.limbs[0][0] if self.limbs else 0

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Parent joint of every joint, -1 for the root."""
        parents = [-1] * self.num_joints
        for parent, child in self.limbs:
            parents[child] = parent
        return tuple(parents)

    @cached_property
    def flipped_joints(self) -> tuple[int, ...]:
        """Joint index that takes each joint's place in a mirrored image."""
        swap = {"left_": "right_", "right_": "left_"}
        index = {name: i for i, name in enumerate(self.joints)}
        mirrored = []
        for i, name in enumerate(self.joints):
            for side, other in swap.items():
                if name.startswith(side):
                    mirrored.append(index.get(other + name.removeprefix(side), i))
                    break
            else:
                mirrored.append(i)
        return tuple(mirrored)

    @cached_property
    def flipped_limbs(self) -> tuple[int, ...]:
        """Limb index that takes each limb's place in a mirrored image.

        Raises:
            ValueError: a limb has no counterpart on the other side.
        """
        index = {limb: i for i, limb in enumerate(self.limbs)}
        flip = self.flipped_joints
        mirrored = [(flip[parent], flip[child]) for parent, child in self.limbs]
        for limb, other in zip(self.limbs, mirrored, strict=True):
            if other not in index:
                names = " to ".join(self.joints[joint] for joint in limb)
                raise ValueError(f"limbs must have a counterpart on the other side to be mirrored, got {names} alone")
        return tuple(index[limb] for limb in mirrored)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``from_dict`` inverts."""
        return {
            "joints": list(self.joints),
            "limbs": [list(limb) for limb in self.limbs],
            "limb_lengths": list(self.limb_lengths),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Skeleton:
        """What ``to_dict`` gives -> the skeleton. Raises: KeyError or ValueError when it is something else."""
        return cls(tuple(fields["joints"]), tuple(tuple(x) for x in fields["limbs"]), tuple(fields["limb_lengths"]))

    def __repr__(self) -> str:
        return f"Skeleton({self.num_joints} joints, {self.num_limbs} limbs, root {self.joints[self.root]!r})"


# The paper's skeleton. Joint order and mean lengths are the authors' (zju3dv/SMAP); their limbs 0 and 1 are listed in
# the other order and limb 1 points from the neck to the pelvis: here all run from the root outwards.
SMAP15 = Skeleton(
    joints=(
        "neck",
        "head_top",
        "pelvis",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "left_hip",
        "left_knee",
        "left_ankle",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
        "right_hip",
        "right_knee",
        "right_ankle",
    ),
    limbs=(
        (2, 0),
        (0, 1),
        (0, 9),
        (9, 10),
        (10, 11),
        (0, 3),
        (3, 4),
        (4, 5),
        (2, 12),
        (12, 13),
        (13, 14),
        (2, 6),
        (6, 7),
        (7, 8),
    ),
    limb_lengths=(
        0.4836980909,
        0.2642178982,
        0.1488291009,
        0.3128002332,
        0.23915707,
        0.1497674918,
        0.3128002549,
        0.2391570732,
        0.124644364,
        0.4826604433,
        0.3903553194,
        0.124644364,
        0.4819076948,
        0.3903553252,
    ),
)
