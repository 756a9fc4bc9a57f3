"""Imports point down, optional packages wait until they are needed, and the native core stays on its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import smap

from .cuda.problems import EVERY_NAME

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "smap"

# Top to bottom. A module imports only from lines below its own, or from its own package.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"train", "evaluate", "export"},
    {"estimator", "tracking", "draw", "view3d", "video", "metrics"},
    {"graph"},
    {"lift", "data"},
    {"decode", "synthetic"},
    {"network"},
    {"ops", "canvas"},
    {"maps", "people", "sample"},
    {"skeleton", "camera", "letterbox", "image"},
    {"constants", "errors", "files", "memory", "worker", "_core"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
USES_CV2 = {"letterbox", "image", "data", "canvas", "draw", "video", "synthetic"}
OPTIONAL = {"matplotlib", "tensorboard", "trimesh", "pygltflib", "PIL", "onnx", "onnxruntime"}
# What `import smap` itself gathers: everything public.
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def imports(path: Path) -> Iterator[tuple[str, ast.AST, bool]]:
    """``(absolute module, node, at module level)`` of every import in the file, type-checking ones included."""
    package = ["smap", *path.relative_to(PACKAGE).parent.parts]
    tree = ast.parse(path.read_text())
    inside = {
        node
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node, node not in inside
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "smap" else [module]
            for name in names:
                yield name, node, node not in inside


def part(path: Path) -> str:
    """The name in LAYERS that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    own = part(path)
    assert own in RANK, f"{own} has no line in LAYERS"
    for name, node, _ in imports(path):
        if not name.startswith("smap.") or name.split(".")[1] == own:
            continue
        other = name.split(".")[1]
        if other.startswith("__"):  # smap.__version__
            continue
        assert other in RANK, f"{path}:{node.lineno}: {name} is no module of LAYERS"  # type: ignore[attr-defined]
        assert RANK[other] > RANK[own], f"{path}:{node.lineno}: {own} imports {other}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_packages_stay_where_they_belong(path: Path) -> None:
    for name, node, at_module_level in imports(path):
        package = name.split(".")[0]
        where = f"{path}:{node.lineno}: {name}"  # type: ignore[attr-defined]
        assert package != "cv2" or part(path) in USES_CV2, where
        assert package not in OPTIONAL or not at_module_level, f"{where}: import it where it is needed"


def includes(path: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', path.read_text(), re.MULTILINE)


def test_the_core_knows_neither_torch_nor_python() -> None:
    files = [*(ROOT / "csrc" / "core").iterdir()]
    assert files
    for path in files:
        for name in includes(path):
            assert not re.match(r"torch|ATen|c10|pybind11|Python|cuda|ops/", name), f"{path} includes {name}"


def test_cuda_sources_include_no_torch() -> None:
    """They compile in seconds then, on machines without a GPU too."""
    seen = set()

    def check(path: Path) -> None:
        for name in includes(path):
            assert not re.match(r"torch|ATen|c10", name), f"{path} includes {name}"
            header = ROOT / "csrc" / name
            if header.exists() and header not in seen:
                seen.add(header)
                check(header)

    sources = [*(ROOT / "csrc").rglob("*.cu")]
    assert sources
    for path in sources:
        check(path)


@pytest.mark.parametrize("on", ["SMAP_OPS", "SMAP_CPU_OPS"])
def test_every_op_has_all_its_parts(on: str) -> None:
    names = re.search(rf"set\({on}\s+([^)]*)\)", (ROOT / "CMakeLists.txt").read_text())
    assert names
    cuda = on == "SMAP_OPS"
    for op in names[1].split():
        for part_ in (
            f"csrc/ops/{op}.h",
            f"csrc/ops/{op}.cpp",
            f"python/smap/ops/{op}.py",
            f"tests/ops/test_{op}.py",
            f"benchmarks/bench_{op}.py",
        ):
            assert (ROOT / part_).is_file(), f"{op} lacks {part_}"
        assert (ROOT / f"csrc/ops/{op}.cu").is_file() == cuda, f"{op}.cu"
        assert (op in EVERY_NAME) == cuda, f"{op} in the problems of tests/cuda"


def test_the_package_lists_what_is_public() -> None:
    names = set(dir(smap))
    assert {*smap.__all__, "ops", "network", "__version__"} <= names
    assert all(getattr(smap, name) is not None for name in names)
    assert not names & {"Any", "annotations", "importlib", "sys", "_HOME"}
