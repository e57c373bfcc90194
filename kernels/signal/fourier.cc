#include "kernels/signal/fourier.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

namespace mini_infer {
namespace {

using Complex = Fourier::Complex;

// exp(sign * 2 pi j numerator / denominator)
Complex root(double sign, std::int64_t numerator, std::int64_t denominator) {
  const double angle = sign * 2 * std::numbers::pi * static_cast<double>(numerator) /
                       static_cast<double>(denominator);
  return {std::cos(angle), std::sin(angle)};
}

std::vector<Complex> roots_of(std::int64_t n, double sign) {
  std::vector<Complex> roots;
  for (std::int64_t i = 0; i < n / 2; ++i) roots.push_back(root(sign, i, n));
  return roots;
}

}  // namespace

Fourier::Fourier(std::int64_t length, bool inverse) : length_(length), inverse_(inverse) {
  const double sign = inverse ? 1 : -1;
  if (std::has_single_bit(static_cast<std::uint64_t>(length))) {
    roots_ = roots_of(length, sign);
    return;
  }
  const auto padded =
      static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(2 * length - 1)));
  work_ = padded;
  roots_ = roots_of(padded, -1);
  // i * i modulo 2n keeps the angle small.
  for (std::int64_t i = 0; i < length; ++i)
    chirp_.push_back(root(sign, i * i % (2 * length), 2 * length));
  filter_.resize(static_cast<std::size_t>(padded));
  for (std::int64_t i = 0; i < length; ++i) {
    const Complex value = std::conj(chirp_[static_cast<std::size_t>(i)]);
    filter_[static_cast<std::size_t>(i)] = value;
    if (i > 0) filter_[static_cast<std::size_t>(padded - i)] = value;
  }
  radix2(filter_.data(), padded, roots_);
}

void Fourier::radix2(Complex* x, std::int64_t n, const std::vector<Complex>& roots) {
  for (std::int64_t i = 1, j = 0; i < n; ++i) {
    std::int64_t bit = n >> 1;
    for (; (j & bit) != 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(x[i], x[j]);
  }
  for (std::int64_t half = 1; half < n; half *= 2) {
    const std::int64_t step = n / (2 * half);
    for (std::int64_t block = 0; block < n; block += 2 * half) {
      for (std::int64_t i = 0; i < half; ++i) {
        const Complex a = x[block + i];
        const Complex b = x[block + i + half] * roots[static_cast<std::size_t>(i * step)];
        x[block + i] = a + b;
        x[block + i + half] = a - b;
      }
    }
  }
}

void Fourier::transform(Complex* x, Complex* work) const {
  if (chirp_.empty()) {
    radix2(x, length_, roots_);
  } else {
    // A convolution with the chirp; the inverse transform is the forward one of the conjugate.
    for (std::int64_t i = 0; i < work_; ++i) {
      work[i] = i < length_ ? x[i] * chirp_[static_cast<std::size_t>(i)] : Complex();
    }
    radix2(work, work_, roots_);
    for (std::int64_t i = 0; i < work_; ++i) {
      work[i] = std::conj(work[i] * filter_[static_cast<std::size_t>(i)]);
    }
    radix2(work, work_, roots_);
    for (std::int64_t i = 0; i < length_; ++i) {
      x[i] = std::conj(work[i]) * chirp_[static_cast<std::size_t>(i)] / static_cast<double>(work_);
    }
  }
  if (!inverse_) return;
  for (std::int64_t i = 0; i < length_; ++i) x[i] /= static_cast<double>(length_);
}

}  // namespace mini_infer
