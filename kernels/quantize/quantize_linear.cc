// QuantizeLinear: y = saturate(round half to even(x / scale) + zero point); DequantizeLinear:
// y = (x - zero point) * scale. One scale in all, one for each index of an axis (opset 13), or one
// for each block of an axis (opset 21).
#include <limits>

#include "graph/ir/constants.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numeric.h"
#include "kernels/quantize/quantize.simd.h"
#include "kernels/quantized.h"
#include "kernels/reduce/axis_view.h"

namespace mini_infer {
namespace {

// The tensor as rows of n elements; element i of a row has the scale at first(row) + i * step.
struct ScaledRows {
  std::int64_t rows = 1, n = 1;
  std::int64_t step = 0;  // 0 or 1
  std::int64_t period = 1, outer_stride = 0, block = 1, inner_stride = 0;

  std::int64_t first(std::int64_t row) const {
    return row / period * outer_stride + row % period / block * inner_stride;
  }
};

// Blocks of `block_size` elements along the axis share a scale; scale has x's rank.
Result<ScaledRows> blocked_rows(const PrepareContext& c, AxisView view, std::size_t axis,
                                std::int64_t block_size) {
  const Shape &x = c.shape(0), &scale = c.shape(1);
  bool fits = scale.rank() == x.rank() && block_size > 0;
  for (std::size_t d = 0; fits && d < x.rank(); ++d) {
    fits = scale[d] == (d == axis ? (x[d] + block_size - 1) / block_size : x[d]);
  }
  if (!fits) {
    return invalid_model("scale has shape ", scale, ", x has ", x, ", axis ", axis,
                         " and block_size ", block_size,
                         ": scale has x's shape with one element for each block of the axis");
  }
  return ScaledRows{.rows = view.outer * view.k,
                    .n = view.inner,
                    .step = 1,
                    .period = view.k,
                    .outer_stride = scale[axis] * view.inner,
                    .block = block_size,
                    .inner_stride = view.inner};
}

Result<ScaledRows> scaled_rows(const PrepareContext& c) {
  const Shape &x = c.shape(0), &scale = c.shape(1);
  if (c.has_input(2) && c.shape(2).elements() != scale.elements()) {
    return invalid_model("scale has shape ", scale, ", the zero point ", c.shape(2),
                         "; they have the same");
  }
  const std::int64_t block_size = c.integer("block_size", 0), axis = c.integer("axis", 1);
  MINI_TRY(c.status());
  if (scale.elements() == 1 && block_size == 0) return ScaledRows{.n = x.elements()};
  MINI_TRY_ASSIGN(const std::size_t at, normalize_axis(axis, x.rank()));
  MINI_TRY_ASSIGN(const AxisView view, axis_view(x, axis));
  if (block_size != 0) return blocked_rows(c, view, at, block_size);
  if (scale.rank() != 1 || scale[0] != x[at]) {
    return invalid_model("scale has shape ", scale, ", x has ", x,
                         ": there is one scale for each of the ", x[at], " indices of axis ", at);
  }
  if (view.inner == 1) return ScaledRows{.rows = view.outer, .n = view.k, .step = 1};
  return ScaledRows{
      .rows = view.outer * view.k, .n = view.inner, .period = view.k, .inner_stride = 1};
}

// Calls body(first element, count, first scale) for pieces of rows, by the context's threads.
template <class Body>
void for_each_piece(const KernelContext& k, const ScaledRows& rows, Body&& body) {
  if (rows.rows == 1 && rows.step == 0) {
    k.parallel_for(rows.n, 2, [&](Range range, int) {
      body(range.begin, range.end - range.begin, std::int64_t{0});
    });
    return;
  }
  k.parallel_for(rows.rows, 2.0 * static_cast<double>(rows.n), [&](Range range, int) {
    for (std::int64_t row = range.begin; row < range.end; ++row) {
      body(row * rows.n, rows.n, rows.first(row));
    }
  });
}

template <class T>
const T* at(const KernelContext& k, std::size_t input, std::int64_t i) {
  const T* data = k.input<T>(input);
  return data != nullptr ? data + i : nullptr;
}

// X: x's type, S: scale's, Q: the integers'.
template <class X, class S, class Q>
PreparedKernel quantize_kernel(const ScaledRows& rows) {
  return {.name = "quantize/scalar", .run = [=](const KernelContext& k) {
            for_each_piece(k, rows, [&](std::int64_t begin, std::int64_t n, std::int64_t first) {
              const X* x = k.input<X>(0) + begin;
              const S* scale = k.input<S>(1) + first;
              const Q* zero = at<Q>(k, 2, first);
              Q* y = k.output<Q>(0) + begin;
              for (std::int64_t i = 0; i < n; ++i) {
                const std::int64_t s = i * rows.step;
                const auto value =
                    static_cast<float>(widen(x[i])) / static_cast<float>(widen(scale[s]));
                y[i] = requantize<Q>(value, zero != nullptr ? zero[s] : 0);
              }
            });
            return ok();
          }};
}

template <class Q>
PreparedKernel quantize_bytes(PrepareContext& c, const ScaledRows& rows) {
  const auto kernel = simd::quantize_f32.get(c.isa());
  return {.name = c.with_isa("quantize"), .run = [=](const KernelContext& k) {
            for_each_piece(k, rows, [&](std::int64_t begin, std::int64_t n, std::int64_t first) {
              const Q* zero = at<Q>(k, 2, first);
              kernel(k.input<float>(0) + begin, n, k.input<float>(1)[first],
                     zero != nullptr ? static_cast<float>(*zero) : 0.f,
                     std::numeric_limits<Q>::min(), std::numeric_limits<Q>::max(),
                     k.output<std::uint8_t>(0) + begin);
            });
            return ok();
          }};
}

template <class Q, class S, class Y>
PreparedKernel dequantize_kernel(const ScaledRows& rows) {
  return {.name = "dequantize/scalar", .run = [=](const KernelContext& k) {
            for_each_piece(k, rows, [&](std::int64_t begin, std::int64_t n, std::int64_t first) {
              const Q* x = k.input<Q>(0) + begin;
              const S* scale = k.input<S>(1) + first;
              const Q* zero = at<Q>(k, 2, first);
              Y* y = k.output<Y>(0) + begin;
              for (std::int64_t i = 0; i < n; ++i) {
                const std::int64_t s = i * rows.step;
                const std::int64_t whole = std::int64_t{x[i]} - (zero != nullptr ? zero[s] : 0);
                y[i] = narrow<Y>(static_cast<float>(whole) * static_cast<float>(widen(scale[s])));
              }
            });
            return ok();
          }};
}

template <class Q>
PreparedKernel dequantize_bytes(PrepareContext& c, const ScaledRows& rows) {
  const auto kernel = [&] {
    if constexpr (std::is_signed_v<Q>)
      return simd::dequantize_s8.get(c.isa());
    else
      return simd::dequantize_u8.get(c.isa());
  }();
  return {.name = c.with_isa("dequantize"), .run = [=](const KernelContext& k) {
            for_each_piece(k, rows, [&](std::int64_t begin, std::int64_t n, std::int64_t first) {
              const Q* zero = at<Q>(k, 2, first);
              kernel(k.input<Q>(0) + begin, n, k.input<float>(1)[first],
                     zero != nullptr ? static_cast<float>(*zero) : 0.f, k.output<float>(0) + begin);
            });
            return ok();
          }};
}

template <class T>
inline constexpr bool kIsQuantized = kIsInteger<T> && sizeof(T) <= 2;
template <class T>
inline constexpr bool kIsScale = kIsHalf<T> || std::is_same_v<T, float>;

Result<DType> attribute_dtype(const InferContext& c, DType fallback) {
  const std::int64_t dtype = c.integer("output_dtype", 0);
  if (dtype == 0) return fallback;
  if (dtype < 0 || dtype > 255 || dtype_size(static_cast<DType>(dtype)) == 0) {
    return not_implemented("attribute 'output_dtype' is ", dtype);
  }
  return static_cast<DType>(dtype);
}

Status infer_quantize(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 3));
  DType dtype = c.dtype(2);
  if (!c.has_input(2)) {
    MINI_TRY_ASSIGN(dtype, attribute_dtype(c, DType::kUInt8));
  }
  c.set_output(0, dtype, c.input(0).shape);
  return ok();
}

