"""Fixtures that every test shares."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
import torch

from smap.network import Hourglass, NetworkConfig, RefineNet, RefinerConfig, save_network, save_refiner

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SMAP_SHARED", ROOT.parent / "shared"))

torch.set_num_threads(1)  # tests are small; threads on a busy machine only wait for each other
hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine may take its time over an example
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with fixtures, scene pack and photographs; skips without it."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the shared data ({SHARED})")
    return SHARED


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of a network whose maps are full of peaks, and of a refiner that moves and judges people at random."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    tiny = NetworkConfig(blocks=(1, 1, 1, 1), encoder_channels=(8, 8, 16, 16), decoder_channels=8, stem_channels=8)
    save_network(Hourglass(tiny), folder / "network.safetensors")
    save_refiner(RefineNet(RefinerConfig(anchor_depth="corrected", judge=(16,))), folder / "refiner.safetensors")
    return folder / "network.safetensors", folder / "refiner.safetensors"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if torch.cuda.is_available() or os.environ.get("SMAP_REQUIRE_CUDA") == "1":
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device that an op runs on."""
    return torch.device(request.param)
