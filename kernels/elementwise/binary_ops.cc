// The operators of binary.h, and those that apply one of them along a list of inputs.
#include <algorithm>
#include <cmath>
#include <string>

#include "graph/ir/constants.h"
#include "kernels/activation.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numeric.h"
#include "kernels/elementwise/unary.h"

namespace mini_infer {
namespace {

// Y = the output's element type where it is not T.
template <class F, class T, class Y>
void tile_loop(const Tile& t, const void* a, const void* b, void* y) {
  const T* ar = static_cast<const T*>(a) + t.offset[0];
  const T* br = static_cast<const T*>(b) + t.offset[1];
  Y* yr = static_cast<Y*>(y) + t.out;
  for (std::int64_t r = 0; r < t.rows; ++r) {
    for (std::int64_t i = 0; i < t.n; ++i) {
      yr[i] = narrow<Y>(F::apply(widen(ar[i * t.step[0]]), widen(br[i * t.step[1]])));
    }
    ar += t.row_stride[0];
    br += t.row_stride[1];
    yr += t.n;
  }
}

// The kernels of F, a struct with `takes<T>`, whether it is defined on T, `apply(a, b)`, and
// `kPredicate`, whether it gives bool.
template <class F>
BinaryTileFn kernel_of(DType dtype) {
  BinaryTileFn kernel = nullptr;
  dispatch_dtype(dtype, [&]<class T>() {
    if constexpr (F::template takes<T>) {
      kernel = tile_loop<F, T, std::conditional_t<F::kPredicate, bool, T>>;
    }
  });
  if constexpr (F::template takes<std::string>) {
    if (dtype == DType::kString) kernel = tile_loop<F, std::string, bool>;
  }
  return kernel;
}

// Integers wrap around: computed modulo 2^64, then cut.
template <class T>
inline constexpr bool kWraps = kIsInteger<T>;
using U64 = std::uint64_t;

template <bool predicate>
struct OnNumbers {
  static constexpr bool kPredicate = predicate;
  template <class T>
  static constexpr bool takes = kIsFloating<T> || kIsInteger<T>;
};

struct AddF : OnNumbers<false> {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (kWraps<T>) return static_cast<T>(static_cast<U64>(a) + static_cast<U64>(b));
    return static_cast<T>(a + b);
  }
};
struct SubF : OnNumbers<false> {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (kWraps<T>) return static_cast<T>(static_cast<U64>(a) - static_cast<U64>(b));
    return static_cast<T>(a - b);
  }
};
struct MulF : OnNumbers<false> {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (kWraps<T>) return static_cast<T>(static_cast<U64>(a) * static_cast<U64>(b));
    return static_cast<T>(a * b);
  }
};
struct DivF : OnNumbers<false> {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (kWraps<T> && std::is_signed_v<T>) {
      if (b == -1) return SubF::apply(T{0}, a);  // the lowest number has no opposite
    }
    return static_cast<T>(a / b);
  }
};
// The remainder with the divisor's sign.
struct ModF : OnNumbers<false> {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
      const T rest = std::fmod(a, b);
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    } else {
      if constexpr (std::is_signed_v<T>) {
        if (b == -1) return 0;
      }
      const T rest = static_cast<T>(a % b);
      return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    }
  }
};
// The remainder with the dividend's sign, as C's fmod.
struct FModF : OnNumbers<false> {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fmod(a, b);
    } else {
      if constexpr (std::is_signed_v<T>) {
        if (b == -1) return 0;
      }
      return static_cast<T>(a % b);
    }
  }
};
struct MinF : OnNumbers<false> {
  template <class T>
  static T apply(T a, T b) {
    return a != a ? a : b < a || b != b ? b : a;
  }
};
struct MaxF : OnNumbers<false> {
  template <class T>
  static T apply(T a, T b) {
    return a != a ? a : b > a || b != b ? b : a;
  }
};
struct PReluF : OnNumbers<false> {
  template <class T>
  static T apply(T a, T b) {
    return a < 0 ? MulF::apply(a, b) : a;
  }
};

struct LessF : OnNumbers<true> {
  template <class T>
  static bool apply(T a, T b) {
    return a < b;
  }
};
struct GreaterF : OnNumbers<true> {
  template <class T>
  static bool apply(T a, T b) {
    return a > b;
  }
};
struct LessOrEqualF : OnNumbers<true> {
  template <class T>
  static bool apply(T a, T b) {
    return a <= b;
  }
};
struct GreaterOrEqualF : OnNumbers<true> {
  template <class T>
  static bool apply(T a, T b) {
    return a >= b;
  }
};
struct EqualF {
  static constexpr bool kPredicate = true;
  template <class T>
  static constexpr bool takes = true;
  template <class T>
  static bool apply(const T& a, const T& b) {
    return a == b;
  }
};

