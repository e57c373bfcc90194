// Versions that let operators do more, and operators that did not exist.
#include <limits>

#include "graph/ir/text.h"
#include "graph/passes/lower_opset_steps.h"
#include "graph/passes/match.h"
#include "graph/passes/opset_step.h"
#include "graph/passes/restrict_operators.h"

namespace mini_infer::undo {
namespace {

DType dtype_of(const Graph& graph, ValueId value) {
  return value == kNoValue ? DType::kUndefined : graph.value(value).dtype;
}

// Both are known to be something else.
bool differ(const Graph& graph, ValueId a, ValueId b) {
  const DType x = dtype_of(graph, a), y = dtype_of(graph, b);
  return x != DType::kUndefined && y != DType::kUndefined && x != y;
}

// What the node gives goes through another node, which gives it its name.
void put_behind(Graph& graph, NodeId id, std::string_view type, std::vector<ValueId> arguments,
                Attributes attributes) {
  const ValueId y = graph.output(id);
  const ValueId between = graph.add_value(name_of(graph, id, "before"), graph.value(y).dtype);
  graph.set_node_output(id, 0, between);
  arguments.insert(arguments.begin(), between);
  graph.add_node({.name = name_of(graph, id, "after"),
                  .op_type = std::string(type),
                  .attributes = std::move(attributes),
                  .inputs = std::move(arguments),
                  .outputs = {y},
                  .opset = graph.opset(),
                  .rank = graph.node(id).rank});
}

// All extents from this axis on are 1.
bool all_ones(const SymShape& shape, std::size_t axis) {
  for (std::size_t i = axis; i < shape.rank(); ++i) {
    if (!(shape[i] == Dim(1))) return false;
  }
  return true;
}

}  // namespace

std::string decompose(Graph& graph, NodeId id) {
  for (const Decomposition& each : decompositions()) {
    if (each.type == graph.node(id).op_type && each.apply(graph, id)) return "";
  }
  return "older operators say it for float32 of known rank and one output only";
}

std::string without_mask(Graph& graph, NodeId id) {
  return keep_first_output(graph, id) ? "" : "its mask is used, which was no bool";
}

std::string without_indices(Graph& graph, NodeId id) {
  return keep_first_output(graph, id) ? "" : "its indices are used";
}

std::string without_statistics(Graph& graph, NodeId id) {
  return keep_first_output(graph, id) ? "" : "its statistics are used";
}

std::string parameters_of_one_dtype(Graph& graph, NodeId id) {
  for (std::size_t i = 1; i < graph.node(id).inputs.size(); ++i) {
    if (differ(graph, graph.input(id, 0), graph.input(id, i))) {
      return cat("its parameters are ", dtype_of(graph, graph.input(id, i)), ", its input is ",
                 dtype_of(graph, graph.input(id, 0)));
    }
  }
  return "";
}

std::string exponent_of_same_dtype(Graph& graph, NodeId id) {
  const ValueId x = graph.input(id, 0), exponent = graph.input(id, 1);
  if (!differ(graph, x, exponent)) return "";
  const auto to = static_cast<std::int64_t>(dtype_of(graph, x));
  const NodeId cast = graph.add_node(id, "Cast", {exponent}, {{"to", to}});
  graph.set_input(id, 1, graph.output(cast));
  return "";
}

std::string scale_of_same_dtype(Graph& graph, NodeId id) {
  if (!differ(graph, graph.input(id, 0), graph.input(id, 1))) return "";
  return cat("its scale is ", dtype_of(graph, graph.input(id, 1)), ", its input is ",
             dtype_of(graph, graph.input(id, 0)));
}

std::string scales_of_float32(Graph& graph, NodeId id) {
  for (const std::size_t i : {1U, 4U, 6U}) {
    const DType dtype = dtype_of(graph, graph.input(id, i));
    if (dtype != DType::kUndefined && dtype != DType::kFloat32) return cat("a scale is ", dtype);
  }
  return "";
}

std::string one_scale(Graph& graph, NodeId id) {
  const ValueId scale = graph.input(id, 1);
  if (scale == kNoValue) return "it has no scale";
  const auto& shape = graph.value(scale).shape;
  if (shape && all_ones(*shape, 0)) return "";
  return shape ? cat("its scale has shape ", shape->str()) : "the shape of its scale is not known";
}

std::string dtype_of_zero_point(Graph& graph, NodeId id) {
  const auto wanted = static_cast<DType>(take<std::int64_t>(graph, id, "output_dtype").value_or(0));
  const ValueId zero = graph.input(id, 2);
  if (wanted == DType::kUndefined || dtype_of(graph, zero) == wanted) return "";
  if (zero == kNoValue && wanted == DType::kUInt8) return "";
  if (zero != kNoValue || wanted != DType::kInt8 || !one_scale(graph, id).empty()) {
    return cat("its attribute 'output_dtype' is ", wanted);
  }
  const Tensor none = Tensor::scalar(std::int8_t{0});
  graph.set_input(id, 2, graph.add_constant(name_of(graph, id, "zero_point"), none));
  return "";
}

std::string cast_to_known_dtype(Graph& graph, NodeId id) {
  const DType to = dtype_of(graph, graph.input(id, 1));
  if (to == DType::kUndefined) return "the dtype of its second input is not known";
  graph.node(id).op_type = "Cast";
  graph.node(id).attributes["to"] = static_cast<std::int64_t>(to);
  graph.remove_input(id, 1);
  return "";
}

std::string zero_c(Graph& graph, NodeId id) {
  if (graph.input(id, 2) != kNoValue) return "";
  const auto zero = add_scalar(graph, name_of(graph, id, "c"), graph.input(id, 0), 0);
  if (!zero) return cat("it has no C, and is ", dtype_of(graph, graph.input(id, 0)));
  graph.set_input(id, 2, *zero);
  return "";
}

std::string branches_of_one_shape(Graph& graph, NodeId id) {
  const GraphPtr* yes = graph.attribute<GraphPtr>(id, "then_branch");
  const GraphPtr* no = graph.attribute<GraphPtr>(id, "else_branch");
  if (yes == nullptr || no == nullptr) return "a branch is missing";
  const auto &a = (*yes)->outputs(), &b = (*no)->outputs();
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const auto rank = rank_of(**yes, a[i].value), other = rank_of(**no, b[i].value);
    if (rank && other && *rank != *other) {
      return cat("its branches give ranks ", *rank, " and ", *other);
    }
  }
  return "";
}

