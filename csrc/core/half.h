// The 16-bit floating-point types of maps, without torch: storage plus conversion to float.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/view.h"

namespace smap {

SMAP_HOST_DEVICE inline float bits_to_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

SMAP_HOST_DEVICE inline uint32_t float_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// bfloat16: the upper half of a float.
struct BFloat16 {
  uint16_t bits;

  SMAP_HOST_DEVICE operator float() const { return bits_to_float(static_cast<uint32_t>(bits) << 16); }
};

/// IEEE binary16, converted with integer arithmetic and one exact multiplication: every machine gives the same.
struct Float16 {
  uint16_t bits;

  SMAP_HOST_DEVICE operator float() const {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
    const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7fffu) << 13;
    // 2^112 moves the exponent bias from 15 to 127, for subnormal numbers too.
    uint32_t value = float_to_bits(bits_to_float(magnitude) * 5.192296858534828e33f);
    if ((bits & 0x7c00u) == 0x7c00u) value = magnitude | 0x7f800000u;  // infinity and NaN
    return bits_to_float(value | sign);
  }
};

}  // namespace smap
