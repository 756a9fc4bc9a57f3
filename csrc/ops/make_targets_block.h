// `make_targets` by a block of threads per tile of a map: the people near it are looked up once, everyone else is far.
#pragma once

#include "core/block.h"
#include "ops/make_targets.h"

namespace smap {

/// 64 x 32 pixels of one channel; a thread has four neighbours in a row at a time and writes them together.
struct Tile {
  static constexpr int32_t kWidth = 64, kHeight = 32, kQuads = kWidth / 4 * kHeight;
  int64_t b, channel;
  int32_t x, y;

  SMAP_HOST_DEVICE static int64_t count(int64_t height, int64_t width) {
    return (height + kHeight - 1) / kHeight * ((width + kWidth - 1) / kWidth);
  }

  SMAP_HOST_DEVICE static Tile of(int64_t i, int64_t channels, int64_t height, int64_t width) {
    const int64_t tiles = count(height, width), across = (width + kWidth - 1) / kWidth;
    return {i / tiles / channels, i / tiles % channels, static_cast<int32_t>(i % tiles % across) * kWidth,
            static_cast<int32_t>(i % tiles / across) * kHeight};
  }

  /// Is the box of two corners within `reach` of the tile?
  SMAP_HOST_DEVICE bool near(float xa, float ya, float xb, float yb, float reach) const {
    const float left = (xa < xb ? xa : xb) - reach, right = (xa > xb ? xa : xb) + reach;
    const float top = (ya < yb ? ya : yb) - reach, bottom = (ya > yb ? ya : yb) + reach;
    return right >= static_cast<float>(x) && left < static_cast<float>(x + kWidth) && bottom >= static_cast<float>(y) &&
           top < static_cast<float>(y + kHeight);
  }
};

/// The tiles of all maps. `Block` as in core/block.h; a tile has `scratch_words` int32 of memory that the block shares.
template <class Block>
class BlockTargets {
 public:
  SMAP_HOST_DEVICE static int64_t scratch_words(const Crowd& crowd) {
    return kTableWords + crowd.people() + bit_words(crowd.people());
  }

  SMAP_DEVICE BlockTargets(Block& block, const Crowd& crowd, int32_t* scratch)
      : block_(block),
        crowd_(crowd),
        people_(static_cast<int32_t>(crowd.people())),
        table_(scratch),
        list_(scratch + kTableWords),
        words_(reinterpret_cast<uint32_t*>(list_ + people_)) {}

  template <class T>
  SMAP_DEVICE void run(const MakeHeatmaps<T>& out, int64_t i) {
    const int64_t h = out.heatmaps.size[3], w = out.heatmaps.size[4];
    const Tile tile = Tile::of(i, out.heatmaps.size[2], h, w);
    const int64_t b = tile.b, j = tile.channel;
    const float reach = kHeatReach * widest(0);
    const int32_t n = list_people([&](int32_t p) {
      const float x = crowd_.joints(b, p, j, 0), y = crowd_.joints(b, p, j, 1);
      return crowd_.present(b, p, j) && tile.near(x, y, x, y, reach);
    });
    if (n == 0) {
      blank(tile, h, w, &out.heatmaps(b, 0, j, 0, 0), out.heatmaps.stride[1]);
      return;
    }
    constexpr int32_t kFactors = Tile::kWidth + Tile::kHeight;
    auto* const factors = reinterpret_cast<float*>(table_);  // of the columns, then of the rows, for each person
    for (int64_t s = 0; s < crowd_.num_scales(); ++s) {
      const float sigma = crowd_.scales(s, 0);
      const auto factor = [&](int32_t p, int axis, int32_t pixel) {
        return gaussian_factor(static_cast<float>(pixel) - crowd_.joints(b, p, j, axis), sigma);
      };
      block_.each((n < kTable ? n : kTable) * kFactors, [&](int32_t f) {
        const int32_t p = list_[f / kFactors], at = f % kFactors;
        factors[f] = at < Tile::kWidth ? factor(p, 0, tile.x + at) : factor(p, 1, tile.y + at - Tile::kWidth);
      });
      const Plane<T> map(&out.heatmaps(b, s, j, 0, 0), w);
      each_quad(tile, h, w, [&](int32_t x, int32_t y) {
        float best[4] = {};
        for (int32_t k = 0; k < n; ++k) {
          const float* const row = factors + k * kFactors;
          const bool known = k < kTable;
          const float fy = known ? row[Tile::kWidth + y - tile.y] : factor(list_[k], 1, y);
          if (fy < kSmallestHeat) continue;  // no value of this row reaches it
          for (int32_t q = 0; q < 4; ++q) {
            const float value = heat(known ? row[x - tile.x + q] : factor(list_[k], 0, x + q), fy);
            best[q] = value > best[q] ? value : best[q];
          }
        }
        map.store(x, y, best);
      });
    }
  }

