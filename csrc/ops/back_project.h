// Back-projection (paper Sec. 3.3, Eq. 3): [X, Y, Z] = Z K^-1 [x, y, 1].
#pragma once

#include "core/view.h"

namespace smap {

/// X or Y of an image point at depth z, with that axis' focal length and centre.
template <class T>
SMAP_HOST_DEVICE T back_projected(T pixel, T focal, T centre, T z) {
  return (pixel - centre) / focal * z;
}

/// Joint i of the flattened (image, point) grid.
template <class T>
struct BackProject {
  View<const T, 3> xy;       // (B, N, 2) image pixels
  View<const T, 2> depth;    // (B, N) metres along z
  View<const T, 2> cameras;  // (B, 4) fx, fy, cx, cy in image pixels
  View<T, 3> points;         // (B, N, 3) metres, camera frame; out

  SMAP_HOST_DEVICE void operator()(int64_t i) const {
    const int64_t b = i / depth.size[1], n = i % depth.size[1];
    const T z = depth(b, n);
    points(b, n, 0) = back_projected(xy(b, n, 0), cameras(b, 0), cameras(b, 2), z);
    points(b, n, 1) = back_projected(xy(b, n, 1), cameras(b, 1), cameras(b, 3), z);
    points(b, n, 2) = z;
  }
};

}  // namespace smap
