// Depthwise 3x3 kernels with stride 1, two outputs of a row at a time by F(2, 3) (Winograd,
// "Arithmetic Complexity of Computations", 1980): with taps a, b, c
//   m0 = (d0 - d2) a                     y0 = m0 + m1 + m2
//   m1 = (d1 + d2) (a + b + c) / 2       y1 = m1 - m2 + m3
//   m2 = (d2 - d1) (a - b + c) / 2
//   m3 = (d3 - d1) c
// 4 products instead of 6. The additions of inputs are shared by the three rows of output that a
// row of input is in, those of products by the three rows of input.
//
// A strip of two columns is gone down row by row, with the filter and the sums of three rows of
// output in registers.
#include "kernels/conv/depthwise_strip.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// Two columns of output, of four of input.
struct Pair {
  static constexpr int kInputs = 4, kProducts = kDepthwiseWinogradProducts, kOutputs = 2;

  static MINI_INLINE void filter(const float* packed, Vec (&w)[kProducts]) {
    MINI_UNROLL
    for (int k = 0; k < kProducts; ++k) w[k] = load(packed + k * kLanes);
  }
  // A row of input as the products take it.
  template <typename Columns>
  static MINI_INLINE void transform(const Columns& columns, Vec (&t)[kProducts]) {
    const Vec d0 = columns.template read<0>(), d1 = in_register(columns.template read<1>());
    const Vec d2 = in_register(columns.template read<2>()), d3 = columns.template read<3>();
    t[0] = d0 - d2;
    t[1] = d1 + d2;
    t[2] = d2 - d1;
    t[3] = d3 - d1;
  }
  static MINI_INLINE void start(Vec bias, Vec (&m)[kProducts]) {
    m[0] = m[2] = m[3] = zero();
    m[1] = bias;
  }
  static MINI_INLINE void end(const Vec (&m)[kProducts], Vec (&y)[kOutputs]) {
    y[0] = m[0] + (m[1] + m[2]);
    y[1] = (m[1] - m[2]) + m[3];
  }
};

// The last of an odd number of columns by its taps, of which the third may be outside of the image.
template <int kTaps>
struct Single {
  static constexpr int kInputs = kTaps, kProducts = kTaps, kOutputs = 1;

  static MINI_INLINE void filter(const float* packed, Vec (&w)[kProducts]) {
    w[0] = load(packed);
    w[1] = load(packed + kLanes) - load(packed + 2 * kLanes);
    if constexpr (kTaps == 3) w[2] = load(packed + 3 * kLanes);
  }
  template <typename Columns>
  static MINI_INLINE void transform(const Columns& columns, Vec (&t)[kProducts]) {
    t[0] = columns.template read<0>();
    t[1] = columns.template read<1>();
    if constexpr (kTaps == 3) t[2] = columns.template read<2>();
  }
  static MINI_INLINE void start(Vec bias, Vec (&m)[kProducts]) {
    MINI_UNROLL
    for (int k = 1; k < kTaps; ++k) m[k] = zero();
    m[0] = bias;
  }
  static MINI_INLINE void end(const Vec (&m)[kProducts], Vec (&y)[kOutputs]) {
    y[0] = m[0] + m[1];
    if constexpr (kTaps == 3) y[0] = y[0] + m[2];
  }
};

// The columns of a row of input. At the edges of an image those outside are zeros, which are at the
// same place for all rows.
template <int kInputs, bool kEdge>
struct Columns {
  const float* at[kEdge ? kInputs : 1];
  std::ptrdiff_t steps[kEdge ? kInputs : 1];

  MINI_INLINE Columns(const DepthwiseRows& r, const DepthwiseStrip& s) {
    alignas(64) static constexpr float kZeros[kLanes] = {};
    const std::ptrdiff_t row = std::ptrdiff_t{r.iw} * kLanes;
    if constexpr (kEdge) {
      MINI_UNROLL
      for (int x = 0; x < kInputs; ++x) {
        const bool inside = static_cast<unsigned>(s.ix + x) < static_cast<unsigned>(r.iw);
        at[x] = inside ? s.input + x * kLanes : kZeros;
        steps[x] = inside ? row : 0;
      }
    } else {
      at[0] = s.input;
      steps[0] = row;
    }
  }
  template <int kX>
  MINI_INLINE Vec read() const {
    if constexpr (kEdge) return load(at[kX]);
    return load(at[0] + kX * kLanes);
  }
  MINI_INLINE void next() {
    MINI_UNROLL
    for (int x = 0; x < (kEdge ? kInputs : 1); ++x) at[x] += steps[x];
  }
};

// The sums of the products of a row of output.
template <typename Kind>
struct Sums {
  Vec m[Kind::kProducts];

