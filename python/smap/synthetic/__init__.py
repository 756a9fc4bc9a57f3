"""Random multi-person scenes with exact truth, for training and testing.

``render_scene(pack, config, seed)`` gives a ``Sample``; ``Pack.load`` reads a scene pack.
"""

from .pack import Pack
from .render import draw_scene, render_scene
from .scene import Scene, SceneConfig, sample_scene

__all__ = ["Pack", "Scene", "SceneConfig", "draw_scene", "render_scene", "sample_scene"]
