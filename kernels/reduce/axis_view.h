// A dense tensor as [outer, k, inner], for operators that go along one axis.
#pragma once

#include <algorithm>

#include "kernels/movement/params.h"

namespace mini_infer {

struct AxisView {
  std::int64_t outer = 1, k = 1, inner = 1;

  std::int64_t lines() const { return outer * inner; }
  // Offset of the first element of line `i`; the others follow `inner` elements apart.
  std::int64_t offset(std::int64_t i) const { return i / inner * k * inner + i % inner; }
};

// Neighbouring lines that an operator goes through side by side, so that it reads along memory.
inline constexpr std::int64_t kSideBySide = 64;

// Calls body(first, count) for runs of `lines` that are neighbours, at most kSideBySide.
template <class Body>
void for_each_run_of_lines(const AxisView& view, Range lines, Body&& body) {
  for (std::int64_t i = lines.begin; i < lines.end;) {
    const std::int64_t count = std::min({lines.end - i, view.inner - i % view.inner, kSideBySide});
    body(i, count);
    i += count;
  }
}

inline Result<AxisView> axis_view(const Shape& shape, std::int64_t axis) {
  if (shape.rank() == 0 && (axis == 0 || axis == -1)) return AxisView{};
  MINI_TRY_ASSIGN(const std::size_t at, normalize_axis(axis, shape.rank()));
  return AxisView{shape.elements(0, at), shape[at], shape.elements(at + 1, shape.rank())};
}

}  // namespace mini_infer
