// The operators of unary.h. A row: vector kernel, formula, integers, parameters.
#include <cmath>
#include <numbers>

#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/unary.h"

namespace mini_infer {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) {
  return std::isnan(x) ? x : std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }
double gelu(double x) { return 0.5 * x * (1 + std::erf(x * std::numbers::sqrt2 / 2)); }
double gelu_tanh(double x) {
  const double inner = x + 0.044715 * x * x * x;
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * inner));
}

using A = Activation;
using I = IntegerUnary;
// A formula of x, alpha `a` and beta `b`.
#define F(...)                                                                   \
  [](double x, [[maybe_unused]] double a, [[maybe_unused]] double b) -> double { \
    return __VA_ARGS__;                                                          \
  }

// arithmetic
constexpr UnaryOp kAbs{A::kAbs, F(std::abs(x)), I::kAbs};
constexpr UnaryOp kNeg{A::kNeg, F(-x), I::kNeg};
constexpr UnaryOp kSign{A::kSign, F(x > 0 ? 1 : x < 0 ? -1 : x), I::kSign};
constexpr UnaryOp kCeil{A::kCeil, F(std::ceil(x)), I::kIdentity};
constexpr UnaryOp kFloor{A::kFloor, F(std::floor(x)), I::kIdentity};
constexpr UnaryOp kRound{A::kRound, F(std::nearbyint(x)), I::kIdentity};
constexpr UnaryOp kSqrt{A::kSqrt, F(std::sqrt(x))};
constexpr UnaryOp kReciprocal{A::kReciprocal, F(1 / x)};
constexpr UnaryOp kAffine{
    .activation = A::kAffine, .f = F(a * x + b), .alpha = {"alpha", 1.f}, .beta = {"beta", 0.f}};

// elementary functions
constexpr UnaryOp kExp{A::kExp, F(std::exp(x))};
constexpr UnaryOp kLog{A::kLog, F(std::log(x))};
constexpr UnaryOp kErf{A::kErf, F(std::erf(x))};
constexpr UnaryOp kSin{A::kNone, F(std::sin(x))};
constexpr UnaryOp kCos{A::kNone, F(std::cos(x))};
constexpr UnaryOp kTan{A::kNone, F(std::tan(x))};
constexpr UnaryOp kAsin{A::kNone, F(std::asin(x))};
constexpr UnaryOp kAcos{A::kNone, F(std::acos(x))};
constexpr UnaryOp kAtan{A::kNone, F(std::atan(x))};
constexpr UnaryOp kSinh{A::kNone, F(std::sinh(x))};
constexpr UnaryOp kCosh{A::kNone, F(std::cosh(x))};
constexpr UnaryOp kTanh{A::kTanh, F(std::tanh(x))};
constexpr UnaryOp kAsinh{A::kNone, F(std::asinh(x))};
constexpr UnaryOp kAcosh{A::kNone, F(std::acosh(x))};
constexpr UnaryOp kAtanh{A::kNone, F(std::atanh(x))};

// activations
constexpr UnaryOp kRelu{A::kRelu, F(x < 0 ? 0 : x), I::kRelu};
constexpr UnaryOp kLeakyRelu{
    .activation = A::kLeakyRelu, .f = F(x < 0 ? a * x : x), .alpha = {"alpha", 0.01f}};
constexpr UnaryOp kThresholdedRelu{
    .activation = A::kThresholdedRelu, .f = F(x <= a ? 0 : x), .alpha = {"alpha", 1.f}};
constexpr UnaryOp kElu{
    .activation = A::kElu, .f = F(x < 0 ? a * std::expm1(x) : x), .alpha = {"alpha", 1.f}};
constexpr UnaryOp kCelu{
    .activation = A::kCelu,
    .f = F(std::isnan(x) ? x : std::max(x, 0.0) + std::min(0.0, a* std::expm1(x / a))),
    .alpha = {"alpha", 1.f}};
constexpr UnaryOp kSelu{.activation = A::kSelu,
                        .f = F(b * (x < 0 ? a * std::expm1(x) : x)),
                        .alpha = {"alpha", 1.67326319217681884765625f},
                        .beta = {"gamma", 1.05070102214813232421875f}};
