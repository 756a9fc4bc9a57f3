// The body is `Associate` of the core: torch-free programs use it too.
#pragma once

#include "core/associate.h"
