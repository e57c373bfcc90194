#include "graph/passes/match.h"

#include <algorithm>
#include <cmath>

namespace mini_infer {

std::vector<NodeId> nodes_in_order(const Graph& graph, std::string_view op_type,
                                   std::string_view domain) {
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_slots()); ++id) {
    if (graph.alive(id) && graph.node(id).is(op_type, domain)) {
      return graph.nodes_of(op_type, domain);
    }
  }
  return {};
}

std::optional<double> scalar_constant(const Graph& graph, ValueId value) {
  const Tensor* tensor = graph.constant(value);
  return tensor != nullptr ? single_number(*tensor) : std::nullopt;
}

bool is_number(const Graph& graph, ValueId value, double number) {
  const auto constant = scalar_constant(graph, value);
  // Constants that were computed or stored in float16 are a little off.
  return constant && std::abs(*constant - number) <= 1e-3 * std::abs(number) &&
         (std::abs(*constant - number) <= 2e-6 * std::abs(number) ||
          std::abs(*constant - to_float(to_float16(static_cast<float>(number)))) <=
              1e-6 * std::abs(number));
}

std::optional<double> uniform_constant(const Graph& graph, ValueId value) {
  const Tensor* tensor = graph.constant(value);
  if (tensor == nullptr || tensor->elements() == 0) return std::nullopt;
  const auto all = numbers(*tensor);
  if (!all) return std::nullopt;
  const double first = all->front();
  const bool uniform = std::all_of(all->begin(), all->end(), [&](double x) { return x == first; });
  return uniform ? std::optional(first) : std::nullopt;
}

std::optional<Ints> known_ints(const Graph& graph, ValueId value) {
  if (value == kNoValue) return std::nullopt;
  if (const Tensor* tensor = graph.constant(value)) return integers(*tensor);
  const auto& contents = graph.value(value).contents;
  if (!contents) return std::nullopt;
  Ints ints;
  for (const Dim& dim : *contents) {
    if (!dim.known()) return std::nullopt;
    ints.push_back(dim.value());
  }
  return ints;
}

std::optional<std::vector<double>> known_numbers(const Graph& graph, ValueId value) {
  const Tensor* tensor = graph.constant(value);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32) return std::nullopt;
  return numbers(*tensor);
}

std::optional<std::vector<double>> channel_numbers(const Graph& graph, ValueId value,
                                                   std::int64_t channel_axis,
                                                   std::size_t channels) {
  const auto values = known_numbers(graph, value);
  if (!values || values->empty()) return std::nullopt;
  const Shape& shape = graph.constant(value)->shape();
  const bool has_axis = channel_axis >= 0 && channel_axis < static_cast<std::int64_t>(shape.rank());
  const auto axis = static_cast<std::size_t>(has_axis ? channel_axis : 0);
  const auto extent = static_cast<std::size_t>(has_axis ? shape[axis] : 1);
  const auto inner =
      has_axis ? static_cast<std::size_t>(shape.elements(axis + 1, shape.rank())) : values->size();
  if (extent != 1 && extent != channels) return std::nullopt;
  std::vector<double> numbers_found;
  for (std::size_t c = 0; c < extent; ++c) numbers_found.push_back((*values)[c * inner]);
  for (std::size_t i = 0; i < values->size(); ++i) {
    if ((*values)[i] != numbers_found[i / inner % extent]) return std::nullopt;
  }
  if (extent == 1) numbers_found.assign(channels, numbers_found.front());
  return numbers_found;
}

std::optional<std::size_t> rank_of(const Graph& graph, ValueId value) {
  if (value == kNoValue || !graph.value(value).shape) return std::nullopt;
  return graph.value(value).shape->rank();
}

std::optional<Shape> known_shape(const Graph& graph, ValueId value) {
  if (value == kNoValue || !graph.value(value).shape) return std::nullopt;
  return graph.value(value).shape->concrete();
}

bool same_shape(const Graph& graph, ValueId a, ValueId b) {
  return rank_of(graph, a) && rank_of(graph, b) && *graph.value(a).shape == *graph.value(b).shape;
}

bool has_dtype(const Graph& graph, ValueId value, DType dtype) {
  return value != kNoValue && graph.value(value).dtype == dtype;
}

bool has_subgraph(const Node& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
    return std::holds_alternative<GraphPtr>(attribute.second) ||
           std::holds_alternative<std::vector<GraphPtr>>(attribute.second);
  });
}

std::vector<GraphPtr*> subgraphs_of(Node& node) {
  std::vector<GraphPtr*> found;
  for (auto& [name, attribute] : node.attributes) {
    if (auto* one = std::get_if<GraphPtr>(&attribute)) found.push_back(one);
    if (auto* many = std::get_if<std::vector<GraphPtr>>(&attribute)) {
      for (GraphPtr& each : *many) found.push_back(&each);
    }
  }
  std::erase_if(found, [](const GraphPtr* graph) { return *graph == nullptr; });
  return found;
}

bool has_legacy_broadcast(const Node& node) {
  return node.opset < 7 && node.domain.empty() && node.attributes.contains("axis") &&
         (node.op_type == "Add" || node.op_type == "Sub" || node.op_type == "Mul" ||
          node.op_type == "Div" || node.op_type == "Pow");
}

