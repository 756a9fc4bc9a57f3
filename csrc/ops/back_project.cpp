#include "ops/back_project.h"

#include "ops/op.h"

namespace smap {

template <class T>
Tensor back_project_as(const Tensor& xy, const Tensor& depth, const Tensor& cameras) {
  BackProject<T> body;
  body.xy = view<const T>(xy, "xy", {-1, -1, 2});
  const int64_t batch = body.xy.size[0], points = body.xy.size[1];
  body.depth = view<const T>(depth, "depth", {batch, points});
  body.cameras = view<const T>(cameras, "cameras", {batch, 4});
  Tensor out = empty(xy, {batch, points, 3}, kScalarType<T>);
  body.points = view<T>(out, "out", {batch, points, 3});
  run(body, batch * points, xy);
  return out;
}

Tensor back_project(const Tensor& xy, const Tensor& depth, const Tensor& cameras) {
  check_same_device(depth, "depth", xy);
  check_same_device(cameras, "cameras", xy);
  // float64 is here for gradcheck and for surveyors.
  return xy.scalar_type() == ScalarType::Double ? back_project_as<double>(xy, depth, cameras)
                                                : back_project_as<float>(xy, depth, cameras);
}

}  // namespace smap

SMAP_REGISTER(back_project, "(Tensor xy, Tensor depth, Tensor cameras) -> Tensor")
