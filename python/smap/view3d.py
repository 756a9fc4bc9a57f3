"""People seen from another place: the scene in metres with the camera and a ground grid, as a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .canvas import (
    Colour,
    Image,
    draw_disc,
    draw_line,
    draw_text,
    joint_colours,
    label,
    limb_colours,
    placed,
)
from .people import People, Person

Points = NDArray[np.float64]

BACKDROP: Colour = (24, 27, 34)
GRID: Colour = (58, 64, 76)
GRID_STRONG: Colour = (92, 100, 116)  # every fifth metre
SHADOW: Colour = (40, 44, 54)
FRUSTUM: Colour = (235, 205, 90)
CAMERA_HEIGHT = 1.5  # m above the ground when nobody's feet say better
FRUSTUM_DEPTH = 0.7  # m
NEAR = 0.05  # m: what is closer to the viewer is cut off


@dataclass(frozen=True)
class View:
    """A pinhole that circles a point of the scene.

    Args:
        azimuth: degrees to the right of the camera's own line of sight from which the scene is seen; 90 is the side.
        elevation: degrees above the horizon; 90 looks straight down.
        size: ``(width, height)`` of the picture.
        fov: vertical field of view in degrees.
    """

    azimuth: float = 35.0
    elevation: float = 28.0
    size: tuple[int, int] = (960, 720)
    fov: float = 38.0

    def __post_init__(self) -> None:
        if min(self.size) < 16:
            raise ValueError(f"size must be at least 16 pixels either way, got {self.size}")
        if not -90 <= self.elevation <= 90:
            raise ValueError(f"elevation must be between -90 and 90 degrees, got {self.elevation}")
        if not math.isfinite(self.azimuth):
            raise ValueError(f"azimuth must be finite, got {self.azimuth}")
        if not 1 <= self.fov <= 120:
            raise ValueError(f"fov must be between 1 and 120 degrees, got {self.fov}")

    @property
    def rotation(self) -> Points:
        """Camera frame -> viewer frame, ``(3, 3)``; both x right, y down, z forward."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        turn = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
        tilt = np.array([[1, 0, 0], [0, math.cos(e), -math.sin(e)], [0, math.sin(e), math.cos(e)]])
        return np.asarray(tilt @ turn)

    @property
    def focal(self) -> float:
        """Pixels."""
        return self.size[1] / 2 / math.tan(math.radians(self.fov) / 2)


class Viewer:
    """Projects the camera frame's metres into the picture of a ``View`` placed so that ``points`` fit into it."""

    def __init__(self, view: View, points: Points) -> None:
        self.view, self.rotation = view, view.rotation
        turned = points @ self.rotation.T
        centre = (turned.min(0) + turned.max(0)) / 2
        half = np.array(view.size) / 2 * 0.9  # a margin for labels
        offset = turned - centre
        # |x| f / (z + d) <= half for every point: the nearest distance d that shows them all.
        needed = np.abs(offset[:, :2]) * view.focal / half - offset[:, 2:]
        self.origin = centre - np.array([0, 0, max(float(needed.max()), 1.0)])

    def depth(self, points: Points) -> Points:
        return np.asarray((points @ self.rotation.T - self.origin)[..., 2])

    def pixels(self, points: Points) -> Points:
        p = points @ self.rotation.T - self.origin
        z = np.maximum(p[..., 2:], NEAR)
        return np.asarray(p[..., :2] / z * self.view.focal + (np.array(self.view.size) - 1) / 2)

    def segment(self, a: Points, b: Points) -> tuple[Points, Points] | None:
        """Both ends in pixels, cut off in front of the viewer; None when nothing is left."""
        za, zb = float(self.depth(a)), float(self.depth(b))
        if max(za, zb) <= NEAR:
            return None
        if za < NEAR:
            a = b + (a - b) * (zb - NEAR) / (zb - za)
        elif zb < NEAR:
            b = a + (b - a) * (za - NEAR) / (za - zb)
        return self.pixels(a), self.pixels(b)


def render(people: People, camera: Camera | None = None, *, view: View | None = None) -> Image:
    """Draw people, ground grid and camera from ``view``.

    The grid has squares of 1 m, stronger every 5 m, and lies at the lowest joint: the picture does not say how the
    camera was tilted, so it is parallel to the camera's x and z. Grey lines drop from the roots to it.

    Args:
        people: metres in the camera frame; joints without a position (NaN) are left out.
        camera: whose frustum is drawn; default: that of the people, else 60 degrees wide.
        view: where to look from.

    Returns:
        ``(height, width, 3)`` uint8 RGB.
    """
    view = view or View()
    canvas = np.full((view.size[1], view.size[0], 3), BACKDROP, np.uint8)
    joints = people.joints_3d[placed(people.joints_3d)].astype(np.float64)
    floor = float(joints[:, 1].max()) + 0.05 if len(joints) else CAMERA_HEIGHT
    frustum = frustum_corners(camera or people.camera)
    low, high = grid_extent(np.concatenate([joints, frustum, np.zeros((1, 3))]))
    corners = np.array([[x, floor, z] for x in (low[0], high[0]) for z in (low[1], high[1])], np.float64)
    viewer = Viewer(view, np.concatenate([joints, frustum, corners]))
    draw_grid(canvas, viewer, low, high, floor)
    for person in people:
        draw_shadow(canvas, viewer, person, floor)
    draw_frustum(canvas, viewer, frustum)
    somewhere = [person for person in people if placed(person.joints_3d).any()]
    for person in sorted(somewhere, key=lambda p: -float(np.nanmean(viewer.depth(p.joints_3d.astype(np.float64))))):
        draw_person(canvas, viewer, person)
    return canvas


