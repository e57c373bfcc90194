#include "kernels/elementwise/binary.h"

#include <algorithm>

#include "graph/ir/constants.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numeric.h"

namespace mini_infer {
namespace {

template <class T>
bool has_zero(const void* data, std::int64_t n) {
  const T* values = static_cast<const T*>(data);
  return std::find(values, values + n, T{0}) != values + n;
}

// Trailing dimensions of extent 1 that input 1 lacks: with `axis` its first dimension is that of
// input 0, without it its last one is input 0's last.
std::size_t legacy_padding(const AttributeReader& attributes, int opset, std::size_t a,
                           std::size_t b) {
  if (opset >= 7 || attributes.integer("broadcast", 0) == 0 || !attributes.has("axis")) return 0;
  std::int64_t axis = attributes.integer("axis", 0);
  if (axis < 0) axis += static_cast<std::int64_t>(a);
  const std::int64_t padding = static_cast<std::int64_t>(a) - axis - static_cast<std::int64_t>(b);
  return axis < 0 || padding < 0 ? 0 : static_cast<std::size_t>(padding);
}

}  // namespace

Shape legacy_shape(const AttributeReader& attributes, int opset, const Shape& a, const Shape& b) {
  Shape shape = b;
  for (std::size_t i = legacy_padding(attributes, opset, a.rank(), b.rank()); i > 0; --i) {
    shape.push_back(1);
  }
  return shape;
}

Status infer_broadcast(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, c.input_count()));
  const bool onnx = c.node().domain.empty();
  std::optional<SymShape> out;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (c.shape(i) == nullptr) {
      out.reset();
      break;
    }
    SymShape shape = *c.shape(i);
    if (i == 0) {
      out = shape;
      continue;
    }
    if (onnx && i == 1) {
      for (std::size_t n = legacy_padding(c, c.opset(), out->rank(), shape.rank()); n > 0; --n) {
        shape.push_back(1);
      }
    }
    const auto together = broadcast(*out, shape);
    if (!together) {
      return invalid_model("input ", i, " has shape ", *c.shape(i), ", what comes before has ",
                           *out, ": extents must be equal or 1, counted from the last dimension");
    }
    out = *together;
  }
  c.set_output(0, c.dtype(0), std::move(out));
  return ok();
}

Result<BinaryStep> BinaryStep::make(PrepareContext& c, const BinaryOp& op, DType dtype,
                                    const Shape& out, const Shape& a, const Shape& b) {
  if (!broadcasts_to(a, out) || !broadcasts_to(b, out)) {
    return invalid_model("inputs of shape ", a, " and ", b, " do not broadcast to ", out);
  }
  const Shape operands[] = {a, b};
  BinaryStep step(BroadcastLoop(out, operands));
  if (dtype == DType::kFloat32 && op.vector != BinaryKind::kNone) {
    step.vector_ = op.vector;
    step.vector_kernel_ = simd::binary_f32.get(c.isa());
    return step;
  }
  step.scalar_kernel_ = op.scalar(dtype);
  if (step.scalar_kernel_ == nullptr) return not_implemented("inputs of dtype ", dtype);
  if (op.refuses_zero_divisor) {
    dispatch_dtype(dtype, [&]<class T>() {
      if constexpr (kIsInteger<T>) step.has_zero_ = has_zero<T>;
    });
    step.divisors_ = b.elements();
  }
  return step;
}

Status BinaryStep::run(const KernelContext& k, const void* a, const void* b, void* y) const {
  if (vector_kernel_ != nullptr) {
    loop_.run_parallel(k, 1, [&](const Tile& tile) {
      vector_kernel_(vector_, tile, static_cast<const float*>(a), static_cast<const float*>(b),
                     static_cast<float*>(y));
    });
    return ok();
  }
  if (has_zero_ != nullptr && has_zero_(b, divisors_)) {
    return Status(Code::kInvalidArgument, "input 1 holds a zero; integers cannot be divided by it");
  }
  constexpr double kScalarWork = 4;
  loop_.run_parallel(k, kScalarWork, [&](const Tile& tile) { scalar_kernel_(tile, a, b, y); });
  return ok();
}

Result<PreparedKernel> prepare_binary(PrepareContext& c, const BinaryOp& op, const char* name) {
  if (c.dtype(0) != c.dtype(1)) {
    return invalid_model("inputs of dtype ", c.dtype(0), " and ", c.dtype(1),
                         "; they must have the same");
  }
  const bool legacy = c.node().domain.empty();
  const Layout layout = c.output_layout();
  const Shape second = legacy ? legacy_shape(c, c.opset(), c.shape(0), c.shape(1)) : c.shape(1);
  MINI_TRY(c.status());
  MINI_TRY_ASSIGN(Operand a, operand_of(c, 0, c.shape(0), layout));
  MINI_TRY_ASSIGN(Operand b, operand_of(c, 1, second, layout));
  const Shape out = storage_shape(c.output_shape(), layout, c.lanes());
  MINI_TRY_ASSIGN(BinaryStep step, BinaryStep::make(c, op, c.dtype(0), out, a.shape, b.shape));
  const bool vector = c.dtype(0) == DType::kFloat32 && op.vector != BinaryKind::kNone;
  PreparedKernel kernel{
      .name = vector ? c.with_isa(name) : std::string(name) + "/scalar",
      .run =
          [a = std::move(a), b = std::move(b), step = std::move(step)](const KernelContext& k) {
            return step.run(k, a.data(k, 0), b.data(k, 1), k.outputs[0]);
          },
      .flop = static_cast<double>(out.elements())};
  allow_in_place(c, kernel, 0);
  allow_in_place(c, kernel, 1);
  return kernel;
}

}  // namespace mini_infer