std::string at_least_one_carried(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const std::size_t own = node.inputs.size() - static_cast<std::size_t>(node.captures);
  return own >= 3 ? "" : "it carries no value from round to round";
}

std::string without_padded_keys(Graph& graph, NodeId id) {
  return graph.input(id, 6) == kNoValue ? "" : "it says how many keys are padding";
}

std::string equal_shapes(Graph& graph, NodeId id) {
  for (std::size_t i = 1; i < graph.node(id).inputs.size(); ++i) {
    if (!same_shape(graph, graph.input(id, 0), graph.input(id, i)))
      return "its inputs may differ in shape";
  }
  return "";
}

std::string sum_by_adds(Graph& graph, NodeId id) {
  if (equal_shapes(graph, id).empty()) return "";
  const std::vector<ValueId> inputs = graph.node(id).inputs;
  ValueId sum = inputs[0];
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    sum = graph.output(graph.add_node(id, "Add", {sum, inputs[i]}));
  }
  take_description(graph, graph.output(id), sum);
  bypass(graph, id, sum);
  return "";
}

// Softmax worked over all axes from `axis` on.
std::string softmax_over_rest(Graph& graph, NodeId id) {
  const ValueId x = graph.input(id, 0);
  const auto given = take<std::int64_t>(graph, id, "axis").value_or(-1);
  const auto rank = rank_of(graph, x);
  const auto axis = rank ? normal_axis(given, *rank) : std::nullopt;
  graph.node(id).attributes["axis"] = std::int64_t{-1};
  if (given == -1 && !axis) return "";
  if (!axis) return "the rank of its input is not known";
  graph.node(id).attributes["axis"] = static_cast<std::int64_t>(*axis);
  if (all_ones(*graph.value(x).shape, *axis + 1)) return "";
  const auto last = static_cast<std::int64_t>(*rank) - 1;
  Ints perm;
  for (std::int64_t i = 0; i <= last; ++i) perm.push_back(i);
  std::swap(perm[*axis], perm.back());
  const NodeId turned = graph.add_node(id, "Transpose", {x}, {{"perm", perm}});
  graph.set_input(id, 0, graph.output(turned));
  graph.value(graph.output(turned)).dtype = graph.value(x).dtype;
  put_behind(graph, id, "Transpose", {}, {{"perm", perm}});
  graph.node(id).attributes["axis"] = last;
  return "";
}

// Shape gave all extents.
std::string slice_shape(Graph& graph, NodeId id) {
  const auto start = take<std::int64_t>(graph, id, "start").value_or(0);
  const auto end = take<std::int64_t>(graph, id, "end");
  if (start == 0 && !end) return "";
  const Ints bounds[] = {{start}, {end.value_or(std::numeric_limits<std::int64_t>::max())}, {0}};
  std::vector<ValueId> arguments;
  for (const Ints& bound : bounds) {
    arguments.push_back(add_ints(graph, name_of(graph, id, "bound"), bound));
  }
  put_behind(graph, id, "Slice", std::move(arguments), {});
  return "";
}

std::string no_new_reduction(Graph& graph, NodeId id) {
  const auto* reduction = graph.attribute<std::string>(id, "reduction");
  const bool is_new = reduction != nullptr && (*reduction == "max" || *reduction == "min");
  return is_new ? cat("its attribute 'reduction' is \"", *reduction, "\"") : "";
}

std::string scatter_as_before(Graph& graph, NodeId id) {
  graph.node(id).op_type = "Scatter";
  return "";
}

}  // namespace mini_infer::undo
