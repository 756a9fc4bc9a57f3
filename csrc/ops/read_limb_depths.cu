#include "ops/loop.cuh"
#include "ops/read_limb_depths.h"

SMAP_CUDA_LOOP(smap::ReadLimbDepths<float>)
SMAP_CUDA_LOOP(smap::ReadLimbDepths<smap::Float16>)
SMAP_CUDA_LOOP(smap::ReadLimbDepths<smap::BFloat16>)