Result<PreparedKernel> prepare_quantize(PrepareContext& c) {
  MINI_TRY_ASSIGN(const ScaledRows rows, scaled_rows(c));
  const DType x = c.dtype(0), scale = c.dtype(1), q = c.output_dtype();
  const bool floats = x == DType::kFloat32 && scale == DType::kFloat32 && rows.step == 0;
  if (floats && q == DType::kUInt8) return quantize_bytes<std::uint8_t>(c, rows);
  if (floats && q == DType::kInt8) return quantize_bytes<std::int8_t>(c, rows);
  PreparedKernel kernel;
  dispatch_dtype(q, [&]<class Q>() {
    if constexpr (kIsQuantized<Q>) {
      dispatch_dtype(x, [&]<class X>() {
        if constexpr (kIsScale<X> || std::is_same_v<X, std::int32_t>) {
          dispatch_dtype(scale, [&]<class S>() {
            if constexpr (kIsScale<S>) kernel = quantize_kernel<X, S, Q>(rows);
          });
        }
      });
    }
  });
  if (!kernel.run) return not_implemented("quantization of ", x, " by ", scale, " to ", q);
  return kernel;
}

Status infer_dequantize(InferContext& c) {
  MINI_TRY(c.expect_inputs(2, 3));
  MINI_TRY_ASSIGN(const DType dtype, attribute_dtype(c, c.dtype(1)));
  c.set_output(0, dtype, c.input(0).shape);
  return ok();
}

