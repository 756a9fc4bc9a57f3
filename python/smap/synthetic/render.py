"""Pictures of scenes with their truth, one at a time; ``renderer`` draws many."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..camera import Camera
from ..sample import Sample
from .assets import Assets
from .config import SceneConfig
from .plan import Plan, plan_scene
from .renderer import Renderer
from .sampling import sample_scene
from .scene import Scene


def render_scene(pack: Assets, config: SceneConfig, seed: int) -> Sample:
    """Draw one random scene: picture and exact truth. The same arguments give the same sample, bit for bit.

    Args:
        pack: a ``Pack`` or ``BuiltinPack``.
        config: what scenes look like; with ``config.window`` only that part of the full picture is rendered.
        seed: of everything random in the scene.

    Returns:
        ``image`` ``(h, w, 3)`` uint8; people near to far, those without a visible pixel left out; ``joints_3d`` metres
        in the camera frame; ``visibility`` 0 outside the picture, 1 behind somebody, something or more than 8 to 20 cm
        (by joint) of the own body, 2 otherwise. ``camera`` belongs to the rendered window. ``extra``: ``full_size``
        (width, height) of the full picture, whose width is the w of Eq. 1; ``window`` x0, y0, width, height in it, and
        ``content`` likewise, outside which bars are grey; ``pixels`` ``(P,)`` int64 visible pixels of each person in
        the window; ``avatars``, ``camera_height``, ``background``, ``seed``.
    """
    scene = sample_scene(pack, config, np.random.default_rng(seed))
    return draw_scene(pack, config, scene, name=f"scene {seed}", seed=seed)


def plan_random_scene(pack: Assets, config: SceneConfig, seed: int) -> Plan:
    """The plan of the scene that ``render_scene`` draws of the same arguments."""
    return plan_scene(pack, config, sample_scene(pack, config, np.random.default_rng(seed)))


def draw_scene(pack: Assets, config: SceneConfig, scene: Scene, *, name: str = "scene", seed: int = 0) -> Sample:
    """The picture and truth of a given scene; see ``render_scene``."""
    plan = plan_scene(pack, config, scene)
    drawn = _renderer(pack).draw(plan)
    x0, y0, width, height = scene.window
    full = scene.view.camera
    pixels = drawn.pixels.numpy()
    kept = np.flatnonzero(pixels)
    return Sample(
        drawn.images[0].numpy(),
        width,
        height,
        Camera(full.fx, full.fy, full.cx - x0, full.cy - y0),
        plan.project()[kept].astype(np.float32),
        plan.joints[kept].astype(np.float32),
        drawn.visibility.numpy()[kept],
        name=name,
        extra={
            "full_size": (config.width, config.height),
            "window": scene.window,
            "content": scene.content,
            "pixels": pixels[kept],
            "avatars": [scene.people[i].avatar for i in plan.people[kept]],
            "camera_height": scene.view.height,
            "background": scene.background,
            "seed": seed,
        },
    )


@lru_cache(maxsize=4)
def _renderer(pack: Assets) -> Renderer:
    """One for each pack: it keeps the backgrounds."""
    return Renderer(pack)