  MINI_INLINE void start(Vec bias) { Kind::start(bias, m); }
  MINI_INLINE void add(const Vec (&t)[Kind::kProducts], const Vec (&w)[Kind::kProducts]) {
    MINI_UNROLL
    for (int k = 0; k < Kind::kProducts; ++k) m[k] = fma(t[k], w[k], m[k]);
  }
  // kClamp: the epilogue is that alone.
  template <bool kClamp>
  MINI_INLINE void end(const DepthwiseRows& r, const DepthwiseStrip& s,
                       std::ptrdiff_t offset) const {
    Vec y[Kind::kOutputs];
    Kind::end(m, y);
    float* const output = s.output + offset;
    if constexpr (kClamp) {
      const Vec low = broadcast(r.epilogue.low), high = broadcast(r.epilogue.high);
      MINI_UNROLL
      for (int x = 0; x < Kind::kOutputs; ++x) {
        store(output + x * kLanes, min_nan(max_nan(y[x], low), high));
      }
    } else {
      const float* const residual = s.residual == nullptr ? nullptr : s.residual + offset;
      finish(r.epilogue, s.slope, y, residual, output);
    }
  }
};

template <typename Kind, bool kEdge, bool kClamp>
[[gnu::noinline]] void run_strip(const DepthwiseRows& r, const DepthwiseStrip& s) {
  Vec w[3][Kind::kProducts];
  MINI_UNROLL
  for (int ky = 0; ky < 3; ++ky) {
    Kind::filter(r.weights + ky * kDepthwiseWinogradProducts * kLanes, w[ky]);
  }
  const std::ptrdiff_t out_row = std::ptrdiff_t{r.ow} * kLanes;
  Columns<Kind::kInputs, kEdge> columns(r, s);
  std::ptrdiff_t output = 0;
  const auto inside = [&](int i) {
    return static_cast<unsigned>(s.iy + i) < static_cast<unsigned>(r.ih);
  };
  // The rows of output that row i of input is in, the first of which ends with it. What they are of
  // beyond the strip is not stored.
  Sums<Kind> a, b, c;
  Vec t[Kind::kProducts];
  a.start(s.bias);
  b.start(s.bias);
  if (inside(0)) {
    Kind::transform(columns, t);
    a.add(t, w[0]);
  }
  columns.next();
  if (inside(1)) {
    Kind::transform(columns, t);
    a.add(t, w[1]);
    b.add(t, w[0]);
  }
  columns.next();
  const auto add = [&](Sums<Kind> & last, Sums<Kind> & middle, Sums<Kind> & first)
      __attribute__((always_inline)) {
    Kind::transform(columns, t);
    first.start(s.bias);
    last.add(t, w[2]);
    middle.add(t, w[1]);
    first.add(t, w[0]);
  };
  const auto end = [&](const Sums<Kind>& last) __attribute__((always_inline)) {
    last.template end<kClamp>(r, s, output);
    columns.next();
    output += out_row;
  };
  const int rows = s.rows + 2, whole = rows < r.ih - s.iy ? rows : r.ih - s.iy;
  for (int i = 2; i < rows; ++i) {
    if (inside(i)) {
      for (; i + 3 <= whole; i += 3) {
        add(a, b, c);
        end(a);
        add(b, c, a);
        end(b);
        add(c, a, b);
        end(c);
      }
      if (i == rows) return;
    }
    if (inside(i)) {
      add(a, b, c);
    } else {
      c.start(s.bias);
    }
    end(a);
    a = b;
    b = c;
  }
}

template <bool kClamp>
void run_at(const DepthwiseRows& r, const DepthwiseStrip& s, bool two) {
  const auto inside = [&](int columns) { return s.ix >= 0 && s.ix + columns <= r.iw; };
  if (two && inside(Pair::kInputs)) return run_strip<Pair, false, kClamp>(r, s);
  if (two) return run_strip<Pair, true, kClamp>(r, s);
  if (inside(2) && !inside(3)) return run_strip<Single<2>, false, kClamp>(r, s);
  run_strip<Single<3>, true, kClamp>(r, s);
}

// Rows of a band. Each row that a strip goes through is a stream of its own to the hardware, which
// follows few of them where lines come from far away; short bands repeat additions.
int band_rows(const DepthwiseRows& r) {
  constexpr int kLeast = 8, kMost = 32, kBytes = 64 << 10;
  const int rows = kBytes / (r.iw * kLanes * static_cast<int>(sizeof(float)));
  return rows < kLeast ? kLeast : rows > kMost ? kMost : rows;
}

}  // namespace

void depthwise_winograd_f32(const DepthwiseRows& r) {
  const bool clamp = r.epilogue.kind == EpilogueKind::kClamp && r.residual == nullptr;
  const auto run = clamp ? run_at<true> : run_at<false>;
  for_each_strip(r, band_rows(r), Pair::kOutputs, [&](const DepthwiseStrip& s, int columns) {
    run(r, s, columns == Pair::kOutputs);
  });
}

}  // namespace mini_infer::simd::MINI_ISA
