#include "graph/passes/linear_node.h"

#include <algorithm>
#include <string>

namespace mini_infer {
namespace {

using Kind = LinearNode::Kind;

std::int64_t integer(const Graph& graph, NodeId id, std::string_view name, std::int64_t fallback) {
  const auto* value = graph.attribute<std::int64_t>(id, name);
  return value != nullptr ? *value : fallback;
}

const Tensor* weights_of(const Graph& graph, NodeId id) {
  const Tensor* weights = graph.constant(graph.input(id, 1));
  return weights != nullptr && weights->dtype() == DType::kFloat32 ? weights : nullptr;
}

std::optional<Kind> kind_of(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.is("Conv")) return Kind::kConv;
  if (node.is("ConvTranspose")) return Kind::kConvTranspose;
  if (node.is("Gemm")) return Kind::kGemm;
  if (node.is("MatMul")) return Kind::kMatMul;
  if (node.is("FusedMatMul", kInternalDomain) && !node.attributes.contains("activation") &&
      !node.attributes.contains("transB")) {
    return Kind::kMatMul;
  }
  return std::nullopt;
}

std::optional<LinearNode> matrix_node(const Graph& graph, NodeId id, Kind kind, const Shape& w) {
  const auto rank = rank_of(graph, graph.input(id, 0));
  if (w.rank() != 2 || !rank || *rank < 2) return std::nullopt;
  const bool transposed = kind == Kind::kGemm && integer(graph, id, "transB", 0) != 0;
  return LinearNode{.id = id,
                    .kind = kind,
                    .channels = static_cast<std::size_t>(w[transposed ? 0 : 1]),
                    .channel_axis = *rank - 1,
                    .rank = *rank};
}

// Weights as [outer][channels of one group][inner]; row `o` of the outer axis belongs to the
// channels from first_channel(o) on.
struct WeightView {
  std::int64_t outer, channels, inner, outer_per_group;
};

WeightView view_of(const Graph& graph, const LinearNode& linear, const Shape& w) {
  const auto channels = static_cast<std::int64_t>(linear.channels);
  switch (linear.kind) {
    case Kind::kConv:
      return {1, channels, w.elements(1, w.rank()), 1};
    case Kind::kConvTranspose:  // [ic][oc/g][kh][kw]
      return {w[0], w[1], w.elements(2, w.rank()),
              w[0] * w[1] / std::max<std::int64_t>(channels, 1)};
    default:
      if (w[0] == channels && integer(graph, linear.id, "transB", 0) != 0) {
        return {1, channels, w[1], 1};
      }
      return {w[0], channels, 1, w[0]};
  }
}

std::shared_ptr<const void> scale(const Tensor& weights, const WeightView& view,
                                  const std::vector<double>& factors) {
  Tensor result(DType::kFloat32, weights.shape());
  const float* in = weights.data<float>();
  float* out = result.mutable_data<float>();
  for (std::int64_t o = 0; o < view.outer; ++o) {
    const std::int64_t first = o / std::max<std::int64_t>(view.outer_per_group, 1) * view.channels;
    for (std::int64_t c = 0; c < view.channels; ++c) {
      const double factor = factors[static_cast<std::size_t>(first + c)];
      for (std::int64_t i = 0; i < view.inner; ++i) {
        *out++ = static_cast<float>(factor * static_cast<double>(*in++));
      }
    }
  }
  return result.owner();
}

// Scaled when they are read, so that neither form stays in memory once they are packed.
Tensor scaled(const Tensor& weights, const WeightView& view, const std::vector<double>& factors) {
  return Tensor::defer(DType::kFloat32, weights.shape(),
                       [weights = weights.unread(), view, factors] {
                         return scale(weights.unread(), view, factors);
                       });
}

}  // namespace

std::optional<LinearNode> linear_node(const Graph& graph, NodeId id) {
  if (id == kNoNode) return std::nullopt;
  const auto kind = kind_of(graph, id);
  const Tensor* weights = weights_of(graph, id);
  if (!kind || weights == nullptr) return std::nullopt;
  const Shape& w = weights->shape();
  if (*kind == Kind::kGemm || *kind == Kind::kMatMul) return matrix_node(graph, id, *kind, w);
  const std::int64_t group = integer(graph, id, "group", 1);
  if (w.rank() < 3 || w[0] < 1 || group < 1 || w[0] % group != 0) return std::nullopt;
  const std::int64_t channels = *kind == Kind::kConv ? w[0] : w[1] * group;
  return LinearNode{.id = id,
                    .kind = *kind,
                    .channels = static_cast<std::size_t>(channels),
                    .channel_axis = 1,
                    .rank = w.rank()};
}

