// Discrete Fourier transforms of any length.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

namespace mini_infer {

// X[k] = sum over i of x[i] exp(-+2 pi j i k / n), the inverse also divided by n. Powers of two by
// Cooley and Tukey's radix 2, other lengths by Bluestein's convolution; O(n log n) both.
class Fourier {
 public:
  using Complex = std::complex<double>;
  Fourier(std::int64_t length, bool inverse);

  std::int64_t length() const { return length_; }
  // Complex numbers of work space that transform() needs.
  std::int64_t work_size() const { return work_; }
  // In place.
  void transform(Complex* x, Complex* work) const;

 private:
  static void radix2(Complex* x, std::int64_t n, const std::vector<Complex>& roots);

  std::int64_t length_, work_ = 0;
  bool inverse_;
  std::vector<Complex> roots_;   // of the radix-2 transform
  std::vector<Complex> chirp_;   // exp(-+pi j i^2 / n); empty for powers of two
  std::vector<Complex> filter_;  // transformed conjugate chirp
};

}  // namespace mini_infer
