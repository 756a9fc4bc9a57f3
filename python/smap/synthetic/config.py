"""What random scenes look like."""

from __future__ import annotations

from dataclasses import dataclass

from .assets import Split


@dataclass(frozen=True)
class SceneConfig:
    """What scenes look like. Lengths in metres, angles in degrees; pairs are (least, most); shares are probabilities.

    Args:
        width, height: of the full picture, pixels.
        split: which people, motion clips and backgrounds to use; None for all.
        people: number of people placed.
        empty_share: pictures without people.
        depth: of the root in the camera frame.
        fov: field of view along the longer side of the picture.
        camera_height: above the ground.
        max_roll: camera roll.
        pair_share: people placed ``pair_distance`` from another one, half of them turned to each other.
        child_share, child_scale: children's share and their size relative to the adult avatar.
        build_sd: standard deviation of adults' uniform scale.
        pose_variety: people whose captured pose is changed: limbs turned at random; a fifth of them sit, a third bend,
            crouch, kick or reach, a few lie.
        headwear: people whose head is coloured like a cap or, some of them with the face, a helmet or a mask.
        lift_share: people who do not stand on the ground.
        clutter_share: pictures with objects in front of people.
        letterbox_share: full pictures that hold a picture of another shape between grey bars, as ``Letterbox`` lays it
            out: portraits, squares, 4:3 to 16:9.
        window: ``(width, height)`` of the part of the full picture that is rendered, or None for all of it. The camera
            keeps the focal length and gets a shifted centre; ``Sample.extra["full_size"]`` keeps w for Eq. 1.
        window_focus: share of windows around a person; the others lie anywhere.
        supersample: samples per pixel along each axis, 1 to 4.
        degrade: camera effects (blur, noise, JPEG, ...): 0 none, 1 as intended.

    Raises:
        ValueError: a value is out of its range.
    """

    width: int = 416
    height: int = 256
    split: Split | None = "train"
    people: tuple[int, int] = (1, 8)
    empty_share: float = 0.06
    depth: tuple[float, float] = (1.2, 12.0)
    fov: tuple[float, float] = (35.0, 95.0)
    camera_height: tuple[float, float] = (0.3, 4.0)
    max_roll: float = 8.0
    pair_share: float = 0.35
    pair_distance: tuple[float, float] = (0.35, 0.7)
    child_share: float = 0.15
    child_scale: tuple[float, float] = (0.55, 0.8)
    build_sd: float = 0.04
    pose_variety: float = 0.0
    headwear: float = 0.0
    lift_share: float = 0.03
    clutter_share: float = 0.35
    letterbox_share: float = 0.0
    window: tuple[int, int] | None = None
    window_focus: float = 0.72
    supersample: int = 2
    degrade: float = 1.0

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            if getattr(self, name) < 16:
                raise ValueError(f"{name} must be at least 16, got {getattr(self, name)}")
        for name in ("people", "depth", "fov", "camera_height", "pair_distance", "child_scale"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be (least, most), both positive, got {(low, high)}")
        if self.fov[1] >= 170:
            raise ValueError(f"fov must stay below 170 degrees, got {self.fov}")
        for name in (
            "empty_share",
            "pair_share",
            "child_share",
            "pose_variety",
            "headwear",
            "lift_share",
            "clutter_share",
            "letterbox_share",
            "window_focus",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if self.window is not None:
            w, h = self.window
            if not (16 <= w <= self.width and 16 <= h <= self.height):
                raise ValueError(f"window must fit into {self.width} x {self.height} pixels, got {self.window}")
        if not 1 <= self.supersample <= 4:
            raise ValueError(f"supersample must be 1 to 4, got {self.supersample}")
        if self.split not in (None, "train", "val"):
            raise ValueError(f"split must be 'train', 'val' or None, got {self.split!r}")
