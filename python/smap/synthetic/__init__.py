"""Random multi-person scenes with exact truth, for training and testing.

``render_scene(pack, config, seed)`` gives a ``Sample``. ``Pack.load`` reads a scene pack; ``BuiltinPack()`` needs no
files. ``preview`` draws a contact sheet, ``write_dataset`` a data set for any trainer.
"""

from .build import build_pack
from .builtin import BuiltinPack
from .config import SceneConfig
from .dataset import write_dataset
from .pack import Pack
from .preview import preview
from .render import draw_scene, render_scene
from .sampling import sample_scene
from .scene import Scene

__all__ = [
    "BuiltinPack",
    "Pack",
    "Scene",
    "SceneConfig",
    "build_pack",
    "draw_scene",
    "preview",
    "render_scene",
    "sample_scene",
    "write_dataset",
]
