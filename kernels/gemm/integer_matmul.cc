// Products of 8-bit matrices, summed in int32, stacks as MatMul has them.
//   MatMulInteger          y = sum (a - a_zero) (b - b_zero)
//   QLinearMatMul          y = saturate(round(sum * a_scale * b_scale / y_scale) + y_zero)
//   MatMulIntegerToFloat   y = sum * a_scale * b_scale + bias
//   DynamicQuantizeMatMul  the same with a quantised to uint8 first, by its own range
// Parameters of a may be one for each row, those of b one for each column.
// onnx.ai/onnx/operators/onnx__MatMulInteger.html, onnx__QLinearMatMul.html

#include "kernels/gemm/igemm.h"
#include "kernels/gemm/product.h"
#include "kernels/quantized.h"

namespace mini_infer {
namespace {

// Where a node has its tensors; -1 where the operator has no such input.
struct Places {
  int a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, bias;
};
constexpr Places kInteger{.a = 0,
                          .a_scale = -1,
                          .a_zero = 2,
                          .b = 1,
                          .b_scale = -1,
                          .b_zero = 3,
                          .y_scale = -1,
                          .y_zero = -1,
                          .bias = -1};
constexpr Places kLinear{.a = 0,
                         .a_scale = 1,
                         .a_zero = 2,
                         .b = 3,
                         .b_scale = 4,
                         .b_zero = 5,
                         .y_scale = 6,
                         .y_zero = 7,
                         .bias = -1};
constexpr Places kToFloat{.a = 0,
                          .a_scale = 2,
                          .a_zero = 4,
                          .b = 1,
                          .b_scale = 3,
                          .b_zero = 5,
                          .y_scale = -1,
                          .y_zero = -1,
                          .bias = 6};
constexpr Places kDynamic{.a = 0,
                          .a_scale = -1,
                          .a_zero = -1,
                          .b = 1,
                          .b_scale = 2,
                          .b_zero = 3,
                          .y_scale = -1,
                          .y_zero = -1,
                          .bias = 4};

struct IntegerProduct {
  Product p;
  QuantParam a_scale, a_zero, b_scale, b_zero, y_scale, y_zero;
  int bias = -1;
  GemmPlan plan;
  std::shared_ptr<const PackedBuffer> packed_b;  // null: not constant
  std::int64_t packed_matrix = 0;                // floats of one packed matrix
  std::int64_t a_count = 0, b_count = 0;         // elements of the inputs
  // Offsets in scratch, in floats: the operands less their zero points, products, sums.
  std::size_t a_at = 0, b_at = 0, products_at = 0, sums_at = 0;
};

// out[i] = a[i] - zero of its row.
template <class A>
void center_rows(const KernelContext& k, const IntegerProduct& f, const A* a,
                 const std::int32_t* zero, float* out) {
  const Product& p = f.p;
  const std::int64_t rows = p.k > 0 ? f.a_count / p.k : 0;
  k.parallel_for(rows, static_cast<double>(p.k), [&](Range part, int) {
    for (std::int64_t row = part.begin; row < part.end; ++row) {
      subtract_zero(a + row * p.k, zero != nullptr ? *zero : f.a_zero.integer(k, row % p.m), p.k,
                    out + row * p.k);
    }
  });
}

// out[i] = b[i] - zero of its column.
template <class B>
void center_columns(const KernelContext& k, const IntegerProduct& f, const B* b, float* out) {
  const Product& p = f.p;
  const std::int64_t rows = f.b_count / p.n;
  k.parallel_for(p.n, static_cast<double>(rows), [&](Range columns, int) {
    for (std::int64_t n = columns.begin; n < columns.end; ++n) {
      const std::int32_t zero = f.b_zero.integer(k, n);
      for (std::int64_t i = n; i < f.b_count; i += p.n) out[i] = static_cast<float>(b[i] - zero);
    }
  });
}

// Element `column` of row `row` of a matrix from its sum.
template <class Y>
Y finish(const KernelContext& k, const IntegerProduct& f, std::int64_t row, std::int64_t column,
         std::int32_t sum, float a_scale) {
  if constexpr (std::is_same_v<Y, std::int32_t>) {
    return sum;
  } else {
    const float scale = a_scale * f.b_scale.number(k, column);
    if constexpr (std::is_same_v<Y, float>) {
      const float y = static_cast<float>(sum) * scale;
      return f.bias < 0 ? y : y + k.input<float>(static_cast<std::size_t>(f.bias))[column];
    } else {
      return requantize<Y>(static_cast<float>(sum) * (scale / f.y_scale.number(k, row)),
                           f.y_zero.integer(k, row));
    }
  }
}

GemmOperands operands(const IntegerProduct& f, const float* a, const float* b, std::int64_t i) {
  const Product& p = f.p;
  const auto at = static_cast<std::size_t>(i);
  GemmOperands o{.a = {.data = a + p.a.offsets[at],
                       .row_stride = p.a.row_stride,
                       .column_stride = p.a.column_stride}};
  if (f.packed_b != nullptr) {
    o.b = {.data = f.packed_b->data<float>() + p.b.offsets[at] / (p.k * p.n) * f.packed_matrix};
  } else {
    o.b = {.data = b + p.b.offsets[at],
           .row_stride = p.b.row_stride,
           .column_stride = p.b.column_stride};
  }
  return o;
}

// a_zero, a_scale: of a matrix quantised here; null: the node's inputs.
template <class A, class B, class Y>
Status run(const KernelContext& k, const IntegerProduct& f, const A* a, const B* b,
           const std::int32_t* a_zero, const float* a_scale) {
  const Product& p = f.p;
  if (p.batch * p.m * p.n == 0) return ok();
  Y* y = k.output<Y>(0);
  float* const scratch = reinterpret_cast<float*>(k.scratch);
  float* const centered_a = scratch + f.a_at;
  float* const centered_b = scratch + f.b_at;
  auto* const sums = reinterpret_cast<std::int32_t*>(scratch + f.sums_at);
  center_rows(k, f, a, a_zero, centered_a);
  if (f.packed_b == nullptr) center_columns(k, f, b, centered_b);
  igemm_batch(
      f.plan, [&](std::int64_t i) { return operands(f, centered_a, centered_b, i); }, scratch,
      scratch + f.products_at, sums);
  k.parallel_for(p.batch * p.m, static_cast<double>(p.n), [&](Range rows, int) {
    for (std::int64_t at = rows.begin; at < rows.end; ++at) {
      const std::int64_t row = at % p.m;
      const float scale = a_scale != nullptr ? *a_scale : f.a_scale.number(k, row);
      for (std::int64_t n = 0; n < p.n; ++n) {
        y[at * p.n + n] = finish<Y>(k, f, row, n, sums[at * p.n + n], scale);
      }
    }
  });
  return ok();
}

template <const Places& kAt>
Status infer(InferContext& c) {
  MINI_TRY_ASSIGN(auto shape, infer_product_shape(c.shape(kAt.a), {}, c.shape(kAt.b), {}));
  DType dtype = DType::kInt32;
  if (kAt.b_scale >= 0) dtype = kAt.y_zero >= 0 ? c.dtype(kAt.y_zero) : DType::kFloat32;
  c.set_output(0, dtype, std::move(shape));
  return ok();
}

template <const Places& kAt>
Result<IntegerProduct> read(const PrepareContext& c) {
  IntegerProduct f;
  MINI_TRY_ASSIGN(f.p, read_product(c.shape(kAt.a), {}, c.shape(kAt.b), {}));
  const auto param = [&](QuantParam& to, int i, std::int64_t count) -> Status {
    if (i < 0) return ok();
    MINI_TRY_ASSIGN(to, QuantParam::of(c, static_cast<std::size_t>(i), count));
    return ok();
  };
  MINI_TRY(param(f.a_scale, kAt.a_scale, f.p.m));
  MINI_TRY(param(f.a_zero, kAt.a_zero, f.p.m));
  MINI_TRY(param(f.b_scale, kAt.b_scale, f.p.n));
  MINI_TRY(param(f.b_zero, kAt.b_zero, f.p.n));
  MINI_TRY(param(f.y_scale, kAt.y_scale, f.p.m));
  MINI_TRY(param(f.y_zero, kAt.y_zero, f.p.m));
  if (kAt.bias >= 0 && c.has_input(kAt.bias)) {
    if (c.shape(kAt.bias).elements() != f.p.n || c.dtype(kAt.bias) != DType::kFloat32) {
      return invalid_model("the bias is ", c.dtype(kAt.bias), c.shape(kAt.bias), "; it must be ",
                           f.p.n, " floats");
    }
    f.bias = kAt.bias;
  }
  f.a_count = c.shape(kAt.a).elements();
  f.b_count = c.shape(kAt.b).elements();
  return f;
}

// Packs a constant b whose zero point is one constant for all columns.
template <class B>
void pack_constant_b(const PrepareContext& c, const Places& at, IntegerProduct& f) {
  const auto b = static_cast<std::size_t>(at.b);
  const std::optional<std::int32_t> zero = constant_zero_point(c, at.b_zero);
  const Product& p = f.p;
  f.packed_matrix = packed_b_floats(p.k, p.n, c.isa());
  const auto bytes = checked_bytes(DType::kFloat32, Shape{f.packed_matrix, p.b.matrices});
  if (c.constant(b) == nullptr || !zero.has_value() || f.packed_matrix == 0 || f.b_count == 0 ||
      !bytes.ok()) {
    return;
  }
  const std::string key =
      cat("integer_b/", isa_name(c.isa()), "/", p.k, "x", p.n, "/", p.b.row_stride, "/", *zero);
  f.packed_b = c.packed(b, key, *bytes, [&](std::byte* out) {
    const B* data = c.constant(b)->data<B>();
    std::vector<float> matrix(static_cast<std::size_t>(p.k * p.n));
    for (std::int64_t i = 0; i < p.b.matrices; ++i) {
      subtract_zero(data + i * p.k * p.n, *zero, p.k * p.n, matrix.data());
      pack_b(
          {.data = matrix.data(), .row_stride = p.b.row_stride, .column_stride = p.b.column_stride},
          p.k, p.n, reinterpret_cast<float*>(out) + i * f.packed_matrix, c.isa(), c.packing_threads());
    }
  });
}

PreparedKernel start_kernel(const PrepareContext& c, const Places& at, IntegerProduct& f) {
  dispatch_8bit(c.dtype(static_cast<std::size_t>(at.b)), c.dtype(static_cast<std::size_t>(at.b)),
                [&]<class B, class>() { pack_constant_b<B>(c, at, f); });
  f.plan = plan_gemm({.m = f.p.m,
                      .n = f.p.n,
                      .k = f.p.k,
                      .batch = f.p.batch,
                      .b = f.packed_b != nullptr ? GemmSource::kPacked : GemmSource::kStrided},
                     c.threads(), c.isa());
  const auto whole_lines = [](std::size_t floats) { return (floats + 15) / 16 * 16; };
  const auto results = whole_lines(static_cast<std::size_t>(f.p.batch * f.p.m * f.p.n));
  f.a_at = whole_lines(f.plan.scratch_bytes() / sizeof(float));
  f.b_at = f.a_at + whole_lines(static_cast<std::size_t>(f.a_count));
  f.products_at =
      f.b_at + (f.packed_b != nullptr ? 0 : whole_lines(static_cast<std::size_t>(f.b_count)));
  f.sums_at = f.products_at + results;
  PreparedKernel kernel{.name = c.with_isa("integer_gemm"), .flop = 2 * f.p.macs()};
  kernel.scratch_bytes = (f.sums_at + results) * sizeof(float);
  if (f.packed_b != nullptr) kernel.why = "B packed";
  return kernel;
}

template <const Places& kAt>
Result<PreparedKernel> prepare(PrepareContext& c) {
  const DType a = c.dtype(kAt.a), b = c.dtype(kAt.b), y = c.output_dtype();
  if (!is_8bit(a) || !is_8bit(b) || (kAt.y_zero >= 0 && !is_8bit(y))) {
    return invalid_model("a is ", a, ", b is ", b, " and y is ", y, "; they must be int8 or uint8");
  }
  MINI_TRY_ASSIGN(IntegerProduct f, read<kAt>(c));
  PreparedKernel kernel = start_kernel(c, kAt, f);
  dispatch_8bit(a, b, [&]<class A, class B>() {
    const auto use = [&]<class Y>() {
      kernel.run = [f = std::move(f)](const KernelContext& k) {
        return run<A, B, Y>(k, f, k.input<A>(kAt.a), k.input<B>(kAt.b), nullptr, nullptr);
      };
    };
    if (y == DType::kInt8) use.template operator()<std::int8_t>();
    if (y == DType::kUInt8) use.template operator()<std::uint8_t>();
    if (y == DType::kInt32) use.template operator()<std::int32_t>();
    if (y == DType::kFloat32) use.template operator()<float>();
  });
  return kernel;
}

// Quantises n floats to uint8 over their range, which always has zero in it.
void quantize_by_range(const float* x, std::int64_t n, std::uint8_t* out, float* scale,
                       std::int32_t* zero) {
  float low = 0.f, high = 0.f;
  for (std::int64_t i = 0; i < n; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  *scale = high > low ? (high - low) / 255.f : 1.f;
  *zero = requantize<std::uint8_t>(-low / *scale, 0);
  for (std::int64_t i = 0; i < n; ++i) out[i] = requantize<std::uint8_t>(x[i] / *scale, *zero);
}

Result<PreparedKernel> prepare_dynamic(PrepareContext& c) {
  const DType a = c.dtype(kDynamic.a), b = c.dtype(kDynamic.b);
  if (a != DType::kFloat32 || !is_8bit(b)) {
    return invalid_model("a is ", a, " and b is ", b, "; a must be float32, b int8 or uint8");
  }
  MINI_TRY_ASSIGN(IntegerProduct f, read<kDynamic>(c));
  PreparedKernel kernel = start_kernel(c, kDynamic, f);
  const std::size_t quantized_at = (kernel.scratch_bytes + 63) / 64 * 64;
  const std::int64_t count = c.shape(kDynamic.a).elements();
  kernel.scratch_bytes = quantized_at + static_cast<std::size_t>(count);
  dispatch_8bit(DType::kUInt8, b, [&]<class A, class B>() {
    kernel.run = [=, f = std::move(f)](const KernelContext& k) {
      A* quantized = reinterpret_cast<A*>(k.scratch + quantized_at);
      float scale;
      std::int32_t zero;
      if constexpr (std::is_same_v<A, std::uint8_t>) {
        quantize_by_range(k.input<float>(kDynamic.a), count, quantized, &scale, &zero);
      }
      return run<A, B, float>(k, f, quantized, k.input<B>(kDynamic.b), &zero, &scale);
    };
  });
  return kernel;
}

}  // namespace

MINI_DEFINE_OP(MatMulInteger, {.type = "MatMulInteger",
                               .since = {10},
                               .infer = infer<kInteger>,
                               .prepare = prepare<kInteger>})
MINI_DEFINE_OP(QLinearMatMul, {.type = "QLinearMatMul",
                               .since = {10, 21},
                               .infer = infer<kLinear>,
                               .prepare = prepare<kLinear>})
MINI_DEFINE_OP(MatMulIntegerToFloat, {.domain = "com.microsoft",
                                      .type = "MatMulIntegerToFloat",
                                      .since = {1},
                                      .infer = infer<kToFloat>,
                                      .prepare = prepare<kToFloat>})
MINI_DEFINE_OP(DynamicQuantizeMatMul, {.domain = "com.microsoft",
                                       .type = "DynamicQuantizeMatMul",
                                       .since = {1},
                                       .infer = infer<kDynamic>,
                                       .prepare = prepare_dynamic})

}  // namespace mini_infer
