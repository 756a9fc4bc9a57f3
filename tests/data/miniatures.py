"""Miniature copies of the public data sets, each in its own on-disk format, all showing the same people.

``people()`` says what every reader must return; each builder turns it into units, joint order, camera frame and file
layout of its data set, with the odd cases that occur there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from smap import Camera

ROOT = 2
# A man standing upright, pelvis at the origin, metres; the library's joints.
STANDING = np.array(
    [
        [0, -0.48, 0],
        [0, -0.75, 0.01],
        [0, 0, 0],
        [0.15, -0.46, 0],
        [0.2, -0.16, 0.02],
        [0.22, 0.08, -0.03],
        [0.12, 0.03, 0],
        [0.12, 0.5, -0.05],
        [0.12, 0.9, 0],
        [-0.15, -0.46, 0],
        [-0.2, -0.16, 0.02],
        [-0.22, 0.08, -0.03],
        [-0.12, 0.03, 0],
        [-0.12, 0.5, -0.05],
        [-0.12, 0.9, 0],
    ]
)


def people(count: int = 2, third_x: float = -3.4) -> np.ndarray:
    """``(count, 15, 3)`` metres in the camera frame; the third person is at the edge of the picture."""
    roots = np.array([[-0.6, 0, 4], [0.7, 0.1, 5.5], [third_x, 0.1, 5]])
    return STANDING + roots[:count, None]


def picture(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((height, width, 3), 90, np.uint8)
    image[: height // 2] = (40, 60, 160)
    assert cv2.imwrite(str(path), image)


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def inverse(index: tuple[int, ...], count: int) -> np.ndarray:
    """For each of the source's joints, which of ours stands there (others: the pelvis, to have a finite number)."""
    place = np.full(count, ROOT)
    for ours, theirs in enumerate(index):
        if theirs >= 0:
            place[theirs] = ours
    return place


# --- COCO ---

COCO_SIZE = (640, 480)
COCO_CAMERA = Camera.default(*COCO_SIZE)
COCO_ORDER = [0, 0, 0, 0, 0, 3, 9, 4, 10, 5, 11, 6, 12, 7, 13, 8, 14]


def coco_person(identity: int, image: int, joints_2d: np.ndarray, marks: np.ndarray | None = None) -> dict[str, Any]:
    """The nose, eyes and ears stand at the neck; marks are 15 of ours."""
    marks = np.full(15, 2) if marks is None else marks
    points = np.round(joints_2d[COCO_ORDER], 2)
    v = marks[COCO_ORDER]
    keypoints = np.concatenate([np.where(v[:, None] > 0, points, 0), v[:, None]], -1)
    return {
        "id": identity,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": int((v > 0).sum()),
        "area": 1000.0,
        "bbox": [10.0, 20.0, 30.0, 40.0],
        "segmentation": [[10.0, 20.0, 40.0, 20.0, 40.0, 60.0]],
        "keypoints": keypoints.ravel().tolist(),
    }


def coco(root: Path) -> Path:
    """Three images: two people with a crowd and an unlabelled one; a half body; nobody."""
    width, height = COCO_SIZE
    for i in (1, 2, 3):
        picture(root / "val2017" / f"{i:012d}.jpg", width, height)
    joints_2d = COCO_CAMERA.project(people())
    upper = np.where(np.isin(np.arange(15), (3, 4, 5, 9, 10, 11)), 2, 0)
    upper[9] = 1
    crowd = {
        "id": 3,
        "image_id": 1,
        "iscrowd": 1,
        "num_keypoints": 0,
        "bbox": [300, 100, 200, 50],
        "keypoints": [0] * 51,
    }
    crowd |= {"area": 9.0, "category_id": 1, "segmentation": {"size": [480, 640], "counts": [5, 5]}}
    unlabelled = coco_person(4, 1, joints_2d[0], np.zeros(15)) | {"bbox": [0, 0, 20, 20]}
    value = {
        "info": {"description": "miniature", "year": 2017},
        "licenses": [{"id": 1, "name": "none", "url": ""}],
        "images": [
            {"id": i, "file_name": f"{i:012d}.jpg", "width": width, "height": height, "license": 1} for i in (1, 2, 3)
        ],
        "annotations": [
            coco_person(1, 1, joints_2d[0]),
            coco_person(2, 1, joints_2d[1]),
            crowd,
            unlabelled,
            coco_person(5, 2, joints_2d[1], upper),
        ],
        "categories": [{"id": 1, "name": "person", "supercategory": "person"}],
    }
    write(root / "annotations" / "person_keypoints_val2017.json", value)
    return root


# --- MuCo-3DHP, 3DMPPE's JSON ---

MUCO_SIZE, MUCO_CAMERA = (1024, 1024), Camera(750, 751, 512, 500)


