"""People as a network might find them: true joints, seen by a camera, then damaged (paper Sec. 3.3, RefineNet)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..network import NetworkConfig
from ..skeleton import Skeleton


class Found(NamedTuple):
    """People as found, and the truth.

    Args:
        input_xy: ``(P, J, 2)`` network-input pixels.
        joints_3d: ``(P, J, 3)`` metres in the camera frame.
        found: ``(P, J)`` bool; other joints of the two above mean nothing.
        truth: ``(P, J, 3)`` metres in the camera frame.
    """

    input_xy: Tensor
    joints_3d: Tensor
    found: Tensor
    truth: Tensor


@dataclass(frozen=True)
class Corruption:
    """How much goes wrong. Angles in degrees, pairs are (least, most), sd are of normal distributions.

    Args:
        input_size: of the pictures, pixels.
        depth, fov, pitch, roll: of cameras and people.
        drop: of a joint by itself; its share varies from person to person up to this.
        cut: people of whom everything beyond a random line in the picture is hidden, as behind a table.
        limb_drop: people who miss a whole arm or leg.
        pixel_sd: of joints in the picture, in shares of the person's height in it.
        wild: joints that lie anywhere near the person.
        swap: left and right of an arm or leg exchanged.
        limb_depth_sd: metres, of the depth difference along a limb; it adds up from the root outwards.
        flatten: limb depths are multiplied by a number from this range, as a network does that is unsure.
        root_sd: relative, of the root's depth.
    """

    input_size: tuple[int, int] = NetworkConfig.small().input_size
    depth: tuple[float, float] = (1.2, 12.0)
    fov: tuple[float, float] = (35.0, 95.0)
    pitch: tuple[float, float] = (-15.0, 35.0)
    roll: float = 8.0
    drop: float = 0.35
    cut: float = 0.25
    limb_drop: float = 0.2
    pixel_sd: float = 0.012
    wild: float = 0.015
    swap: float = 0.06
    limb_depth_sd: float = 0.06
    flatten: tuple[float, float] = (0.4, 1.1)
    root_sd: float = 0.1


def photograph(bodies: Tensor, config: Corruption, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Place bodies before random cameras.

    Args:
        bodies: ``(P, J, 3)`` metres around their root, Y up.

    Returns:
        ``(P, J, 3)`` metres in the camera frame, and ``(P, 3)`` focal length and centre in network-input pixels.
    """
    count = len(bodies)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    def turn(axis: int, radians: Tensor) -> Tensor:
        c, s, one, zero = radians.cos(), radians.sin(), torch.ones(count), torch.zeros(count)
        rows = {
            0: (one, zero, zero, zero, c, -s, zero, s, c),
            1: (c, zero, s, zero, one, zero, -s, zero, c),
            2: (c, -s, zero, s, c, zero, zero, zero, one),
        }[axis]
        return torch.stack(rows, -1).reshape(count, 3, 3)

    width, height = config.input_size
    flip = torch.tensor([1.0, -1.0, -1.0])  # Y up, Z towards the camera -> y down, z forward
    heading = turn(1, uniform(0, 2 * math.pi))
    tilt = turn(2, uniform(-math.radians(config.roll), math.radians(config.roll))) @ turn(
        0, uniform(*(math.radians(a) for a in config.pitch))
    )
    points = torch.einsum("pij,pnj->pni", tilt, torch.einsum("pij,pnj->pni", heading, bodies) * flip)
    focal = width / 2 / torch.tan(uniform(*(math.radians(a) for a in config.fov)) / 2)
    z = torch.exp(uniform(*(math.log(d) for d in config.depth)))
    x, y = uniform(-0.05, 1.05) * width, uniform(-0.1, 1.2) * height
    centre = torch.tensor([(width - 1) / 2, (height - 1) / 2]).expand(count, 2)
    root = torch.stack([(x - centre[:, 0]) / focal * z, (y - centre[:, 1]) / focal * z, z], -1)
    points = points + root[:, None]
    # Nobody sticks out behind the camera.
    points[..., 2] += (0.3 - points[..., 2].amin(1, keepdim=True)).clamp_min(0)
    return points, torch.cat([focal[:, None], centre], 1)


