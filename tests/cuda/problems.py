"""Problems for every op, as tensors on the CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from smap import SMAP15
from smap.decode import limb_tables
from smap.lift import tree_of
from smap.ops.rasterize import Instance
from tests.ops import test_backdrop, test_shade, test_skin
from tests.ops.soup import soup

HEIGHT, WIDTH, PEAKS = 64, 104, 40


def people(batch: int, count: int, seed: int) -> list[Tensor]:
    """Arguments of ``make_targets`` without size and dtype: bodies of random shape and place, some joints unseen."""
    random = torch.Generator().manual_seed(seed)
    middle = torch.rand(batch, count, 1, 2, generator=random) * torch.tensor([WIDTH, HEIGHT])
    joints = middle + 6 * torch.randn(batch, count, 15, 2, generator=random)
    depths = (
        1 + 8 * torch.rand(batch, count, 1, generator=random) + 0.3 * torch.randn(batch, count, 15, generator=random)
    )
    visibility = torch.randint(0, 3, (batch, count, 15), generator=random, dtype=torch.uint8)
    scales = torch.tensor([[2.6, 3.0], [1.5, 1.25]])
    return [joints, depths, visibility, torch.full((batch,), 0.9), torch.tensor(SMAP15.limbs), scales]


def association(given: dict[str, Tensor], **settings: Any) -> list[Any]:
    """Arguments of ``associate`` in the op's order: tensors, and settings other than these."""
    values = {
        "mode": "depth-aware",
        "max_people": 30,
        "min_joints": 2,
        "min_score": 0.0,
        "max_overlap": 1.0,
        "half_bodies": True,
        "ordinal_prior": True,
        "length_slack": 1.2,
        "scale": 1.0,
        "sample_threshold": 0.05,
        "counted_share": 0.6,
        "official": False,
    }
    values |= given | settings
    return [values[argument.name] for argument in torch.ops.smap.associate.default._schema.arguments]


def problems(
    seed: int,
    dtype: torch.dtype = torch.float32,
    batch: int = 3,
    count: int = 12,
    peaks: int = PEAKS,
    **settings: Any,
) -> dict[str, list[Any]]:
    """Op name -> arguments; each takes what the one before gave for the maps of random people under noise.

    ``peaks`` is their capacity, which the noise fills; ``settings`` are those of ``associate``.
    """
    ops = torch.ops.smap
    crowd = people(batch, count, seed)
    heatmaps, pafs, limb_depths, root_depth, _ = ops.make_targets(*crowd, HEIGHT, WIDTH, torch.float32)
    random = torch.Generator().manual_seed(seed)
    noisy = [t + 0.05 * torch.randn(t.shape, generator=random) for t in (heatmaps[:, 0], pafs[:, 0])]
    root_depth = torch.where(root_depth == 0, 2 + torch.rand(root_depth.shape, generator=random), root_depth)
    maps = [t.to(dtype) for t in (*noisy, limb_depths[:, 0].nan_to_num(), root_depth)]
    xy, score, found = ops.find_peaks(maps[0], 0.1, 1.0, peaks, False)
    limbs, lengths = limb_tables(SMAP15, torch.device("cpu"))
    given = dict(zip(("pafs", "limb_depths", "root_depth"), maps[1:], strict=True))
    given |= {"xy": xy, "score": score, "count": found, "limbs": limbs, "lengths": lengths}
    solve = association(given, **settings)
    table, _, depths = ops.associate(*solve)
    tree = tree_of(SMAP15, torch.device("cpu"))
    relative = ops.read_limb_depths(maps[2], xy, table, tree.limbs, 4, 10, True)
    frames = torch.rand(batch, 4, generator=random) + 0.5
    cameras = torch.rand(batch, 4, generator=random) * 100 + 300
    return {
        "make_targets": [*crowd, HEIGHT, WIDTH, dtype],
        "find_peaks": [maps[0], 0.1, 1.0, peaks, False],
        "score_limbs": [maps[1], xy, found, limbs, 1.0, 0.05, 0.6, False],
        "associate": solve,
        "read_limb_depths": [maps[2], xy, table, tree.limbs, 4, 10, True],
        "place_joints": [relative, xy, score, table, depths, frames, cameras, tree.paths, tree.order],
        "back_project": [xy.flatten(1, 2), score.flatten(1) + 1, cameras],
    }


def tensors(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else list(value)


def on_gpu(args: list[Any]) -> list[Any]:
    return [a.cuda() if isinstance(a, Tensor) else a for a in args]


def drawings(seed: int) -> dict[str, list[Any]]:
    """The same for the ops that draw pictures."""
    geometry = soup(seed)
    total = int(geometry[3][:, Instance.TRIANGLE_COUNT].sum())
    return {
        "skin": list(test_skin.inputs(seed)),
        "rasterize": [*geometry, 2, 24, 32, 2, total],
        "shade": list(test_shade.inputs(seed, 2)),
        "backdrop": list(test_backdrop.inputs(seed)),
    }


def every(seed: int) -> dict[str, list[Any]]:
    return problems(seed) | drawings(seed)


NAMES = list(problems(0, batch=1, count=1))
EVERY_NAME = [*NAMES, *drawings(0)]
