from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from smap import DatasetError
from smap.synthetic import BuiltinPack, Pack, SceneConfig, build_pack, render_scene
from smap.synthetic.assets import ARMS, BONES, HEAD, LEGS, TORSO, rotations_of
from smap.synthetic.body import pose_bones
from smap.synthetic.build_models import model_arrays
from smap.synthetic.build_poses import _mirrored, _quaternions, pose_arrays
from smap.synthetic.bvh import read_bvh
from smap.synthetic.glb import read_glb
from smap.synthetic.rig import find_bones, missing_bones, to_t_pose, turn_onto

from .tiny_models import a_pose, straight_joints, write_avatar, write_motion

SOURCE = BuiltinPack()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    for i, name in enumerate(["anna_suit", "anna_sport", "bob_suit", "carl_suit"]):
        write_avatar(folder / f"{name}.glb", turned=i % 2 == 0, centimetres=i < 2, hair=i != 3, number=i)
    for clip in range(3):
        write_motion(folder / f"clip{clip}.bvh", np.stack([SOURCE.rotations(10 * clip + f) for f in range(10)]))
    (folder / "rooms").mkdir()
    rng = np.random.default_rng(0)
    for i in range(5):
        cv2.imwrite(
            str(folder / "rooms" / f"{i}.jpg"), rng.integers(0, 255, (90, 1300 if i == 0 else 120, 3), np.uint8)
        )
    return folder


