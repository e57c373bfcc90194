#include "kernels/norm/norm.simd.h"

#include "kernels/simd/vec.h"
#include "kernels/simd/vec_math.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// Elements summed in float before they are added to a double.
constexpr std::size_t kChunk = 2048;

// Sum of f(x) over x[0..n), f of a partial vector's missing lanes left out.
template <class F>
MINI_INLINE double sum_of(const float* x, std::size_t n, F f) {
  double total = 0;
  for (std::size_t begin = 0; begin < n; begin += kChunk) {
    const std::size_t end = begin + kChunk < n ? begin + kChunk : n;
    Vec a = zero(), b = zero(), c = zero(), d = zero();
    std::size_t i = begin;
    for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
      a = f(load(x + i), a);
      b = f(load(x + i + kLanes), b);
      c = f(load(x + i + 2 * kLanes), c);
      d = f(load(x + i + 3 * kLanes), d);
    }
    for (; i + kLanes <= end; i += kLanes) a = f(load(x + i), a);
    total += static_cast<double>(reduce_add((a + b) + (c + d)));
    for (; i < end; ++i) {
      alignas(64) float first[kLanes];
      store(first, f(broadcast(x[i]), zero()));
      total += static_cast<double>(first[0]);
    }
  }
  return total;
}

// The same for each lane of blocks.
template <class F>
MINI_INLINE void sum_lanes(const float* x, std::size_t n, double* total, F f) {
  for (int lane = 0; lane < kLanes; ++lane) total[lane] = 0;
  for (std::size_t begin = 0; begin < n; begin += kChunk) {
    const std::size_t end = begin + kChunk < n ? begin + kChunk : n;
    Vec a = zero(), b = zero();
    std::size_t i = begin;
    for (; i + 2 <= end; i += 2) {
      a = f(load(x + i * kLanes), a);
      b = f(load(x + (i + 1) * kLanes), b);
    }
    if (i < end) a = f(load(x + i * kLanes), a);
    alignas(64) float sums[kLanes];
    store(sums, a + b);
    for (int lane = 0; lane < kLanes; ++lane) total[lane] += static_cast<double>(sums[lane]);
  }
}

}  // namespace

void moments_f32(const float* x, std::size_t n, double* mean, double* variance) {
  *mean = sum_of(x, n, [](Vec v, Vec sum) { return sum + v; }) / static_cast<double>(n);
  const Vec m = broadcast(static_cast<float>(*mean));
  // The mean was rounded to float: its error is taken out of the squares.
  const double rounding = *mean - static_cast<double>(static_cast<float>(*mean));
  *variance = sum_of(x, n, [m](Vec v, Vec sum) { return fma(v - m, v - m, sum); }) /
                  static_cast<double>(n) -
              rounding * rounding;
}

void moments_blocked_f32(const float* x, std::size_t n, double* mean, double* variance) {
  sum_lanes(x, n, mean, [](Vec v, Vec sum) { return sum + v; });
  alignas(64) float rounded[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    mean[lane] /= static_cast<double>(n);
    rounded[lane] = static_cast<float>(mean[lane]);
  }
  const Vec m = load(rounded);
  sum_lanes(x, n, variance, [m](Vec v, Vec sum) { return fma(v - m, v - m, sum); });
  for (int lane = 0; lane < kLanes; ++lane) {
    const double rounding = mean[lane] - static_cast<double>(rounded[lane]);
    variance[lane] = variance[lane] / static_cast<double>(n) - rounding * rounding;
  }
}

void scale_shift_f32(const float* x, float* y, std::size_t n, float k, float b) {
  const Vec kv = broadcast(k), bv = broadcast(b);
  for_each_vector(n, [&](std::size_t i, int count) {
    if (count == kLanes) {
      store(y + i, fma(load(x + i), kv, bv));
    } else {
      store(y + i, fma(load(x + i, count), kv, bv), count);
    }
  });
}

void scale_shift_blocked_f32(const float* x, float* y, std::size_t n, const float* k,
                             const float* b) {
  const Vec kv = load(k), bv = load(b);
  for (std::size_t i = 0; i < n; ++i) store(y + i * kLanes, fma(load(x + i * kLanes), kv, bv));
}

void normalize_row_f32(const float* x, float* y, std::size_t n, float mean, float factor,
                       const float* scale, const float* bias) {
  const Vec m = broadcast(mean), f = broadcast(factor);
  for_each_vector(n, [&](std::size_t i, int count) {
    const bool whole = count == kLanes;
    Vec v = ((whole ? load(x + i) : load(x + i, count)) - m) * f;
    if (scale != nullptr) v = v * (whole ? load(scale + i) : load(scale + i, count));
    if (bias != nullptr) v = v + (whole ? load(bias + i) : load(bias + i, count));
    if (whole) {
      store(y + i, v);
    } else {
      store(y + i, v, count);
    }
  });
}

void add_rows_f32(const float* a, const float* b, const float* c, float* sum, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, int count) {
    Vec v = load(a + i, count) + load(b + i, count);
    if (c != nullptr) v = v + load(c + i, count);
    store(sum + i, v, count);
  });
}

double sum_squares_f32(const float* x, std::size_t n) {
  return sum_of(x, n, [](Vec v, Vec sum) { return fma(v, v, sum); });
}

void lrn_f32(const float* x, const float* window, std::size_t count, std::size_t stride, float* y,
             std::size_t n, float bias, float factor, float beta) {
  const Vec bv = broadcast(bias), fv = broadcast(factor), exponent = broadcast(-beta);
  for_each_vector(n, [&](std::size_t i, int lanes) {
    Vec sum = zero();
    for (std::size_t j = 0; j < count; ++j) {
      const Vec v = load(window + j * stride + i, lanes);
      sum = fma(v, v, sum);
    }
    store(y + i, load(x + i, lanes) * exp(exponent * log(fma(sum, fv, bv))), lanes);
  });
}

}  // namespace mini_infer::simd::MINI_ISA
