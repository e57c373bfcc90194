// A dense tensor as [outer, k, inner], for operators that go along one axis.
#pragma once

#include "kernels/movement/params.h"

namespace mini_infer {

struct AxisView {
  std::int64_t outer = 1, k = 1, inner = 1;

  std::int64_t lines() const { return outer * inner; }
  // Offset of the first element of line `i`; the others follow `inner` elements apart.
  std::int64_t offset(std::int64_t i) const { return i / inner * k * inner + i % inner; }
};

inline Result<AxisView> axis_view(const Shape& shape, std::int64_t axis) {
  if (shape.rank() == 0 && (axis == 0 || axis == -1)) return AxisView{};
  MINI_TRY_ASSIGN(const std::size_t at, normalize_axis(axis, shape.rank()));
  return AxisView{shape.elements(0, at), shape[at], shape.elements(at + 1, shape.rank())};
}

}  // namespace mini_infer
