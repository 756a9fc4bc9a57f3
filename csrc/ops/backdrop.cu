#include "ops/backdrop.h"
#include "ops/loop.cuh"

SMAP_CUDA_LOOP(smap::Backdrop)
