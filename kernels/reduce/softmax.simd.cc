#include "kernels/reduce/softmax.simd.h"

#include "kernels/simd/vec_math.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

float greatest(const float* x, std::int64_t k) {
  if (k < kLanes) {
    float most = x[0];
    for (std::int64_t i = 1; i < k; ++i) most = x[i] > most ? x[i] : most;
    return most;
  }
  Vec first = load(x), second = load(x + k - kLanes);  // the last vector overlaps
  std::int64_t i = kLanes;
  for (; i + 2 * kLanes <= k; i += 2 * kLanes) {
    first = max_nan(first, load(x + i));
    second = max_nan(second, load(x + i + kLanes));
  }
  if (i + kLanes <= k) first = max_nan(first, load(x + i));
  return reduce_max(max_nan(first, second));
}

// y = exp(x - most), and its sum.
float exponentials(const float* x, float* y, std::int64_t k, Vec most) {
  Vec sum = zero(), sum2 = zero();
  std::int64_t i = 0;
  for (; i + 2 * kLanes <= k; i += 2 * kLanes) {
    const Vec a = exp(load(x + i) - most), b = exp(load(x + i + kLanes) - most);
    store(y + i, a);
    store(y + i + kLanes, b);
    sum = sum + a;
    sum2 = sum2 + b;
  }
  for (; i < k; i += kLanes) {
    const int lanes = k - i < kLanes ? static_cast<int>(k - i) : kLanes;
    store(y + i, exp(load(x + i, lanes) - most), lanes);
    sum = sum + load(y + i, lanes);
  }
  return reduce_add(sum + sum2);
}

// The sum of exp(x - most) alone.
float sum_of_exponentials(const float* x, std::int64_t k, Vec most) {
  Vec sum = zero();
  alignas(64) float part[kLanes];
  for (std::int64_t i = 0; i < k; i += kLanes) {
    const int lanes = k - i < kLanes ? static_cast<int>(k - i) : kLanes;
    store(part, exp(load(x + i, lanes) - most));
    sum = sum + load(part, lanes);
  }
  return reduce_add(sum);
}

// Rows shorter than a vector: kLanes of them at a time, turned into columns.
void short_rows(const float* x, float* y, std::int64_t rows, std::int64_t k, bool log_too) {
  alignas(64) float columns[kLanes * kLanes] = {};
  for (std::int64_t r = 0; r < rows; r += kLanes, x += kLanes * k, y += kLanes * k) {
    const std::int64_t n = rows - r < kLanes ? rows - r : kLanes;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < k; ++j) columns[j * kLanes + i] = x[i * k + j];
    }
    softmax_columns_f32(columns, columns, kLanes, k, kLanes, log_too);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < k; ++j) y[i * k + j] = columns[j * kLanes + i];
    }
  }
}

}  // namespace

void softmax_rows_f32(const float* x, float* y, std::int64_t rows, std::int64_t k, bool log_too) {
  if (k < kLanes && rows > 1) return short_rows(x, y, rows, k, log_too);
  for (std::int64_t r = 0; r < rows; ++r, x += k, y += k) {
    const Vec most(greatest(x, k));
    if (log_too) {
      const Vec rest = log(Vec(sum_of_exponentials(x, k, most)));
      for_each_vector(static_cast<std::size_t>(k), [&](std::size_t i, int lanes) {
        store(y + i, load(x + i, lanes) - most - rest, lanes);
      });
    } else {
      const Vec factor = Vec(1.f) / Vec(exponentials(x, y, k, most));
      for_each_vector(static_cast<std::size_t>(k), [&](std::size_t i, int lanes) {
        store(y + i, load(y + i, lanes) * factor, lanes);
      });
    }
  }
}

void softmax_columns_f32(const float* x, float* y, std::int64_t n, std::int64_t k,
                         std::int64_t stride, bool log_too) {
  for_each_vector(static_cast<std::size_t>(n), [&](std::size_t i, int lanes) {
    const float* in = x + i;
    float* out = y + i;
    Vec most = load(in, lanes);
    for (std::int64_t j = 1; j < k; ++j) most = max_nan(most, load(in + j * stride, lanes));
    Vec sum = zero();
    for (std::int64_t j = 0; j < k; ++j) {
      const Vec power = exp(load(in + j * stride, lanes) - most);
      if (!log_too) store(out + j * stride, power, lanes);
      sum = sum + power;
    }
    if (log_too) {
      const Vec rest = log(sum);
      for (std::int64_t j = 0; j < k; ++j) {
        store(out + j * stride, load(in + j * stride, lanes) - most - rest, lanes);
      }
    } else {
      const Vec factor = Vec(1.f) / sum;
      for (std::int64_t j = 0; j < k; ++j) {
        store(out + j * stride, load(out + j * stride, lanes) * factor, lanes);
      }
    }
  });
}

}  // namespace mini_infer::simd::MINI_ISA