struct OnBools {
  static constexpr bool kPredicate = true;
  template <class T>
  static constexpr bool takes = std::is_same_v<T, bool>;
};
struct AndF : OnBools {
  static bool apply(bool a, bool b) { return a && b; }
};
struct OrF : OnBools {
  static bool apply(bool a, bool b) { return a || b; }
};
struct XorF : OnBools {
  static bool apply(bool a, bool b) { return a != b; }
};

struct OnIntegers {
  static constexpr bool kPredicate = false;
  template <class T>
  static constexpr bool takes = kIsInteger<T>;
};
struct BitwiseAndF : OnIntegers {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct BitwiseOrF : OnIntegers {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct BitwiseXorF : OnIntegers {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};
// 0 where all bits are shifted out.
struct ShiftLeftF : OnIntegers {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<U64>(b) < 64 ? static_cast<T>(static_cast<U64>(a) << b) : T{0};
  }
};
struct ShiftRightF : OnIntegers {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<U64>(b) < 8 * sizeof(T) ? static_cast<T>(a >> b) : T{0};
  }
};

constexpr BinaryOp kAdd{BinaryKind::kAdd, kernel_of<AddF>};
constexpr BinaryOp kSub{BinaryKind::kSub, kernel_of<SubF>};
constexpr BinaryOp kMul{BinaryKind::kMul, kernel_of<MulF>};
constexpr BinaryOp kDiv{BinaryKind::kDiv, kernel_of<DivF>, true};
constexpr BinaryOp kMod{BinaryKind::kNone, kernel_of<ModF>, true};
constexpr BinaryOp kFMod{BinaryKind::kNone, kernel_of<FModF>, true};
constexpr BinaryOp kMin{BinaryKind::kMin, kernel_of<MinF>};
constexpr BinaryOp kMax{BinaryKind::kMax, kernel_of<MaxF>};
constexpr BinaryOp kPRelu{BinaryKind::kPRelu, kernel_of<PReluF>};
constexpr BinaryOp kLess{BinaryKind::kNone, kernel_of<LessF>};
constexpr BinaryOp kGreater{BinaryKind::kNone, kernel_of<GreaterF>};
constexpr BinaryOp kLessOrEqual{BinaryKind::kNone, kernel_of<LessOrEqualF>};
constexpr BinaryOp kGreaterOrEqual{BinaryKind::kNone, kernel_of<GreaterOrEqualF>};
constexpr BinaryOp kEqual{BinaryKind::kNone, kernel_of<EqualF>};
constexpr BinaryOp kAnd{BinaryKind::kNone, kernel_of<AndF>};
constexpr BinaryOp kOr{BinaryKind::kNone, kernel_of<OrF>};
constexpr BinaryOp kXor{BinaryKind::kNone, kernel_of<XorF>};
constexpr BinaryOp kBitwiseAnd{BinaryKind::kNone, kernel_of<BitwiseAndF>};
constexpr BinaryOp kBitwiseOr{BinaryKind::kNone, kernel_of<BitwiseOrF>};
constexpr BinaryOp kBitwiseXor{BinaryKind::kNone, kernel_of<BitwiseXorF>};
constexpr BinaryOp kShiftLeft{BinaryKind::kNone, kernel_of<ShiftLeftF>};
constexpr BinaryOp kShiftRight{BinaryKind::kNone, kernel_of<ShiftRightF>};

