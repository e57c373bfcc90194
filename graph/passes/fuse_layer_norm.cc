// before:  d = x - ReduceMean(x)
//          y = d / Sqrt(ReduceMean(d^2) + epsilon) [* gamma] [+ beta]
// after:   y = LayerNormalization(x, gamma, beta) {axis, epsilon}
// when:    the means are over the last axes and keep them; gamma and beta are constants of the
// shape
//          of these axes; nothing between has another use
//
// d^2 is Pow(d, 2) or Mul(d, d), and d may be computed twice. gamma and beta may lead with axes
// of 1.

#include <algorithm>

#include "graph/passes/product.h"

namespace mini_infer {
namespace {

// First of the last axes that a ReduceMean is over; no value when it is over others.
std::optional<std::size_t> mean_axis(const Graph& graph, NodeId mean) {
  const AttributeReader node(graph.node(mean));
  const auto rank = rank_of(graph, graph.input(mean, 0));
  if (!rank || node.integer("keepdims", 1) != 1) return std::nullopt;
  std::optional<Ints> axes = node.ints("axes");
  if (graph.input(mean, 1) != kNoValue) axes = known_ints(graph, graph.input(mean, 1));
  if (!axes || axes->empty() || axes->size() > *rank) return std::nullopt;
  std::vector<std::size_t> sorted;
  for (const std::int64_t axis : *axes) {
    const auto normal = normal_axis(axis, *rank);
    if (!normal) return std::nullopt;
    sorted.push_back(*normal);
  }
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != *rank - sorted.size() + i) return std::nullopt;
  }
  return sorted.front();
}

// x where `d` is x - ReduceMean(x).
struct Centred {
  ValueId x = kNoValue;
  std::size_t axis = 0;
};
std::optional<Centred> centred(const Graph& graph, ValueId d) {
  const NodeId sub = made_by(graph, d, "Sub");
  if (sub == kNoNode) return std::nullopt;
  const NodeId mean = made_by(graph, graph.input(sub, 1), "ReduceMean");
  if (mean == kNoNode || graph.input(mean, 0) != graph.input(sub, 0)) return std::nullopt;
  const auto axis = mean_axis(graph, mean);
  return axis ? std::optional(Centred{graph.input(sub, 0), *axis}) : std::nullopt;
}

struct Match {
  Centred input;
  double epsilon = 0;
};

// Div(d, Sqrt(ReduceMean(d^2) + epsilon)).
std::optional<Match> normalised(const Graph& graph, NodeId div) {
  const auto input = centred(graph, graph.input(div, 0));
  const NodeId root = made_only_for(graph, graph.input(div, 1), "Sqrt");
  const auto sum = root != kNoNode ? shifted(graph, graph.input(root, 0)) : std::nullopt;
  const NodeId mean = sum ? made_only_for(graph, sum->x, "ReduceMean") : kNoNode;
  if (!input || mean == kNoNode || mean_axis(graph, mean) != input->axis) return std::nullopt;
  const ValueId squared = graph.input(mean, 0);
  if (!only_use(graph, squared)) return std::nullopt;
  const Product square = product_of(graph, squared);
  if (!square.scale_is(1) || square.factors.size() != 2 || square.factors[0] != square.factors[1]) {
    return std::nullopt;
  }
  const auto other = centred(graph, square.factors[0]);
  if (!other || other->x != input->x || other->axis != input->axis) return std::nullopt;
  return Match{*input, sum->number};
}

// A constant of the shape of the last axes, with leading axes of 1 taken off.
std::optional<Tensor> parameter(const Graph& graph, ValueId value, const Shape& last) {
  const Tensor* tensor = graph.constant(value);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32) return std::nullopt;
  const auto& dims = tensor->shape().dims();
  if (dims.size() < last.rank() || tensor->elements() != last.elements()) return std::nullopt;
  const bool matches =
      std::equal(last.begin(), last.end(), dims.end() - static_cast<std::ptrdiff_t>(last.rank()));
  return matches ? std::optional(tensor->reshaped(last)) : std::nullopt;
}

// The only user of `value` if it is of that type, and the operand it adds as a parameter.
struct Follower {
  NodeId id = kNoNode;
  Tensor parameter;
};
Follower follower(const Graph& graph, ValueId value, std::string_view type, const Shape& last) {
  if (!only_use(graph, value)) return {};
  const NodeId user = graph.value(value).users[0];
  if (!graph.node(user).is(type)) return {};
  const ValueId operand = other_input(graph, user, value);
  auto tensor = operand != kNoValue ? parameter(graph, operand, last) : std::nullopt;
  return tensor ? Follower{user, std::move(*tensor)} : Follower{};
}

bool fuse(Graph& graph, NodeId div, std::string_view domain) {
  const auto match = normalised(graph, div);
  if (!match || !has_dtype(graph, match->input.x, DType::kFloat32)) return false;
  const std::vector<Dim>& dims = graph.value(match->input.x).shape->dims();
  const auto last =
      SymShape(std::vector<Dim>(dims.begin() + static_cast<std::ptrdiff_t>(match->input.axis),
                                dims.end()))
          .concrete();
  if (!last) return false;
  const Follower mul = follower(graph, graph.output(div), "Mul", *last);
  const NodeId scaled = mul.id != kNoNode ? mul.id : div;
  const Follower add = follower(graph, graph.output(scaled), "Add", *last);
  const NodeId end = add.id != kNoNode ? add.id : scaled;

  const std::string name = graph.node(div).name;
  Tensor gamma = mul.parameter;
  if (mul.id == kNoNode) {
    gamma = Tensor::from<float>(
        *last, std::vector<float>(static_cast<std::size_t>(last->elements()), 1.f));
  }
  std::vector<ValueId> inputs = {match->input.x,
                                 graph.add_constant(name + "_gamma", std::move(gamma))};
  if (add.id != kNoNode) inputs.push_back(graph.add_constant(name + "_beta", add.parameter));
  replace_node(graph, end, "LayerNormalization", std::move(inputs),
               {{"axis", static_cast<std::int64_t>(match->input.axis)},
                {"epsilon", static_cast<float>(match->epsilon)}},
               domain);
  return true;
}

}  // namespace

Result<int> fuse_layer_norm(Graph& graph, PassContext& context) {
  const std::string_view domain = graph.opset() >= 17 ? "" : kInternalDomain;
  if (context.ops.find(domain, "LayerNormalization", graph.opset(domain)) == nullptr) return 0;
  return rewrite_each(graph, context, "Div", [&](NodeId id) { return fuse(graph, id, domain); });
}

}  // namespace mini_infer
