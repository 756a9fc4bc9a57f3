"""Every person in one image, in metres, in one network pass (SMAP, ECCV 2020)."""

from .camera import Camera
from .errors import BuildError, DatasetError, WeightsError
from .letterbox import Letterbox
from .maps import Maps
from .people import People, Person
from .sample import Sample
from .skeleton import SMAP15, Skeleton

__version__ = "0.1.0"

__all__ = [
    "SMAP15",
    "BuildError",
    "Camera",
    "DatasetError",
    "Letterbox",
    "Maps",
    "People",
    "Person",
    "Sample",
    "Skeleton",
    "WeightsError",
]
