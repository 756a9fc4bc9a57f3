// The 16-bit types: all 65536 patterns of both, against arithmetic in double.
#include <cmath>
#include <cstdint>

#include "check.h"
#include "core/half.h"

namespace {

// IEEE 754: sign, exponent of `exponent_bits`, fraction of `fraction_bits`.
double decode(uint32_t bits, int exponent_bits, int fraction_bits) {
  const uint32_t fraction = bits & ((1u << fraction_bits) - 1);
  const int exponent = static_cast<int>(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const double sign = bits >> (exponent_bits + fraction_bits) ? -1 : 1;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  if (exponent == (1 << exponent_bits) - 1) return fraction ? std::nan("") : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp((1u << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

bool same(float got, double expected) {
  if (std::isnan(expected)) return std::isnan(got);
  return got == expected && std::signbit(got) == std::signbit(expected);
}

}  // namespace

int main() {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    CHECK(same(smap::Float16{static_cast<uint16_t>(bits)}, decode(bits, 5, 10)));
    CHECK(same(smap::BFloat16{static_cast<uint16_t>(bits)}, decode(bits, 8, 7)));
  }
}
