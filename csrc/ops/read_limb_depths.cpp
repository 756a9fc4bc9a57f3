#include "ops/read_limb_depths.h"

#include "ops/op.h"

namespace smap {

Tensor read_limb_depths(const Tensor& limb_depths, const Tensor& xy, const Tensor& people, const Tensor& limbs,
                        int64_t stride, int64_t samples, bool child_alone) {
  check_same_device(xy, "xy", limb_depths);
  check_same_device(people, "people", limb_depths);
  check_same_device(limbs, "limbs", limb_depths);
  check(stride >= 1, "stride", "be at least 1", stride);
  check(samples >= 1 && samples <= ReadLimbDepths<float>::kMaxSamples, "samples", "be from 1 to 32", samples);
  return with_map_type(limb_depths, "limb_depths", [&](auto element) {
    using T = decltype(element);
    ReadLimbDepths<T> body;
    body.maps = view<const T>(limb_depths, "limb_depths", {-1, -1, -1, -1});
    const int64_t batch = body.maps.size[0], count = body.maps.size[1];
    body.xy = view<const float>(xy, "xy", {batch, -1, -1, 2});
    body.people = view<const int64_t>(people, "people", {batch, -1, body.xy.size[1]});
    body.limbs = view<const int64_t>(limbs, "limbs", {count, 2});
    body.stride = stride;
    body.samples = static_cast<int>(samples);
    body.child_alone = child_alone;
    const int64_t persons = body.people.size[1];
    Tensor out = empty(limb_depths, {batch, persons, count}, ScalarType::Float);
    check(body.maps.size[2] > 0 && body.maps.size[3] > 0, "limb_depths", "have at least one pixel", "none");
    body.out = view<float>(out, "out", {batch, persons, count});
    run(body, batch * persons * count, limb_depths);
    return out;
  });
}

}  // namespace smap

SMAP_REGISTER(read_limb_depths,
              "(Tensor limb_depths, Tensor xy, Tensor people, Tensor limbs, int stride, int samples, bool child_alone) "
              "-> Tensor")
