#!/usr/bin/env bash
# Everything that needs a GPU, in one call: build for this card, all tests with a missing GPU as a failure, benchmarks
# as JSON. Needs a Python with torch >= 2.11 built for CUDA, nvcc, pytest, pytest-benchmark and hypothesis; no network.
#   OUT=DIR      results: tests.log, benchmarks.json, bench.json (default: out)
#   PYTHON=...   interpreter (default: python3)
#   ARCH=90      architecture to compile for (default: that of the first GPU)
#   TESTS=...    arguments of pytest (default: all tests that use a GPU, in six processes with pytest-xdist)
# Every step has a time limit: all of it ends within nine minutes.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
out=${OUT:-out}
mkdir -p "$out"
tests=${TESTS:-tests -m cuda}
"$python" -c 'import xdist' 2>/dev/null && tests+=" -n 6"
failed=0

"$python" - <<'PY' || exit 2
import sys, torch
if not torch.cuda.is_available():
    sys.exit("gpu.sh needs a GPU that torch can use, got none")
print(sys.version.split()[0], "torch", torch.__version__, torch.cuda.get_device_name(),
      "sm_%d%d" % torch.cuda.get_device_capability())
PY
arch=${ARCH:-$("$python" -c 'import torch; print("%d%d" % torch.cuda.get_device_capability())')}

step() { printf '\n=== %s (%d s)\n' "$1" "$SECONDS"; }

step "build for sm_$arch"
SMAP_CUDA=ON SMAP_CUDA_ARCHITECTURES=$arch CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) \
  "$python" -m pip install -q --no-index --no-build-isolation --no-deps . || exit 1
"$python" -m smap --version

step "tests"
# Installed, not from python/: the package that a user gets is what is tested.
# shellcheck disable=SC2086 # TESTS holds several arguments
SMAP_REQUIRE_CUDA=1 timeout 200 "$python" -m pytest $tests -q --maxfail=50 -p no:cacheprovider 2>&1 |
  tee "$out/tests.log" | tail -n 40 || failed=1

step "benchmarks"
timeout 120 "$python" -m pytest benchmarks -m cuda -q -s --benchmark-enable --benchmark-only \
  --benchmark-json="$out/benchmarks.json" --benchmark-columns=median,min,rounds --benchmark-sort=name \
  --benchmark-max-time=0.5 -p no:cacheprovider || failed=1

if [[ -e python/smap/weights/default.safetensors ]]; then
  step "latency"
  timeout 40 "$python" -m smap bench --json "$out/bench.json" || failed=1
fi

if command -v compute-sanitizer >/dev/null; then
  step "compute-sanitizer"
  for tool in memcheck racecheck; do
    # torch's allocator would hide small overruns; probes of the driver that fail are none of ours.
    options=(--tool "$tool" --error-exitcode 1 --log-file "$out/$tool.log")
    [[ $tool == memcheck ]] && options+=(--report-api-errors no)
    PYTORCH_NO_CUDA_MEMORY_CACHING=1 timeout 60 compute-sanitizer "${options[@]}" "$python" -m pytest tests/cuda/test_ops.py -q -k 'equals_the_cpu and float32' -p no:cacheprovider \
      >"$out/$tool-tests.log" 2>&1
    status=$?
    if ((status == 124)); then
      echo "$tool: not finished in time"
    elif ((status != 0)); then
      failed=1
      tail -n 5 "$out/$tool-tests.log"
    fi
    tail -n 2 "$out/$tool.log"
  done
fi

step "done"
exit $failed
