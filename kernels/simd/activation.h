// Activations on vectors, for the epilogues of kernels. Included by *.simd.cc only.
//
//   template <Activation A> Vec activate(Vec x, Vec alpha, Vec beta)      the function known at
//   compile time with_activation(kind, [&](auto a) { ... activate<a.kind>(...) ... })  from a
//   run-time kind to a compile-time one, outside of loops activate_cheap(kind, x, alpha, beta) a
//   run-time kind with is_cheap(kind), for few registers
#pragma once

#include "kernels/activation.h"
#include "kernels/simd/vec_math.h"

namespace mini_infer::simd::MINI_ISA {

template <Activation A>
struct ActivationTag {
  static constexpr Activation kind = A;
};

template <Activation A>
MINI_INLINE Vec activate(Vec x, [[maybe_unused]] Vec alpha, [[maybe_unused]] Vec beta) {
  const Vec one(1.f);
  if constexpr (A == Activation::kRelu) {
    return max_nan(x, zero());
  } else if constexpr (A == Activation::kClip) {
    return min_nan(max_nan(x, alpha), beta);
  } else if constexpr (A == Activation::kLeakyRelu) {
    return select(x >= zero(), x, x * alpha);
  } else if constexpr (A == Activation::kThresholdedRelu) {
    return select(x <= alpha, zero(), x);
  } else if constexpr (A == Activation::kHardSigmoid) {
    return min_nan(max_nan(fma(x, alpha, beta), zero()), one);
  } else if constexpr (A == Activation::kHardSwish) {
    return x * min_nan(max_nan(fma(x, alpha, beta), zero()), one);
  } else if constexpr (A == Activation::kAffine) {
    return fma(x, alpha, beta);
  } else if constexpr (A == Activation::kAbs) {
    return abs(x);
  } else if constexpr (A == Activation::kNeg) {
    return x ^ Vec(-0.f);
  } else if constexpr (A == Activation::kSqrt) {
    return sqrt(x);
  } else if constexpr (A == Activation::kReciprocal) {
    return one / x;
  } else if constexpr (A == Activation::kFloor) {
    return floor(x);
  } else if constexpr (A == Activation::kCeil) {
    return ceil(x);
  } else if constexpr (A == Activation::kRound) {
    return round_even(x);
  } else if constexpr (A == Activation::kSign) {
    return select(x > zero(), one, select(x < zero(), Vec(-1.f), x));
  } else if constexpr (A == Activation::kSoftsign) {
    return x / (one + abs(x));
  } else if constexpr (A == Activation::kSigmoid) {
    return sigmoid(x);
  } else if constexpr (A == Activation::kSilu) {
    return x / (one + exp(zero() - x));
  } else if constexpr (A == Activation::kSwish) {
    return x / (one + exp(zero() - alpha * x));
  } else if constexpr (A == Activation::kGelu) {
    return gelu(x);
  } else if constexpr (A == Activation::kGeluTanh) {
    return gelu_tanh(x);
  } else if constexpr (A == Activation::kMish) {
    return mish(x);
  } else if constexpr (A == Activation::kTanh) {
    return tanh(x);
  } else if constexpr (A == Activation::kScaledTanh) {
    return alpha * tanh(beta * x);
  } else if constexpr (A == Activation::kElu) {
    return select(x > zero(), x, alpha * expm1_of_negative(min_nan(x, zero())));
  } else if constexpr (A == Activation::kSelu) {
    return beta * activate<Activation::kElu>(x, alpha, beta);
  } else if constexpr (A == Activation::kCelu) {
    // alpha and x / alpha may be negative; expm1 is exact enough where x / alpha <= 0, and min()
    // discards it elsewhere.
    const Vec scaled = x / alpha;
    const Vec grown =
        select(scaled > zero(), exp(scaled) - one, expm1_of_negative(min_nan(scaled, zero())));
    return max_nan(x, zero()) + min_nan(alpha * grown, zero());
  } else if constexpr (A == Activation::kSoftplus) {
    return softplus(x);
  } else if constexpr (A == Activation::kExp) {
    return exp(x);
  } else if constexpr (A == Activation::kLog) {
    return log(x);
  } else if constexpr (A == Activation::kErf) {
    return erf(x);
  } else {
    static_assert(A == Activation::kNone);
    return x;
  }
}

// body(ActivationTag<kind>{})
template <class Body>
MINI_INLINE void with_activation(Activation kind, Body&& body) {
#define MINI_CASE(name)                         \
  case Activation::k##name:                     \
    body(ActivationTag<Activation::k##name>{}); \
    break;
  switch (kind) {
    MINI_CASE(Relu)
    MINI_CASE(Clip)
    MINI_CASE(LeakyRelu)
    MINI_CASE(ThresholdedRelu)
    MINI_CASE(HardSigmoid)
    MINI_CASE(HardSwish)
    MINI_CASE(Affine)
    MINI_CASE(Abs)
    MINI_CASE(Neg)
    MINI_CASE(Sqrt)
    MINI_CASE(Reciprocal)
    MINI_CASE(Floor)
    MINI_CASE(Ceil)
    MINI_CASE(Round)
    MINI_CASE(Sign)
    MINI_CASE(Softsign)
    MINI_CASE(Sigmoid)
    MINI_CASE(Silu)
    MINI_CASE(Swish)
    MINI_CASE(Gelu)
    MINI_CASE(GeluTanh)
    MINI_CASE(Mish)
    MINI_CASE(Tanh)
    MINI_CASE(ScaledTanh)
    MINI_CASE(Elu)
    MINI_CASE(Selu)
    MINI_CASE(Celu)
    MINI_CASE(Softplus)
    MINI_CASE(Exp)
    MINI_CASE(Log)
    MINI_CASE(Erf)
    MINI_CASE(None)
    case Activation::kCount:
      break;
  }
#undef MINI_CASE
}

// x[i] = activation(x[i]) for a few registers, the kind chosen at run time among those with
// is_cheap(kind); others leave x.
template <int N>
MINI_INLINE void activate_cheap(Activation kind, Vec (&x)[N], Vec alpha, Vec beta) {
#define MINI_CASE(name)                                                                  \
  case Activation::k##name:                                                              \
    MINI_UNROLL                                                                          \
    for (int i = 0; i < N; ++i) x[i] = activate<Activation::k##name>(x[i], alpha, beta); \
    break;
  switch (kind) {
    MINI_CASE(Relu)
    MINI_CASE(Clip)
    MINI_CASE(LeakyRelu)
    MINI_CASE(ThresholdedRelu)
    MINI_CASE(HardSigmoid)
    MINI_CASE(HardSwish)
    MINI_CASE(Affine)
    default:
      break;
  }
#undef MINI_CASE
}

}  // namespace mini_infer::simd::MINI_ISA
