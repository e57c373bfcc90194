// Nearest-neighbour resampling: rows of the output are gathered rows of the input; a row with the
// same source as the one before it is a copy of that.
#include "kernels/resize/nearest.h"

#include <algorithm>

#include "kernels/movement/element.h"

namespace mini_infer {
namespace {

// Whether each index stands `factor` times, in order: 0 0 1 1 2 2. 0 when it is no such table.
std::int64_t repeat_factor(const Taps& taps, std::int64_t in) {
  if (taps.out % in != 0) return 0;
  const std::int64_t factor = taps.out / in;
  for (std::int64_t o = 0; o < taps.out; ++o) {
    if (taps.index[static_cast<std::size_t>(o)] != o / factor) return 0;
  }
  return factor;
}

// Pixels of kInner elements: their number is known to the compiler.
template <int kInner, class T>
void sample_pixels(const T* row, const std::int32_t* index, std::int64_t count, T* out) {
  for (std::int64_t o = 0; o < count; ++o) {
    copy_run(row + index[o] * kInner, out + o * kInner, std::int64_t{kInner});
  }
}

template <class T>
void sample_nearest(const T* row, const NearestPlan& p, T* out) {
  const std::int64_t count = p.maps.back().out;
  const std::int32_t* index = p.maps.back().index.data();
  if (p.inner == 1 && p.factor == 2) {
    for (std::int64_t i = 0; i < count / 2; ++i) {
      out[2 * i] = row[i];
      out[2 * i + 1] = row[i];
    }
  } else if (p.inner == 1) {
    for (std::int64_t o = 0; o < count; ++o) out[o] = row[index[o]];
  } else if (p.inner == 16) {
    sample_pixels<16>(row, index, count, out);
  } else if (p.inner == 8) {
    sample_pixels<8>(row, index, count, out);
  } else if (p.inner == 4) {
    sample_pixels<4>(row, index, count, out);
  } else {
    for (std::int64_t o = 0; o < count; ++o) {
      copy_run(row + index[o] * p.inner, out + o * p.inner, p.inner);
    }
  }
}

// Element offset in the input of the row that output row `r` is made from.
std::int64_t source_row(const NearestPlan& p, std::int64_t r) {
  std::int64_t offset = 0, stride = p.in_extents.back() * p.inner;
  for (std::size_t i = p.maps.size() - 1; i-- > 0;) {
    const Taps& map = p.maps[i];
    offset += map.index[static_cast<std::size_t>(r % map.out)] * stride;
    r /= map.out;
    stride *= p.in_extents[i];
  }
  return offset;
}

template <class T>
void run_rows(const KernelContext& k, const NearestPlan& p, const T* x, T* y) {
  const std::int64_t row = p.maps.back().out * p.inner;
  k.parallel_for(p.rows, static_cast<double>(row), [&](Range range, int) {
    std::int64_t last = -1;
    for (std::int64_t r = range.begin; r < range.end; ++r) {
      const std::int64_t from = source_row(p, r);
      if (from == last) {
        copy_run(y + (r - 1) * row, y + r * row, row);
      } else {
        sample_nearest(x + from, p, y + r * row);
      }
      last = from;
    }
  });
}

}  // namespace

NearestPlan make_nearest(std::vector<Taps> maps, std::vector<std::int64_t> in_extents,
                         std::int64_t inner) {
  NearestPlan plan{.maps = std::move(maps), .in_extents = std::move(in_extents), .inner = inner};
  for (std::size_t i = 0; i + 1 < plan.maps.size(); ++i) plan.rows *= plan.maps[i].out;
  plan.factor = repeat_factor(plan.maps.back(), plan.in_extents.back());
  return plan;
}

void run_nearest(const KernelContext& k, const NearestPlan& plan, DType dtype, const void* x,
                 void* y) {
  if (plan.rows * plan.maps.back().out * plan.inner == 0) return;
  dispatch_element(
      dtype, [&]<class T>() { run_rows(k, plan, static_cast<const T*>(x), static_cast<T*>(y)); });
}

}  // namespace mini_infer
