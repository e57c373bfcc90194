// What Winograd's algorithms do along one axis of a tile. Included by *.simd.cc only.
#pragma once

#include "kernels/conv/winograd_points.h"
#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {

// Transforms along one axis of F(kOut, kTaps), of every kStride-th input. With the points 0, a,
// -a, b, -b and infinity: row j of B' holds the coefficients of the product of (x - p) over all
// points p but the j-th.
struct SixPoints {
  static constexpr int kMixed = 6, kStride = 1;
  static constexpr float kA = kSixPoints[1], kB = kSixPoints[3];

  static MINI_INLINE void input(const Vec (&d)[kMixed], Vec (&v)[kMixed]) {
    const Vec a = broadcast(kA), b = broadcast(kB), a2 = broadcast(kA * kA),
              b2 = broadcast(kB * kB);
    const Vec product = broadcast(kA * kA * kB * kB), sum = broadcast(kA * kA + kB * kB);
    v[0] = fma(product, d[0], fnma(sum, d[2], d[4]));
    const Vec even_a = fnma(b2, d[2], d[4]), odd_a = a * fnma(b2, d[1], d[3]);
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    const Vec even_b = fnma(a2, d[2], d[4]), odd_b = b * fnma(a2, d[1], d[3]);
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = fma(product, d[1], fnma(sum, d[3], d[5]));
  }
};

struct F4x3 : SixPoints {
  static constexpr int kOut = 4, kTaps = 3;

  // y[i] = sum over points p of p^i m[p]
  static MINI_INLINE void output(const Vec (&m)[kMixed], Vec (&y)[kOut]) {
    const Vec sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    const Vec sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    y[0] = m[0] + (sum_a + sum_b);
    y[1] = fma(broadcast(kB), difference_b, broadcast(kA) * difference_a);
    y[2] = fma(broadcast(kB * kB), sum_b, broadcast(kA * kA) * sum_a);
    y[3] =
        m[5] + fma(broadcast(kB * kB * kB), difference_b, broadcast(kA * kA * kA) * difference_a);
  }
};

struct F2x5 : SixPoints {
  static constexpr int kOut = 2, kTaps = 5;

  static MINI_INLINE void output(const Vec (&m)[kMixed], Vec (&y)[kOut]) {
    y[0] = m[0] + ((m[1] + m[2]) + (m[3] + m[4]));
    y[1] = m[5] + fma(broadcast(kB), m[3] - m[4], broadcast(kA) * (m[1] - m[2]));
  }
};

// F(2, 3) with the points 0, 1, -1 and infinity.
struct F2x3 {
  static constexpr int kOut = 2, kTaps = 3, kMixed = 4, kStride = 1;

  static MINI_INLINE void input(const Vec (&d)[kMixed], Vec (&v)[kMixed]) {
    v[0] = d[2] - d[0];
    v[1] = d[2] + d[1];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
  }
  static MINI_INLINE void output(const Vec (&m)[kMixed], Vec (&y)[kOut]) {
    y[0] = m[0] + (m[1] + m[2]);
    y[1] = m[3] + (m[1] - m[2]);
  }
};

// F(4, 3) with stride 2: F(4, 2) of the even inputs with the points 0, a, -a, c and infinity.
struct F4x3Strided {
  static constexpr int kOut = 4, kTaps = 3, kMixed = 5, kStride = 2;
  static constexpr float kA = kStrided4Points[1], kC = kStrided4Points[3];

  static MINI_INLINE void input(const Vec (&d)[kMixed], Vec (&v)[kMixed]) {
    const Vec a = broadcast(kA), a2 = broadcast(kA * kA), c = broadcast(kC);
    const Vec p0 = fnma(a2, d[0], d[2]), p1 = fnma(a2, d[1], d[3]), p2 = fnma(a2, d[2], d[4]);
    const Vec q0 = fnma(c, d[1], d[2]), q1 = fnma(c, d[2], d[3]);
    v[0] = fnma(c, p0, p1);
    v[1] = fma(a, q0, q1);
    v[2] = fnma(a, q0, q1);
    v[3] = p1;
    v[4] = fnma(c, p1, p2);
  }
  static MINI_INLINE void output(const Vec (&m)[kMixed], Vec (&y)[kOut]) {
    const Vec sum = m[1] + m[2], difference = m[1] - m[2];
    y[0] = (m[0] + sum) + m[3];
    y[1] = fma(broadcast(kA), difference, broadcast(kC) * m[3]);
    y[2] = fma(broadcast(kA * kA), sum, broadcast(kC * kC) * m[3]);
    y[3] = fma(broadcast(kA * kA * kA), difference, fma(broadcast(kC * kC * kC), m[3], m[4]));
  }
};

// F(2, 3) with stride 2: F(2, 2) of the even inputs with the points 0, 1 and infinity.
struct F2x3Strided {
  static constexpr int kOut = 2, kTaps = 3, kMixed = 3, kStride = 2;

  static MINI_INLINE void input(const Vec (&d)[kMixed], Vec (&v)[kMixed]) {
    v[0] = d[1] - d[0];
    v[1] = d[1];
    v[2] = d[2] - d[1];
  }
  static MINI_INLINE void output(const Vec (&m)[kMixed], Vec (&y)[kOut]) {
    y[0] = m[0] + m[1];
    y[1] = m[1] + m[2];
  }
};

// An axis that the kernel has one tap on: inputs and outputs as they are.
struct F1x1 {
  static constexpr int kOut = 1, kTaps = 1, kMixed = 1, kStride = 1;

  static MINI_INLINE void input(const Vec (&d)[kMixed], Vec (&v)[kMixed]) { v[0] = d[0]; }
  static MINI_INLINE void output(const Vec (&m)[kMixed], Vec (&y)[kOut]) { y[0] = m[0]; }
};

// Elements of a tile on one axis: F::kMixed that transforms mix, then with stride 2 the F::kOut
// inputs between those, as they are.
template <class F>
inline constexpr int kPlain = F::kStride == 2 ? F::kOut : 0;
template <class F>
inline constexpr int kIn = F::kMixed + kPlain<F>;

// The algorithms of both axes.
template <class Rows, class Columns>
struct Axes {
  using Y = Rows;
  using X = Columns;
};
template <class F>
inline constexpr int kElements = kIn<typename F::Y>* kIn<typename F::X>;

}  // namespace mini_infer::simd::MINI_ISA
