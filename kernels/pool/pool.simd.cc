#include "kernels/pool/pool.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

constexpr float kLowest = -__builtin_inff();

// A maximum over a window leaves NaN out, as ONNX's reference does.
struct Max {
  static MINI_INLINE Vec start() { return broadcast(kLowest); }
  static MINI_INLINE Vec join(Vec acc, Vec x) { return max_number(x, acc); }
  static MINI_INLINE float join(float acc, float x) { return x > acc ? x : acc; }
  static constexpr float kStart = kLowest;
};
struct Sum {
  static MINI_INLINE Vec start() { return zero(); }
  static MINI_INLINE Vec join(Vec acc, Vec x) { return acc + x; }
  static MINI_INLINE float join(float acc, float x) { return acc + x; }
  static constexpr float kStart = 0.f;
};

MINI_INLINE std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

// Taps of output ox inside the row: [first, last).
struct Taps {
  std::int64_t first, last, start;
};
MINI_INLINE Taps taps_of(const PoolRow& r, std::int64_t ox) {
  const std::int64_t start = ox * r.stride - r.pad, room = r.width - start;
  const std::int64_t first = start < 0 ? (-start + r.dilation - 1) / r.dilation : 0;
  const std::int64_t last = room > 0 ? (room + r.dilation - 1) / r.dilation : 0;
  return {first, least(last, r.taps), start};
}

// Outputs [first, last) meet all taps inside the row; divisions are for the others.
struct Inside {
  std::int64_t first, last;
};
MINI_INLINE Inside inside_of(const PoolRow& r) {
  const std::int64_t first = r.pad > 0 ? least((r.pad + r.stride - 1) / r.stride, r.out_width) : 0;
  const std::int64_t room = r.width + r.pad - (r.taps - 1) * r.dilation;  // for starts of windows
  const std::int64_t last = room > 0 ? least((room + r.stride - 1) / r.stride, r.out_width) : 0;
  return {first, last > first ? last : first};
}

// Outputs [ox, end) of a plain row, from the columns joined.
template <class Op>
MINI_INLINE void pool_border(const PoolRow& r, const float* column, std::int64_t ox,
                             std::int64_t end) {
  for (; ox < end; ++ox) {
    const Taps t = taps_of(r, ox);
    float acc = Op::kStart;
    for (std::int64_t k = t.first; k < t.last; ++k) {
      acc = Op::join(acc, column[t.start + k * r.dilation]);
    }
    r.out[ox] = r.factors != nullptr ? acc * r.factors[ox] : acc;
  }
}

template <class Op>
MINI_INLINE void pool_inside(const PoolRow& r, const float* column, Inside inside) {
  std::int64_t ox = inside.first;
  if (r.stride == 1) {
    for (; ox + kLanes <= inside.last; ox += kLanes) {
      Vec acc = Op::start();
      for (std::int64_t k = 0; k < r.taps; ++k) {
        acc = Op::join(acc, load(column + ox - r.pad + k * r.dilation));
      }
      store(r.out + ox, r.factors != nullptr ? acc * load(r.factors + ox) : acc);
    }
  }
  for (; ox < inside.last; ++ox) {
    const float* first = column + ox * r.stride - r.pad;
    float acc = Op::kStart;
    for (std::int64_t k = 0; k < r.taps; ++k) acc = Op::join(acc, first[k * r.dilation]);
    r.out[ox] = r.factors != nullptr ? acc * r.factors[ox] : acc;
  }
}

// r.column[i] = all rows joined, for `floats` of a row.
template <class Op>
MINI_INLINE void join_rows(const PoolRow& r, std::int64_t floats) {
  for_each_vector(static_cast<std::size_t>(floats), [&](std::size_t i, int n) {
    Vec acc = Op::start();
    if (n == kLanes) {
      for (std::int64_t y = 0; y < r.rows; ++y) {
        acc = Op::join(acc, load(r.source + y * r.row_step + i));
      }
      store(r.column + i, acc);
    } else {
      for (std::int64_t y = 0; y < r.rows; ++y) {
        acc = Op::join(acc, load(r.source + y * r.row_step + i, n));
      }
      store(r.column + i, acc, n);
    }
  });
}

// Down the columns first, in vectors; then along the row.
template <class Op>
MINI_INLINE void pool_plain(const PoolRow& r) {
  const float* column = r.column;
  if (r.rows == 1) {
    column = r.source;
  } else {
    join_rows<Op>(r, r.width);
  }
  const Inside inside = inside_of(r);
  pool_border<Op>(r, column, 0, inside.first);
  pool_inside<Op>(r, column, inside);
  pool_border<Op>(r, column, inside.last, r.out_width);
}

