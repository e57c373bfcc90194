#include "kernels/elementwise/broadcast.h"

#include <algorithm>

namespace mini_infer {

BroadcastLoop::BroadcastLoop(const Shape& out, std::span<const Shape> operands)
    : elements_(out.elements()) {
  const std::size_t rank = out.rank();
  // From the innermost dimension outwards; stride 0 where an operand is repeated.
  std::vector<std::int64_t> dense(operands.size(), 1);
  std::vector<LoopDim> reversed;
  for (std::size_t back = 0; back < rank; ++back) {
    LoopDim dim{.extent = out[rank - 1 - back]};
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const Shape& shape = operands[k];
      const std::int64_t extent = back < shape.rank() ? shape[shape.rank() - 1 - back] : 1;
      dim.stride[k] = extent == 1 ? 0 : dense[k];
      dense[k] *= extent;
    }
    if (dim.extent == 1) continue;
    const bool joins =
        !reversed.empty() &&
        std::equal(dim.stride, dim.stride + kMostOperands, reversed.back().stride,
                   [&](auto outer, auto inner) { return outer == inner * reversed.back().extent; });
    if (joins) {
      reversed.back().extent *= dim.extent;
    } else {
      reversed.push_back(dim);
    }
  }
  while (reversed.size() < 2) reversed.push_back({});
  dims_.assign(reversed.rbegin(), reversed.rend());
}

Tile BroadcastLoop::tile_at(std::int64_t row, std::int64_t column) const {
  const LoopDim& inner = dims_.back();
  const LoopDim& outer = dims_[dims_.size() - 2];
  Tile tile{.out = row * inner.extent + column};
  for (int k = 0; k < kMostOperands; ++k) {
    tile.step[k] = inner.stride[k];
    tile.row_stride[k] = outer.stride[k];
    tile.offset[k] = column * inner.stride[k];
  }
  for (std::size_t d = dims_.size() - 1; d-- > 0;) {
    const std::int64_t index = row % dims_[d].extent;
    row /= dims_[d].extent;
    for (int k = 0; k < kMostOperands; ++k) tile.offset[k] += index * dims_[d].stride[k];
  }
  return tile;
}

void BroadcastLoop::run(Range range, FunctionRef<void(const Tile&)> body) const {
  const std::int64_t n = dims_.back().extent;
  const std::int64_t rows = dims_[dims_.size() - 2].extent;
  for (std::int64_t at = range.begin; at < range.end;) {
    const std::int64_t row = at / n, column = at % n;
    Tile tile = tile_at(row, column);
    if (column != 0 || range.end - at < n) {
      tile.rows = 1;
      tile.n = std::min(n - column, range.end - at);
    } else {
      tile.rows = std::min(rows - row % rows, (range.end - at) / n);
      tile.n = n;
    }
    body(tile);
    at += tile.rows * tile.n;
  }
}

void BroadcastLoop::run_parallel(const KernelContext& context, double work_per_element,
                                 FunctionRef<void(const Tile&)> body) const {
  context.parallel_for(elements_, work_per_element, [&](Range range, int) { run(range, body); });
}

bool broadcasts_to(const Shape& shape, const Shape& out) {
  if (shape.rank() > out.rank()) return false;
  const std::size_t lead = out.rank() - shape.rank();
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] != 1 && shape[i] != out[lead + i]) return false;
  }
  return true;
}

}  // namespace mini_infer
