"""The compiled ops, one module each: wrapper, fake, gradient and a slow ``reference()`` that says what is meant."""

from ._library import HAS_CUDA, LIBRARIES
from .associate import associate
from .back_project import back_project
from .backdrop import backdrop
from .find_peaks import find_peaks
from .make_targets import Targets, make_targets
from .place_joints import place_joints
from .rasterize import rasterize
from .read_limb_depths import read_limb_depths
from .score_limbs import score_limbs
from .shade import shade
from .skin import skin
from .winograd_conv import winograd_conv

__all__ = [
    "HAS_CUDA",
    "LIBRARIES",
    "Targets",
    "associate",
    "back_project",
    "backdrop",
    "find_peaks",
    "make_targets",
    "place_joints",
    "rasterize",
    "read_limb_depths",
    "score_limbs",
    "shade",
    "skin",
    "winograd_conv",
]
