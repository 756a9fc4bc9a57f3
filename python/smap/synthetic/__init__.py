"""Random multi-person scenes with exact truth, for training and testing.

``render_scene(pack, config, seed)`` gives a ``Sample``; ``Renderer(pack, device).draw`` draws many at a time, of plans
that ``plan_random_scene`` makes elsewhere and ``Plan.join`` puts together. ``Pack.load`` reads a scene pack;
``BuiltinPack()`` needs no files. ``preview`` draws a contact sheet, ``write_dataset`` a data set for any trainer.
"""

from .build import build_pack
from .builtin import BuiltinPack
from .config import SceneConfig
from .dataset import write_dataset
from .pack import Pack
from .plan import Plan, plan_scene
from .preview import preview
from .render import draw_scene, plan_random_scene, render_scene
from .renderer import Rendered, Renderer
from .sampling import sample_scene
from .scene import Scene

__all__ = [
    "BuiltinPack",
    "Pack",
    "Plan",
    "Rendered",
    "Renderer",
    "Scene",
    "SceneConfig",
    "build_pack",
    "draw_scene",
    "plan_random_scene",
    "plan_scene",
    "preview",
    "render_scene",
    "sample_scene",
    "write_dataset",
]
