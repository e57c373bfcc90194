// What passes share: reading operands, and the few ways to put a rewrite into the graph.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/ir/constants.h"
#include "graph/ir/graph.h"
#include "graph/passes/pass.h"

namespace mini_infer {

// --- walking

// Graph::nodes_of, quick when there is none.
std::vector<NodeId> nodes_in_order(const Graph& graph, std::string_view op_type,
                                   std::string_view domain);

// Calls rewrite(NodeId) for the nodes of one type, in order, as long as rewrites are allowed; it
// says whether it rewrote. Returns how often it did.
template <class F>
int rewrite_each(Graph& graph, PassContext& context, std::string_view op_type, F&& rewrite,
                 std::string_view domain = "") {
  int count = 0;
  for (const NodeId id : nodes_in_order(graph, op_type, domain)) {
    if (context.rewrites_left <= 0) break;
    const bool valid =
        graph.alive(id) && graph.node(id).is(op_type, domain) && graph.output(id) != kNoValue;
    if (!valid || !rewrite(id)) continue;
    --context.rewrites_left;
    ++count;
  }
  return count;
}

template <class F>
int rewrite_each(Graph& graph, PassContext& context,
                 std::initializer_list<std::string_view> op_types, F&& rewrite) {
  int count = 0;
  for (const std::string_view type : op_types) {
    count += rewrite_each(graph, context, type, rewrite);
  }
  return count;
}

// --- reading

// The one number in a constant with one element.
std::optional<double> scalar_constant(const Graph& graph, ValueId value);
// Whether a constant has one element, which is `number` up to float rounding.
bool is_number(const Graph& graph, ValueId value, double number);
// The number that all elements of a constant are, if they are one.
std::optional<double> uniform_constant(const Graph& graph, ValueId value);
// Elements of a constant, or of a value whose contents are completely known.
std::optional<Ints> known_ints(const Graph& graph, ValueId value);
// Float elements of a float32 constant.
std::optional<std::vector<double>> known_numbers(const Graph& graph, ValueId value);

// A float32 constant as one number for each channel: elements with the same index on its axis
// `channel_axis` are all equal, and there are `channels` of them or one. `channel_axis` may be
// negative or past the end, for an operand that has no such axis.
std::optional<std::vector<double>> channel_numbers(const Graph& graph, ValueId value,
                                                   std::int64_t channel_axis, std::size_t channels);

std::optional<std::size_t> rank_of(const Graph& graph, ValueId value);
// The shape, where all its extents are numbers.
std::optional<Shape> known_shape(const Graph& graph, ValueId value);
// Both shapes are known and equal, symbols included.
bool same_shape(const Graph& graph, ValueId a, ValueId b);
bool has_dtype(const Graph& graph, ValueId value, DType dtype);
bool has_subgraph(const Node& node);
// Where the node keeps its subgraphs.
std::vector<GraphPtr*> subgraphs_of(Node& node);
// Before opset 7, Add, Sub, Mul and Div could say where the second operand starts instead of
// aligning the last axes.
bool has_legacy_broadcast(const Node& node);
// Whether an internal operator exists in this build.
bool has_internal(const PassContext& context, std::string_view op_type);
// Negative axes count from the end; no value when out of range.
std::optional<std::size_t> normal_axis(std::int64_t axis, std::size_t rank);

// A node of that type whose first output is `value`, for use in nested patterns: kNoValue in,
// kNoNode out.
inline NodeId made_by(const Graph& graph, ValueId value, std::string_view op_type,
                      std::string_view domain = "") {
  const NodeId id = graph.producer_of_type(value, op_type, domain);
  return id != kNoNode && graph.output(id) == value ? id : kNoNode;
}
// Graph::only_use, false for kNoValue.
inline bool only_use(const Graph& graph, ValueId value) {
  return value != kNoValue && graph.only_use(value);
}
// The same, and `value` has no other use: the node may vanish.
NodeId made_only_for(const Graph& graph, ValueId value, std::string_view op_type,
                     std::string_view domain = "");
// The input of a node with two inputs that is not `value`; kNoValue when neither or both are.
ValueId other_input(const Graph& graph, NodeId node, ValueId value);
// The arguments of a Slice, one of each for every axis in `axes`, where all are known.
struct SliceArguments {
  Ints starts, ends, axes, steps;
};
std::optional<SliceArguments> slice_arguments(const Graph& graph, NodeId slice);
// The operands of a node with two inputs, the second a constant with one element that does not
// raise the rank of the first. Commutative nodes have it on either side; others as input 1 only.
struct ScalarOperand {
  ValueId x;
  double number;
};
std::optional<ScalarOperand> scalar_operand(const Graph& graph, NodeId node);

// --- writing

// All uses of the node's output take `value` instead, and the node is removed.
void bypass(Graph& graph, NodeId node, ValueId value);
// `producer` now does the work of `user`, the only user of its output: the output takes the name,
// dtype and shape of the user's, which is removed.
void absorb(Graph& graph, NodeId user, NodeId producer);
// A new node gives what output 0 of `old` gave: name, dtype, shape and uses go over; `old` is
// removed, and what was computed for it alone.
NodeId replace_node(Graph& graph, NodeId old, std::string_view op_type, std::vector<ValueId> inputs,
                    Attributes attributes = {}, std::string_view domain = "");
// The node becomes one of another type, in place; its opset is the graph's for the domain.
void retype(Graph& graph, NodeId node, std::string_view op_type, std::string_view domain);
ValueId add_ints(Graph& graph, std::string name, const Ints& values);
// A float32 constant, rounded from double.
ValueId add_floats(Graph& graph, std::string name, Shape shape, const std::vector<double>& values);
// `to` gets the description of `from`, whose uses it is about to take over.
void take_description(Graph& graph, ValueId from, ValueId to);
// Removes the nodes upstream of `value` that nobody needs any more.
void remove_unused(Graph& graph, ValueId value);

}  // namespace mini_infer
