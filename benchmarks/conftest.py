"""Benchmarks share the tests' fixtures: `device` runs each on the CPU and, where there is one, the GPU."""

from __future__ import annotations

from tests.conftest import device, pytest_collection_modifyitems, shared

__all__ = ["device", "pytest_collection_modifyitems", "shared"]
