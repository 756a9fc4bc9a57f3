from __future__ import annotations

import numpy as np
import pytest

from smap import SMAP15, Camera, People
from smap.canvas import LEFT, RIGHT, label
from smap.draw import contact_sheet, overlay
from smap.view3d import View, Viewer, render

CAMERA = Camera.from_fov(320, 240, 60)
POSE = np.array(  # a standing person facing the camera; metres from the pelvis
    [
        *([0.0, -0.48, 0.0], [0.0, -0.75, 0.0], [0.0, 0.0, 0.0]),
        *(
            [0.16, -0.47, 0.0],
            [0.26, -0.2, 0.0],
            [0.3, 0.05, 0.0],
            [0.1, 0.02, 0.0],
            [0.1, 0.45, 0.0],
            [0.1, 0.85, 0.0],
        ),
        *([-0.16, -0.47, 0.0], [-0.26, -0.2, 0.0], [-0.3, 0.05, 0.0]),
        *([-0.1, 0.02, 0.0], [-0.1, 0.45, 0.0], [-0.1, 0.85, 0.0]),
    ]
)
AHEAD = np.array([0.0, 0.0, 3.0])


def people_at(*roots: tuple[float, float, float], **fields: object) -> People:
    joints = np.array([POSE + root for root in roots], np.float32).reshape(-1, 15, 3)
    seen = np.ones(joints.shape[:2], bool)
    values = {"joints_3d": joints, "joints_2d": CAMERA.project(joints), "scores": seen, "detected": seen}
    return People(**(values | fields), camera=CAMERA)  # type: ignore[arg-type]


def grey(width: int = 320, height: int = 240) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def test_overlay_colours_the_sides_and_leaves_its_input() -> None:
    people, image = people_at((0, 0, 3)), grey()
    drawn = overlay(image, people)
    assert (image == 128).all()
    for joint, colour in (("left_knee", LEFT), ("right_knee", RIGHT)):
        x, y = np.rint(people[0].joints_2d[SMAP15.joints.index(joint)]).astype(int)
        assert tuple(drawn[y, x]) == colour


def test_overlay_keeps_to_the_people() -> None:
    people = people_at((0, 0, 3))
    changed = np.argwhere((overlay(grey(), people, labels=False) != 128).any(-1))[:, ::-1]
    low, high = people.joints_2d[0].min(0) - 8, people.joints_2d[0].max(0) + 8
    assert len(changed) and (changed >= low).all() and (changed <= high).all()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_nearer_people_cover_farther_ones(order: tuple[int, int]) -> None:
    # Mirrored twins on one place of the image: the nearer one's left arm hides the farther one's right.
    near, far = POSE * 1.0 + (0, 0, 2), POSE * (-1, 1, 1) * 2 + (0, 0, 4)
    joints = np.array([near, far], np.float32)[list(order)]
    people = people_at((0, 0, 2), (0, 0, 4), joints_3d=joints, joints_2d=CAMERA.project(joints))
    x, y = np.rint(CAMERA.project(near)[SMAP15.joints.index("left_elbow")]).astype(int)
    assert tuple(overlay(grey(), people)[y, x]) == LEFT


def test_completed_joints_are_hollow() -> None:
    knee = SMAP15.joints.index("left_knee")
    detected = np.ones((1, 15), bool)
    detected[0, knee] = False
    people = people_at((0, 0, 3), detected=detected, joints_2d=CAMERA.project(POSE + AHEAD)[None] * 3)
    x, y = np.rint(people[0].joints_2d[knee]).astype(int)
    drawn = overlay(grey(960, 720), people, labels=False)
    assert tuple(drawn[y, x]) != LEFT
    assert (drawn[y - 6 : y + 7, x - 6 : x + 7] == LEFT).all(-1).any()


def test_joints_without_a_position_are_left_out() -> None:
    people = people_at((0, 0, 3), joints_2d=np.full((1, 15, 2), np.nan), joints_3d=np.full((1, 15, 3), np.nan))
    assert (overlay(grey(), people) == 128).all()
    assert people[0].depth == np.inf
    assert render(people).shape == (720, 960, 3)


