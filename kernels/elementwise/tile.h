#pragma once

#include <cstdint>

namespace mini_infer {

inline constexpr int kMostOperands = 3;

// `rows` rows of `n` elements of a broadcast. Element (r, i) of operand k lies at
// offset[k] + r * row_stride[k] + i * step[k], that of the output at out + r * n + i.
struct Tile {
  std::int64_t rows = 0;
  std::int64_t n = 0;
  std::int64_t out = 0;
  std::int64_t offset[kMostOperands] = {};
  std::int64_t row_stride[kMostOperands] = {};
  std::int64_t step[kMostOperands] = {};  // 0 or 1
};

}  // namespace mini_infer
