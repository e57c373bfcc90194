#include "kernels/reduce/reduce.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

template <Accumulate A>
MINI_INLINE Vec start() {
  if constexpr (A == Accumulate::kProduct) return Vec(1.f);
  if constexpr (A == Accumulate::kMax) return Vec(-__builtin_inff());
  if constexpr (A == Accumulate::kMin) return Vec(__builtin_inff());
  return zero();
}

// acc and one more x.
template <Accumulate A>
MINI_INLINE Vec add_one(Vec acc, Vec x) {
  if constexpr (A == Accumulate::kSum) return acc + x;
  if constexpr (A == Accumulate::kSumAbs) return acc + abs(x);
  if constexpr (A == Accumulate::kSumSquare) return fma(x, x, acc);
  if constexpr (A == Accumulate::kProduct) return acc * x;
  if constexpr (A == Accumulate::kMax) return max_both_nan(acc, x);
  if constexpr (A == Accumulate::kMin) return min_both_nan(acc, x);
}

// Two accumulations joined.
template <Accumulate A>
MINI_INLINE Vec join(Vec a, Vec b) {
  if constexpr (A == Accumulate::kSumAbs || A == Accumulate::kSumSquare) return a + b;
  return add_one<A>(a, b);
}

template <Accumulate A>
float row(const float* x, std::int64_t n) {
  constexpr int kUnroll = 4;
  Vec acc[kUnroll];
  MINI_UNROLL
  for (int j = 0; j < kUnroll; ++j) acc[j] = start<A>();
  std::int64_t i = 0;
  for (; i + kUnroll * kLanes <= n; i += kUnroll * kLanes) {
    MINI_UNROLL
    for (int j = 0; j < kUnroll; ++j) acc[j] = add_one<A>(acc[j], load(x + i + j * kLanes));
  }
  for (; i + kLanes <= n; i += kLanes) acc[0] = add_one<A>(acc[0], load(x + i));
  const Vec all = join<A>(join<A>(acc[0], acc[1]), join<A>(acc[2], acc[3]));
  if constexpr (A == Accumulate::kSum) {
    Vec total = all;
    if (i < n) total = total + load(x + i, static_cast<int>(n - i));
    return reduce_add(total);
  }
  // The lanes one by one, then what is left of x.
  alignas(64) float lanes[2 * kLanes];
  all.store_aligned(lanes);
  Vec result(lanes[0]);
  for (int j = 1; j < kLanes; ++j) result = join<A>(result, Vec(lanes[j]));
  for (; i < n; ++i) result = add_one<A>(result, Vec(x[i]));
  store(lanes, result);
  return lanes[0];
}

template <Accumulate A>
void columns(const float* x, std::int64_t k, std::int64_t stride, std::int64_t n, float* acc) {
  for_each_vector(static_cast<std::size_t>(n), [&](std::size_t i, int lanes) {
    Vec first = load(acc + i, lanes), second = start<A>();
    const float* p = x + i;
    std::int64_t j = 0;
    for (; j + 2 <= k; j += 2, p += 2 * stride) {
      first = add_one<A>(first, load(p, lanes));
      second = add_one<A>(second, load(p + stride, lanes));
    }
    if (j < k) first = add_one<A>(first, load(p, lanes));
    store(acc + i, join<A>(first, second), lanes);
  });
}

}  // namespace

#define MINI_CASES(call)            \
  switch (kind) {                   \
    case Accumulate::kSum:          \
      call(Accumulate::kSum);       \
    case Accumulate::kSumAbs:       \
      call(Accumulate::kSumAbs);    \
    case Accumulate::kSumSquare:    \
      call(Accumulate::kSumSquare); \
    case Accumulate::kProduct:      \
      call(Accumulate::kProduct);   \
    case Accumulate::kMax:          \
      call(Accumulate::kMax);       \
    case Accumulate::kMin:          \
      call(Accumulate::kMin);       \
  }

float reduce_row_f32(Accumulate kind, const float* x, std::int64_t n) {
#define MINI_ROW(a) return row<a>(x, n)
  MINI_CASES(MINI_ROW)
#undef MINI_ROW
  return 0.f;
}

void reduce_columns_f32(Accumulate kind, const float* x, std::int64_t k, std::int64_t stride,
                        std::int64_t n, float* acc) {
#define MINI_COLUMNS(a) return columns<a>(x, k, stride, n, acc)
  MINI_CASES(MINI_COLUMNS)
#undef MINI_COLUMNS
}

}  // namespace mini_infer::simd::MINI_ISA
