// The body is `FindPeaks` of the core: torch-free programs use it too.
#pragma once

#include "core/peaks.h"
