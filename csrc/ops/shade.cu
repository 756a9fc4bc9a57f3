#include "ops/loop.cuh"
#include "ops/shade.h"

SMAP_CUDA_LOOP(smap::Shade)