def muco(root: Path) -> Path:
    """Two images; the second shows a person half outside, with negative coordinates."""
    from smap.data.joints import MUCO

    order = inverse(MUCO, 21)
    images, annotations = [], []
    for image, name, crowd in ((7, "augmented_set/0001.jpg", people()), (9, "unaugmented_set/0002.jpg", people(3))):
        picture(root / name, *MUCO_SIZE)
        images.append(
            {
                "id": image,
                "file_name": name,
                "width": MUCO_SIZE[0],
                "height": MUCO_SIZE[1],
                "f": [MUCO_CAMERA.fx, MUCO_CAMERA.fy],
                "c": [MUCO_CAMERA.cx, MUCO_CAMERA.cy],
            }
        )
        for person in crowd:
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": image,
                    "bbox": [1, 2, 3, 4],
                    "keypoints_img": MUCO_CAMERA.project(person)[order].tolist(),
                    "keypoints_cam": (1000 * person)[order].tolist(),
                    "keypoints_vis": [bool(j != 5) for j in order],  # the left wrist is hidden
                }
            )
    write(root / "MuCo-3DHP.json", {"images": images, "annotations": annotations})
    return root


# --- MuPoTS-3D ---

MUPOTS_CAMERA = Camera(1500, 1490, 1000, 1040)


def mupots(root: Path, sequences: tuple[str, ...] = ("TS1", "TS6"), frames: int = 3) -> Path:
    """Frame 1: two people; frame 2: the second is not valid; frame 3: nobody is."""
    from scipy.io import savemat

    from smap.data.joints import MUCO

    order = inverse(MUCO, 17)
    for sequence in sequences:
        folder = root / sequence
        folder.mkdir(parents=True)
        annotations, occlusion = np.empty((frames, 2), object), np.empty((frames, 2), object)
        for frame in range(frames):
            for person, joints in enumerate(people()):
                valid = not (frame == 1 and person == 1) and frame != 2
                joints = joints[order] if valid else np.zeros((17, 3))
                image = MUPOTS_CAMERA.project(joints) if valid else np.zeros((17, 2))
                annotations[frame, person] = {
                    "annot2": image.T,
                    "annot3": 1000 * joints.T,
                    "univ_annot3": 1050 * joints.T,
                    "isValidFrame": np.array([[valid]], np.uint8),
                }
                hidden = np.zeros((1, 17))
                hidden[0, 7] = 1  # the left wrist
                occlusion[frame, person] = hidden
        savemat(folder / "annot.mat", {"annotations": annotations})
        savemat(folder / "occlusion.mat", {"occlusion_labels": occlusion})
    return root


# --- CMU Panoptic ---

PANOPTIC_SIZE = (1920, 1080)
DISTORTION = [-0.28, 0.18, 0.0005, -0.0003, 0.06]


def panoptic_camera(node: int) -> dict[str, Any]:
    """A calibration entry; the camera looks along z, turned a little and set back, units cm."""
    rotation, _ = cv2.Rodrigues(np.array([0.05 * node / 16, 0.3, -0.02]))
    return {
        "name": f"00_{node:02d}",
        "type": "hd",
        "resolution": list(PANOPTIC_SIZE),
        "panel": 0,
        "node": node,
        "K": [[1396.5, 0, 944.2], [0, 1393.0, 560.6], [0, 0, 1]],
        "distCoef": DISTORTION,
        "R": rotation.tolist(),
        "t": [[12.0], [-5.0], [30.0]],
    }


def panoptic(root: Path, sequence: str = "160906_pizza1", model: str = "joints15", frames: int = 4) -> Path:
    """The people of ``people()`` in the frame of camera 16; frame 2 is empty, a wrist was not reconstructed."""
    first = panoptic_camera(16)
    rotation, t = np.array(first["R"]), np.ravel(first["t"])
    folder = {"joints15": "hdPose3d_stage1", "joints19": "hdPose3d_stage1_coco19"}[model]
    path = root / sequence
    cameras = [panoptic_camera(node) for node in (0, 16, 30)] + [panoptic_camera(16) | {"panel": 1, "name": "01_16"}]
    write(path / f"calibration_{sequence}.json", {"calibDataSource": "miniature", "cameras": cameras})
    for frame in range(frames):
        bodies = []
        for identity, joints in enumerate(people(3, -3.8)):
            world = (100 * joints - t) @ rotation
            values = np.concatenate([world, np.full((15, 1), 0.6)], -1)
            values[5] = (0, 0, 0, -1)
            if model == "joints19":
                values = np.concatenate([values, values[[0] * 4]])
            bodies.append({"id": identity, model: np.round(values, 5).ravel().tolist()})
        scene = {"version": 0.7, "univTime": 53541.5, "fpsType": "hd_29_97", "bodies": [] if frame == 1 else bodies}
        write(path / folder / f"body3DScene_{100 + 10 * frame:08d}.json", scene)
    return root


# --- Human3.6M, 3DMPPE's JSON ---

HUMAN36M_SIZE, HUMAN36M_CAMERA = (1000, 1002), Camera(1145, 1144, 512.5, 515.4)


