#include "ops/loop.cuh"
#include "ops/place_joints.h"

SMAP_CUDA_LOOP(smap::PlaceJoints)