def test_positions_far_outside_do_no_harm() -> None:
    joints = CAMERA.project(POSE + AHEAD)[None]
    joints[0, 8] = (1e12, -1e12)
    assert (overlay(grey(), people_at((0, 0, 3), joints_2d=joints)) != 128).any()


def test_labels_name_depth_and_identity() -> None:
    assert label(people_at((0, 0, 3.24))[0]) == "3.2 m"
    assert label(people_at((0, 0, 3.24), ids=np.array([7]))[0]) == "#7 3.2 m"
    headless = people_at((0, 0, 3.24))
    rootless = headless.joints_3d.copy()
    rootless[0, SMAP15.root] = np.nan
    assert label(people_at((0, 0, 3.24), joints_3d=rootless)[0]) == "3.2 m"


def test_nobody_changes_nothing() -> None:
    assert (overlay(grey(), People.empty()) == 128).all()


@pytest.mark.parametrize(
    ("image", "error"), [(np.zeros((4, 4)), TypeError), ("x.png", TypeError), (np.zeros((4, 4), np.uint8), ValueError)]
)
def test_images_are_checked(image: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"image must be .* got"):
        overlay(image, People.empty())  # type: ignore[arg-type]


def test_contact_sheet_places_every_image() -> None:
    sheet = contact_sheet([np.full((30, 40, 3), 50 * i, np.uint8) for i in range(1, 6)], columns=3, tile=(40, 30))
    assert sheet.shape == (60, 120, 3)
    assert [int(sheet[15 + 30 * r, 20 + 40 * c, 0]) for r, c in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1))] == [
        *(50, 100, 150, 200, 250)
    ]
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])


def test_contact_sheet_keeps_the_aspect() -> None:
    sheet = contact_sheet([np.full((100, 50, 3), 255, np.uint8)], tile=(100, 100))
    white = np.argwhere((sheet == 255).all(-1))
    assert np.ptp(white, axis=0).tolist() == [99, 49]


@pytest.mark.parametrize("azimuth", [-120.0, 0.0, 35.0, 90.0])
@pytest.mark.parametrize("elevation", [-20.0, 0.0, 28.0, 90.0])
def test_the_view_holds_everyone(azimuth: float, elevation: float) -> None:
    view = View(azimuth, elevation)
    points = np.concatenate([POSE + root for root in ((0, 0.4, 2), (-3, 0.4, 9), (2, 0.4, 4))])
    viewer = Viewer(view, points)
    pixels = viewer.pixels(points)
    assert (viewer.depth(points) > 0).all()
    assert (pixels >= 0).all() and (pixels <= np.array(view.size) - 1).all()


def test_the_view_from_the_camera_keeps_left_and_up() -> None:
    viewer = Viewer(View(azimuth=0, elevation=0), POSE + AHEAD)
    head, foot, left = viewer.pixels(POSE[[1, 8, 3]] + AHEAD)
    assert head[1] < foot[1] and left[0] > viewer.pixels(POSE[9] + AHEAD)[0]


def test_render_shows_each_person_in_its_colours() -> None:
    empty, one = render(People.empty(camera=CAMERA)), render(people_at((0, 0.4, 3)))
    for colour in (LEFT, RIGHT):
        assert not (empty == colour).all(-1).any()
        assert (one == colour).all(-1).any()


def test_render_survives_strays() -> None:
    assert render(people_at((0, 0, 3), (4000, 0, 90000))).shape == (720, 960, 3)
    assert render(people_at((0, 0, -3))).shape == (720, 960, 3)


def test_views_are_checked() -> None:
    for fields in ({"size": (4, 4)}, {"elevation": 91.0}, {"fov": 0.0}, {"azimuth": float("nan")}):
        with pytest.raises(ValueError, match="must be"):
            View(**fields)  # type: ignore[arg-type]
