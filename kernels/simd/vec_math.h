// Elementary functions on vectors of floats. Included by *.simd.cc only.
//
// The polynomials are minimax fits (Remez exchange, weighted by the relative error of the result)
// made for this project. Errors are stated in units in the last place (ulp) of the result;
// tests/gemm/vec_math_test.cc checks them for each instruction set.
#pragma once

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {

// p[0] + p[1] x + ... + p[N-1] x^(N-1), by Horner's rule.
template <int N>
MINI_INLINE Vec polynomial(Vec x, const float (&p)[N]) {
  Vec sum(p[N - 1]);
  MINI_UNROLL
  for (int i = N - 2; i >= 0; --i) sum = fma(sum, x, Vec(p[i]));
  return sum;
}

// exp(x) = 2^n (1 + fraction) with fraction = exp(r) - 1, |r| <= log(2) / 2.
struct ExpParts {
  Vec n;
  Vec fraction;
};

// x within [-104, 89] or NaN.
MINI_INLINE ExpParts exp_parts(Vec x) {
  // log(2) in two parts; the first has so few bits that n times it is exact.
  constexpr float kLog2High = 0.693359375f, kLog2Low = -2.12194440e-4f;
  // exp(r) = 1 + r + r^2 q(r), to 2^-28
  static constexpr float kQ[] = {0.49999994f, 0.166665211f, 0.041668389f, 0.00836874545f,
                                 0.00138145406f};
  const Vec n = round_even(x * Vec(1.44269504f));
  const Vec r = fnma(n, Vec(kLog2Low), fnma(n, Vec(kLog2High), x));
  return {n, fma(r * r, polynomial(r, kQ), r)};
}

// x 2^n for integers n within [-252, 254]. Rounds once, also where the result is denormal.
MINI_INLINE Vec scale_by_power_of_two(Vec x, Vec n) {
#if defined(__AVX512F__)
  return _mm512_scalef_ps(x, n);
#else
  const VecI whole = round_to_int(n);
  const VecI half = whole >> 1;
  const Vec first = as_float((half + VecI(127)) << 23);
  const Vec second = as_float((whole - half + VecI(127)) << 23);
  return x * first * second;
#endif
}

// < 1 ulp. exp(-inf) = 0, exp(inf) = inf, NaN stays NaN, overflow gives inf, results may be
// denormal.
MINI_INLINE Vec exp(Vec x) {
  const ExpParts e = exp_parts(max_nan(min_nan(x, Vec(89.f)), Vec(-104.f)));
  return scale_by_power_of_two(Vec(1.f) + e.fraction, e.n);
}

// exp(x) - 1 for x <= 0 (or NaN), < 2 ulp also near zero.
MINI_INLINE Vec expm1_of_negative(Vec x) {
  const ExpParts e = exp_parts(max_nan(x, Vec(-40.f)));
  const Vec power = as_float((round_to_int(e.n) + VecI(127)) << 23);
  return select(x == x, fma(power, e.fraction, power - Vec(1.f)), x);
}

// Natural logarithm, < 1 ulp. log(0) = -inf, log(inf) = inf; NaN below
// zero and for NaN.
MINI_INLINE Vec log(Vec x) {
  constexpr float kLog2High = 0.693359375f, kLog2Low = -2.12194440e-4f;
  // log(1 + f) = f - f^2 / 2 + f^3 p(f) for 1 + f within [sqrt(1/2), sqrt(2)], to 2^-30
  static constexpr float kP[] = {0.333333135f,  -0.250000089f, 0.200021192f,
                                 -0.166679963f, 0.142195523f,  -0.124055892f,
                                 0.11888162f,   -0.116756521f, 0.0674664155f};
  const Mask denormal = x < Vec(1.17549435e-38f);
  const VecI bits = as_int(select(denormal, x * Vec(8388608.f), x));
  // 0x3f3504f3 is sqrt(1/2): x = 2^n (1 + f)
  const VecI n = (bits - VecI(0x3f3504f3)) >> 23;
  const Vec f = as_float(bits - (n << 23)) - Vec(1.f);
  const Vec power = to_float(n) - select(denormal, Vec(23.f), zero());
  const Vec square = f * f;
  Vec low = fma(square * f, polynomial(f, kP), power * Vec(kLog2Low));
  low = fnma(Vec(0.5f), square, low);
  const Vec result = fma(power, Vec(kLog2High), f + low);
  const Vec infinity(__builtin_inff());
  const Vec finite = select(x < infinity, result, x);  // inf and NaN stay
  return select(x > zero(), finite,
                select(x == zero(), zero() - infinity, Vec(__builtin_nanf(""))));
}

// log(1 + x) for 0 <= x <= 1 (or NaN), < 2 ulp: what 1 + x loses is added to the logarithm's first
// order.
MINI_INLINE Vec log1p_of_fraction(Vec x) {
  const Vec sum = Vec(1.f) + x;
  return log(sum) + (x - (sum - Vec(1.f))) / sum;
}

// < 2 ulp
MINI_INLINE Vec tanh(Vec x) {
  // tanh(x) = x + x^3 p(x^2) below 0.625, to 2^-28; 1 - 2 / (exp(2 x) + 1) above.
  static constexpr float kP[] = {-0.333332837f, 0.133314908f, -0.0537434965f, 0.020650588f,
                                 -0.00571704516f};
  const Vec magnitude = abs(x);
  const Vec square = x * x;
  const Vec small = fma(square * magnitude, polynomial(square, kP), magnitude);
  const Vec bounded = min_nan(magnitude, Vec(10.f));
  const Vec large = Vec(1.f) - Vec(2.f) / (exp(bounded + bounded) + Vec(1.f));
  return with_sign(select(magnitude < Vec(0.625f), small, large), x);
}

// < 1.5 ulp
MINI_INLINE Vec erf(Vec x) {
  // erf(x) = x + x p(x^2) below 0.921875, to 2^-31; 1 - exp(-g(x)) above, g = -log(erfc x), to
  // 2^-34 of the result.
  static constexpr float kP[] = {0.128379166f,   -0.376126349f,    0.112837017f,   -0.0268597025f,
                                 0.00520171644f, -0.000814980827f, 8.39780405e-05f};
  static constexpr float kG[] = {-0.000175184658f, 1.12951732f,    0.633342028f,
                                 0.108285442f,     -0.0251228865f, 0.00417237682f,
                                 -0.000434733753f, 2.11184997e-05f};
  const Vec magnitude = abs(x);
  const Vec square = x * x;
  const Vec small = fma(magnitude, polynomial(square, kP), magnitude);
  const Vec bounded = min_nan(magnitude, Vec(3.95f));  // erf(3.95) rounds to 1
  const ExpParts e = exp_parts(zero() - polynomial(bounded, kG));
  const Vec power = as_float((round_to_int(e.n) + VecI(127)) << 23);
  const Vec large = Vec(1.f) - fma(power, e.fraction, power);
  return with_sign(select(magnitude < Vec(0.921875f), small, select(x == x, large, magnitude)), x);
}

// 1 / (1 + exp(-x))
MINI_INLINE Vec sigmoid(Vec x) { return Vec(1.f) / (Vec(1.f) + exp(zero() - x)); }

// log(1 + exp x) = max(x, 0) + log(1 + exp(-|x|))
MINI_INLINE Vec softplus(Vec x) {
  return max_nan(x, zero()) + log1p_of_fraction(exp(zero() - abs(x)));
}

// x tanh(log(1 + exp x)) = x m / (m + 2) with m = e (e + 2), e = exp x
MINI_INLINE Vec mish(Vec x) {
  const Vec e = exp(min_nan(x, Vec(20.f)));
  const Vec m = e * (e + Vec(2.f));
  return x * (m / (m + Vec(2.f)));
}

// x Phi(x) = max(x, 0) - u Phi(-u), u = |x|, Phi(-u) = q(u)^-8 / 2. Off by less than 3e-7, between
// -2 and 2 by less than 2e-7 and 15 ulp.
MINI_INLINE Vec gelu(Vec x) {
  // u |q^-8 / 2 - Phi(-u)| < 1e-8 up to 6, where Phi is 1e-9.
  static constexpr float kQ[] = {1.f,
                                 0.0997360572f,
                                 0.044756446f,
                                 0.00870046671f,
                                 0.000797361776f,
                                 0.00028432539f,
                                 2.38687062e-06f,
                                 1.34575621e-05f,
                                 -2.16740909e-06f,
                                 3.53484126e-07f};
  const Vec u = min_nan(abs(x), Vec(6.f));
  Vec power = polynomial(u, kQ);
  power = power * power;
  power = power * power;
  power = power * power;
  return max_nan(x, zero()) - u * Vec(0.5f) / power;
}

// x (1 + tanh(u)) / 2 = x sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3)
MINI_INLINE Vec gelu_tanh(Vec x) {
  const Vec u = x * fma(x * x, Vec(2.f * 0.7978845608f * 0.044715f), Vec(2.f * 0.7978845608f));
  return x / (Vec(1.f) + exp(zero() - u));
}

}  // namespace mini_infer::simd::MINI_ISA