// Opset 1 has fewer digits.
constexpr UnaryOp kSelu1{
    .activation = A::kSelu, .f = kSelu.f, .alpha = {"alpha", 1.6732f}, .beta = {"gamma", 1.0507f}};
constexpr UnaryOp kSigmoid{A::kSigmoid, F(sigmoid(x))};
constexpr UnaryOp kHardSigmoid{.activation = A::kHardSigmoid,
                               .f = F(clamp(a * x + b, 0, 1)),
                               .alpha = {"alpha", 0.2f},
                               .beta = {"beta", 0.5f}};
constexpr UnaryOp kHardSwish{.activation = A::kHardSwish,
                             .f = F(x * clamp(a * x + b, 0, 1)),
                             .alpha = {nullptr, 1.f / 6.f},
                             .beta = {nullptr, 0.5f}};
constexpr UnaryOp kInternalHardSwish{.activation = A::kHardSwish,
                                     .f = kHardSwish.f,
                                     .alpha = {"alpha", 1.f / 6.f},
                                     .beta = {"beta", 0.5f}};
constexpr UnaryOp kSoftplus{A::kSoftplus, F(softplus(x))};
constexpr UnaryOp kParametricSoftplus{
    .f = F(a * softplus(b * x)), .alpha = {"alpha", 1.f}, .beta = {"beta", 1.f}};
constexpr UnaryOp kSoftsign{A::kSoftsign, F(x / (1 + std::abs(x)))};
constexpr UnaryOp kScaledTanh{.activation = A::kScaledTanh,
                              .f = F(a * std::tanh(b * x)),
                              .alpha = {"alpha", 1.f},
                              .beta = {"beta", 1.f}};
constexpr UnaryOp kMish{A::kMish, F(x* std::tanh(softplus(x)))};
constexpr UnaryOp kSiLU{A::kSilu, F(x* sigmoid(x))};
constexpr UnaryOp kSwish{
    .activation = A::kSwish, .f = F(x * sigmoid(a * x)), .alpha = {"alpha", 1.f}};
constexpr UnaryOp kQuickGelu{.activation = A::kSwish, .f = kSwish.f, .alpha = {"alpha", 1.702f}};
constexpr UnaryOp kGeluErf{A::kGelu, F(gelu(x))};
constexpr UnaryOp kGeluTanh{A::kGeluTanh, F(gelu_tanh(x))};
// x < -lambd: x + bias; x > lambd: x - bias; else 0. alpha = bias, beta = lambd.
constexpr UnaryOp kShrink{.f = F(x < -b  ? x + a
                                 : x > b ? x - a
                                         : 0),
                          .alpha = {"bias", 0.f},
                          .beta = {"lambd", 0.5f}};
#undef F

template <const UnaryOp& op>
Result<PreparedKernel> prepare(PrepareContext& c) {
  return prepare_unary(c, op);
}

Result<PreparedKernel> prepare_selu(PrepareContext& c) {
  return prepare_unary(c, c.opset() < 6 ? kSelu1 : kSelu);
}

Result<PreparedKernel> prepare_gelu(PrepareContext& c) {
  const std::string approximate = c.string("approximate", "none");
  MINI_TRY(c.status());
  if (approximate == "none") return prepare_unary(c, kGeluErf);
  if (approximate == "tanh") return prepare_unary(c, kGeluTanh);
  return invalid_model("attribute 'approximate' is '", approximate, "'; it is 'none' or 'tanh'");
}

// Rounding leaves whole numbers alone, so extents keep their names through it.
Status infer_rounding(InferContext& c) {
  MINI_TRY(infer_same(c));
  infer_contents(c, [](const Dim& x, const Dim&) { return std::optional(x); });
  return ok();
}

Status infer_neg(InferContext& c) {
  MINI_TRY(infer_same(c));
  infer_contents(c, [](const Dim& x, const Dim&) { return std::optional(Dim(0) - x); });
  return ok();
}

}  // namespace