// kCount outputs of a row of blocks, which all meet the taps t.
template <class Op, int kCount>
MINI_INLINE void pool_pixels(const PoolRow& r, std::int64_t ox, Taps t) {
  const float* first = r.source + (t.start + t.first * r.dilation) * kLanes;
  Vec acc[kCount];
#pragma GCC unroll 4
  for (int i = 0; i < kCount; ++i) acc[i] = Op::start();
  for (std::int64_t y = 0; y < r.rows; ++y) {
    const float* x = first + y * r.row_step;
    for (std::int64_t k = t.first; k < t.last; ++k, x += r.dilation * kLanes) {
#pragma GCC unroll 4
      for (int i = 0; i < kCount; ++i) acc[i] = Op::join(acc[i], load(x + i * r.stride * kLanes));
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kCount; ++i) {
    if (r.factors != nullptr) acc[i] = acc[i] * broadcast(r.factors[ox + i]);
    store(r.out + (ox + i) * kLanes, acc[i]);
  }
}

template <class Op>
MINI_INLINE void pool_blocked(const PoolRow& given) {
  constexpr int kCount = 4;
  PoolRow r = given;
  if (r.column != nullptr && r.rows > 1) {
    join_rows<Op>(r, r.width * kLanes);
    r.source = r.column;
    r.rows = 1;
  }
  const Inside inside = inside_of(r);
  std::int64_t ox = 0;
  for (; ox < inside.first; ++ox) pool_pixels<Op, 1>(r, ox, taps_of(r, ox));
  for (; ox + kCount <= inside.last; ox += kCount) {
    pool_pixels<Op, kCount>(r, ox, {0, r.taps, ox * r.stride - r.pad});
  }
  for (; ox < inside.last; ++ox) {
    pool_pixels<Op, 1>(r, ox, {0, r.taps, ox * r.stride - r.pad});
  }
  for (; ox < r.out_width; ++ox) pool_pixels<Op, 1>(r, ox, taps_of(r, ox));
}

// x[0] op x[1] op ..., with four accumulators; for the sum of a plane.
template <class Op, std::int64_t kStep>
MINI_INLINE Vec reduce(const float* x, std::int64_t vectors) {
  Vec acc[4] = {Op::start(), Op::start(), Op::start(), Op::start()};
  std::int64_t i = 0;
  for (; i + 4 <= vectors; i += 4) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) acc[j] = Op::join(acc[j], load(x + (i + j) * kStep));
  }
  for (; i < vectors; ++i) acc[0] = Op::join(acc[0], load(x + i * kStep));
  return Op::join(Op::join(acc[0], acc[1]), Op::join(acc[2], acc[3]));
}

// A maximum over a whole plane keeps NaN, as ONNX's reference does.
struct MaxNan {
  static MINI_INLINE Vec start() { return broadcast(kLowest); }
  static MINI_INLINE Vec join(Vec acc, Vec x) { return select((acc >= x) | (acc != acc), acc, x); }
  static MINI_INLINE float join(float acc, float x) { return acc >= x || acc != acc ? acc : x; }
};

}  // namespace

void max_pool_row_f32(const PoolRow& row) { pool_plain<Max>(row); }
void average_pool_row_f32(const PoolRow& row) { pool_plain<Sum>(row); }
void max_pool_row_blocked_f32(const PoolRow& row) { pool_blocked<Max>(row); }
void average_pool_row_blocked_f32(const PoolRow& row) { pool_blocked<Sum>(row); }

float sum_f32(const float* x, std::int64_t n) {
  const std::int64_t vectors = n / kLanes;
  float sum = reduce_add(reduce<Sum, kLanes>(x, vectors));
  for (std::int64_t i = vectors * kLanes; i < n; ++i) sum += x[i];
  return sum;
}

float max_f32(const float* x, std::int64_t n) {
  const std::int64_t vectors = n / kLanes;
  alignas(64) float lanes[kLanes];
  reduce<MaxNan, kLanes>(x, vectors).store_aligned(lanes);
  float most = kLowest;
  for (int i = 0; i < kLanes; ++i) most = MaxNan::join(most, lanes[i]);
  for (std::int64_t i = vectors * kLanes; i < n; ++i) most = MaxNan::join(most, x[i]);
  return most;
}

void mean_blocked_f32(const float* x, std::int64_t n, float* out) {
  store(out, reduce<Sum, kLanes>(x, n) * broadcast(1.f / static_cast<float>(n)));
}

void max_blocked_f32(const float* x, std::int64_t n, float* out) {
  store(out, reduce<MaxNan, kLanes>(x, n));
}

}  // namespace mini_infer::simd::MINI_ISA
