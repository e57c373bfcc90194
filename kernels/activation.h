// Unary functions that kernels apply to what they compute (fused epilogues) or to whole arrays.
// simd/activation.h computes them on vectors, simd/activate.simd.h on arrays.
#pragma once

#include <cstdint>

namespace mini_infer {

// With the parameters alpha and beta where they are named.
enum class Activation : std::uint8_t {
  kNone,
  kRelu,             // max(x, 0)
  kClip,             // min(max(x, alpha), beta)
  kLeakyRelu,        // x >= 0 ? x : alpha x
  kThresholdedRelu,  // x > alpha ? x : 0
  kHardSigmoid,      // min(max(alpha x + beta, 0), 1)
  kHardSwish,        // x min(max(alpha x + beta, 0), 1); ONNX: alpha = 1/6, beta = 1/2
  kAffine,           // alpha x + beta
  kAbs,
  kNeg,
  kSqrt,
  kReciprocal,
  kFloor,
  kCeil,
  kRound,     // ties to even
  kSign,      // -1, 0, 1
  kSoftsign,  // x / (1 + |x|)
  kSigmoid,   // 1 / (1 + exp(-x))
  kSilu,      // x sigmoid(x)
  kSwish,     // x sigmoid(alpha x)
  kGelu,      // x (1 + erf(x / sqrt 2)) / 2
  kGeluTanh,  // x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
  kMish,      // x tanh(log(1 + exp x))
  kTanh,
  kScaledTanh,  // alpha tanh(beta x)
  kElu,         // x > 0 ? x : alpha (exp(x) - 1)
  kSelu,        // beta (x > 0 ? x : alpha (exp(x) - 1))
  kCelu,        // max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)
  kSoftplus,    // log(1 + exp x)
  kExp,
  kLog,
  kErf,
  kCount
};

struct ActivationParams {
  Activation kind = Activation::kNone;
  float alpha = 0.f;
  float beta = 0.f;
};

// Whether it is a handful of instructions, so that kernels may compute it on registers they hold
// anyway.
constexpr bool is_cheap(Activation kind) { return kind <= Activation::kAffine; }

}  // namespace mini_infer