def corrupt(
    truth: Tensor, cameras: Tensor, skeleton: Skeleton, config: Corruption, generator: torch.Generator
) -> Found:
    """What a network might make of people; those without two found joints are left out.

    Args:
        truth: ``(P, J, 3)`` metres in the camera frame; cameras: ``(P, 3)`` as ``photograph`` gives them.
    """
    people, joints, _ = truth.shape
    width, height = config.input_size

    def chance(share: float, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator) < share

    def normal(sd: float, *shape: int) -> Tensor:
        return sd * torch.randn(*shape, generator=generator)

    focal, centre = cameras[:, None, :1], cameras[:, None, 1:]
    xy = truth[..., :2] / truth[..., 2:] * focal + centre
    found = (xy >= 0).all(-1) & (xy[..., 0] <= width - 1) & (xy[..., 1] <= height - 1)
    size = (xy.amax(1) - xy.amin(1)).amax(-1).clamp(8, 2 * height)[:, None, None]

    found &= torch.rand(people, joints, generator=generator) >= config.drop * torch.rand(people, 1, generator=generator)
    # Half-planes: joints on the far side of a line through a random place near the body, mostly below it.
    angle = normal(0.6, people) + math.pi / 2
    direction = torch.stack([angle.cos(), angle.sin()], -1)[:, None]
    along = ((xy - xy.mean(1, keepdim=True)) * direction).sum(-1) / size[..., 0]
    beyond = along > normal(0.25, people, 1) + 0.1
    found &= ~(beyond & chance(config.cut, people, 1))
    chains = _chains(skeleton)
    for chain in chains:
        missing = chance(config.limb_drop / max(1, len(chains)), people, 1)
        found[:, chain] &= ~missing

    noise = torch.exp(normal(0.5, people, 1, 1))  # some people are seen well, some badly
    seen = xy + noise * config.pixel_sd * size * torch.randn(people, joints, 2, generator=generator)
    wild = chance(config.wild, people, joints)[..., None]
    seen = torch.where(wild, xy + 0.3 * size * torch.randn(people, joints, 2, generator=generator), seen)

    # Depths as lifting finds them: the root's plus the limbs' along the tree.
    shrink = config.flatten[0] + (config.flatten[1] - config.flatten[0]) * torch.rand(people, generator=generator)
    relative = torch.zeros(people, joints)
    for parent, child in skeleton.limbs:
        step = truth[:, child, 2] - truth[:, parent, 2]
        step = shrink * step + noise[:, 0, 0] * normal(config.limb_depth_sd, people)
        # A child whose parent was not found knows nothing of its own limb's depth.
        relative[:, child] = relative[:, parent] + torch.where(found[:, child], step, 0)
    z = truth[:, skeleton.root, 2:] * torch.exp(normal(config.root_sd, people, 1)) + relative
    z = z.clamp_min(0.2)
    # Whole arms or legs of the other side, place and depth.
    flip = torch.tensor(skeleton.flipped_joints)
    for chain in chains:
        other = flip[chain]
        if (other == torch.tensor(chain)).all():
            continue
        swapped = chance(config.swap / 2, people, 1)
        mine, theirs = seen[:, chain].clone(), seen[:, other].clone()
        seen[:, chain] = torch.where(swapped[..., None], theirs, mine)
        seen[:, other] = torch.where(swapped[..., None], mine, theirs)
        mine, theirs = z[:, chain].clone(), z[:, other].clone()
        z[:, chain], z[:, other] = torch.where(swapped, theirs, mine), torch.where(swapped, mine, theirs)
        mine, theirs = found[:, chain].clone(), found[:, other].clone()
        found[:, chain], found[:, other] = torch.where(swapped, theirs, mine), torch.where(swapped, mine, theirs)
    points = torch.cat([(seen - centre) / focal * z[..., None], z[..., None]], -1)
    keep = found.sum(1) >= 2
    return Found(seen[keep], points[keep], found[keep], truth[keep])


def _chains(skeleton: Skeleton) -> list[list[int]]:
    """Arms, legs and head: runs of joints from a leaf up to where the tree forks."""
    children: dict[int, list[int]] = {}
    for parent, child in skeleton.limbs:
        children.setdefault(parent, []).append(child)
    chains = []
    for leaf in (j for j in range(skeleton.num_joints) if j not in children):
        chain, joint = [leaf], skeleton.parents[leaf]
        while joint >= 0 and len(children[joint]) == 1 and joint != skeleton.root:
            chain.append(joint)
            joint = skeleton.parents[joint]
        chains.append(chain[::-1])
    return chains