  template <class T>
  SMAP_DEVICE void run(const MakeLimbs<T>& out, int64_t i) {
    const int64_t h = out.limb_depths.size[3], w = out.limb_depths.size[4];
    const Tile tile = Tile::of(i, out.limb_depths.size[2], h, w);
    const int64_t b = tile.b, l = tile.channel;
    const float reach = widest(1) + 1;  // a pixel more for what floats round
    auto* const limbs = reinterpret_cast<LimbTarget*>(table_);
    static_assert(sizeof(LimbTarget) * kTable <= kTableWords * 4, "the table holds them");
    const int32_t n = list_people([&](int32_t p) {
      const LimbTarget t = LimbTarget::of(crowd_, b, p, l);
      return t.present && tile.near(t.x, t.y, t.x + t.ux * t.length, t.y + t.uy * t.length, reach);
    });
    if (n == 0) {
      for (int32_t axis = 0; axis < 2; ++axis) blank(tile, h, w, &out.pafs(b, 0, l, axis, 0, 0), out.pafs.stride[1]);
      blank(tile, h, w, &out.limb_depths(b, 0, l, 0, 0), out.limb_depths.stride[1]);
      return;
    }
    block_.each(n < kTable ? n : kTable, [&](int32_t k) { limbs[k] = LimbTarget::of(crowd_, b, list_[k], l); });
    for (int64_t s = 0; s < crowd_.num_scales(); ++s) {
      const float half_width = crowd_.scales(s, 1), reached = half_width * half_width;
      const Plane<T> x_map(&out.pafs(b, s, l, 0, 0, 0), w), y_map(&out.pafs(b, s, l, 1, 0, 0), w);
      const Plane<T> depth_map(&out.limb_depths(b, s, l, 0, 0), w);
      each_quad(tile, h, w, [&](int32_t x, int32_t y) {
        float paf_x[4], paf_y[4], depth[4];
        for (int32_t q = 0; q < 4; ++q) {
          LimbMean mean;
          for (int32_t k = 0; k < n; ++k) {
            const LimbTarget t = k < kTable ? limbs[k] : LimbTarget::of(crowd_, b, list_[k], l);
            if (t.square_distance(static_cast<float>(x + q), static_cast<float>(y)) < reached) mean.add(t);
          }
          paf_x[q] = mean.paf_x();
          paf_y[q] = mean.paf_y();
          depth[q] = mean.depth();
        }
        x_map.store(x, y, paf_x);
        y_map.store(x, y, paf_y);
        depth_map.store(x, y, depth);
      });
    }
  }

  SMAP_DEVICE void run(const MakeRoots& out, int64_t i) {
    const int64_t h = out.root_depth.size[1], w = out.root_depth.size[2];
    const Tile tile = Tile::of(i, 1, h, w);
    const int64_t b = tile.b;
    auto* const roots = reinterpret_cast<RootTarget*>(table_);
    static_assert(sizeof(RootTarget) * kTable <= kTableWords * 4, "the table holds them");
    const int32_t n = list_people([&](int32_t p) {
      const RootTarget t = RootTarget::of(crowd_, b, p);
      const auto x = static_cast<float>(t.x), y = static_cast<float>(t.y);
      return t.present && tile.near(x, y, x, y, static_cast<float>(kRootReach));
    });
    block_.each(n < kTable ? n : kTable, [&](int32_t k) { roots[k] = RootTarget::of(crowd_, b, list_[k]); });
    const Plane<float> depth_map(&out.root_depth(b, 0, 0), w), weight_map(&out.root_weight(b, 0, 0), w);
    each_quad(tile, h, w, [&](int32_t x, int32_t y) {
      float depth[4], weight[4];
      for (int32_t q = 0; q < 4; ++q) {
        RootChoice choice;
        for (int32_t k = 0; k < n; ++k)
          choice.consider(k < kTable ? roots[k] : RootTarget::of(crowd_, b, list_[k]), x + q, y);
        depth[q] = choice.depth(crowd_.depth_scale(b));
        weight[q] = choice.weight();
      }
      depth_map.store(x, y, depth);
      weight_map.store(x, y, weight);
    });
  }

