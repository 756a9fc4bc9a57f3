from __future__ import annotations

from pathlib import Path

import pytest

from smap.synthetic import BuiltinPack, Pack


@pytest.fixture(scope="session")
def builtin() -> BuiltinPack:
    return BuiltinPack()


@pytest.fixture(scope="session")
def shared_pack(shared: Path) -> Pack:
    return Pack.load(shared / "scenes", texture_size=128)


@pytest.fixture(params=["builtin", "shared_pack"])
def pack(request: pytest.FixtureRequest) -> BuiltinPack | Pack:
    """Every kind of pack there is."""
    pack: BuiltinPack | Pack = request.getfixturevalue(request.param)
    return pack
