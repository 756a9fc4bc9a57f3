"""Any humanoid skeleton on the 22 bones of ``BONES``: names, missing bones, and the T-pose."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .assets import BONES

Array = NDArray[np.float64]

# Names that tools give to bones, by preference; compared without case, punctuation and tool prefixes.
_MIDDLE = {
    "Hips": ("hips", "pelvis", "hip"),
    "Spine": ("spine", "spine01", "spine001", "abdomen"),
    "Spine1": ("spine1", "spine02", "spine002", "chest"),
    "Spine2": ("spine2", "spine03", "spine003", "upperchest", "chest2"),
    "Neck": ("neck", "neck01", "neck1"),
    "Head": ("head",),
}
_SIDED = {
    "Shoulder": ("shoulder", "clavicle", "collar"),
    "Arm": ("arm", "upperarm", "uparm"),
    "ForeArm": ("forearm", "lowerarm", "lowarm"),
    "Hand": ("hand", "wrist"),
    "UpLeg": ("upleg", "upperleg", "thigh"),
    "Leg": ("leg", "lowerleg", "lowleg", "calf", "shin"),
    "Foot": ("foot", "ankle"),
    "ToeBase": ("toebase", "toe", "toes", "ball"),
}
_PREFIX = re.compile(r"^(mixamorig\d*|armature|jbipc?|jbip|bip0?0?1|valvebiped|def|cc_base|ccbase)")
_OPTIONAL = {"Spine", "Spine1", "Spine2", "Neck"} | {
    f"{side}{bone}" for side in ("Left", "Right") for bone in ("Shoulder", "ToeBase")
}


def plain_name(name: str) -> str:
    """``mixamorig:LeftUpLeg``, ``J_Bip_L_UpperLeg``, ``thigh.L`` -> ``leftupleg``, ``lupperleg``, ``thighl``."""
    name = re.split(r"[:|]", name)[-1]
    return _PREFIX.sub("", re.sub(r"[^a-z0-9]", "", name.lower()))


def find_bones(names: Sequence[str]) -> dict[str, int]:
    """Which of ``names`` is which of ``BONES``; those without a counterpart are left out."""
    where: dict[str, int] = {}
    for i, name in enumerate(names):
        where.setdefault(plain_name(name), i)
    found = {}
    for bone in BONES:
        side = next((s for s in ("Left", "Right") if bone.startswith(s)), "")
        if side:
            stems = _SIDED[bone.removeprefix(side)]
            mark, word = side[0].lower(), side.lower()
            options = [form for s in stems for form in (word + s, s + word, mark + s, s + mark)]
        else:
            options = list(_MIDDLE[bone])
        match = next((where[option] for option in options if option in where), None)
        if match is not None:
            found[bone] = match
    return found


def missing_bones(found: dict[str, int]) -> list[str]:
    """Bones that cannot be done without."""
    return [bone for bone in BONES if bone not in found and bone not in _OPTIONAL]


def fill_positions(known: dict[str, Array]) -> Array:
    """``(22, 3)``: positions of all bones; optional ones that are missing lie where a body has them."""
    at = dict(known)
    hips = at["Hips"]
    if "Neck" not in at:
        shoulders = (at["LeftArm"] + at["RightArm"]) / 2
        at["Neck"] = shoulders + 0.25 * (at["Head"] - shoulders)
    for bone, share in (("Spine", 0.1), ("Spine1", 0.3), ("Spine2", 0.5)):
        at.setdefault(bone, hips + share * (at["Neck"] - hips))
    for side in ("Left", "Right"):
        at.setdefault(f"{side}Shoulder", at["Neck"] + 0.25 * (at[f"{side}Arm"] - at["Neck"]))
        foot, shin = at[f"{side}Foot"], np.linalg.norm(at[f"{side}Foot"] - at[f"{side}Leg"])
        at.setdefault(f"{side}ToeBase", foot + np.array([0.0, -0.15, 0.3]) * shin)
    return np.array([at[bone] for bone in BONES])


def turn_onto(source: Array, target: Array) -> Array:
    """The smallest rotation ``(3, 3)`` that takes one direction to another."""
    a, b = source / np.linalg.norm(source), target / np.linalg.norm(target)
    axis, cosine = np.cross(a, b), float(a @ b)
    if cosine < -0.999999:  # opposite: half a turn about any axis across
        across = np.cross(a, [1.0, 0, 0] if abs(a[0]) < 0.9 else [0, 1.0, 0])
        across /= np.linalg.norm(across)
        return np.asarray(2 * np.outer(across, across) - np.eye(3))
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + k + k @ k / (1 + cosine))


# Where the limbs of a T-pose point; the trunk stays as a model has it.
_POINTING = {
    "Arm": ("ForeArm", np.array([1.0, 0, 0])),
    "ForeArm": ("Hand", np.array([1.0, 0, 0])),
    "UpLeg": ("Leg", np.array([0.0, -1, 0])),
    "Leg": ("Foot", np.array([0.0, -1, 0])),
}


def to_t_pose(positions: Array) -> Array:
    """Rotations ``(22, 3, 3)`` that take a rest pose facing +Z to the T-pose, as ``body.pose_bones`` uses them.

    Arms turn to the sides and legs straight down; hands follow their forearm, feet stay level.
    """
    out = np.tile(np.eye(3), (len(BONES), 1, 1))
    index = {bone: i for i, bone in enumerate(BONES)}
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        for bone, (child, direction) in _POINTING.items():
            along = positions[index[side + child]] - positions[index[side + bone]]
            out[index[side + bone]] = turn_onto(along, direction * np.array([sign, 1, 1]))
        out[index[f"{side}Hand"]] = out[index[f"{side}ForeArm"]]
    return out


def facing(positions: Array) -> float:
    """Angle about Y, radians, from +Z to where a body looks."""
    left = positions[BONES.index("LeftUpLeg")] - positions[BONES.index("RightUpLeg")]
    return float(np.arctan2(-left[2], left[0]))
