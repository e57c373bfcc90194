// The end of a convolution, in the form vector kernels read. Plain data: included by *.simd.cc and
// by the drivers.
#pragma once

#include "kernels/activation.h"

namespace mini_infer {

// y = activation(sum + bias [+ residual]) [+ residual]
enum class EpilogueKind : unsigned char {
  kClamp,      // min(max(x, low), high): also no activation (infinities) and Relu
  kSlope,      // x < 0 ? slope * x : x
  kHardSwish,  // x * min(max(alpha * x + beta, 0), 1)
  kOther,      // stored, and then activated in place
};

struct ConvEpilogue {
  EpilogueKind kind;
  bool residual_first;  // before the activation
  float low, high;
  ActivationParams activation;
  const float* slopes;  // [oc]; null: activation.alpha for all
  const float* bias;    // [oc] or null
};

}  // namespace mini_infer
