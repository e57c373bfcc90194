// The kernels of stacked matrix products: float32 by the packed GEMM, other dtypes by definition.

#include <algorithm>

#include "graph/ir/constants.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/product.h"
#include "kernels/gemm/strassen_product.h"
#include "kernels/real.h"

namespace mini_infer {
namespace {

// How the bias, broadcast to [m, n], is read: element (row, column) at row * row_stride + column *
// column_stride.
struct BiasStrides {
  std::int64_t row = 0, column = 0;
};

Result<BiasStrides> bias_strides(const PrepareContext& c, const Product& p, int bias) {
  BiasStrides strides;
  if (bias < 0) return strides;
  const Shape& shape = c.shape(static_cast<std::size_t>(bias));
  const std::int64_t columns = shape.rank() > 0 ? shape[shape.rank() - 1] : 1;
  const std::int64_t rows = shape.rank() > 1 ? shape[shape.rank() - 2] : 1;
  const bool fits = (columns == p.n || columns == 1) && (rows == p.m || rows == 1) &&
                    rows * columns == shape.elements() && (p.batch == 1 || rows == 1);
  if (!fits) {
    return invalid_model("the bias has shape ", shape, "; it must broadcast to [", p.m, ",", p.n,
                         "]");
  }
  if (rows > 1) strides.row = columns;
  if (columns > 1) strides.column = 1;
  return strides;
}

// ---- by definition

template <class T>
T reference_element(const Product& p, const T* a, const T* b, std::int64_t row, std::int64_t column,
                    const T* bias, const ProductEnd& end) {
  a += row * p.a.row_stride;
  b += column * p.b.column_stride;
  if constexpr (std::is_integral_v<T>) {
    std::uint64_t sum = 0;  // wraps around, as hardware does
    for (std::int64_t i = 0; i < p.k; ++i) {
      sum += static_cast<std::uint64_t>(a[i * p.a.column_stride]) *
             static_cast<std::uint64_t>(b[i * p.b.row_stride]);
    }
    if (end.alpha != 1.f)
      sum = static_cast<std::uint64_t>(
          static_cast<T>(end.alpha * static_cast<float>(static_cast<T>(sum))));
    const T addend = bias != nullptr ? *bias : T{};
    const T scaled =
        end.beta == 1.f ? addend : static_cast<T>(end.beta * static_cast<float>(addend));
    return static_cast<T>(sum + static_cast<std::uint64_t>(scaled));
  } else {
    double sum = 0;
    for (std::int64_t i = 0; i < p.k; ++i) {
      sum += real(a[i * p.a.column_stride]) * real(b[i * p.b.row_stride]);
    }
    sum *= static_cast<double>(end.alpha);
    if (bias != nullptr) sum += static_cast<double>(end.beta) * real(*bias);
    return from_real<T>(activate(end.activation, sum));
  }
}

template <class T>
Status run_reference(const KernelContext& k, const Product& p, const ProductEnd& end,
                     const BiasStrides& strides) {
  const T* a = k.input<T>(0);
  const T* b = k.input<T>(1);
  const T* bias = end.bias < 0 ? nullptr : k.input<T>(static_cast<std::size_t>(end.bias));
  T* y = k.output<T>(0);
  const double work = static_cast<double>(p.n) * static_cast<double>(p.k);
  k.parallel_for(p.batch * p.m, work, [&](Range rows, int) {
    for (std::int64_t at = rows.begin; at < rows.end; ++at) {
      const std::int64_t row = at % p.m;
      const std::size_t i = static_cast<std::size_t>(at / p.m);
      for (std::int64_t column = 0; column < p.n; ++column) {
        const T* addend =
            bias == nullptr ? nullptr : bias + row * strides.row + column * strides.column;
        y[at * p.n + column] =
            reference_element(p, a + p.a.offsets[i], b + p.b.offsets[i], row, column, addend, end);
      }
    }
  });
  return ok();
}

// ---- float32

// Constant operands are packed once, each matrix of the stack for itself.
struct PackedStack {
  std::shared_ptr<const PackedBuffer> buffer;  // null: read from the input
  std::vector<std::int64_t> offsets;           // into the buffer, for each product
};

// B as pack_b() has it, of weights [n, k]: some of its columns, which are rows of the weights, are
// read, packed, and let go before the next, so that large weights are never in memory twice.
void pack_transposed_b(const Tensor& weights, const Product& p, const PrepareContext& c,
                       float* packed) {
  constexpr std::int64_t kPart = (4 << 20) / sizeof(float);
  const std::int64_t panel = gemm_tile(c.isa()).nr;
  const std::int64_t panels = std::max<std::int64_t>(kPart / (panel * p.k), c.threads());
  for (std::int64_t first = 0; first < p.n; first += panels * panel) {
    const std::int64_t columns = std::min(panels * panel, p.n - first);
    const Tensor part = weights.rows(first, columns);
    pack_b({.data = part.data<float>(), .row_stride = 1, .column_stride = p.k}, p.k, columns,
           packed + first * p.k, c.isa(), c.packing_threads());
  }
}

// The matrices of a stack that lies densely, in the order of their offsets.
PackedStack pack_stack(const PrepareContext& c, std::size_t input, const Product& p,
                       const MatrixStack& stack, bool is_left) {
  PackedStack packed;
  const std::int64_t each =
      is_left ? packed_a_floats(p.m, p.k, c.isa()) : packed_b_floats(p.k, p.n, c.isa());
  const auto bytes = checked_bytes(DType::kFloat32, Shape{each, stack.matrices});
  if (c.constant(input) == nullptr || each == 0 || stack.matrices == 0 || !bytes.ok())
    return packed;
  const std::int64_t size = stack.rows * stack.columns;
  // Only whole matrices one after the other.
  for (const std::int64_t offset : stack.offsets) {
    if (offset % size != 0) return packed;
  }
  const std::string key =
      cat(is_left ? "gemm_a/" : "gemm_b/", isa_name(c.isa()), "/", stack.rows, "x", stack.columns,
          "/", stack.row_stride, "/", stack.column_stride, "/", is_left ? p.m : 0);
  const bool transposed_b =
      !is_left && stack.matrices == 1 && stack.row_stride == 1 && stack.column_stride == p.k;
  packed.buffer = c.packed(input, key, *bytes, [&](std::byte* out) {
    if (transposed_b) {
      const Tensor weights = c.constant(input)->reshaped(Shape{p.n, p.k});
      return pack_transposed_b(weights, p, c, reinterpret_cast<float*>(out));
    }
    const float* data = c.constant(input)->data<float>();
    for (std::int64_t i = 0; i < stack.matrices; ++i) {
      const GemmInput matrix{.data = data + i * size,
                             .row_stride = stack.row_stride,
                             .column_stride = stack.column_stride};
      float* to = reinterpret_cast<float*>(out) + i * each;
      if (is_left) {
        pack_a(matrix, p.m, p.k, to, c.isa(), c.packing_threads());
      } else {
        pack_b(matrix, p.k, p.n, to, c.isa(), c.packing_threads());
      }
    }
  });
  for (const std::int64_t offset : stack.offsets) packed.offsets.push_back(offset / size * each);
  return packed;
}

// Everything run() needs.
struct FloatProduct {
  Product p;
  ProductEnd end;
  BiasStrides strides;
  GemmPlan plan;
  PackedStack a, b;
  std::size_t bias_offset = 0;  // of the spread bias in scratch, in bytes
};

GemmInput operand(const PackedStack& packed, const MatrixStack& stack, const float* data,
                  std::size_t i) {
  if (packed.buffer != nullptr) return {.data = packed.buffer->data<float>() + packed.offsets[i]};
  return {.data = data + stack.offsets[i],
          .row_stride = stack.row_stride,
          .column_stride = stack.column_stride};
}

// Bias, scale and activation; a bias of one number is spread over a row in scratch.
GemmEpilogue epilogue(const FloatProduct& f, const KernelContext& k) {
  GemmEpilogue e{.alpha = f.end.alpha, .beta = f.end.beta, .activation = f.end.activation};
  if (f.end.bias < 0) return e;
  const float* bias = k.input<float>(static_cast<std::size_t>(f.end.bias));
  if (f.strides.row != 0 && f.strides.column != 0) {
    e.residual = bias;
    e.residual_stride = f.strides.row;
  } else if (f.strides.row != 0) {
    e.row_bias = bias;
  } else if (f.strides.column != 0 || f.p.n == 1) {
    e.column_bias = bias;
  } else {
    float* spread = reinterpret_cast<float*>(k.scratch + f.bias_offset);
    std::fill_n(spread, f.p.n, bias[0]);
    e.column_bias = spread;
  }
  return e;
}

Status run_float(const FloatProduct& f, const KernelContext& k) {
  const float* a = k.input<float>(0);
  const float* b = k.input<float>(1);
  float* y = k.output<float>(0);
  const GemmEpilogue end = epilogue(f, k);
  const auto operands = [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    return GemmOperands{.a = operand(f.a, f.p.a, a, at),
                        .b = operand(f.b, f.p.b, b, at),
                        .c = y + i * f.p.m * f.p.n,
                        .c_stride = f.p.n,
                        .epilogue = end};
  };
  gemm_batch(f.plan, operands, reinterpret_cast<float*>(k.scratch));
  return ok();
}

PreparedKernel prepare_float(const PrepareContext& c, Product p, const ProductEnd& end,
                             const BiasStrides& strides) {
  auto f = std::make_shared<FloatProduct>();
  f->p = std::move(p);
  f->end = end;
  f->strides = strides;
  f->a = pack_stack(c, 0, f->p, f->p.a, true);
  f->b = pack_stack(c, 1, f->p, f->p.b, false);
  const auto source = [](const PackedStack& s) {
    return s.buffer != nullptr ? GemmSource::kPacked : GemmSource::kStrided;
  };
  f->plan = plan_gemm({.m = f->p.m,
                       .n = f->p.n,
                       .k = f->p.k,
                       .batch = f->p.batch,
                       .a = source(f->a),
                       .b = source(f->b)},
                      c.threads(), c.isa());
  f->bias_offset = (f->plan.scratch_bytes() + 63) / 64 * 64;
  PreparedKernel kernel{.name = c.with_isa("gemm")};
  kernel.scratch_bytes = f->bias_offset;
  if (end.bias >= 0 && strides.row == 0 && strides.column == 0) {
    kernel.scratch_bytes += static_cast<std::size_t>(f->p.n) * sizeof(float);
  }
  kernel.why =
      cat(f->p.batch, " x [", f->p.m, ",", f->p.k, "] [", f->p.k, ",", f->p.n, "]",
          f->b.buffer != nullptr ? ", B packed" : "", f->a.buffer != nullptr ? ", A packed" : "");
  kernel.run = [f](const KernelContext& k) { return run_float(*f, k); };
  return kernel;
}

// Whether it is what strassen_product() computes, for operands of the right kind.
bool takes_strassen(const PrepareContext& c, const ProductEnd& end, const BiasStrides& strides) {
  if (c.integer("alike_rows", 0) == 0 || end.alpha != 1.f) return false;
  return end.bias < 0 || (end.beta == 1.f && strides.row == 0 && strides.column == 1);
}

}  // namespace

Result<PreparedKernel> prepare_product(const PrepareContext& c, Product p, const ProductEnd& end) {
  const DType dtype = c.dtype(0);
  if (c.dtype(1) != dtype ||
      (end.bias >= 0 && c.dtype(static_cast<std::size_t>(end.bias)) != dtype)) {
    return invalid_model("the operands are ", dtype, " and ", c.dtype(1), "; all must be alike");
  }
  MINI_TRY_ASSIGN(const BiasStrides strides, bias_strides(c, p, end.bias));
  if (strides.row == 0) merge_stack(p);
  PreparedKernel kernel;
  const double flop = 2 * p.macs();
  if (dtype == DType::kFloat32 && p.batch * p.m * p.n > 0) {
    auto strassen = takes_strassen(c, end, strides)
                        ? strassen_product(c, p, end.activation, end.bias)
                        : std::nullopt;
    kernel = strassen ? std::move(*strassen) : prepare_float(c, std::move(p), end, strides);
  } else {
    kernel.name = "gemm/reference";
    kernel.why = cat("of ", dtype);
    const bool known =
        dtype != DType::kBool && dispatch_dtype(dtype, [&]<class T>() {
          kernel.run = [=](const KernelContext& k) { return run_reference<T>(k, p, end, strides); };
        });
    if (!known) return not_implemented("a matrix product of ", dtype);
  }
  kernel.flop = flop;
  return kernel;
}

}  // namespace mini_infer