std::optional<LinearNode> linear_node_only_for(const Graph& graph, ValueId value) {
  if (!only_use(graph, value)) return std::nullopt;
  const NodeId id = graph.producer(value);
  return id != kNoNode && graph.output(id) == value ? linear_node(graph, id) : std::nullopt;
}

std::optional<std::vector<double>> bias_of(const Graph& graph, const LinearNode& linear) {
  const ValueId bias = graph.input(linear.id, 2);
  if (bias == kNoValue) return std::vector<double>(linear.channels, 0.0);
  auto values = known_numbers(graph, bias);
  if (!values) return std::nullopt;
  double beta = 1;
  if (linear.kind == Kind::kGemm) {
    const Shape& shape = graph.constant(bias)->shape();
    if (values->size() == 1) values->assign(linear.channels, values->front());
    if (shape.rank() > 0 && shape[shape.rank() - 1] != static_cast<std::int64_t>(linear.channels) &&
        shape.elements() != 1) {
      return std::nullopt;
    }
    const auto* factor = graph.attribute<float>(linear.id, "beta");
    beta = factor != nullptr ? static_cast<double>(*factor) : 1.0;
  }
  if (values->size() != linear.channels) return std::nullopt;
  for (double& value : *values) value *= beta;
  return values;
}

std::optional<std::vector<double>> channel_constant(const Graph& graph, const LinearNode& linear,
                                                    NodeId user, ValueId operand) {
  const Tensor* tensor = graph.constant(operand);
  if (tensor == nullptr || tensor->shape().rank() > linear.rank) return std::nullopt;
  const std::size_t rank = tensor->shape().rank();
  std::size_t first = linear.rank - rank;  // the axis of y that the operand's first meets
  if (has_legacy_broadcast(graph.node(user))) {
    const auto axis = normal_axis(integer(graph, user, "axis", 0), linear.rank);
    if (!axis || *axis + rank > linear.rank) return std::nullopt;
    first = *axis;
  }
  // It must not broadcast y to another shape.
  const ValueId y = graph.output(linear.id);
  for (std::size_t i = 0; i < rank; ++i) {
    const bool keeps = tensor->shape()[i] == 1 || first + i == linear.channel_axis;
    if (!keeps && !same_shape(graph, y, graph.output(user))) return std::nullopt;
  }
  return channel_numbers(
      graph, operand,
      static_cast<std::int64_t>(linear.channel_axis) - static_cast<std::int64_t>(first),
      linear.channels);
}

void scale_and_shift(Graph& graph, const LinearNode& linear, const std::vector<double>& factors,
                     const std::vector<double>& shift) {
  const ValueId weights = graph.input(linear.id, 1);
  const bool scales = std::any_of(factors.begin(), factors.end(), [](double k) { return k != 1; });
  std::vector<double> bias =
      bias_of(graph, linear).value_or(std::vector<double>(shift.size(), 0.0));
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * factors[c] + shift[c];
  const std::string name = graph.value(weights).name;
  if (scales) {
    const Tensor& old = *graph.constant(weights);
    Tensor product = scaled(old, view_of(graph, linear, old.shape()), factors);
    graph.set_input(linear.id, 1, graph.add_constant(name + "_scaled", std::move(product)));
  }
  const bool zero = std::all_of(bias.begin(), bias.end(), [](double b) { return b == 0; });
  if (zero && graph.input(linear.id, 2) == kNoValue) return;
  const auto count = static_cast<std::int64_t>(bias.size());
  graph.set_input(linear.id, 2, add_floats(graph, name + "_bias", {count}, bias));
  Node& node = graph.node(linear.id);
  if (linear.kind == Kind::kGemm) node.attributes["beta"] = 1.f;
  if (linear.kind == Kind::kMatMul) retype(graph, linear.id, "FusedMatMul", kInternalDomain);
}

}  // namespace mini_infer
