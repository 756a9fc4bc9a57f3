# On a fresh machine: `make demo` (picture in, JSON and overlays out) and `make test`. Needs Python >= 3.11, a C++20
# compiler and, for the CUDA ops, nvcc; everything else goes into $(VENV).
#   PYTHON=python3.12        another interpreter
#   TORCH_INDEX=URL          another source of torch, such as its index of CPU-only wheels
#   SMAP_CUDA=ON|OFF|AUTO    CUDA ops, see below

PYTHON ?= python3
VENV ?= .venv
OUT ?= out
EXAMPLE ?= examples/scene.jpg
TORCH_INDEX ?=
PYTEST_ARGS ?=

# A plain `pip install .` builds the CUDA ops wherever nvcc is. Here a machine without a GPU skips them: it could compile
# them (minutes, seven architectures) but not run them; `.ci/run` does compile them.
SMAP_CUDA ?= $(shell command -v nvidia-smi >/dev/null && echo AUTO || echo OFF)
export SMAP_CUDA

bin := $(VENV)/bin
pip := $(bin)/python -m pip --disable-pip-version-check install -q -c constraints.txt
compiled := CMakeLists.txt $(wildcard cmake/*.cmake csrc/*.cpp csrc/*/*)

.PHONY: all demo test bench lint format native clean
.DELETE_ON_ERROR:

all: $(VENV)/built

demo: $(VENV)/built
	$(bin)/smap predict $(EXAMPLE) --json --overlay --view3d --out $(OUT)

test: $(VENV)/built
	$(bin)/python -m pytest $(PYTEST_ARGS)

bench: $(VENV)/built
	$(bin)/python -m pytest benchmarks --benchmark-enable --benchmark-only $(PYTEST_ARGS)

lint: $(VENV)/linters $(VENV)/built
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	git ls-files -co --exclude-standard '*.h' '*.cpp' '*.cu' '*.cuh' | xargs $(bin)/clang-format --dry-run -Werror

format: $(VENV)/linters
	$(bin)/ruff check --fix
	$(bin)/ruff format
	git ls-files -co --exclude-standard '*.h' '*.cpp' '*.cu' '*.cuh' | xargs $(bin)/clang-format -i

# The solver and kernels under ASan and UBSan: no torch, no Python.
native: $(VENV)/packages
	$(bin)/cmake -S . -B build/native -G Ninja -DSMAP_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug
	$(bin)/cmake --build build/native
	$(bin)/ctest --test-dir build/native --output-on-failure

clean:
	rm -rf $(VENV) $(OUT) build

# Stamps: a second call has nothing to do, a changed source rebuilds. Python files need no rebuild (editable install).
$(VENV)/packages: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "smap needs Python >= 3.11, got %d.%d: make PYTHON=python3.12 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(pip) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(pip) scikit-build-core pybind11 cmake ninja
	touch $@

$(VENV)/built: $(VENV)/packages $(compiled)
	$(pip) --no-build-isolation -e '.[test]'
	touch $@

$(VENV)/linters: $(VENV)/packages
	$(pip) ruff mypy clang-format torch-abi-audit
	touch $@