def human36m(root: Path, subjects: tuple[int, ...] = (9,), form: str = "R X + t") -> Path:
    """Two frames that the test split takes (0, 64) and one that it does not (1), in two cameras."""
    from smap.data.joints import HUMAN36M

    order = inverse(HUMAN36M, 17)
    for subject in subjects:
        images, annotations, cameras = [], [], {}
        poses: dict[str, Any] = {"2": {"1": {}}}
        centre = np.array([100.0, -50, 900])
        for view in (1, 2):
            rotation, _ = cv2.Rodrigues(np.array([0.1 * view, 0, 0.02]))
            t = -rotation @ centre if form == "R X + t" else centre
            cameras[str(view)] = {"R": rotation.tolist(), "t": t.tolist(), "f": [1145, 1144], "c": [512.5, 515.4]}
        rotation, _ = cv2.Rodrigues(np.array([0.1, 0, 0.02]))
        person = people(1)[0][order]
        world = (1000 * person) @ rotation + centre
        for frame in (0, 1, 64):
            poses["2"]["1"][str(frame)] = world.tolist()
            for view in (1, 2):
                fields = cameras[str(view)]
                seen = (world - centre) @ np.array(fields["R"]).T
                joints_2d = HUMAN36M_CAMERA.project(seen)
                low, high = joints_2d.min(0) - 20, joints_2d.max(0) + 20
                identity = len(images)
                folder = f"s_{subject:02d}_act_02_subact_01_ca_{view:02d}"
                images.append(
                    {
                        "id": identity,
                        "file_name": f"{folder}/{folder}_{frame + 1:06d}.jpg",
                        "width": HUMAN36M_SIZE[0],
                        "height": HUMAN36M_SIZE[1],
                        "subject": subject,
                        "action_name": "Directions",
                        "action_idx": 2,
                        "subaction_idx": 1,
                        "cam_idx": view,
                        "frame_idx": frame,
                    }
                )
                box = [*low.tolist(), *(high - low).tolist()]
                annotations.append({"id": identity, "image_id": identity, "keypoints_vis": [True] * 17, "bbox": box})
        stem = root / "annotations" / f"Human36M_subject{subject}"
        write(Path(f"{stem}_data.json"), {"images": images, "annotations": annotations})
        write(Path(f"{stem}_camera.json"), cameras)
        write(Path(f"{stem}_joint_3d.json"), poses)
    return root


# --- the authors' JSON ---

AUTHORS_CAMERA = Camera(1500, 1400, 960, 540)


def authors(root: Path) -> Path:
    """A 3-D image (a hidden and an unlabelled joint), a 2-D one (no depth) for validation, and one with nobody."""
    bodies = np.zeros((2, 15, 11))
    bodies[..., :2] = AUTHORS_CAMERA.project(people())
    bodies[..., 4:7] = 100 * people()
    bodies[..., 2], bodies[..., 3] = bodies[..., 6], 2
    bodies[..., 7:] = (1500, 1400, 960, 540)
    bodies[0, 5, 3], bodies[0, 8, 3] = 1, 0
    flat = bodies[:1].copy()
    flat[..., 2] = flat[..., 4:7] = 0
    common = {"img_width": 1920, "img_height": 1080}
    value = [
        {"img_paths": "images/0.jpg", "dataset": "MUCO", "isValidation": 0, "bodys": bodies.tolist(), **common},
        {"img_paths": "images/1.jpg", "dataset": "COCO", "isValidation": 1, "bodys": flat.tolist(), **common},
        {"img_paths": "images/2.jpg", "dataset": "CMUP", "isValidation": 0, "bodys": [], **common},
    ]
    for i in range(3):
        picture(root / "images" / f"{i}.jpg", 1920, 1080)
    write(root / "train.json", {"root": value})
    return root


# --- the simple JSON ---

SIMPLE_SIZE, SIMPLE_CAMERA = (640, 480), Camera(600, 610, 320, 240)


def simple_record(name: str, joints_3d: np.ndarray) -> dict[str, Any]:
    return {
        "image": name,
        "width": SIMPLE_SIZE[0],
        "height": SIMPLE_SIZE[1],
        "K": SIMPLE_CAMERA.matrix.tolist(),
        "people": [
            {"joints2d": SIMPLE_CAMERA.project(p).tolist(), "vis": [2] * 15, "joints3d_m": p.tolist()}
            for p in joints_3d
        ],
        "unannotated_people": 1,
        "source": "miniature",
    }


def simple(root: Path) -> Path:
    """One file per image: two people (an unlabelled joint as zeros, one as null), and nobody."""
    record = simple_record("a.jpg", people())
    first = record["people"][0]
    first["joints2d"][5], first["joints3d_m"][5], first["vis"][5] = [0.0, 0.0], [0.0, 0.0, 0.0], 0
    first["joints2d"][8], first["joints3d_m"][8], first["vis"][8] = None, None, 0
    write(root / "a.json", record)
    write(root / "b.json", simple_record("b.jpg", people(0)) | {"ignore": [[1, 2, 30, 40]], "unannotated_people": 0})
    write(root / "licences.json", {"a.jpg": "none"})
    for name in ("a.jpg", "b.jpg"):
        picture(root / name, *SIMPLE_SIZE)
    return root
