#include "ops/loop.cuh"
#include "ops/rasterize.h"

SMAP_CUDA_LOOP(smap::Rasterize)
