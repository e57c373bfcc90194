// Pow: y = a^b with broadcasting. The exponent may have another dtype than the base (opset 12).
#include <cmath>

#include "graph/ir/constants.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numeric.h"
#include "kernels/elementwise/unary.h"

namespace mini_infer {
namespace {

using LoadFn = double (*)(const void* data, std::int64_t i);

template <class T>
double load_number(const void* data, std::int64_t i) {
  return static_cast<double>(widen(static_cast<const T*>(data)[i]));
}

// By squaring, modulo 2^64.
template <class T>
T integer_power(T base, std::uint64_t exponent) {
  std::uint64_t power = 1;
  for (auto square = static_cast<std::uint64_t>(base); exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) power *= square;
    square *= square;
  }
  return static_cast<T>(power);
}

template <class T>
T power(T base, double exponent) {
  if constexpr (kIsHalf<T>) {
    return narrow<T>(std::pow(to_float(base), static_cast<float>(exponent)));
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::pow(base, static_cast<T>(exponent));
  } else {
    constexpr double kWhole = 0x1p63;
    if (exponent >= 0 && exponent < kWhole && exponent == std::floor(exponent)) {
      return integer_power(base, static_cast<std::uint64_t>(exponent));
    }
    const double result = std::pow(static_cast<double>(base), exponent);
    return std::abs(result) < kWhole ? static_cast<T>(static_cast<std::int64_t>(result)) : T{0};
  }
}

template <class T>
void power_tile(const Tile& t, const T* a, const void* b, LoadFn exponent, T* y) {
  for (std::int64_t r = 0; r < t.rows; ++r) {
    const T* ar = a + t.offset[0] + r * t.row_stride[0];
    const std::int64_t br = t.offset[1] + r * t.row_stride[1];
    T* yr = y + t.out + r * t.n;
    for (std::int64_t i = 0; i < t.n; ++i) {
      yr[i] = power(ar[i * t.step[0]], exponent(b, br + i * t.step[1]));
    }
  }
}

PreparedKernel square_kernel(PrepareContext& c) {
  const auto n = static_cast<std::int64_t>(c.storage_elements(c.shape(0), c.layout(0)));
  const auto kernel = simd::binary_f32.get(c.isa());
  return {.name = c.with_isa("pow/square"), .run = [=](const KernelContext& k) {
            k.parallel_for(n, 1, [&](Range range, int) {
              const Tile tile{.rows = 1,
                              .n = range.end - range.begin,
                              .out = range.begin,
                              .offset = {range.begin, range.begin},
                              .step = {1, 1}};
              kernel(BinaryKind::kMul, tile, k.input<float>(0), k.input<float>(0),
                     k.output<float>(0));
            });
            return ok();
          }};
}

constexpr UnaryOp kRoot{Activation::kSqrt};
constexpr UnaryOp kInverse{Activation::kReciprocal};
constexpr UnaryOp kCopy{.activation = Activation::kAffine};

// A kernel for float32 and one constant exponent that is better than pow(), if there is one.
Result<PreparedKernel> special_kernel(PrepareContext& c) {
  const auto exponent =
      c.constant(1) != nullptr ? single_number(*c.constant(1)) : std::optional<double>();
  const bool keeps_shape = c.shape(0).elements() == c.output_shape().elements();
  if (!exponent || c.dtype(0) != DType::kFloat32 || !keeps_shape) return PreparedKernel{};
  if (*exponent == 2) {
    PreparedKernel kernel = square_kernel(c);
    allow_in_place(c, kernel, 0);
    return kernel;
  }
  if (*exponent == 0.5) return prepare_unary(c, kRoot);
  if (*exponent == -1) return prepare_unary(c, kInverse);
  if (*exponent == 1) return prepare_unary(c, kCopy, 1.f, 0.f);
  return PreparedKernel{};
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  MINI_TRY(infer_broadcast(c));
  infer_contents(c, [](const Dim& a, const Dim& b) -> std::optional<Dim> {
    if (b.is(1)) return a;
    if (b.is(2)) return a * a;
    return std::nullopt;
  });
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(PreparedKernel special, special_kernel(c));
  if (special.run) return special;
  const Shape exponent_shape = legacy_shape(c, c.opset(), c.shape(0), c.shape(1));
  MINI_TRY(c.status());
  const Shape operands[] = {c.shape(0), exponent_shape};
  if (!broadcasts_to(operands[0], c.output_shape()) ||
      !broadcasts_to(operands[1], c.output_shape())) {
    return invalid_model("inputs of shape ", c.shape(0), " and ", c.shape(1), " do not broadcast");
  }
  const BroadcastLoop loop(c.output_shape(), operands);
  LoadFn exponent = nullptr;
  dispatch_dtype(c.dtype(1), [&]<class T>() { exponent = load_number<T>; });
  PreparedKernel kernel{.name = "pow/scalar"};
  dispatch_dtype(c.dtype(0), [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) {
      kernel.run = [=](const KernelContext& k) {
        constexpr double kWork = 30;
        loop.run_parallel(k, kWork, [&](const Tile& tile) {
          power_tile(tile, k.input<T>(0), k.inputs[1], exponent, k.output<T>(0));
        });
        return ok();
      };
    }
  });
  if (!kernel.run || exponent == nullptr) {
    return not_implemented("inputs of dtype ", c.dtype(0), " and ", c.dtype(1));
  }
  return kernel;
}

// In blocks where the exponent is one constant that has a kernel of its own.
LayoutChoice layout(const LayoutQuery& query) {
  const Tensor* exponent = query.graph.constant(query.node.inputs[1]);
  const Value& x = query.graph.value(query.node.inputs[0]);
  const auto value = exponent != nullptr ? single_number(*exponent) : std::optional<double>();
  const bool special = value && (*value == 2 || *value == 0.5 || *value == -1 || *value == 1) &&
                       exponent->shape().rank() <= (x.shape ? x.shape->rank() : 0) &&
                       x.dtype == DType::kFloat32;
  LayoutQuery plain = query;
  if (!special) plain.inputs[0] = Layout::kPlain;
  return same_layout(plain);
}

}  // namespace

MINI_DEFINE_OP(Pow, {.type = "Pow",
                     .since = {1, 7, 12, 13, 15},
                     .infer = infer,
                     .prepare = prepare,
                     .layout = layout,
                     .traits = kElementwise})

}  // namespace mini_infer
