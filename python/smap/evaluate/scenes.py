"""Rendered scenes as a data set: truth without an annotation error, from people and backgrounds nobody trained on."""

from __future__ import annotations

from dataclasses import fields
from operator import index
from pathlib import Path
from threading import Lock
from typing import Any

from ..data.base import Dataset, Problems
from ..sample import Sample

BUILTIN = "builtin"
COUNT, SIZE = 500, (832, 512)
SEED_STRIDE = 1_000_003  # more than anybody renders: seeds of two data sets do not overlap

_rendering = Lock()  # a pack decodes its pictures into shared pages when they are first used


class SceneDataset(Dataset):
    """``count`` random scenes; scene i is rendered from ``(seed, i)`` when it is asked for.

    Args:
        pack: folder of a scene pack, or "builtin" for the made-up people that need none.
        options: fields of ``SceneConfig`` that differ from ``split="val"`` and 832 x 512 pixels.

    Raises:
        DatasetError: the pack is incomplete.
        ValueError: an option does not fit, or there is no such option.
    """

    def __init__(self, pack: str | Path, *, count: int = COUNT, seed: int = 0, **options: Any) -> None:
        from ..synthetic import BuiltinPack, Pack, SceneConfig

        super().__init__(Path(pack), Problems())
        options = {name: tuple(x) if isinstance(x, list) else x for name, x in options.items()}
        if unknown := sorted(set(options) - {field.name for field in fields(SceneConfig)}):
            raise ValueError(f"options of scenes must be count, seed or of SceneConfig, got {', '.join(unknown)}")
        try:
            self.count, self.seed = index(count), index(seed)
            self.config = SceneConfig(**{"split": "val", "width": SIZE[0], "height": SIZE[1], **options})
        except TypeError as error:  # text where a number is compared, say
            got = {"count": count, "seed": seed, **options}
            raise ValueError(f"options of scenes must be of the declared types, got {got} ({error})") from error
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        self._pack = BuiltinPack() if str(self.root) == BUILTIN else Pack.load(self.root)

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> Sample:
        from ..synthetic import render_scene

        with _rendering:
            return render_scene(self._pack, self.config, self.seed * SEED_STRIDE + index)

    def describe(self, index: int) -> tuple[str, str]:
        return str(self.root), f"scene {index} of seed {self.seed}"