Result<PreparedKernel> prepare_dequantize(PrepareContext& c) {
  MINI_TRY_ASSIGN(const ScaledRows rows, scaled_rows(c));
  const DType x = c.dtype(0), scale = c.dtype(1), y = c.output_dtype();
  if (c.has_input(2) && c.dtype(2) != x) {
    return invalid_model("x has dtype ", x, ", the zero point ", c.dtype(2),
                         "; they have the same");
  }
  const bool floats = y == DType::kFloat32 && scale == DType::kFloat32 && rows.step == 0;
  if (floats && x == DType::kUInt8) return dequantize_bytes<std::uint8_t>(c, rows);
  if (floats && x == DType::kInt8) return dequantize_bytes<std::int8_t>(c, rows);
  PreparedKernel kernel;
  dispatch_dtype(x, [&]<class Q>() {
    if constexpr (kIsQuantized<Q> || std::is_same_v<Q, std::int32_t>) {
      dispatch_dtype(scale, [&]<class S>() {
        if constexpr (kIsScale<S>) {
          dispatch_dtype(y, [&]<class Y>() {
            if constexpr (kIsScale<Y>) kernel = dequantize_kernel<Q, S, Y>(rows);
          });
        }
      });
    }
  });
  if (!kernel.run) return not_implemented("numbers of ", x, " with scales of ", scale, " to ", y);
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(QuantizeLinear, {.type = "QuantizeLinear",
                                .since = {10, 13, 19, 21, 23, 24, 25},
                                .infer = infer_quantize,
                                .prepare = prepare_quantize})
MINI_DEFINE_OP(DequantizeLinear, {.type = "DequantizeLinear",
                                  .since = {10, 13, 19, 21, 23, 24, 25},
                                  .infer = infer_dequantize,
                                  .prepare = prepare_dequantize})
MINI_DEFINE_OP(MicrosoftQuantizeLinear, {.domain = "com.microsoft",
                                         .type = "QuantizeLinear",
                                         .since = {1},
                                         .infer = infer_quantize,
                                         .prepare = prepare_quantize})
MINI_DEFINE_OP(MicrosoftDequantizeLinear, {.domain = "com.microsoft",
                                           .type = "DequantizeLinear",
                                           .since = {1},
                                           .infer = infer_dequantize,
                                           .prepare = prepare_dequantize})

}  // namespace mini_infer