// Extents: what each operator does to the integers of a shape tensor.
std::optional<Dim> add_dims(const Dim& a, const Dim& b) { return a + b; }
std::optional<Dim> sub_dims(const Dim& a, const Dim& b) { return a - b; }
std::optional<Dim> mul_dims(const Dim& a, const Dim& b) { return a * b; }
// Extents are not negative; numbers divide towards zero.
std::optional<Dim> div_dims(const Dim& a, const Dim& b) {
  if (b.is(0)) return std::nullopt;
  if (a.known() && b.known()) return Dim(DivF::apply(a.value(), b.value()));
  if (b.known() && b.value() < 0) return std::nullopt;
  return floor_div(a, b);
}
std::optional<Dim> mod_dims(const Dim& a, const Dim& b) {
  if (b.is(0)) return std::nullopt;
  if (a.known() && b.known()) return Dim(ModF::apply(a.value(), b.value()));
  if (b.is(1)) return Dim(0);
  return a - floor_div(a, b) * b;
}
std::optional<Dim> min_dims(const Dim& a, const Dim& b) {
  if (a == b) return a;
  if (a.known() && b.known()) return Dim(std::min(a.value(), b.value()));
  return std::nullopt;
}
std::optional<Dim> max_dims(const Dim& a, const Dim& b) {
  if (a == b) return a;
  if (a.known() && b.known()) return Dim(std::max(a.value(), b.value()));
  // An extent is at least 0, and at least 1 where the model does anything.
  if (a.known() && a.value() <= 1) return b;
  if (b.known() && b.value() <= 1) return a;
  return std::nullopt;
}
std::optional<Dim> equal_dims(const Dim& a, const Dim& b) {
  if (a == b) return Dim(1);
  if (a.known() && b.known()) return Dim(0);
  // An extent is never negative: `shape == -1` is how exporters look for "keep this".
  if ((a.known() && a.value() < 0) || (b.known() && b.value() < 0)) return Dim(0);
  return std::nullopt;
}
template <class F>
std::optional<Dim> compare_dims(const Dim& a, const Dim& b) {
  if (!a.known() || !b.known()) return std::nullopt;
  return Dim(static_cast<std::int64_t>(F::apply(a.value(), b.value())));
}
std::optional<Dim> no_dims(const Dim&, const Dim&) { return std::nullopt; }

bool is_integer(DType dtype) {
  bool integer = false;
  dispatch_dtype(dtype, [&]<class T>() { integer = kIsInteger<T>; });
  return integer;
}

template <DimFunction f>
Status infer_arithmetic(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  MINI_TRY(infer_broadcast(c));
  infer_contents(c, f);
  return ok();
}

// Quotients of floating-point extents need not be whole.
template <DimFunction f>
Status infer_division(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  MINI_TRY(infer_broadcast(c));
  if (is_integer(c.dtype(0))) infer_contents(c, f);
  return ok();
}

template <DimFunction f>
Status infer_predicate(InferContext& c) {
  MINI_TRY(infer_arithmetic<f>(c));
  c.outputs()[0].dtype = DType::kBool;
  return ok();
}

template <DimFunction f>
Status infer_variadic(InferContext& c) {
  MINI_TRY(infer_broadcast(c));
  if (c.input_count() == 2) infer_contents(c, f);
  return ok();
}

template <const BinaryOp& op>
Result<PreparedKernel> prepare(PrepareContext& c) {
  return prepare_binary(c, op, "binary");
}

Result<PreparedKernel> prepare_mod(PrepareContext& c) {
  const bool fmod = c.integer("fmod", 0) != 0;
  MINI_TRY(c.status());
  return prepare_binary(c, fmod ? kFMod : kMod, "mod");
}

Result<PreparedKernel> prepare_shift(PrepareContext& c) {
  const std::string direction = c.string("direction", "");
  MINI_TRY(c.status());
  if (direction == "LEFT") return prepare_binary(c, kShiftLeft, "shift");
  if (direction == "RIGHT") return prepare_binary(c, kShiftRight, "shift");
  return invalid_model("attribute 'direction' is '", direction, "'; it is 'LEFT' or 'RIGHT'");
}

