#include "graph/passes/activation.h"

#include <limits>

namespace mini_infer {
namespace {

constexpr ActivationType kTypes[] = {
    {"Relu", ""},
    {"Clip", ""},
    {"LeakyRelu", ""},
    {"PRelu", ""},
    {"Sigmoid", ""},
    {"HardSigmoid", ""},
    {"HardSwish", ""},
    {"HardSwish", kInternalDomain},
    {"Mish", ""},
    {"Mish", kInternalDomain},
    {"Gelu", ""},
    {"Gelu", kInternalDomain},
    {"Gelu", "com.microsoft"},
    {"Tanh", ""},
    {"Elu", ""},
    {"Softplus", ""},
    {"SiLU", kInternalDomain},
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Bounds are attributes before opset 11, then inputs.
std::optional<Floats> clip_bounds(const Graph& graph, NodeId id) {
  const AttributeReader node(graph.node(id));
  if (graph.node(id).opset < 11) {
    return Floats{node.number("min", -kInfinity), node.number("max", kInfinity)};
  }
  Floats bounds = {-kInfinity, kInfinity};
  for (std::size_t i = 0; i < 2; ++i) {
    const ValueId bound = graph.input(id, i + 1);
    if (bound == kNoValue) continue;
    const auto number = scalar_constant(graph, bound);
    if (!number) return std::nullopt;
    bounds[i] = static_cast<float>(*number);
  }
  return bounds;
}

std::optional<ActivationMatch> prelu(const Graph& graph, NodeId id) {
  const ValueId slope = graph.input(id, 1);
  if (const auto alpha = uniform_constant(graph, slope)) {
    return ActivationMatch{"LeakyRelu", {static_cast<float>(*alpha)}};
  }
  if (!known_numbers(graph, slope)) return std::nullopt;
  return ActivationMatch{"PRelu", {}, slope};
}

}  // namespace

std::span<const ActivationType> activation_types() { return kTypes; }

std::optional<ActivationMatch> activation_of(const Graph& graph, NodeId id) {
  const std::string& type = graph.node(id).op_type;
  const AttributeReader node(graph.node(id));
  if (type == "Clip") {
    const auto bounds = clip_bounds(graph, id);
    return bounds ? std::optional(ActivationMatch{type, *bounds}) : std::nullopt;
  }
  if (type == "PRelu") return prelu(graph, id);
  if (type == "LeakyRelu") return ActivationMatch{type, {node.number("alpha", 0.01f)}};
  if (type == "Elu") return ActivationMatch{type, {node.number("alpha", 1.f)}};
  if (type == "HardSigmoid") {
    return ActivationMatch{type, {node.number("alpha", 0.2f), node.number("beta", 0.5f)}};
  }
  if (type == "Gelu" && node.string("approximate", "none") == "tanh") {
    return ActivationMatch{"GeluTanh", {}};
  }
  return ActivationMatch{type, {}};
}

bool has_activation(const Graph& graph, NodeId id) {
  const auto* activation = graph.attribute<std::string>(id, "activation");
  return activation != nullptr && !activation->empty();
}

void set_activation(Graph& graph, NodeId id, const ActivationMatch& activation) {
  Attributes& attributes = graph.node(id).attributes;
  attributes["activation"] = activation.name;
  if (!activation.params.empty()) attributes["activation_params"] = activation.params;
}

}  // namespace mini_infer
