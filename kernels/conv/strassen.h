// Strassen's algorithm for products of matrices, which are 1x1 convolutions of maps of one column.
#pragma once

#include <memory>

#include "kernels/conv/conv_algorithm.h"

namespace mini_infer {

// Weights of output o and input i, in floats from one to the next.
struct StrassenWeights {
  const float* data;
  std::int64_t output_stride, input_stride;
};

class StrassenAlgorithm : public ConvAlgorithm {
 public:
  // pack() for weights in any order.
  virtual void pack_weights(const StrassenWeights& w, float* packed,
                            int threads) const noexcept = 0;
};

// The product of [m, k] and [k, n] as a convolution.
ConvShape strassen_product_shape(std::int64_t m, std::int64_t n, std::int64_t k);

// run() takes dense rows of A as pixels and writes dense rows; m * k fits an int. For shapes that
// strassen_conv_declines() nothing about.
std::unique_ptr<StrassenAlgorithm> make_strassen_product(std::int64_t m, std::int64_t n,
                                                         std::int64_t k, Isa isa);

}  // namespace mini_infer
