#include "kernels/recurrent/activations.h"

#include <algorithm>
#include <cctype>

namespace mini_infer {
namespace {

// alpha and beta are the defaults of the ONNX operators; `takes` says how many of the two a
// function has.
struct NamedActivation {
  std::string_view name;  // in lower case
  Activation kind;
  int takes;
  float alpha, beta;
};
constexpr NamedActivation kActivations[] = {
    {"sigmoid", Activation::kSigmoid, 0, 0, 0},
    {"tanh", Activation::kTanh, 0, 0, 0},
    {"relu", Activation::kRelu, 0, 0, 0},
    {"softsign", Activation::kSoftsign, 0, 0, 0},
    {"softplus", Activation::kSoftplus, 0, 0, 0},
    {"leakyrelu", Activation::kLeakyRelu, 1, 0.01f, 0},
    {"thresholdedrelu", Activation::kThresholdedRelu, 1, 1.f, 0},
    {"elu", Activation::kElu, 1, 1.f, 0},
    {"affine", Activation::kAffine, 2, 1.f, 0},
    {"scaledtanh", Activation::kScaledTanh, 2, 1.f, 1.f},
    {"hardsigmoid", Activation::kHardSigmoid, 2, 0.2f, 0.5f},
};

const NamedActivation* find_activation(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const NamedActivation& known : kActivations) {
    if (known.name == name) return &known;
  }
  return nullptr;
}

// The next value of a list that functions take from in order, or the default.
float next(const Floats& list, std::size_t& at, float fallback) {
  return at < list.size() ? list[at++] : fallback;
}

}  // namespace

Result<std::vector<ActivationParams>> read_activations(
    const AttributeReader& a, const std::vector<std::string_view>& defaults,
    std::int64_t directions) {
  Strings names = a.strings("activations");
  const std::size_t count = defaults.size() * static_cast<std::size_t>(directions);
  if (names.empty()) {
    for (std::size_t i = 0; i < count; ++i) names.emplace_back(defaults[i % defaults.size()]);
  }
  if (names.size() != count) {
    return invalid_model("activations has ", names.size(), " names; ", count, " are needed, ",
                         defaults.size(), " for each direction");
  }
  const Floats alphas = a.floats("activation_alpha"), betas = a.floats("activation_beta");
  std::size_t alpha = 0, beta = 0;
  std::vector<ActivationParams> activations;
  for (const std::string& name : names) {
    const NamedActivation* known = find_activation(name);
    if (known == nullptr) return not_implemented("activation '", name, "'");
    ActivationParams params{known->kind, known->alpha, known->beta};
    if (known->takes > 0) params.alpha = next(alphas, alpha, known->alpha);
    if (known->takes > 1) params.beta = next(betas, beta, known->beta);
    activations.push_back(params);
  }
  return activations;
}

}  // namespace mini_infer
