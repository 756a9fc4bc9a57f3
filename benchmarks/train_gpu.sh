#!/usr/bin/env bash
# Trains the default weights on a GPU, some minutes at a time, and loses nothing between pieces. The first piece begins
# with the weights of the repository, every other with the FROM that the last one left:
#   OUT=piece1 benchmarks/train_gpu.sh
#   OUT=piece2 FROM=piece1/state benchmarks/train_gpu.sh
# In OUT, in files under 16 MiB: state/ (to continue from), best.safetensors, curve.jsonl, train.log.
#   MINUTES=6      of training, over the last ANNEAL=2 of which the learning rate falls; on 16 cores building takes
#                  half a minute more, and of the minutes themselves a quarter of one goes into the start
#   PACK=DIR       scene pack (default ../shared/scenes)
#   CONFIG=FILE    default examples/train_gpu.toml; its data paths are replaced by PACK
#   DEVICE=cuda    PYTHON=python3    ARCH=90 as in gpu.sh    BUILD=0: smap is installed already
#   EVALUATE=200   held-out pictures to judge the result by, drawn on the CPU: better done elsewhere (default 0: none)
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
out=${OUT:?"must name the folder for results"}
pack=${PACK:-../shared/scenes}
config=${CONFIG:-examples/train_gpu.toml}
mkdir -p "$out"
run=$(mktemp -d)
keep() { # also of a run that was cut off
  local file
  for file in best.safetensors curve.jsonl; do
    if [[ -e $run/run/$file ]]; then cp "$run/run/$file" "$out/"; fi
  done
  rm -rf "$run"
}
trap keep EXIT

if [[ ${BUILD:-1} != 0 ]]; then
  arch=${ARCH:-$("$python" -c 'import torch; print("%d%d" % torch.cuda.get_device_capability())')}
  SMAP_CUDA=ON SMAP_CUDA_ARCHITECTURES=$arch CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) \
    "$python" -m pip install -q --no-build-isolation --no-deps .
fi

sed "s|^path = .*|path = \"$pack\"|; s|path = \"../shared/scenes\"|path = \"$pack\"|" "$config" >"$run/config.toml"
begin=(--start-from python/smap/weights/default.safetensors)
[[ -n ${FROM:-} ]] && begin=(--continue-from "$FROM")
"$python" -m smap train "$run/config.toml" --out "$run/run" --device "${DEVICE:-cuda}" --minutes "${MINUTES:-6}" \
  --anneal "${ANNEAL:-2}" --quiet --portable "$out/state" "${begin[@]}" 2>&1 | tee "$out/train.log"
if ((${EVALUATE:-0})) && [[ -e $run/run/best.safetensors ]]; then
  "$python" -m smap evaluate --data "scenes=$pack" --option count="$EVALUATE" --weights "$run/run/best.safetensors" \
    --refiner none --device "${DEVICE:-cuda}" 2>&1 | tee "$out/figures.txt"
fi