#define MINI_UNARY_IN(name, type_name, domain_name, infer_fn, prepare_fn, ...) \
  MINI_DEFINE_OP(name, {.domain = domain_name,                                 \
                        .type = type_name,                                     \
                        .since = {__VA_ARGS__},                                \
                        .infer = infer_fn,                                     \
                        .prepare = prepare_fn,                                 \
                        .layout = same_layout,                                 \
                        .traits = kElementwise})
#define MINI_UNARY(name, ...) \
  MINI_UNARY_IN(name, #name, "", infer_same, prepare<k##name>, __VA_ARGS__)

MINI_UNARY(Abs, 1, 6, 13)
MINI_UNARY(Acos, 7, 22)
MINI_UNARY(Acosh, 9, 22)
MINI_UNARY(Affine, 1)
MINI_UNARY(Asin, 7, 22)
MINI_UNARY(Asinh, 9, 22)
MINI_UNARY(Atan, 7, 22)
MINI_UNARY(Atanh, 9, 22)
MINI_UNARY(Celu, 12)
MINI_UNARY(Cos, 7, 22)
MINI_UNARY(Cosh, 9, 22)
MINI_UNARY(Elu, 1, 6, 22)
MINI_UNARY(Erf, 9, 13)
MINI_UNARY(Exp, 1, 6, 13)
MINI_UNARY(HardSigmoid, 1, 6, 22)
MINI_UNARY(HardSwish, 14, 22)
MINI_UNARY(LeakyRelu, 1, 6, 16)
MINI_UNARY(Log, 1, 6, 13)
MINI_UNARY(Mish, 18, 22)
MINI_UNARY(ParametricSoftplus, 1)
MINI_UNARY(Reciprocal, 1, 6, 13)
MINI_UNARY(Relu, 1, 6, 13, 14)
MINI_UNARY(ScaledTanh, 1)
MINI_UNARY(Shrink, 9)
MINI_UNARY(Sigmoid, 1, 6, 13)
MINI_UNARY(Sign, 9, 13)
MINI_UNARY(Sin, 7, 22)
MINI_UNARY(Sinh, 9, 22)
MINI_UNARY(Softplus, 1, 22)
MINI_UNARY(Softsign, 1, 22)
MINI_UNARY(Sqrt, 1, 6, 13)
MINI_UNARY(Swish, 24)
MINI_UNARY(Tan, 7, 22)
MINI_UNARY(Tanh, 1, 6, 13)
MINI_UNARY(ThresholdedRelu, 1, 10, 22)
MINI_UNARY_IN(Ceil, "Ceil", "", infer_rounding, prepare<kCeil>, 1, 6, 13)
MINI_UNARY_IN(Floor, "Floor", "", infer_rounding, prepare<kFloor>, 1, 6, 13)
MINI_UNARY_IN(Gelu, "Gelu", "", infer_same, prepare_gelu, 20)
MINI_UNARY_IN(InternalGelu, "Gelu", kInternalDomain, infer_same, prepare_gelu, 1)
MINI_UNARY_IN(InternalHardSwish, "HardSwish", kInternalDomain, infer_same,
              prepare<kInternalHardSwish>, 1)
MINI_UNARY_IN(InternalMish, "Mish", kInternalDomain, infer_same, prepare<kMish>, 1)
MINI_UNARY_IN(MicrosoftGelu, "Gelu", "com.microsoft", infer_same, prepare<kGeluErf>, 1)
MINI_UNARY_IN(Neg, "Neg", "", infer_neg, prepare<kNeg>, 1, 6, 13)
MINI_UNARY_IN(QuickGelu, "QuickGelu", "com.microsoft", infer_same, prepare<kQuickGelu>, 1)
MINI_UNARY_IN(Round, "Round", "", infer_rounding, prepare<kRound>, 11, 22)
MINI_UNARY_IN(Selu, "Selu", "", infer_same, prepare_selu, 1, 6, 22)
MINI_UNARY_IN(SiLU, "SiLU", kInternalDomain, infer_same, prepare<kSiLU>, 1)

}  // namespace mini_infer
