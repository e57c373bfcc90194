#include "kernels/movement/strided_copy.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "kernels/movement/element.h"
#include "kernels/movement/transpose.simd.h"

namespace mini_infer {
namespace {

// An item of work is a piece of the inner two loops: so many rows, or more where they are short,
// and at most so many columns.
constexpr std::int64_t kItemRows = 64;
constexpr std::int64_t kItemElements = 4096;
constexpr std::int64_t kItemCols = 8192;
constexpr std::int64_t kTile = 16;
// Extents above 1 whose product is below 2^63.
constexpr std::size_t kMostAxes = 63;

using Axis = StridedCopy::Axis;

// Drops extents of 1 and merges an axis with the next one where both sides run on: with
// outer.in == inner.extent * inner.in, likewise out.
std::vector<Axis> merged(const std::vector<Axis>& axes) {
  std::vector<Axis> out;
  for (const Axis& axis : axes) {
    if (axis.extent == 1) continue;
    if (!out.empty() && out.back().in == axis.extent * axis.in &&
        out.back().out == axis.extent * axis.out) {
      out.back() = {out.back().extent * axis.extent, axis.in, axis.out};
    } else {
      out.push_back(axis);
    }
  }
  return out;
}

Axis take(std::vector<Axis>& axes, std::size_t i) {
  const Axis axis = axes[i];
  axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(i));
  return axis;
}

// The axis with the smallest stride on the output side: the natural inner loop.
std::size_t inner_of(const std::vector<Axis>& axes) {
  std::size_t best = axes.size() - 1;
  for (std::size_t i = axes.size(); i-- > 0;) {
    if (std::abs(axes[i].out) < std::abs(axes[best].out)) best = i;
  }
  return best;
}

// in[r + c * in_stride] -> out[r * out_stride + c], tile by tile.
template <class T>
void copy_tiles(const T* in, std::int64_t in_stride, T* out, std::int64_t out_stride,
                std::int64_t rows, std::int64_t cols) {
  if constexpr (sizeof(T) == 4) {
    simd::transpose_32.get()(in, in_stride, out, out_stride, rows, cols);
  } else {
    for (std::int64_t r0 = 0; r0 < rows; r0 += kTile) {
      const std::int64_t r1 = std::min(r0 + kTile, rows);
      for (std::int64_t c0 = 0; c0 < cols; c0 += kTile) {
        const std::int64_t c1 = std::min(c0 + kTile, cols);
        for (std::int64_t r = r0; r < r1; ++r) {
          for (std::int64_t c = c0; c < c1; ++c) out[r * out_stride + c] = in[r + c * in_stride];
        }
      }
    }
  }
}

template <class T>
void copy_strided(const T* in, std::int64_t in_step, T* out, std::int64_t out_step,
                  std::int64_t count) {
  if (out_step == 1 && in_step == 0) {
    std::fill_n(out, count, *in);
  } else if (out_step == 1) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = in[i * in_step];
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i * out_step] = in[i * in_step];
  }
}

// Few streams with a step of as many elements are taken apart or put together, so that each cache
// line is read or written once: channels of pixels, DepthToSpace, Focus.
constexpr std::int64_t kMostStreams = 4;

// in[i * kStreams + s] -> out[s * out_stride + i]
template <int kStreams, class T>
void take_apart(const T* in, T* out, std::int64_t out_stride, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    for (int s = 0; s < kStreams; ++s) out[s * out_stride + i] = in[i * kStreams + s];
  }
}

// in[s * in_stride + i] -> out[i * kStreams + s]
template <int kStreams, class T>
void put_together(const T* in, std::int64_t in_stride, T* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    for (int s = 0; s < kStreams; ++s) out[i * kStreams + s] = in[s * in_stride + i];
  }
}

// Calls f.template operator()<n>() for n in [2, kMostStreams].
template <class F>
void dispatch_streams(std::int64_t n, F&& f) {
  if (n == 2) return f.template operator()<2>();
  if (n == 3) return f.template operator()<3>();
  f.template operator()<4>();
}
static_assert(kMostStreams == 4);

// A block of rows x cols elements.
template <class T>
void copy_block(const T* in, T* out, Axis row, Axis col) {
  if (col.in == 1 && col.out == 1) {
    for (std::int64_t r = 0; r < row.extent; ++r) {
      copy_run(in + r * row.in, out + r * row.out, col.extent);
    }
  } else if (row.in == 1 && col.out == 1 && col.in == row.extent && row.extent >= 2 &&
             row.extent <= kMostStreams) {
    dispatch_streams(row.extent, [&]<int n>() { take_apart<n>(in, out, row.out, col.extent); });
  } else if (row.in == 1 && col.out == 1 && row.out == col.extent && col.extent >= 2 &&
             col.extent <= kMostStreams) {
    dispatch_streams(col.extent, [&]<int n>() { put_together<n>(in, col.in, out, row.extent); });
  } else if (row.in == 1 && col.out == 1 && col.in != 0) {
    copy_tiles(in, col.in, out, row.out, row.extent, col.extent);
  } else {
    for (std::int64_t r = 0; r < row.extent; ++r) {
      copy_strided(in + r * row.in, col.in, out + r * row.out, col.out, col.extent);
    }
  }
}