@pytest.fixture(scope="module")
def pack(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    out = tmp_path_factory.mktemp("pack")
    avatars, motions = sorted(files.glob("*.glb")), sorted(files.glob("*.bvh"))
    return build_pack(avatars, motions, files / "rooms", out, texture_size=256)


def test_the_pack_renders_both_splits(pack: Pack) -> None:
    assert pack.names == ["anna_sport", "anna_suit", "bob_suit", "carl_suit"]
    for split in ("train", "val"):
        for seed in range(4):
            sample = render_scene(pack, SceneConfig(width=128, height=96, split=split, empty_share=0), seed)
            assert len(sample) > 0
    val = set(pack.avatars("val").tolist())
    assert (0 in val) == (1 in val)  # both are Anna


def test_avatars_come_out_in_the_t_pose_they_were_made_from(pack: Pack) -> None:
    """Out of an A-pose, in centimetres, looking backwards: the same metres as the source."""
    for name, number in (("anna_suit", 0), ("bob_suit", 2), ("carl_suit", 3)):
        avatar, source = pack.avatar(pack.names.index(name)), SOURCE.avatar(number)
        straight = straight_joints(number)
        shift = avatar.joints[0] - straight[0]
        assert abs(shift[1]) < 0.03  # feet on the ground, not the source's origin
        limbs = [i for i, bone in enumerate(BONES) if not bone.endswith(("Hand", "ToeBase"))]
        np.testing.assert_allclose(avatar.joints[limbs] - shift, straight[limbs], atol=2e-3)
        np.testing.assert_allclose(avatar.head_top - shift, source.head_top, atol=0.02)
        body = avatar.meshes[0].vertices.T - shift
        reach = np.linalg.norm(body - source.meshes[0].vertices.T, axis=-1)
        assert np.percentile(reach, 90) < 0.03  # legs straightened by some degrees
        assert (avatar.joints[BONES.index("LeftHand"), 0] - avatar.joints[0, 0]) > 0.5
        np.testing.assert_allclose(avatar.meshes[0].weights.sum(0), 1, atol=1e-5)


def test_fingers_move_with_their_hand(pack: Pack) -> None:
    weights = pack.avatar(0).meshes[0].weights
    assert (weights[BONES.index("LeftHand")] > 0.99).sum() == (SOURCE.avatar(0).meshes[0].weights[9] > 0.99).sum()


def test_regions_follow_the_bones(pack: Pack) -> None:
    pack.avatar(0)
    offset, size, _ = pack.geometry.textures[0].tolist()
    regions = pack.geometry.texels[offset : offset + 4 * size * size].view(size, size, 4)[..., 3].numpy()
    for region in (TORSO, HEAD, ARMS, LEGS):
        assert (regions == region).mean() > 0.02


def test_hair_becomes_an_alpha_tested_mesh(pack: Pack) -> None:
    assert len(pack.avatar(pack.names.index("anna_suit")).meshes) == 2
    assert len(pack.avatar(pack.names.index("carl_suit")).meshes) == 1


def test_large_backgrounds_are_reduced(pack: Pack) -> None:
    assert [pack.still(i).shape for i in range(2)] == [(44, 640, 3), (90, 120, 3)]


@pytest.mark.parametrize("turn", [0.0, 180.0, 70.0])
@pytest.mark.parametrize("rest", ["T", "A"])
def test_motions_do_not_depend_on_the_rest_pose(tmp_path: Path, rest: str, turn: float) -> None:
    """The same captured poses, written from several rest poses, put the joints at the same places."""
    truth = np.stack([SOURCE.rotations(p) for p in range(0, 60, 7)]).astype(np.float64)
    write_motion(tmp_path / "a.bvh", truth, rest=a_pose() if rest == "A" else None, turn=turn)
    motion = read_bvh(tmp_path / "a.bvh")
    assert motion.rate == 4
    joints = np.tile(straight_joints(), (len(truth), 1, 1))
    expected = pose_bones(joints, truth.astype(np.float32))
    found = pose_bones(joints, motion.rotations.astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_poses_are_heading_free_thinned_and_mirrored(tmp_path: Path) -> None:
    still = np.repeat(SOURCE.rotations(13)[None].astype(np.float64), 20, 0)
    heading = rotations_of(np.array([0, np.sin(0.6), 0, np.cos(0.6)])).astype(np.float64)
    write_motion(tmp_path / "still.bvh", heading @ still)
    arrays = pose_arrays([tmp_path / "still.bvh"], 4.0)
    assert arrays["src"].tolist() == ["still", "still_mirror"]  # twenty times the same pose is one
    assert arrays["kind"].tolist() == [0, 1]
    ahead = rotations_of(arrays["q"][0].astype(float))[0] @ [0, 0, 1]
    assert abs(ahead[0]) < 1e-3
    assert ahead[2] > 0
    joints = SOURCE.avatar(0).joints
    one, two = (pose_bones(joints, rotations_of(q.astype(float))) for q in arrays["q"])
    left, right = BONES.index("LeftHand"), BONES.index("RightHand")
    np.testing.assert_allclose(one[left] * (-1, 1, 1), two[right], atol=2e-3)


def test_mirroring_twice_changes_nothing() -> None:
    rotations = np.stack([SOURCE.rotations(p) for p in range(5)])
    np.testing.assert_allclose(_mirrored(_mirrored(rotations)), rotations, atol=1e-6)


def test_quaternions_invert() -> None:
    rotations = rotations_of(np.random.default_rng(0).normal(size=(500, 4))).astype(np.float64)
    special = np.stack([np.diag(d) for d in ([1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1])])
    for r in (rotations, special):
        np.testing.assert_allclose(rotations_of(_quaternions(r)), r, atol=1e-5)


@pytest.mark.parametrize(
    "names",
    [
        [f"mixamorig:{bone}" for bone in BONES],
        [f"J_Bip_{n}" for n in ("C_Hips", "C_Spine", "C_Chest", "C_UpperChest", "C_Neck", "C_Head")]
        + [
            f"J_Bip_{s}_{n}"
            for s in "LR"
            for n in ("Shoulder", "UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot", "ToeBase")
        ],
        ["pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head"]
        + [
            f"{n}_{s}"
            for s in "lr"
            for n in ("clavicle", "upperarm", "lowerarm", "hand", "thigh", "calf", "foot", "ball")
        ],
        ["hips", "spine", "chest", "upper-chest", "neck", "head"]
        + [
            f"{n}.{s}"
            for s in "LR"
            for n in ("shoulder", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")
        ],
    ],
    ids=["mixamo", "vrm", "unreal", "blender"],
)
def test_names_of_common_tools(names: list[str]) -> None:
    assert sorted(find_bones(names)) == sorted(BONES)
    assert sorted(find_bones(names).values()) == list(range(22))


def test_optional_bones_may_be_missing() -> None:
    few = [b for b in BONES if b not in ("Spine", "Spine1", "Spine2", "Neck", "LeftShoulder", "RightToeBase")]
    assert missing_bones(find_bones(few)) == []
    assert missing_bones(find_bones([b for b in few if b != "LeftHand"])) == ["LeftHand"]


def test_turn_onto_takes_the_shortest_way() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.normal(size=(2, 3))
        turn = turn_onto(a, b)
        np.testing.assert_allclose(turn @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-9)
        np.testing.assert_allclose(turn @ np.cross(a, b), np.cross(a, b), atol=1e-9)
    np.testing.assert_allclose(turn_onto(a, -a) @ a, -a, atol=1e-9)


def test_a_t_pose_stays() -> None:
    """Straight limbs need no turn, up to the built-in body's slightly slanted shins."""
    turns = to_t_pose(SOURCE.avatar(0).joints.astype(np.float64))
    angle = np.degrees(np.arccos(np.clip((np.trace(turns, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert angle.max() < 4


def test_bad_avatars_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"avatar must be a \.glb file"):
        model_arrays([tmp_path / "none.glb"], 64)
    good = tmp_path / "good.glb"
    write_avatar(good)
    content = good.read_bytes()
    for name, damaged in (
        ("cut", content[: len(content) // 2]),
        ("text", b"hello, world, this is no model"),
        ("short", content[:10]),
        ("json", content[:20] + b"!" * 40 + content[60:]),
    ):
        (tmp_path / f"{name}.glb").write_bytes(damaged)
        with pytest.raises(DatasetError, match=f"{name}.glb must"):
            read_glb(tmp_path / f"{name}.glb")
    for name, changes, message in (
        ("bones", {"skins": [{"joints": [1, 2, 3]}]}, "must be a whole"),
        ("squeezed", {"extensionsRequired": ["KHR_draco_mesh_compression"]}, "must not need glTF extensions"),
        ("bare", {"meshes": [{"primitives": []}]}, "must hold a skinned triangle mesh, got none"),
    ):
        write_avatar(tmp_path / f"{name}.glb", **changes)
        with pytest.raises(DatasetError, match=f"{name}.glb {message}"):
            model_arrays([tmp_path / f"{name}.glb"], 64)


def test_bad_motions_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"motion must be a \.bvh file"):
        read_bvh(tmp_path / "none.bvh")
    good = tmp_path / "good.bvh"
    write_motion(good, np.stack([SOURCE.rotations(p) for p in range(3)]))
    text = good.read_text()
    for name, damaged, message in (
        ("cut", text[: int(len(text) * 0.9)], "must be a whole BVH file"),
        ("empty", "", "must be a whole BVH file"),
        ("words", text.replace("MOTION", "MOTION x"), "must be a whole BVH file"),
        ("armless", text.replace("LeftForeArm", "Tail"), r"must have the bones \['LeftForeArm'\]"),
    ):
        (tmp_path / f"{name}.bvh").write_text(damaged)
        with pytest.raises(DatasetError, match=f"{name}.bvh {message}"):
            read_bvh(tmp_path / f"{name}.bvh")


def test_nothing_given_is_said(files: Path, tmp_path: Path) -> None:
    avatars, motions = sorted(files.glob("*.glb")), sorted(files.glob("*.bvh"))
    with pytest.raises(ValueError, match="avatars and motions must not be empty, got 0 and 3"):
        build_pack([], motions, files / "rooms", tmp_path)
    with pytest.raises(FileNotFoundError, match="backgrounds must be a folder"):
        build_pack(avatars, motions, files / "none", tmp_path)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DatasetError, match="must hold pictures"):
        build_pack(avatars, motions, tmp_path / "nothing", tmp_path)
    with pytest.raises(ValueError, match="texture_size must be at least 64"):
        build_pack(avatars, motions, files / "rooms", tmp_path, texture_size=8)
