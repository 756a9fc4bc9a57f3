#!/usr/bin/env bash
# Trains the default weights on a GPU, some minutes at a time, and loses nothing between pieces. The first piece begins
# with the weights of the repository, every other with the FROM that the last one left:
#   OUT=piece1 benchmarks/train_gpu.sh
#   OUT=piece2 FROM=piece1/state benchmarks/train_gpu.sh
# In OUT, in files under 16 MiB: state/ (to continue from; every two minutes, so that a piece that is cut off leaves one),
# best.safetensors, curve.jsonl, train.log.
#   MINUTES=7      for all of it, over the last ANNEAL=2 of which the learning rate falls; on 16 cores building takes half
#                  a minute and the start of the training a quarter
#   NEGATIVES=0    so many pictures without people are drawn first, and those in which the weights see somebody are trained
#                  on with weight WEIGHT=0.05 beside the configuration's; 28,000 took 70 seconds on 16 cores and gave 1,527.
#                  NEGATIVES_OF=FILE: other weights than the repository's; SEED=1000000: of the first picture
#   PACK=DIR       scene pack (default ../shared/scenes)
#   CONFIG=FILE    default examples/train_gpu.toml; PACK is of the rendered pictures whose tables name no path
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
keep() {
  local file
  for file in run/best.safetensors run/curve.jsonl hard.json; do
    if [[ -e $run/$file ]]; then cp "$run/$file" "$out/"; fi
  done
  rm -rf "$run"
}
trap keep EXIT
stopping=0
stop() { # the trainer ends with a checkpoint; what mines just ends
  ((stopping)) && return
  stopping=1
  # shellcheck disable=SC2046 # one word per process
  kill -TERM $(jobs -p) 2>/dev/null || true
}
trap stop TERM INT
SECONDS=0

if [[ ${BUILD:-1} != 0 ]]; then
  arch=${ARCH:-$("$python" -c 'import torch; print("%d%d" % torch.cuda.get_device_capability())')}
  SMAP_CUDA=ON SMAP_CUDA_ARCHITECTURES=$arch CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) \
    "$python" -m pip install -q --no-build-isolation --no-deps .
fi

cp "$config" "$run/config.toml"
default=python/smap/weights/default.safetensors
begin=(--start-from "$default")
[[ -n ${FROM:-} ]] && begin=(--continue-from "$FROM")

if ((${NEGATIVES:-0})); then
  "$python" -m smap negatives "$run/config.toml" --pack "$pack" --weights "${NEGATIVES_OF:-$default}" --device "${DEVICE:-cuda}" \
    --count "$NEGATIVES" --seed "${SEED:-1000000}" --workers $(($(nproc) > 2 ? $(nproc) - 2 : 1)) --quiet \
    --out "$run/hard.json" &
  mined=0
  wait $! || mined=$?
  ((stopping)) && exit 143
  ((mined < 2)) || exit "$mined" # 1: none mislead
  if [[ -e $run/hard.json ]]; then
    cat >>"$run/config.toml" <<TOML

[[data]]
kind = "scenes"
weight = ${WEIGHT:-0.05}
seeds = "$run/hard.json"
options = { empty_share = 1.0, letterbox_share = 0.6 }
TOML
  fi
fi
# Half a minute is for what comes before the first step's clock, the last checkpoint and validation.
left=$("$python" -c "print(max(0.1, ${MINUTES:-7} - $SECONDS / 60 - 0.5))")
anneal=$("$python" -c "print(min($left, ${ANNEAL:-2}))")
# In a session of its own: a signal to the terminal or to all of this script's processes reaches it once, through `stop`.
setsid "$python" -m smap train "$run/config.toml" --pack "$pack" --out "$run/run" --device "${DEVICE:-cuda}" --minutes "$left" \
  --anneal "$anneal" --quiet --portable "$out/state" "${begin[@]}" >"$out/train.log" 2>&1 &
trainer=$! status=0
wait "$trainer" || status=$?
while kill -0 "$trainer" 2>/dev/null; do wait "$trainer" || status=$?; done # a wait ends with a signal, too
cat "$out/train.log"
if ((status == 0 && ${EVALUATE:-0})) && [[ -e $run/run/best.safetensors ]]; then
  "$python" -m smap evaluate --data "scenes=$pack" --option count="$EVALUATE" --weights "$run/run/best.safetensors" \
    --refiner none --device "${DEVICE:-cuda}" 2>&1 | tee "$out/figures.txt"
fi
exit $status