// op(...op(op(x0, x1), x2)..., xn), in the output.
Result<PreparedKernel> prepare_variadic(PrepareContext& c, const BinaryOp& op, float scale) {
  const Layout layout = c.output_layout();
  const Shape out = storage_shape(c.output_shape(), layout, c.lanes());
  std::vector<Operand> operands;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (!c.has_input(i) || c.dtype(i) != c.dtype(0)) {
      return invalid_model("input ", i, " is missing or of dtype ", c.dtype(i), "; input 0 has ",
                           c.dtype(0));
    }
    MINI_TRY_ASSIGN(Operand operand, operand_of(c, i, c.shape(i), layout));
    operands.push_back(std::move(operand));
  }
  std::vector<BinaryStep> steps;
  for (std::size_t i = 1; i < operands.size(); ++i) {
    const Shape& first = i == 1 ? operands[0].shape : out;
    MINI_TRY_ASSIGN(BinaryStep step,
                    BinaryStep::make(c, op, c.dtype(0), out, first, operands[i].shape));
    steps.push_back(std::move(step));
  }
  // Mean: the sum times 1 / n. A half-precision sum is rounded before.
  std::shared_ptr<BinaryStep> scaling;
  Tensor factor;
  if (scale != 1.f) {
    MINI_TRY_ASSIGN(BinaryStep step, BinaryStep::make(c, kMul, c.dtype(0), out, out, Shape()));
    scaling = std::make_shared<BinaryStep>(std::move(step));
    factor = Tensor(c.dtype(0), {1});
    dispatch_dtype(c.dtype(0), [&]<class T>() {
      if constexpr (kIsFloating<T>) *factor.mutable_data<T>() = narrow<T>(scale);
    });
  }
  const std::size_t bytes = static_cast<std::size_t>(out.elements()) * dtype_size(c.dtype(0));
  PreparedKernel kernel{.name = c.with_isa("variadic")};
  kernel.run = [=](const KernelContext& k) {
    void* y = k.outputs[0];
    if (steps.empty() && operands[0].data(k, 0) != y)
      std::copy_n(k.input<char>(0), bytes, k.output<char>(0));
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const void* first = i == 0 ? operands[0].data(k, 0) : y;
      MINI_TRY(steps[i].run(k, first, operands[i + 1].data(k, i + 1), y));
    }
    return scaling != nullptr ? scaling->run(k, y, factor.data(), y) : ok();
  };
  kernel.flop = static_cast<double>(out.elements()) * static_cast<double>(steps.size());
  if (operands.size() <= 2) {
    for (std::size_t i = 0; i < operands.size(); ++i) allow_in_place(c, kernel, i);
  }
  return kernel;
}

template <const BinaryOp& op>
Result<PreparedKernel> prepare_list(PrepareContext& c) {
  return prepare_variadic(c, op, 1.f);
}
Result<PreparedKernel> prepare_mean(PrepareContext& c) {
  return prepare_variadic(c, kAdd, 1.f / static_cast<float>(c.input_count()));
}

// PRelu: y = x >= 0 ? x : slope x. Since opset 7 slope broadcasts one way, by trailing dimensions;
// before, it held one value per channel or one in all. MXNet's exporter writes [C] where the
// standard asks for [C,1,1]; that is repaired, with a warning, where no other reading is possible.
Result<Shape> slope_shape(PrepareContext& c) {
  const Shape &x = c.shape(0), &slope = c.shape(1);
  const bool fits = broadcasts_to(slope, x);
  if (slope.elements() == 1 && slope.rank() <= 1) return Shape();
  if (fits && c.opset() >= 7) return slope;
  const bool per_channel = slope.rank() == 1 && x.rank() >= 2 && slope[0] == x[1];
  if (!per_channel && fits) return slope;
  if (!per_channel) {
    return invalid_model("slope has shape ", slope, ", x has ", x,
                         ": slope must broadcast to x by trailing dimensions, or hold one value "
                         "per channel");
  }
  Shape shape = slope;
  while (shape.rank() + 1 < x.rank()) shape.push_back(1);
  if (c.opset() >= 7) {
    c.warn(cat("slope ", slope, " read as ", shape,
               " (one value per channel), as MXNet's exporter means it"));
  }
  return shape;
}

Status infer_prelu(InferContext& c) {
  MINI_TRY(c.expect_inputs(2));
  c.set_output(0, c.dtype(0), c.input(0).shape);
  return ok();
}

Result<PreparedKernel> prepare_prelu(PrepareContext& c) {
  if (c.dtype(0) != c.dtype(1)) {
    return invalid_model("x and slope have dtypes ", c.dtype(0), " and ", c.dtype(1));
  }
  MINI_TRY_ASSIGN(const Shape slope, slope_shape(c));
  const Layout layout = c.output_layout();
  MINI_TRY_ASSIGN(Operand x, operand_of(c, 0, c.shape(0), layout));
  MINI_TRY_ASSIGN(Operand s, operand_of(c, 1, slope, layout));
  MINI_TRY_ASSIGN(BinaryStep step,
                  BinaryStep::make(c, kPRelu, c.dtype(0), x.shape, x.shape, s.shape));
  PreparedKernel kernel{.name = c.with_isa("prelu"), .run = [=](const KernelContext& k) {
                          return step.run(k, k.inputs[0], s.data(k, 1), k.outputs[0]);
                        }};
  kernel.flop = static_cast<double>(x.shape.elements());
  allow_in_place(c, kernel, 0);
  return kernel;
}

