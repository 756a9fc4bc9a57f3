// Shapes as error messages show them.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>

namespace smap {

/// "(2, *, 3)"; an extent of -1 is free.
inline std::string shape_text(const int64_t* extent, int64_t rank) {
  std::ostringstream text;
  text << '(';
  for (int64_t d = 0; d < rank; ++d) {
    text << (d ? ", " : "");
    if (extent[d] < 0) {
      text << '*';
    } else {
      text << extent[d];
    }
  }
  text << ')';
  return text.str();
}

}  // namespace smap
