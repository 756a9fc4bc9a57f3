// Error messages, and shapes as they show them.
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
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

/// Throws `std::invalid_argument` (ValueError in Python) with "<what> must <rule>, got <got>".
template <class Rule, class Got>
void check(bool ok, const char* what, const Rule& rule, const Got& got) {
  if (ok) [[likely]]
    return;
  std::ostringstream text;
  text << what << " must " << rule << ", got " << got;
  throw std::invalid_argument(text.str());
}

}  // namespace smap
