"""The authors' checkpoints (zju3dv/SMAP) in this library's names, order, units and colours.

Everything is folded into the weights once, here; nothing later knows where weights came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from ..errors import WeightsError
from ..skeleton import SMAP15
from .checkpoint import check_shapes, fill
from .config import NetworkConfig
from .hourglass import Hourglass
from .refine import FEATURES_PER_JOINT, RefineNet, RefinerConfig

FirstLimb = Literal["neck-head", "head-neck"]

# Their channel order, as joint indices, which SMAP15 shares.
RELEASE_LIMBS = (
    *((0, 1), (0, 2), (0, 9), (9, 10), (10, 11), (0, 3), (3, 4), (4, 5)),
    *((2, 12), (12, 13), (13, 14), (2, 6), (6, 7), (7, 8)),
)
HEATMAP_SCALE, PAF_SCALE = 255.0, 127.0  # of their channels
CM_PER_M = 100.0
CANVAS_WIDTH = 832  # network-input pixels; their root depth is Z in cm / f without the w of Eq. 1

# This library's state_dict keys -> theirs; each rule rewrites one kind of module.
Renames = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]
_RENAMES: Renames = (
    (r"^stem\.0\.", r"top.conv."),
    (r"^pyramid\.(\d+)\.", r"stage\1."),
    (r"\.convs\.(\d+)\.", lambda m: f".conv_bn_relu{int(m[1]) + 1}."),
    (r"\.encoder\.(\d+)\.", lambda m: f".downsample.layer{int(m[1]) + 1}."),
    (r"\.shortcut\.", r".downsample."),
    (r"\.decoder\.(\d+)\.", lambda m: f".upsample.up{int(m[1]) + 1}."),
    (r"\.lateral\.", r".u_skip."),
    (r"\.up\.", r".up_conv."),
    (r"\.skip_encoded\.", r".skip1."),
    (r"\.skip_decoded\.", r".skip2."),
    (r"\.cross\.", r".cross_conv."),
    (r"\.maps_2d\.", r".res_"),
    (r"\.limb_depths\.", r".res_d_"),
    (r"\.root_depth\.", r".res_rd_"),
    (r"_hidden\.", r"_conv1."),
    (r"_output\.", r"_conv2."),
    (r"\.norm\.", r".bn."),
)
_REFINER_RENAMES: Renames = (
    (r"^layers\.(\d+)\.(\d)\.", lambda m: f"block.layer{int(m[1]) + 1}.{m[2]}."),
    (r"^output\.", r"block.layer5."),
)


def is_refiner(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a checkpoint is RefineNet's rather than the network's."""
    return any(key.startswith("block.") for key in tensors)


def import_network(tensors: Mapping[str, Tensor], source: str, first_limb: FirstLimb = "neck-head") -> Hourglass:
    """The authors' SMAP checkpoint as an ``Hourglass`` that yields ``Maps`` units.

    Heatmaps and PAFs become the mean of their three summed scales over 255 and 127, limb depths metres, the root depth
    ``Z w / f`` in metres, limbs those of ``SMAP15``, and the first convolution takes RGB instead of BGR.

    Args:
        first_limb: direction of their first limb, which differs between released weights.

    Raises:
        ValueError: ``first_limb`` is neither.
        WeightsError: keys or shapes do not fit; they are listed by the authors' names.
    """
    if first_limb not in get_args(FirstLimb):
        raise ValueError(f"first_limb must be one of {get_args(FirstLimb)}, got {first_limb!r}")
    if is_refiner(tensors):
        raise WeightsError(f"{source} must hold the network's weights, got those of the refiner")
    stages = len({match[0] for key in tensors if (match := re.match(r"stage\d+\.", key))})
    if not 1 <= stages <= 8:
        raise WeightsError(f"{source} must hold the authors' stage0, stage1, ..., got {stages} stages")
    with torch.device("meta"):
        network = Hourglass(NetworkConfig.paper(stages))
    state = _in_our_names(network, tensors, _RENAMES, source)
    state["stem.0.conv.weight"] = state["stem.0.conv.weight"].flip(1)
    order, signs = _limb_order(first_limb)
    joints = SMAP15.num_joints
    rows_2d = list(range(joints)) + [joints + 2 * limb + axis for limb in order for axis in (0, 1)]
    scales_2d = [1 / HEATMAP_SCALE] * joints + [sign / PAF_SCALE for sign in signs for _ in range(2)]
    for stage in range(stages):
        for unit in range(4):
            prefix = f"pyramid.{stage}.decoder.{unit}"
            _remap_rows(state, f"{prefix}.maps_2d.output", rows_2d, scales_2d)
            _remap_rows(state, f"{prefix}.limb_depths.output", order, [sign / CM_PER_M for sign in signs])
            _remap_rows(state, f"{prefix}.root_depth.output", [0], [CANVAS_WIDTH / CM_PER_M])
    return fill(network, state, source)


