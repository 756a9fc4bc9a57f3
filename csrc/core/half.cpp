// Compile-time facts about the 16-bit types that views rely on.
#include "core/half.h"

namespace smap {
static_assert(sizeof(BFloat16) == 2 && sizeof(Float16) == 2, "views step over maps in units of two bytes");
}
