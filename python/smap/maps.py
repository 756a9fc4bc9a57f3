"""What the network says about an image: channel layout, units and checks of the maps (paper Sec. 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from .constants import constant_tensors
from .skeleton import SMAP15, Skeleton

MAP_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True, eq=False, repr=False)
class Maps:
    """The intermediate representations of a batch of images.

    Args:
        heatmaps: ``(B, J, h, w)`` in [0, 1], a peak at every visible joint.
        pafs: ``(B, L, 2, h, w)`` unit vectors (x, y) from parent to child along every limb.
        limb_depths: ``(B, L, h, w)`` metres, depth of the child minus depth of the parent.
        root_depth: ``(B, h, w)`` normalised root depth ``Z w / f`` (Eq. 1), metres; w and f in network-input pixels.
        skeleton: names the channels.

    All on one device, float32, float16 or bfloat16.

    Raises:
        TypeError: a map is not a floating-point tensor of these types.
        ValueError: a shape does not fit the others or the skeleton.
    """

    heatmaps: Tensor
    pafs: Tensor
    limb_depths: Tensor
    root_depth: Tensor
    skeleton: Skeleton = field(default_factory=lambda: SMAP15)  # torch.compile does not know defaults that are objects

    def __post_init__(self) -> None:
        for name in MAP_NAMES:
            value = getattr(self, name)
            if not isinstance(value, Tensor) or value.dtype not in MAP_DTYPES:
                kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
                raise TypeError(f"{name} must be a float32, float16 or bfloat16 tensor, got {kind}")
        if self.heatmaps.dim() != 4:
            raise ValueError(f"heatmaps must be (B, J, h, w), got {tuple(self.heatmaps.shape)}")
        batch, _, height, width = self.heatmaps.shape
        joints, limbs = self.skeleton.num_joints, self.skeleton.num_limbs
        expected = {
            "heatmaps": (batch, joints, height, width),
            "pafs": (batch, limbs, 2, height, width),
            "limb_depths": (batch, limbs, height, width),
            "root_depth": (batch, height, width),
        }
        for name, shape in expected.items():
            value = getattr(self, name)
            if tuple(value.shape) != shape:
                raise ValueError(f"{name} must be {shape} to fit heatmaps and skeleton, got {tuple(value.shape)}")
            if value.device != self.heatmaps.device:
                raise ValueError(f"{name} must be on {self.heatmaps.device} like heatmaps, got {value.device}")

    def __len__(self) -> int:
        return int(self.heatmaps.shape[0])

    def __getitem__(self, index: slice) -> Maps:
        """A batch of the images that ``index`` selects; an int is refused so that rank never changes silently."""
        if not isinstance(index, slice):
            raise TypeError(f"index must be a slice, got {type(index).__name__}")
        return replace(self, **{name: getattr(self, name)[index] for name in MAP_NAMES})

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Maps:
        """The same maps on another device, in another dtype; None keeps it."""
        return replace(self, **{name: getattr(self, name).to(device=device, dtype=dtype) for name in MAP_NAMES})

    def mirrored(self) -> Maps:
        """What the maps of the mirrored pictures would be: left is right, and x points the other way."""
        joints, limbs = _flipped(self.skeleton, self.heatmaps.device)
        pafs = self.pafs[:, limbs].flip(-1)
        pafs[:, :, 0].neg_()  # of a copy
        return Maps(
            self.heatmaps[:, joints].flip(-1),
            pafs,
            self.limb_depths[:, limbs].flip(-1),
            self.root_depth.flip(-1),
            self.skeleton,
        )

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {tuple(getattr(self, name).shape)}" for name in MAP_NAMES)
        return f"Maps({shapes}, {self.heatmaps.dtype}, {self.heatmaps.device})"


@constant_tensors  # lists would be copied to the GPU in every call
def _flipped(skeleton: Skeleton, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.tensor(skeleton.flipped_joints, device=device), torch.tensor(skeleton.flipped_limbs, device=device)


MAP_NAMES = tuple(f.name for f in fields(Maps) if f.name != "skeleton")
