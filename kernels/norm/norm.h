// What normalising operators share: planes of a tensor [N,C,spatial...] and how statistics become y
// = x k + b.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/op.h"

namespace mini_infer {

// [N,C,spatial...] as planes.
struct NormPlanes {
  std::int64_t batch = 1, channels = 1, size = 1;
  std::int64_t blocks(int lanes) const { return (channels + lanes - 1) / lanes; }
};
NormPlanes planes_of(const Shape& x);

// Blocked where input 0 is: for operators whose other inputs are constants of [C].
LayoutChoice channelwise_layout(const LayoutQuery& query);
// The numbers of a floating-point tensor at run time, as double.
std::vector<double> read_numbers(const void* data, DType dtype, std::int64_t count);
// An input of [C] must have shape [C] (or have C elements): an error that says so.
Status expect_channels(const PrepareContext& c, std::size_t input, std::int64_t channels);
// Calls f.template operator()<T>() for float and double; an error for other dtypes.
template <class F>
Result<PreparedKernel> for_real(const PrepareContext& c, F&& f) {
  if (c.dtype(0) == DType::kFloat32) return f.template operator()<float>();
  if (c.dtype(0) == DType::kFloat64) return f.template operator()<double>();
  return not_implemented(c.node().op_type, " of ", c.dtype(0), "; it takes float32 and float64");
}

// y = x k[c] + b[c] for the planes or blocks of one image; k and b have room for whole blocks.
struct ScaleShift {
  std::vector<float> k, b;
};
void apply_scale_shift(const KernelContext& k, Isa isa, Layout layout, const NormPlanes& planes,
                       const std::vector<ScaleShift>& per_image, const float* x, float* y);

// Mean and biased variance of x[0..n).
struct Moments {
  double mean = 0, variance = 0;
};
template <class T>
Moments moments_of(Isa isa, const T* x, std::int64_t n);

}  // namespace mini_infer
