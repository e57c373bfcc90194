// What the pooling operators share: reading the node, and walking windows.
#pragma once

#include <algorithm>
#include <array>

#include "kernels/op.h"
#include "kernels/window.h"

namespace mini_infer {

// Output 0 has input 0's dtype and the shape of the pooled input.
Status infer_pool(InferContext& c);
// The shape of what window pooling makes of input 0; no value when the rank is not known.
Result<std::optional<SymShape>> infer_pool_shape(const InferContext& c);

// A window pooling of `planes` = N * C planes.
struct PoolGeometry : WindowAxes {
  std::int64_t n = 1, channels = 1;
  std::int64_t planes() const { return n * channels; }
};
Result<PoolGeometry> read_pool(const PrepareContext& c);

// Blocked in, blocked out; plain in, plain out. For two spatial axes and float32.
LayoutChoice pool_layout(const LayoutQuery& query);

// The taps [first, last) of the window of output o along one axis that lie in [0, extent + pad),
// where tap k lies at o * stride + k * dilation - pad_begin.
struct TapRange {
  std::int64_t first, last;
  std::int64_t count() const { return std::max<std::int64_t>(last - first, 0); }
};
inline TapRange taps_inside(const WindowAxes& w, std::size_t axis, std::int64_t o) {
  const std::int64_t start = o * w.stride[axis] - w.pad_begin[axis];
  const std::int64_t dilation = w.dilation[axis];
  // ceil(-start / dilation) and ceil((in - start) / dilation), clamped to the kernel.
  const std::int64_t before = start < 0 ? (-start + dilation - 1) / dilation : 0;
  const std::int64_t room = w.in[axis] - start;
  const std::int64_t end = room > 0 ? (room + dilation - 1) / dilation : 0;
  return {before, std::min(end, w.kernel[axis])};
}

// Taps that lie in the input or its padding: what an average that includes the padding divides by.
inline std::int64_t taps_in_padded(const WindowAxes& w, std::size_t axis, std::int64_t o) {
  const std::int64_t room = w.in[axis] + w.pad_begin[axis] + w.pad_end[axis] - o * w.stride[axis];
  const std::int64_t dilation = w.dilation[axis];
  return std::clamp<std::int64_t>((room + dilation - 1) / dilation, 0, w.kernel[axis]);
}

// body(out, place): for each output of a plane, in order; place is its [z, y, x].
template <class Body>
void for_each_output(const WindowAxes& w, Body&& body) {
  std::int64_t out = 0;
  std::array<std::int64_t, 3> o;
  for (o[0] = 0; o[0] < w.out[0]; ++o[0]) {
    for (o[1] = 0; o[1] < w.out[1]; ++o[1]) {
      for (o[2] = 0; o[2] < w.out[2]; ++o[2]) body(out++, o);
    }
  }
}

// body(index in the plane): for each input element in the window of output o, in order.
template <class Body>
void for_each_tap(const WindowAxes& w, const std::array<std::int64_t, 3>& o, Body&& body) {
  std::array<TapRange, 3> taps;
  std::array<std::int64_t, 3> start;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    taps[axis] = taps_inside(w, axis, o[axis]);
    start[axis] = o[axis] * w.stride[axis] - w.pad_begin[axis];
  }
  for (std::int64_t kz = taps[0].first; kz < taps[0].last; ++kz) {
    const std::int64_t z = start[0] + kz * w.dilation[0];
    for (std::int64_t ky = taps[1].first; ky < taps[1].last; ++ky) {
      const std::int64_t row = (z * w.in[1] + start[1] + ky * w.dilation[1]) * w.in[2];
      for (std::int64_t kx = taps[2].first; kx < taps[2].last; ++kx) {
        body(row + start[2] + kx * w.dilation[2]);
      }
    }
  }
}

}  // namespace mini_infer