bool has_internal(const PassContext& context, std::string_view op_type) {
  return context.ops.find(kInternalDomain, op_type, 1) != nullptr;
}

std::optional<std::size_t> normal_axis(std::int64_t axis, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) return std::nullopt;
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

NodeId made_only_for(const Graph& graph, ValueId value, std::string_view op_type,
                     std::string_view domain) {
  return only_use(graph, value) ? made_by(graph, value, op_type, domain) : kNoNode;
}

ValueId other_input(const Graph& graph, NodeId node, ValueId value) {
  const ValueId a = graph.input(node, 0), b = graph.input(node, 1);
  if ((a == value) == (b == value)) return kNoValue;
  return a == value ? b : a;
}

std::optional<ScalarOperand> scalar_operand(const Graph& graph, NodeId node) {
  const Node& n = graph.node(node);
  if (has_legacy_broadcast(n)) return std::nullopt;
  const bool commutative = n.op_type == "Add" || n.op_type == "Mul";
  for (const std::size_t i : {1u, 0u}) {
    const ValueId x = graph.input(node, 1 - i), c = graph.input(node, i);
    const auto number = scalar_constant(graph, c);
    if (number && x != kNoValue) {
      const std::size_t rank = graph.constant(c)->shape().rank();
      const auto x_rank = rank_of(graph, x);
      if (rank == 0 || (x_rank && rank <= *x_rank)) return ScalarOperand{x, *number};
    }
    if (!commutative) break;
  }
  return std::nullopt;
}

std::optional<SliceArguments> slice_arguments(const Graph& graph, NodeId id) {
  const AttributeReader node(graph.node(id));
  SliceArguments s;
  if (graph.node(id).opset < 10) {
    s = {node.ints("starts"), node.ints("ends"), node.ints("axes"), {}};
  } else {
    Ints* parts[] = {&s.starts, &s.ends, &s.axes, &s.steps};
    for (std::size_t i = 0; i < 4; ++i) {
      const ValueId in = graph.input(id, i + 1);
      const auto known = in != kNoValue ? known_ints(graph, in) : Ints();
      if (!known) return std::nullopt;
      *parts[i] = *known;
    }
  }
  for (std::size_t i = s.axes.size(); i < s.starts.size(); ++i) {
    s.axes.push_back(static_cast<std::int64_t>(i));
  }
  s.steps.resize(s.starts.size(), 1);
  if (s.ends.size() != s.starts.size() || s.axes.size() != s.starts.size()) return std::nullopt;
  return s;
}

void bypass(Graph& graph, NodeId node, ValueId value) {
  graph.replace_uses(graph.output(node), value);
  graph.remove_node(node);
}

void take_description(Graph& graph, ValueId from, ValueId to) {
  Value& source = graph.value(from);
  Value& target = graph.value(to);
  std::swap(source.name, target.name);
  target.dtype = source.dtype;
  target.shape = source.shape;
  target.contents = source.contents;
}

void absorb(Graph& graph, NodeId user, NodeId producer) {
  const ValueId from = graph.output(user), to = graph.output(producer);
  take_description(graph, from, to);
  graph.replace_uses(from, to);
  graph.remove_node(user);
}

NodeId replace_node(Graph& graph, NodeId old, std::string_view op_type, std::vector<ValueId> inputs,
                    Attributes attributes, std::string_view domain) {
  const NodeId added =
      graph.add_node(old, op_type, std::move(inputs), std::move(attributes), domain);
  const std::vector<ValueId> old_inputs = graph.node(old).inputs;
  absorb(graph, old, added);
  for (const ValueId in : old_inputs) {
    if (in != kNoValue) remove_unused(graph, in);
  }
  return added;
}

void retype(Graph& graph, NodeId node, std::string_view op_type, std::string_view domain) {
  Node& n = graph.node(node);
  n.op_type = op_type;
  n.domain = domain;
  n.opset = graph.opset(domain);
}

ValueId add_ints(Graph& graph, std::string name, const Ints& values) {
  return graph.add_constant(
      std::move(name),
      Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

ValueId add_floats(Graph& graph, std::string name, Shape shape, const std::vector<double>& values) {
  Tensor tensor(DType::kFloat32, std::move(shape));
  float* out = tensor.mutable_data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = static_cast<float>(values[i]);
  return graph.add_constant(std::move(name), std::move(tensor));
}

void remove_unused(Graph& graph, ValueId value) {
  std::vector<ValueId> pending = {value};
  while (!pending.empty()) {
    const ValueId last = pending.back();
    pending.pop_back();
    const NodeId node = graph.producer(last);
    if (node == kNoNode) continue;
    const std::vector<ValueId> outputs = graph.node(node).outputs;
    const bool used = std::any_of(outputs.begin(), outputs.end(), [&](ValueId out) {
      return out != kNoValue && (!graph.value(out).users.empty() || graph.is_output(out));
    });
    if (used) continue;
    const std::vector<ValueId> inputs = graph.node(node).inputs;
    graph.remove_node(node);
    pending.insert(pending.end(), inputs.begin(), inputs.end());
  }
}

}  // namespace mini_infer
