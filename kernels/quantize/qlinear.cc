// com.microsoft QLinearAdd, QLinearMul, QLinearLeakyRelu, QLinearSigmoid, QLinearConcat,
// QLinearGlobalAveragePool: the float operator between a DequantizeLinear and a QuantizeLinear.
//
// An 8-bit input has 256 values, so what depends on one element alone is looked up in a table made
// at the start of each run; table[b] belongs to the element whose byte is b.
#include <cmath>
#include <cstring>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/movement/params.h"
#include "kernels/op.h"
#include "kernels/quantized.h"

namespace mini_infer {
namespace {

constexpr int kBytes = 256;

// Scale and zero point, as the inputs `scale` and `scale + 1` give them.
struct QuantInputs {
  QuantParam scale, zero;
};

Result<QuantInputs> quant_inputs(const PrepareContext& c, std::size_t scale, DType dtype) {
  if (c.dtype(scale) != DType::kFloat32 ||
      (c.has_input(scale + 1) && c.dtype(scale + 1) != dtype)) {
    return invalid_model("inputs ", scale, " and ", scale + 1, " have dtypes ", c.dtype(scale),
                         " and ", c.dtype(scale + 1),
                         "; they are a float32 scale and a zero point of ", dtype);
  }
  QuantInputs q;
  MINI_TRY_ASSIGN(q.scale, QuantParam::of(c, scale, 1));
  MINI_TRY_ASSIGN(q.zero, QuantParam::of(c, scale + 1, 1));
  return q;
}

// The numbers that the bytes of an input stand for.
template <class T>
void dequantize_table(const KernelContext& k, const QuantInputs& q, float (&table)[kBytes]) {
  const float scale = q.scale.number(k, 0);
  const std::int32_t zero = q.zero.integer(k, 0);
  for (int b = 0; b < kBytes; ++b) {
    table[b] = static_cast<float>(static_cast<T>(b) - zero) * scale;
  }
}

// The bytes that f of these numbers has in the output.
template <class T, class F>
void requantize_table(const KernelContext& k, const QuantInputs& in, const QuantInputs& out,
                      std::uint8_t (&table)[kBytes], F&& f) {
  float numbers[kBytes];
  dequantize_table<T>(k, in, numbers);
  const float scale = out.scale.number(k, 0);
  const std::int32_t zero = out.zero.integer(k, 0);
  for (int b = 0; b < kBytes; ++b) {
    table[b] = static_cast<std::uint8_t>(requantize<T>(f(numbers[b]) / scale, zero));
  }
}

void look_up(const std::uint8_t* x, std::int64_t n, const std::uint8_t (&table)[kBytes],
             std::uint8_t* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}

Status expect_8bit(const PrepareContext& c, std::size_t i) {
  if (is_8bit(c.dtype(i))) return ok();
  return invalid_model("input ", i, " has dtype ", c.dtype(i), "; it is int8 or uint8");
}

// The kernel that make.operator()<T>() gives for int8 or uint8.
template <class Make>
PreparedKernel by_sign(DType dtype, Make&& make) {
  return dtype == DType::kInt8 ? make.template operator()<std::int8_t>()
                               : make.template operator()<std::uint8_t>();
}

// --- y = f(x)

template <class T, class F>
PreparedKernel unary_kernel(const char* name, QuantInputs in, QuantInputs out, std::int64_t n,
                            F f) {
  return {.name = name, .run = [=](const KernelContext& k) {
            std::uint8_t table[kBytes];
            requantize_table<T>(k, in, out, table, f);
            k.parallel_for(n, 1, [&](Range range, int) {
              look_up(k.input<std::uint8_t>(0) + range.begin, range.end - range.begin, table,
                      k.output<std::uint8_t>(0) + range.begin);
            });
            return ok();
          }};
}

template <class F>
Result<PreparedKernel> prepare_unary(PrepareContext& c, const char* name, F f) {
  MINI_TRY(expect_8bit(c, 0));
  MINI_TRY_ASSIGN(const QuantInputs in, quant_inputs(c, 1, c.dtype(0)));
  MINI_TRY_ASSIGN(const QuantInputs out, quant_inputs(c, 3, c.dtype(0)));
  PreparedKernel kernel = by_sign(c.dtype(0), [&]<class T>() {
    return unary_kernel<T>(name, in, out, c.shape(0).elements(), f);
  });
  allow_in_place(c, kernel, 0);
  return kernel;
}

Status infer_unary(InferContext& c) {
  MINI_TRY(c.expect_inputs(4, 5));
  return infer_same(c);
}

Result<PreparedKernel> prepare_leaky_relu(PrepareContext& c) {
  const float alpha = c.number("alpha", 0.01f);
  MINI_TRY(c.status());
  return prepare_unary(c, "qlinear/leaky_relu", [=](float x) { return x < 0 ? alpha * x : x; });
}

Result<PreparedKernel> prepare_sigmoid(PrepareContext& c) {
  return prepare_unary(c, "qlinear/sigmoid", [](float x) { return 1.f / (1.f + std::exp(-x)); });
}

// --- y = f(a, b), broadcast

template <class T, class F>
PreparedKernel binary_kernel(BroadcastLoop loop, QuantInputs qa, QuantInputs qb, QuantInputs qy,
                             F f) {
  return {.name = "qlinear/binary", .run = [=](const KernelContext& k) {
            float a[kBytes], b[kBytes];
            dequantize_table<T>(k, qa, a);
            dequantize_table<T>(k, qb, b);
            const float scale = qy.scale.number(k, 0);
            const std::int32_t zero = qy.zero.integer(k, 0);
            loop.run_parallel(k, 4, [&](const Tile& t) {
              const auto* x = k.input<std::uint8_t>(0) + t.offset[0];
              const auto* z = k.input<std::uint8_t>(3) + t.offset[1];
              T* y = k.output<T>(0) + t.out;
              for (std::int64_t r = 0; r < t.rows; ++r) {
                for (std::int64_t i = 0; i < t.n; ++i) {
                  const float value = f(a[x[i * t.step[0]]], b[z[i * t.step[1]]]);
                  y[i] = requantize<T>(value / scale, zero);
                }
                x += t.row_stride[0];
                z += t.row_stride[1];
                y += t.n;
              }
            });
            return ok();
          }};
}

template <class F>
Result<PreparedKernel> prepare_binary_of(PrepareContext& c, F f) {
  MINI_TRY(expect_8bit(c, 0));
  if (c.dtype(3) != c.dtype(0)) {
    return invalid_model("inputs 0 and 3 have dtypes ", c.dtype(0), " and ", c.dtype(3),
                         "; they have the same");
  }
  MINI_TRY_ASSIGN(const QuantInputs a, quant_inputs(c, 1, c.dtype(0)));
  MINI_TRY_ASSIGN(const QuantInputs b, quant_inputs(c, 4, c.dtype(0)));
  MINI_TRY_ASSIGN(const QuantInputs y, quant_inputs(c, 6, c.dtype(0)));
  const Shape operands[] = {c.shape(0), c.shape(3)};
  const BroadcastLoop loop(c.output_shape(), operands);
  return by_sign(c.dtype(0), [&]<class T>() { return binary_kernel<T>(loop, a, b, y, f); });
}

Result<PreparedKernel> prepare_add(PrepareContext& c) {
  return prepare_binary_of(c, [](float a, float b) { return a + b; });
}
Result<PreparedKernel> prepare_mul(PrepareContext& c) {
  return prepare_binary_of(c, [](float a, float b) { return a * b; });
}

Status infer_binary(InferContext& c) {
  MINI_TRY(c.expect_inputs(7, 8));
  std::optional<SymShape> out;
  if (c.shape(0) != nullptr && c.shape(3) != nullptr) {
    out = broadcast(*c.shape(0), *c.shape(3));
    if (!out) {
      return invalid_model("inputs 0 and 3 of shape ", *c.shape(0), " and ", *c.shape(3),
                           " do not broadcast together");
    }
  }
  c.set_output(0, c.dtype(0), std::move(out));
  return ok();
}

// --- Concat: inputs are y's scale and zero point, then (x, scale, zero point) for each x

constexpr std::size_t kFirst = 2, kEach = 3;

Status infer_concat(InferContext& c) {
  MINI_TRY(c.expect_inputs(kFirst + kEach, c.input_count()));
  if ((c.input_count() - kFirst) % kEach != 0) {
    return invalid_model("has ", c.input_count(), " inputs; they are 2 and 3 for each tensor");
  }
  c.set_output(0, c.dtype(kFirst));
  if (c.shape(kFirst) == nullptr) return ok();
  SymShape out = *c.shape(kFirst);
  MINI_TRY_ASSIGN(const std::size_t axis, normalize_axis(c.integer("axis", 0), out.rank()));
  for (std::size_t i = kFirst + kEach; i < c.input_count(); i += kEach) {
    if (c.shape(i) == nullptr) return ok();
    const SymShape& shape = *c.shape(i);
    for (std::size_t d = 0; d < out.rank(); ++d) {
      const bool clash = shape.rank() != out.rank() ||
                         (d != axis && shape[d].known() && out[d].known() && shape[d] != out[d]);
      if (clash) {
        return invalid_model("input ", i, " has shape ", shape, ", input 2 has ", *c.shape(kFirst),
                             ": they differ along axis ", axis, " only");
      }
    }
    out[axis] = out[axis] + shape[axis];
  }
  c.set_output(0, c.dtype(kFirst), std::move(out));
  return ok();
}

struct ConcatPart {
  QuantInputs quant;
  std::int64_t row = 0;    // elements of one row of this input
  std::int64_t first = 0;  // where they lie in a row of the output
};

template <class T>
PreparedKernel concat_kernel(std::vector<ConcatPart> parts, QuantInputs y, std::int64_t rows,
                             std::int64_t row) {
  return {.name = "qlinear/concat", .run = [=, parts = std::move(parts)](const KernelContext& k) {
            for (std::size_t p = 0; p < parts.size(); ++p) {
              std::uint8_t table[kBytes];
              requantize_table<T>(k, parts[p].quant, y, table, [](float x) { return x; });
              const std::int64_t n = parts[p].row;
              const auto* x = k.input<std::uint8_t>(kFirst + kEach * p);
              auto* out = k.output<std::uint8_t>(0) + parts[p].first;
              k.parallel_for(rows, static_cast<double>(n), [&](Range range, int) {
                for (std::int64_t r = range.begin; r < range.end; ++r) {
                  look_up(x + r * n, n, table, out + r * row);
                }
              });
            }
            return ok();
          }};
}

Result<PreparedKernel> prepare_concat(PrepareContext& c) {
  const DType dtype = c.dtype(kFirst);
  MINI_TRY(expect_8bit(c, kFirst));
  MINI_TRY_ASSIGN(const std::size_t axis,
                  normalize_axis(c.integer("axis", 0), c.shape(kFirst).rank()));
  MINI_TRY_ASSIGN(const QuantInputs y, quant_inputs(c, 0, dtype));
  std::vector<ConcatPart> parts;
  std::int64_t row = 0;
  for (std::size_t i = kFirst; i < c.input_count(); i += kEach) {
    if (c.dtype(i) != dtype) {
      return invalid_model("inputs 2 and ", i, " have dtypes ", dtype, " and ", c.dtype(i));
    }
    MINI_TRY_ASSIGN(const QuantInputs quant, quant_inputs(c, i + 1, dtype));
    const std::int64_t n = c.shape(i).elements(axis, c.shape(i).rank());
    parts.push_back({quant, n, row});
    row += n;
  }
  const std::int64_t rows = c.shape(kFirst).elements(0, axis);
  return by_sign(dtype, [&]<class T>() { return concat_kernel<T>(parts, y, rows, row); });
}

// --- GlobalAveragePool

Status infer_pool(InferContext& c) {
  MINI_TRY(c.expect_inputs(4, 5));
  std::optional<SymShape> out;
  if (const SymShape* x = c.shape(0)) {
    if (x->rank() < 3) return invalid_model("input 0 has shape ", *x, "; it needs rank 3 or more");
    out = *x;
    const bool last = c.integer("channels_last", 0) != 0;
    for (std::size_t d = 0; d + 2 < x->rank(); ++d) (*out)[d + (last ? 1 : 2)] = 1;
  }
  c.set_output(0, c.dtype(0), std::move(out));
  return ok();
}

template <class T>
PreparedKernel pool_kernel(QuantInputs in, QuantInputs out, Shape shape, bool last) {
  const std::size_t rank = shape.rank();
  const std::int64_t channels = last ? shape[rank - 1] : shape[1];
  const std::int64_t area = last ? shape.elements(1, rank - 1) : shape.elements(2, rank);
  const std::int64_t outputs = shape[0] * channels;
  return {.name = "qlinear/global_average_pool", .run = [=](const KernelContext& k) {
            const float factor = in.scale.number(k, 0) / out.scale.number(k, 0);
            const std::int64_t bias = area * in.zero.integer(k, 0);
            const std::int32_t zero = out.zero.integer(k, 0);
            k.parallel_for(outputs, static_cast<double>(area), [&](Range range, int) {
              for (std::int64_t o = range.begin; o < range.end; ++o) {
                const std::int64_t n = o / channels, ch = o % channels;
                const T* x = k.input<T>(0) + (last ? n * area * channels + ch : o * area);
                std::int64_t sum = -bias;
                for (std::int64_t i = 0; i < area; ++i) sum += x[i * (last ? channels : 1)];
                const float mean = static_cast<float>(sum) / static_cast<float>(area);
                k.output<T>(0)[o] = requantize<T>(mean * factor, zero);
              }
            });
            return ok();
          }};
}

Result<PreparedKernel> prepare_pool(PrepareContext& c) {
  MINI_TRY(expect_8bit(c, 0));
  MINI_TRY_ASSIGN(const QuantInputs in, quant_inputs(c, 1, c.dtype(0)));
  MINI_TRY_ASSIGN(const QuantInputs out, quant_inputs(c, 3, c.dtype(0)));
  const bool last = c.integer("channels_last", 0) != 0;
  MINI_TRY(c.status());
  return by_sign(c.dtype(0), [&]<class T>() { return pool_kernel<T>(in, out, c.shape(0), last); });
}

}  // namespace

#define MINI_QLINEAR(name, infer_fn, prepare_fn)   \
  MINI_DEFINE_OP(name, {.domain = "com.microsoft", \
                        .type = #name,             \
                        .since = {1},              \
                        .infer = infer_fn,         \
                        .prepare = prepare_fn})

MINI_QLINEAR(QLinearAdd, infer_binary, prepare_add)
MINI_QLINEAR(QLinearConcat, infer_concat, prepare_concat)
MINI_QLINEAR(QLinearGlobalAveragePool, infer_pool, prepare_pool)
MINI_QLINEAR(QLinearLeakyRelu, infer_unary, prepare_leaky_relu)
MINI_QLINEAR(QLinearMul, infer_binary, prepare_mul)
MINI_QLINEAR(QLinearSigmoid, infer_unary, prepare_sigmoid)

}  // namespace mini_infer
