// Exact assignment of rows to columns over few edges: the largest total profit, leaving out what does not pay.
#pragma once

#include "core/view.h"

namespace smap {

/// Shortest augmenting paths with prices (Kuhn, Munkres; Jonker and Volgenant). Whole numbers: no rounding, so that
/// every machine finds the same assignment. The caller lends all memory and calls `clear` for every column, `bid` for
/// every row, then `solve`.
struct Assignment {
  struct Edge {
    int32_t column;
    int32_t profit;  // 0: there is no edge
  };
  static constexpr int32_t kNobody = 0x7fffffff;

  int32_t rows = 0, columns = 0;
  Edge* edges = nullptr;  // (rows, stride)
  int32_t stride = 0;
  int32_t* column_of = nullptr;  // (rows) result, -1 for none
  int32_t* row_of = nullptr;     // (columns) its inverse, kNobody for none
  int32_t* gain = nullptr;       // (rows) what the row earns after paying the price
  int32_t* price = nullptr;      // (columns)
  int32_t* distance = nullptr;   // (columns) of the search for one row
  int32_t* from = nullptr;       // (columns) row from which the search reached it
  int32_t* reached = nullptr;    // (columns) list; settled ones first

  /// int32 words of lent memory besides the edges.
  SMAP_HOST_DEVICE static int64_t words(int64_t rows, int64_t columns) { return 2 * rows + 5 * columns; }

  SMAP_HOST_DEVICE void lend(int32_t* memory) {
    column_of = memory;
    gain = column_of + rows;
    row_of = gain + rows;
    price = row_of + columns;
    distance = price + columns;
    from = distance + columns;
    reached = from + columns;
  }

  SMAP_HOST_DEVICE void clear(int32_t column) const {
    row_of[column] = kNobody;
    from[column] = -1;
    price[column] = 0;
  }

  /// Moves those of a row's first `count` places that hold edges to its beginning. The row asks for its best column, of
  /// equal ones the first listed; of all that ask for one the first row gets it. Most rows need no more.
  template <class Block>
  SMAP_DEVICE void bid(Block& block, int32_t row, int32_t count) const {
    Edge* const list = edges + row * stride;
    int32_t listed = 0, best = 0, wanted = -1;
    for (int32_t i = 0; i < count; ++i) {
      const Edge e = list[i];
      if (e.profit == 0) continue;
      list[listed++] = e;
      wanted = e.profit > best ? e.column : wanted;
      best = e.profit > best ? e.profit : best;
    }
    if (listed < stride) list[listed].profit = 0;
    gain[row] = best;
    column_of[row] = wanted;
    if (wanted >= 0) block.lower(&row_of[wanted], row);
  }

  SMAP_HOST_DEVICE void solve() const {
    for (int32_t r = 0; r < rows; ++r) {
      if (column_of[r] < 0 || row_of[column_of[r]] == r) continue;
      column_of[r] = -1;
      gain[r] = 0;
      place(r);
    }
  }

 private:
  /// Finds room for one more row, moving others where that pays.
  SMAP_HOST_DEVICE void place(int32_t row) const {
    for (const Edge* e = edges + row * stride; e < edges + (row + 1) * stride && e->profit > 0; ++e) {
      const int32_t worth = e->profit - price[e->column];
      if (worth > gain[row]) gain[row] = worth;
    }
    int32_t found = 0, settled = 0;
    // The search may end in a row that rather goes without a column.
    int32_t end_row = row, end_column = -1, end = gain[row];
    relax(row, 0, &found);
    while (settled < found) {
      int32_t next = settled;
      for (int32_t i = settled + 1; i < found; ++i)
        if (distance[reached[i]] < distance[reached[next]]) next = i;
      const int32_t c = reached[next];
      if (distance[c] >= end) break;
      reached[next] = reached[settled];
      reached[settled++] = c;
      if (row_of[c] == kNobody) {
        end_column = c;
        end = distance[c];
        --settled;  // its price stays 0
        break;
      }
      const int32_t owner = row_of[c];
      if (distance[c] + gain[owner] < end) {
        end = distance[c] + gain[owner];
        end_row = owner;
      }
      relax(owner, distance[c], &found);
    }
    gain[row] -= end;
    for (int32_t i = 0; i < settled; ++i) {
      const int32_t c = reached[i];
      if (distance[c] > end) continue;
      price[c] += end - distance[c];
      gain[row_of[c]] -= end - distance[c];
    }
    // Every row on the path takes the column through which the next one was reached.
    int32_t c = end_column >= 0 ? end_column : column_of[end_row];
    if (end_column < 0) column_of[end_row] = -1;
    while (c >= 0) {
      const int32_t taker = from[c], released = column_of[taker];
      column_of[taker] = c;
      row_of[c] = taker;
      c = taker == row ? -1 : released;
    }
    for (int32_t i = 0; i < found; ++i) from[reached[i]] = -1;
  }

  SMAP_HOST_DEVICE void relax(int32_t row, int32_t base, int32_t* found) const {
    const int32_t start = base + gain[row];
    for (const Edge* e = edges + row * stride; e < edges + (row + 1) * stride && e->profit > 0; ++e) {
      const int32_t c = e->column, d = start + price[c] - e->profit;
      if (from[c] < 0) {
        reached[(*found)++] = c;
      } else if (d >= distance[c]) {
        continue;
      }
      distance[c] = d;
      from[c] = row;
    }
  }
};

}  // namespace smap