 private:
  static constexpr int32_t kTable = 16;  // people whose share is computed once; it is computed anew for any beyond
  static constexpr int32_t kTableWords = kTable * (Tile::kWidth + Tile::kHeight);

  Block& block_;
  const Crowd& crowd_;
  int32_t people_;
  int32_t* table_;   // (kTableWords)
  int32_t* list_;    // (P) people near the tile, in their order
  uint32_t* words_;  // a bit for each person

  SMAP_DEVICE float widest(int64_t column) const {
    float widest = 0;
    for (int64_t s = 0; s < crowd_.num_scales(); ++s)
      widest = crowd_.scales(s, column) > widest ? crowd_.scales(s, column) : widest;
    return widest;
  }

  template <class Test>
  SMAP_DEVICE int32_t list_people(Test near) {
    block_.mask(people_, words_, [](int32_t) { return 0.0f; }, [&](int32_t p, float) { return near(p); });
    block_.each(people_, [&](int32_t p) {
      const uint32_t word = words_[p / 32], bit = 1u << (p % 32);
      if (!(word & bit)) return;
      int32_t at = count_bits(word & (bit - 1));
      for (int32_t before = 0; before < p / 32; ++before) at += count_bits(words_[before]);
      list_[at] = p;
    });
    int32_t n = 0;
    for (int32_t word = 0; word < bit_words(people_); ++word) n += count_bits(words_[word]);
    return n;
  }

  template <class F>
  SMAP_DEVICE void each_quad(const Tile& tile, int64_t h, int64_t w, F f) {
    block_.each(Tile::kQuads, [&](int32_t q) {
      const int32_t x = tile.x + q % (Tile::kWidth / 4) * 4, y = tile.y + q / (Tile::kWidth / 4);
      if (x < w && y < h) f(x, y);
    });
  }

  /// Zeros in every scale of a map; most tiles have nobody.
  template <class T>
  SMAP_DEVICE void blank(const Tile& tile, int64_t h, int64_t w, T* map, int64_t scale_stride) {
    constexpr float kNothing[4] = {};
    block_.each(static_cast<int32_t>(crowd_.num_scales()) * Tile::kQuads, [&](int32_t i) {
      const int32_t q = i % Tile::kQuads, s = i / Tile::kQuads;
      const int32_t x = tile.x + q % (Tile::kWidth / 4) * 4, y = tile.y + q / (Tile::kWidth / 4);
      if (x < w && y < h) Plane<T>(map + s * scale_stride, w).store(x, y, kNothing);
    });
  }

  /// A map that is written, `w` pixels a row. Its place is found once: five strides take longer than the pixels.
  template <class T>
  struct Plane {
    T* data;
    int32_t width;
    bool whole;  // quads divide a row and are aligned

    SMAP_DEVICE Plane(T* data, int64_t w) : data(data), width(static_cast<int32_t>(w)), whole(w % 4 == 0) {}

    SMAP_DEVICE void store(int32_t x, int32_t y, const float (&value)[4]) const {
      struct alignas(4 * sizeof(T)) Quad {
        T value[4];
      };
      T* const place = data + (y * width + x);
      if (whole) {
        *reinterpret_cast<Quad*>(place) = {
            {narrow<T>(value[0]), narrow<T>(value[1]), narrow<T>(value[2]), narrow<T>(value[3])}};
      } else {
        for (int32_t q = 0; q < 4 && x + q < width; ++q) place[q] = narrow<T>(value[q]);
      }
    }
  };
};

}  // namespace smap
