"""Bodies without pictures: joints of captured poses on random builds, for what learns from joints alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..skeleton import SMAP15
from .assets import Assets
from .body import joints_of, pose_bones, stretches
from .config import SceneConfig
from .sampling import body_scales, random_pose


def random_skeletons(pack: Assets, config: SceneConfig, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """``(count, 15, 3)`` metres: Y up, facing any heading around +Z as captured, the pelvis at the origin.

    Args:
        config: its split, build, children's share and variety of poses are used.
    """
    avatars = [pack.avatar(int(i)) for i in pack.avatars(config.split)]
    poses = pack.poses(config.split)
    skeletons = np.empty((count, SMAP15.num_joints, 3), np.float32)
    for n in range(count):
        avatar = avatars[int(rng.integers(len(avatars)))]
        build = stretches(avatar.joints, *body_scales(config, rng))
        transforms = random_pose(pack, poses, config, rng) @ build
        positions = pose_bones(avatar.joints, transforms)
        skeletons[n] = joints_of(positions, transforms, avatar.joints, avatar.head_top)
    root = SMAP15.root
    return np.asarray(skeletons - skeletons[:, root : root + 1], np.float32)