// Blocked where x is and slope is a constant that slope_shape() reads as one value per channel or
// one in all.
LayoutChoice prelu_layout(const LayoutQuery& query) {
  LayoutChoice choice = broadcast_layout(query);
  if (choice.outputs[0] == Layout::kBlocked || query.inputs[0] != Layout::kBlocked) return choice;
  const auto& x = query.graph.value(query.node.inputs[0]).shape;
  const Tensor* slope = query.graph.constant(query.node.inputs[1]);
  if (!x || x->rank() < 3 || slope == nullptr || slope->dtype() != DType::kFloat32) return choice;
  const bool fits = slope->shape().rank() == 1 && (*x)[1].is(slope->shape()[0]) &&
                    !(*x)[x->rank() - 1].is(slope->shape()[0]);
  if (fits) choice.inputs[0] = choice.outputs[0] = Layout::kBlocked;
  return choice;
}

}  // namespace

#define MINI_BINARY(op_name, infer_fn, prepare_fn, ...) \
  MINI_DEFINE_OP(op_name, {.type = #op_name,            \
                           .since = {__VA_ARGS__},      \
                           .infer = infer_fn,           \
                           .prepare = prepare_fn,       \
                           .layout = broadcast_layout,  \
                           .traits = kElementwise})

MINI_BINARY(Add, infer_arithmetic<add_dims>, prepare<kAdd>, 1, 6, 7, 13, 14)
MINI_BINARY(Sub, infer_arithmetic<sub_dims>, prepare<kSub>, 1, 6, 7, 13, 14)
MINI_BINARY(Mul, infer_arithmetic<mul_dims>, prepare<kMul>, 1, 6, 7, 13, 14)
MINI_BINARY(Div, infer_division<div_dims>, prepare<kDiv>, 1, 6, 7, 13, 14)
MINI_BINARY(Mod, infer_division<mod_dims>, prepare_mod, 10, 13)
MINI_BINARY(Min, infer_variadic<min_dims>, prepare_list<kMin>, 1, 6, 8, 12, 13)
MINI_BINARY(Max, infer_variadic<max_dims>, prepare_list<kMax>, 1, 6, 8, 12, 13)
MINI_BINARY(Sum, infer_variadic<add_dims>, prepare_list<kAdd>, 1, 6, 8, 13)
MINI_BINARY(Mean, infer_variadic<no_dims>, prepare_mean, 1, 6, 8, 13)

#define MINI_PLAIN_BINARY(op_name, infer_fn, prepare_fn, ...) \
  MINI_DEFINE_OP(op_name, {.type = #op_name,                  \
                           .since = {__VA_ARGS__},            \
                           .infer = infer_fn,                 \
                           .prepare = prepare_fn,             \
                           .traits = kElementwise})

MINI_PLAIN_BINARY(And, infer_predicate<no_dims>, prepare<kAnd>, 1, 7)
MINI_PLAIN_BINARY(BitShift, infer_arithmetic<no_dims>, prepare_shift, 11)
MINI_PLAIN_BINARY(BitwiseAnd, infer_arithmetic<no_dims>, prepare<kBitwiseAnd>, 18)
MINI_PLAIN_BINARY(BitwiseOr, infer_arithmetic<no_dims>, prepare<kBitwiseOr>, 18)
MINI_PLAIN_BINARY(BitwiseXor, infer_arithmetic<no_dims>, prepare<kBitwiseXor>, 18)
MINI_PLAIN_BINARY(Equal, infer_predicate<equal_dims>, prepare<kEqual>, 1, 7, 11, 13, 19)
MINI_PLAIN_BINARY(Greater, infer_predicate<compare_dims<GreaterF>>, prepare<kGreater>, 1, 7, 9, 13)
MINI_PLAIN_BINARY(GreaterOrEqual, infer_predicate<compare_dims<GreaterOrEqualF>>,
                  prepare<kGreaterOrEqual>, 12, 16)
MINI_PLAIN_BINARY(Less, infer_predicate<compare_dims<LessF>>, prepare<kLess>, 1, 7, 9, 13)
MINI_PLAIN_BINARY(LessOrEqual, infer_predicate<compare_dims<LessOrEqualF>>, prepare<kLessOrEqual>,
                  12, 16)
MINI_PLAIN_BINARY(Or, infer_predicate<no_dims>, prepare<kOr>, 1, 7)
MINI_PLAIN_BINARY(Xor, infer_predicate<no_dims>, prepare<kXor>, 1, 7)

MINI_DEFINE_OP(PRelu, {.type = "PRelu",
                       .since = {1, 6, 7, 9, 16},
                       .infer = infer_prelu,
                       .prepare = prepare_prelu,
                       .layout = prelu_layout,
                       .traits = kElementwise})

}  // namespace mini_infer
