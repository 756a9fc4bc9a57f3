#include "ops/loop.cuh"
#include "ops/make_targets.h"

SMAP_CUDA_LOOP(smap::MakeHeatmaps<float>)
SMAP_CUDA_LOOP(smap::MakeHeatmaps<smap::Float16>)
SMAP_CUDA_LOOP(smap::MakeHeatmaps<smap::BFloat16>)
SMAP_CUDA_LOOP(smap::MakeLimbs<float>)
SMAP_CUDA_LOOP(smap::MakeLimbs<smap::Float16>)
SMAP_CUDA_LOOP(smap::MakeLimbs<smap::BFloat16>)
SMAP_CUDA_LOOP(smap::MakeRoots)
