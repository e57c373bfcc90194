#include "kernels/fused_activation.h"

#include <cmath>

#include "graph/ir/text.h"

namespace mini_infer {
namespace {

struct Entry {
  const char* name;
  Activation kind;
  float alpha, beta;  // where activation_params does not tell
};

constexpr Entry kEntries[] = {
    {"", Activation::kNone, 0.f, 0.f},
    {"Relu", Activation::kRelu, 0.f, 0.f},
    {"Clip", Activation::kClip, 0.f, 0.f},
    {"LeakyRelu", Activation::kLeakyRelu, 0.01f, 0.f},
    {"HardSigmoid", Activation::kHardSigmoid, 0.2f, 0.5f},
    {"HardSwish", Activation::kHardSwish, 1.f / 6.f, 0.5f},
    {"Sigmoid", Activation::kSigmoid, 0.f, 0.f},
    {"SiLU", Activation::kSilu, 0.f, 0.f},
    {"Gelu", Activation::kGelu, 0.f, 0.f},
    {"GeluTanh", Activation::kGeluTanh, 0.f, 0.f},
    {"Mish", Activation::kMish, 0.f, 0.f},
    {"Tanh", Activation::kTanh, 0.f, 0.f},
    {"Elu", Activation::kElu, 1.f, 0.f},
    {"Softplus", Activation::kSoftplus, 0.f, 0.f},
};

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
// As ONNX's reference: NaN stays NaN.
double clip(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

}  // namespace

Result<FusedActivation> read_activation(const AttributeReader& node, const std::string& prefix) {
  const std::string name = node.string(prefix + "activation", "");
  Floats params = node.floats(prefix + "activation_params");
  if (params.empty() && prefix.empty() &&
      node.has("activation_alpha")) {  // FusedGemm of com.microsoft
    params = {node.number("activation_alpha", 0.f), node.number("activation_beta", 0.f)};
  }
  MINI_TRY(Status(node.status()));
  FusedActivation result;
  if (name == "PRelu") {
    result.per_channel_slope = true;
    return result;
  }
  for (const Entry& entry : kEntries) {
    if (name != entry.name) continue;
    if (entry.kind == Activation::kClip && params.size() != 2) {
      return invalid_model("activation Clip needs two activation_params, not ", params.size());
    }
    result.params.kind = entry.kind;
    result.params.alpha = !params.empty() ? params[0] : entry.alpha;
    result.params.beta = params.size() > 1 ? params[1] : entry.beta;
    return result;
  }
  return not_implemented("the activation '", name, "'");
}

double activate(const ActivationParams& activation, double x) {
  const double alpha = static_cast<double>(activation.alpha);
  const double beta = static_cast<double>(activation.beta);
  switch (activation.kind) {
    case Activation::kRelu:
      return x < 0 ? 0 : x;
    case Activation::kClip:
      return clip(x, alpha, beta);
    case Activation::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case Activation::kHardSigmoid:
      return clip(alpha * x + beta, 0, 1);
    case Activation::kHardSwish:
      return x * clip(alpha * x + beta, 0, 1);
    case Activation::kSigmoid:
      return sigmoid(x);
    case Activation::kSilu:
      return x * sigmoid(x);
    case Activation::kGelu:
      return 0.5 * x * (1 + std::erf(x * 0.70710678118654752440));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case Activation::kMish:
      return x * std::tanh(softplus(x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kElu:
      return x > 0 ? x : alpha * std::expm1(x);
    case Activation::kSoftplus:
      return softplus(x);
    default:
      return x;
  }
}

}  // namespace mini_infer
