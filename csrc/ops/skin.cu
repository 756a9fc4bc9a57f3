#include "ops/loop.cuh"
#include "ops/skin.h"

SMAP_CUDA_LOOP(smap::Skin)