def import_refiner(tensors: Mapping[str, Tensor], source: str) -> RefineNet:
    """The authors' RefineNet, which works in cm and pixels of their canvas, in metres and canvas widths.

    Raises:
        WeightsError: keys or shapes do not fit; they are listed by the authors' names.
    """
    if not is_refiner(tensors):
        raise WeightsError(f"{source} must hold the refiner's weights, got other keys such as {next(iter(tensors))!r}")
    with torch.device("meta"):
        refiner = RefineNet(RefinerConfig(anchor="root"))
    state = _in_our_names(refiner, tensors, _REFINER_RENAMES, source)
    units = torch.tensor([CANVAS_WIDTH, CANVAS_WIDTH, CM_PER_M, CM_PER_M, CM_PER_M], dtype=torch.float32)
    assert len(units) == FEATURES_PER_JOINT
    first = "layers.0.0.weight"
    state[first] = state[first].float() * units.repeat(refiner.config.skeleton.num_joints)
    for name in ("output.weight", "output.bias"):
        state[name] = state[name].float() / CM_PER_M
    return fill(refiner, state, source)


def release_key(key: str, renames: Renames = _RENAMES) -> str:
    """The authors' name of an entry of ``Hourglass.state_dict()``."""
    for pattern, replacement in renames:
        key = re.sub(pattern, replacement, key)
    return key


def _in_our_names(
    module: torch.nn.Module, tensors: Mapping[str, Tensor], renames: Renames, source: str
) -> dict[str, Tensor]:
    theirs = {key: release_key(key, renames) for key in module.state_dict()}
    check_shapes({theirs[key]: tuple(value.shape) for key, value in module.state_dict().items()}, tensors, source)
    return {key: tensors[name] for key, name in theirs.items()}


def _limb_order(first_limb: FirstLimb) -> tuple[list[int], list[float]]:
    """For every limb of ``SMAP15``: its index in their order, and -1 where theirs points towards the root."""
    limbs = list(RELEASE_LIMBS)
    if first_limb == "head-neck":
        limbs[0] = limbs[0][::-1]
    order, signs = [], []
    for parent, child in SMAP15.limbs:
        along = (parent, child) in limbs
        order.append(limbs.index((parent, child) if along else (child, parent)))
        signs.append(1.0 if along else -1.0)
    return order, signs


def _remap_rows(state: dict[str, Tensor], name: str, rows: list[int], scales: list[float]) -> None:
    """Reorder the outputs of a convolution and its normalisation, and scale them."""
    index, factor = torch.tensor(rows), torch.tensor(scales)
    for key in ("conv.weight", "conv.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"):
        state[f"{name}.{key}"] = state[f"{name}.{key}"][index]
    for key in ("norm.weight", "norm.bias"):
        state[f"{name}.{key}"] = state[f"{name}.{key}"].float() * factor
