#include "ops/back_project.h"
#include "ops/loop.cuh"

SMAP_CUDA_LOOP(smap::BackProject<float>)
SMAP_CUDA_LOOP(smap::BackProject<double>)
