#include "ops/find_peaks.h"
#include "ops/loop.cuh"

SMAP_CUDA_LOOP(smap::FindPeaks)
