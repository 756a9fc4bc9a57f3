// `winograd_conv` runs core/winograd.h, on the CPU only: on a GPU torch chooses among such convolutions itself.
#pragma once

#include "core/winograd.h"
