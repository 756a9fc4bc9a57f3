#include "ops/associate.h"
#include "ops/loop.cuh"

SMAP_CUDA_LOOP(smap::Associate)