def frustum_corners(camera: Camera | None) -> Points:
    """``(5, 3)`` metres: apex, then the corners of the picture at ``FRUSTUM_DEPTH``, clockwise from the upper left."""
    camera = camera or Camera.from_fov(640, 480, 60)
    # The centre is in the middle of the picture, near enough for a sign that says where the camera looks.
    x, y = (camera.cx + 0.5) / camera.fx * FRUSTUM_DEPTH, (camera.cy + 0.5) / camera.fy * FRUSTUM_DEPTH
    return np.array([[0, 0, 0], *([sx * x, sy * y, FRUSTUM_DEPTH] for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1)))])


def grid_extent(points: Points) -> tuple[tuple[int, int], tuple[int, int]]:
    """Whole metres ``(x, z)`` below and above everything, with half a metre to spare."""
    low = np.floor(points[:, [0, 2]].min(0) - 0.5)
    high = np.ceil(points[:, [0, 2]].max(0) + 0.5)
    return (int(low[0]), max(0, int(low[1]))), (int(high[0]), int(high[1]))


def draw_grid(canvas: Image, viewer: Viewer, low: tuple[int, int], high: tuple[int, int], floor: float) -> None:
    step = max(1, (max(high[0] - low[0], high[1] - low[1]) + 59) // 60)  # a far stray person must not cost a second
    lines = [((x, low[1]), (x, high[1]), x) for x in range(low[0], high[0] + 1, step)]
    lines += [((low[0], z), (high[0], z), z) for z in range(low[1], high[1] + 1, step)]
    for strong in (False, True):
        for (xa, za), (xb, zb), metre in lines:
            ends = viewer.segment(np.array([xa, floor, za], np.float64), np.array([xb, floor, zb], np.float64))
            if ends and (metre % (5 * step) == 0) == strong:
                draw_line(canvas, *ends, GRID_STRONG if strong else GRID)
    size = max(9, canvas.shape[0] // 50)
    for z in range(low[1], high[1] + 1, step):
        if z % (5 * step) == 0 and z > 0:
            place = np.array([high[0], floor, z], np.float64)
            if float(viewer.depth(place)) > NEAR:
                draw_text(canvas, f"{z} m", viewer.pixels(place) + 4, size, box=False)


def draw_shadow(canvas: Image, viewer: Viewer, person: Person, floor: float) -> None:
    points = person.joints_3d.astype(np.float64)
    known = placed(points)
    flat = points * (1, 0, 1) + (0, floor, 0)
    for a, b in person.skeleton.limbs:
        ends = viewer.segment(flat[a], flat[b]) if known[a] and known[b] else None
        if ends:
            draw_line(canvas, *ends, SHADOW, 3)
    root = person.skeleton.root
    if known[root] and (ends := viewer.segment(points[root], flat[root])):
        draw_line(canvas, *ends, GRID_STRONG)
        draw_disc(canvas, ends[1], 3, GRID_STRONG)


def draw_frustum(canvas: Image, viewer: Viewer, corners: Points) -> None:
    apex, frame = corners[0], corners[1:]
    edges = [(apex, corner) for corner in frame] + [(frame[i], frame[(i + 1) % 4]) for i in range(4)]
    for a, b in edges:
        if ends := viewer.segment(a, b):
            draw_line(canvas, *ends, FRUSTUM, 2)
    if float(viewer.depth(apex)) > NEAR:
        draw_text(canvas, "camera", viewer.pixels(apex) + np.array([6, 14]), max(9, canvas.shape[0] // 55), box=False)


def draw_person(canvas: Image, viewer: Viewer, person: Person) -> None:
    points = person.joints_3d.astype(np.float64)
    known = placed(points)
    width = int(np.clip(viewer.view.focal / max(float(np.nanmean(viewer.depth(points))), NEAR) * 0.035, 1, 10))
    colours = joint_colours(person.skeleton)
    segments = []
    for (a, b), colour in zip(person.skeleton.limbs, limb_colours(person.skeleton), strict=True):
        if known[a] and known[b] and (ends := viewer.segment(points[a], points[b])):
            seen = bool(person.detected[a] and person.detected[b])
            segments.append((float(viewer.depth((points[a] + points[b]) / 2)), ends, colour, seen))
    for _, ends, colour, seen in sorted(segments, key=lambda s: -s[0]):
        thick = width if seen else max(1, width // 2)
        draw_line(canvas, *ends, BACKDROP, thick + 2)
        draw_line(canvas, *ends, colour, thick)
    for joint in sorted(np.flatnonzero(known), key=lambda j: -float(viewer.depth(points[j]))):
        if float(viewer.depth(points[joint])) > NEAR:
            outline = -1 if person.detected[joint] else max(1, width // 3)
            draw_disc(canvas, viewer.pixels(points[joint]), width * 0.8 + 0.5, colours[joint], outline)
    top = points[known][points[known][:, 1].argmin()]
    text = label(person)
    size = max(9, canvas.shape[0] // 50)
    place = viewer.pixels(top) - (0.3 * size * len(text), 0.8 * size + width)
    draw_text(canvas, text, place, size)
