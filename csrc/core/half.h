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

/// Neither NaN nor infinite, without the maths library.
SMAP_HOST_DEVICE inline bool is_finite(float value) {
  return value - value == 0.0f;
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
    // The sign extends over what the shift leaves free; the mask keeps one bit of it.
    const uint32_t shifted = (static_cast<uint32_t>(static_cast<int16_t>(bits)) << 13) & 0x8fffe000u;
    if ((bits & 0x7c00u) == 0x7c00u) return bits_to_float(shifted | 0x7f800000u);  // infinity and NaN
    // 2^112 moves the exponent bias from 15 to 127, for subnormal numbers too.
    return bits_to_float(shifted) * 5.192296858534828e33f;
  }
};

/// The element of type T nearest to a float, ties to even, as torch rounds.
template <class T>
SMAP_HOST_DEVICE inline T narrow(float value) {
  return value;
}

template <>
SMAP_HOST_DEVICE inline BFloat16 narrow<BFloat16>(float value) {
  const uint32_t bits = float_to_bits(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return BFloat16{static_cast<uint16_t>(value != value ? 0x7fc0u : rounded)};
}

template <>
SMAP_HOST_DEVICE inline Float16 narrow<Float16>(float value) {
  const uint32_t bits = float_to_bits(value), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  // Adding half a unit of the last place, shifted to the bottom, rounds numbers below 2^-14 (subnormal in 16 bit).
  const uint32_t small = float_to_bits(bits_to_float(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
  const uint32_t large = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;  // NaN, infinity and what rounds to it
  const uint32_t result = magnitude >= 0x477ff000u ? large : magnitude < 0x38800000u ? small : normal;
  return Float16{static_cast<uint16_t>(sign | result)};
}

static_assert(sizeof(BFloat16) == 2 && sizeof(Float16) == 2, "views step over maps in units of two bytes");

}  // namespace smap
