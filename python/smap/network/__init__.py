"""The networks: maps from pictures (``Hourglass``), and what reads, writes and runs them."""

from .adapt import adapt_normalisation
from .config import STRIDE, NetworkConfig
from .hourglass import ROOT_LOG_OFFSET, ROOT_LOG_SCALE, Hourglass, RawMaps
from .inference import PreparedNetwork, computes_bfloat16, default_dtype, find_device, fold, prepare
from .mirror import MirroredNetwork
from .normalise import IMAGE_MEAN, IMAGE_STD, normalise
from .refine import Judged, RefineNet, RefinerConfig
from .weights import convert, load_network, load_refiner, read_notes, save_network, save_refiner

__all__ = [
    "IMAGE_MEAN",
    "IMAGE_STD",
    "ROOT_LOG_OFFSET",
    "ROOT_LOG_SCALE",
    "STRIDE",
    "Hourglass",
    "Judged",
    "MirroredNetwork",
    "NetworkConfig",
    "PreparedNetwork",
    "RawMaps",
    "RefineNet",
    "RefinerConfig",
    "adapt_normalisation",
    "computes_bfloat16",
    "convert",
    "default_dtype",
    "find_device",
    "fold",
    "load_network",
    "load_refiner",
    "normalise",
    "prepare",
    "read_notes",
    "save_network",
    "save_refiner",
]
