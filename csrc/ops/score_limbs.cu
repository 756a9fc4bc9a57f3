#include "ops/loop.cuh"
#include "ops/score_limbs.h"

SMAP_CUDA_LOOP(smap::ScoreLimbs)
