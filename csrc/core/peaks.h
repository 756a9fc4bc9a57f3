// Local maxima of heatmaps with sub-pixel positions (paper Sec. 3.2).
#pragma once

#include "core/map_view.h"

namespace smap {

constexpr int64_t kMostPeaks = 1 << 24;  // capacity of a joint at most

/// Peaks of channel i of the flattened (image, joint) grid.
struct FindPeaks {
  MapView<4> heatmaps;     // (B, J, h, w)
  float threshold;         // scaled values must be above
  float scale;             // of the values before they are compared with the threshold
  bool official;           // the authors' rules, see `is_peak` and `locate`
  View<float, 4> xy;       // (B, J, K, 2) map px, centres at integers; out, zero beyond the count
  View<float, 3> score;    // (B, J, K) heatmap value of the peak, not scaled; out
  View<int64_t, 2> count;  // (B, J); out
  View<int32_t, 2> marks;  // (B J, words) a bit for each pixel, lent to blocks of threads (peaks_block.h)

  /// One channel: its map and its peaks so far, in raster order.
  struct Channel {
    MapView<2> map;
    View<float, 2> xy;
    View<float, 1> score;
    int64_t found = 0;
  };

  SMAP_HOST_DEVICE Channel channel(int64_t i) const {
    const int64_t b = i / count.size[1], j = i % count.size[1];
    return {heatmaps[b][j], xy[b][j], score[b][j], 0};
  }

  /// Adds the pixel when it is a peak. Pixels come in raster order.
  SMAP_HOST_DEVICE void consider(Channel& c, int64_t y, int64_t x) const {
    if (is_peak(c.map, y, x)) insert(c, y, x);
  }

  SMAP_HOST_DEVICE void finish(int64_t i, const Channel& c) const {
    const int64_t capacity = c.score.size[0];
    for (int64_t k = c.found; k < capacity; ++k) c.xy(k, 0) = c.xy(k, 1) = 0.0f;
    for (int64_t k = c.found; k < capacity; ++k) c.score(k) = 0.0f;
    count(i / count.size[1], i % count.size[1]) = c.found;
  }

  SMAP_HOST_DEVICE void operator()(int64_t i) const {
    Channel c = channel(i);
    for (int64_t y = 0; y < c.map.size[0]; ++y)
      for (int64_t x = 0; x < c.map.size[1]; ++x) consider(c, y, x);
    finish(i, c);
  }

  SMAP_HOST_DEVICE float value(const MapView<2>& map, int64_t y, int64_t x) const { return map(y, x) * scale; }

  /// Above the threshold and all neighbours. Of equal neighbours the first in raster order is the peak, so that a
  /// plateau gives one; the authors give none, nor any on the border, and compare scaled values, which may be equal
  /// where the heatmap's are not.
  SMAP_HOST_DEVICE bool is_peak(const MapView<2>& map, int64_t y, int64_t x) const {
    const float v = value(map, y, x);
    if (!(v > threshold) || !is_finite(v)) return false;
    const int64_t h = map.size[0], w = map.size[1];
    if (official && (y < 1 || x < 1 || y > h - 2 || x > w - 2)) return false;
    const float factor = official ? scale : 1.0f, here = map(y, x) * factor;
    const auto above = [&](int dy, int dx) {
      const int64_t ny = y + dy, nx = x + dx;
      if (ny < 0 || nx < 0 || ny >= h || nx >= w) return true;
      const float other = map(ny, nx) * factor;
      const bool later = dy > 0 || (dy == 0 && dx > 0);
      return later && !official ? here >= other : here > other;
    };
    // Beside it first: most pixels of a bump have a higher neighbour there.
    return above(0, -1) && above(0, 1) && above(-1, 0) && above(1, 0) && above(-1, -1) && above(-1, 1) &&
           above(1, -1) && above(1, 1);
  }

  /// Sub-pixel position: the vertex of a parabola through the pixel and its neighbours, per axis. The authors take the
  /// centroid of the positive values in a 7x7 window, summed in raster order.
  SMAP_HOST_DEVICE void locate(const MapView<2>& map, int64_t y, int64_t x, float* px, float* py) const {
    const int64_t h = map.size[0], w = map.size[1];
    if (!official) {
      const float v = map(y, x);
      *px = static_cast<float>(x) + (x > 0 && x < w - 1 ? vertex(map(y, x - 1), v, map(y, x + 1)) : 0.0f);
      *py = static_cast<float>(y) + (y > 0 && y < h - 1 ? vertex(map(y - 1, x), v, map(y + 1, x)) : 0.0f);
      return;
    }
    float sum = 0.0f, sum_x = 0.0f, sum_y = 0.0f;
    for (int64_t ny = y < 3 ? 0 : y - 3; ny <= y + 3 && ny < h; ++ny)
      for (int64_t nx = x < 3 ? 0 : x - 3; nx <= x + 3 && nx < w; ++nx) {
        const float v = value(map, ny, nx);
        if (!(v > 0.0f)) continue;
        sum_x += static_cast<float>(nx) * v;
        sum_y += static_cast<float>(ny) * v;
        sum += v;
      }
    *px = sum_x / sum;
    *py = sum_y / sum;
  }

 private:
  SMAP_HOST_DEVICE static float vertex(float left, float middle, float right) {
    const float curvature = (middle - left) + (middle - right);
    return curvature > 0.0f ? 0.5f * (right - left) / curvature : 0.0f;
  }

  SMAP_HOST_DEVICE void insert(Channel& c, int64_t y, int64_t x) const {
    const int64_t capacity = c.score.size[0];
    const float v = c.map(y, x);
    if (c.found == capacity) {
      if (official || capacity == 0) return;
      // The worst leaves, the later one of equals; the others keep their raster order.
      int64_t worst = 0;
      for (int64_t k = 1; k < capacity; ++k)
        if (c.score(k) <= c.score(worst)) worst = k;
      if (v <= c.score(worst)) return;
      for (int64_t k = worst; k + 1 < capacity; ++k) {
        c.score(k) = c.score(k + 1);
        c.xy(k, 0) = c.xy(k + 1, 0);
        c.xy(k, 1) = c.xy(k + 1, 1);
      }
      --c.found;
    }
    locate(c.map, y, x, &c.xy(c.found, 0), &c.xy(c.found, 1));
    c.score(c.found++) = v;
  }
};

/// Throws std::invalid_argument for numbers that no search can go by.
void check_peak_rules(double threshold, double scale, int64_t capacity);

/// The same on the CPU, faster: reads every pixel once as an integer and looks closer only above the threshold.
/// Throws std::invalid_argument when a heatmap value is not finite. Without `vectors` as a CPU without AVX2 would.
void find_peaks_on_host(const FindPeaks& find, bool vectors = true);

}  // namespace smap