std::int64_t pieces(std::int64_t extent, std::int64_t size) { return (extent + size - 1) / size; }

}  // namespace

StridedCopy::StridedCopy(std::vector<Axis> axes, std::int64_t in_offset, std::int64_t out_offset)
    : in_offset_(in_offset), out_offset_(out_offset), elements_(1) {
  for (const Axis& axis : axes) elements_ *= axis.extent;
  if (elements_ == 0) return;
  outer_ = merged(axes);
  if (!outer_.empty()) col_ = take(outer_, inner_of(outer_));
  if (outer_.empty()) return;
  // The rows: where the input runs along another axis than the output, that axis, for tiles.
  std::size_t row = outer_.size();
  for (std::size_t i = 0; i < outer_.size() && col_.in != 1; ++i) {
    if (outer_[i].in == 1) row = i;
  }
  row_ = take(outer_, row < outer_.size() ? row : inner_of(outer_));
  item_rows_ = std::max(kItemRows, kItemElements / col_.extent);
}

bool StridedCopy::one_run() const {
  return outer_.empty() && row_.extent == 1 &&
         (col_.extent == 1 || (col_.in == 1 && col_.out == 1));
}

std::string StridedCopy::kind() const {
  if (one_run()) return "run";
  if (col_.in == 1 && col_.out == 1) return "rows";
  if (row_.in == 1 && col_.out == 1 && col_.in != 0) return "tiles";
  return col_.in == 0 ? "fill" : "strided";
}

template <class T>
void StridedCopy::run_items(Range items, const T* in, T* out) const {
  const std::int64_t row_pieces = pieces(row_.extent, item_rows_);
  const std::int64_t col_pieces = pieces(col_.extent, kItemCols);
  std::array<std::int64_t, kMostAxes> index{};
  std::int64_t in_at = 0, out_at = 0;
  std::int64_t rest = items.begin / (row_pieces * col_pieces);
  for (std::size_t i = outer_.size(); i-- > 0;) {
    index[i] = rest % outer_[i].extent;
    rest /= outer_[i].extent;
    in_at += index[i] * outer_[i].in;
    out_at += index[i] * outer_[i].out;
  }
  std::int64_t piece = items.begin % (row_pieces * col_pieces);
  for (std::int64_t item = items.begin; item < items.end; ++item) {
    const std::int64_t r = piece / col_pieces * item_rows_, c = piece % col_pieces * kItemCols;
    copy_block(in + in_at + r * row_.in + c * col_.in, out + out_at + r * row_.out + c * col_.out,
               Axis{std::min(item_rows_, row_.extent - r), row_.in, row_.out},
               Axis{std::min(kItemCols, col_.extent - c), col_.in, col_.out});
    if (++piece < row_pieces * col_pieces) continue;
    piece = 0;
    for (std::size_t i = outer_.size(); i-- > 0;) {
      in_at += outer_[i].in;
      out_at += outer_[i].out;
      if (++index[i] < outer_[i].extent) break;
      in_at -= index[i] * outer_[i].in;
      out_at -= index[i] * outer_[i].out;
      index[i] = 0;
    }
  }
}

template <class T>
void StridedCopy::run_as(const KernelContext& k, const T* in, T* out) const {
  in += in_offset_;
  out += out_offset_;
  if (one_run() && in == out) return;
  std::int64_t items = pieces(row_.extent, item_rows_) * pieces(col_.extent, kItemCols);
  for (const Axis& axis : outer_) items *= axis.extent;
  const double work = static_cast<double>(elements_) / static_cast<double>(items);
  k.parallel_for(items, work, [&](Range range, int) { run_items(range, in, out); });
}

void StridedCopy::run(const KernelContext& k, DType dtype, const void* in, void* out) const {
  if (elements_ == 0) return;
  dispatch_element(dtype,
                   [&]<class T>() { run_as(k, static_cast<const T*>(in), static_cast<T*>(out)); });
}

std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.rank(), 1);
  for (std::size_t i = shape.rank(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::vector<StridedCopy::Axis> dense_axes(const Shape& shape) {
  const auto strides = strides_of(shape);
  std::vector<Axis> axes;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    axes.push_back({shape[i], strides[i], strides[i]});
  }
  return axes;
}

}  // namespace mini_infer
