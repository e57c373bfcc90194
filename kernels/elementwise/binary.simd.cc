#include "kernels/elementwise/binary.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

template <BinaryKind K>
MINI_INLINE Vec apply(Vec a, Vec b) {
  if constexpr (K == BinaryKind::kAdd) {
    return a + b;
  } else if constexpr (K == BinaryKind::kSub) {
    return a - b;
  } else if constexpr (K == BinaryKind::kMul) {
    return a * b;
  } else if constexpr (K == BinaryKind::kDiv) {
    return a / b;
  } else if constexpr (K == BinaryKind::kMin) {
    return min_both_nan(a, b);
  } else if constexpr (K == BinaryKind::kMax) {
    return max_both_nan(a, b);
  } else {
    static_assert(K == BinaryKind::kPRelu);
    return select(a >= zero(), a, a * b);
  }
}

// y[i] = K(load_a(i, lanes), load_b(i, lanes)) for i < n.
template <BinaryKind K, class LoadA, class LoadB>
MINI_INLINE void row(std::size_t n, float* y, LoadA&& load_a, LoadB&& load_b) {
  constexpr int kUnroll = 4;
  std::size_t i = 0;
  for (; i + kUnroll * kLanes <= n; i += kUnroll * kLanes) {
    Vec v[kUnroll];
    MINI_UNROLL
    for (int j = 0; j < kUnroll; ++j) {
      v[j] = apply<K>(load_a(i + j * kLanes, kLanes), load_b(i + j * kLanes, kLanes));
    }
    MINI_UNROLL
    for (int j = 0; j < kUnroll; ++j) store(y + i + j * kLanes, v[j]);
  }
  for (; i + kLanes <= n; i += kLanes) store(y + i, apply<K>(load_a(i, kLanes), load_b(i, kLanes)));
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    store(y + i, apply<K>(load_a(i, rest), load_b(i, rest)), rest);
  }
}

template <BinaryKind K>
void tile_loop(const Tile& t, const float* a, const float* b, float* y) {
  const auto n = static_cast<std::size_t>(t.n);
  a += t.offset[0];
  b += t.offset[1];
  y += t.out;
  const bool whole_a = t.step[0] != 0, whole_b = t.step[1] != 0;
  if (whole_a && whole_b && t.row_stride[1] == 0 && t.n == kLanes) {  // per channel, blocked
    const Vec vb = load(b);
    for (std::int64_t r = 0; r < t.rows; ++r, a += t.row_stride[0], y += kLanes) {
      store(y, apply<K>(load(a), vb));
    }
    return;
  }
  for (std::int64_t r = 0; r < t.rows; ++r) {
    const auto from_a = [a](std::size_t i, int lanes) { return load(a + i, lanes); };
    const auto from_b = [b](std::size_t i, int lanes) { return load(b + i, lanes); };
    if (whole_a && whole_b) {
      row<K>(n, y, from_a, from_b);
    } else if (whole_a) {
      const Vec vb(*b);
      row<K>(n, y, from_a, [vb](std::size_t, int) { return vb; });
    } else {
      const Vec va(*a);
      if (whole_b) {
        row<K>(
            n, y, [va](std::size_t, int) { return va; }, from_b);
      } else {
        const Vec v = apply<K>(va, Vec(*b));
        for_each_vector(n, [&](std::size_t i, int lanes) { store(y + i, v, lanes); });
      }
    }
    a += t.row_stride[0];
    b += t.row_stride[1];
    y += n;
  }
}

}  // namespace

void binary_f32(BinaryKind kind, const Tile& tile, const float* a, const float* b, float* y) {
#define MINI_CASE(name)                            \
  case BinaryKind::k##name:                        \
    tile_loop<BinaryKind::k##name>(tile, a, b, y); \
    break;
  switch (kind) {
    MINI_CASE(Add)
    MINI_CASE(Sub)
    MINI_CASE(Mul)
    MINI_CASE(Div)
    MINI_CASE(Min)
    MINI_CASE(Max)
    MINI_CASE(PRelu)
    case BinaryKind::kNone:
      break;
  }
#undef MINI_CASE
}

}  // namespace mini_infer::simd::MINI_ISA
