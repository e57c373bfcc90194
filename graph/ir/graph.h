// Graph: what a model means. Values are the edges, nodes the operators; both are named by small ids
// that stay valid until removed.
//
// Subgraphs are closed: a value that a subgraph uses from outside is made an explicit input. The
// last `captures` inputs of a control-flow node are what its subgraphs capture, and the last
// `captures` inputs of each of its subgraphs receive them, in the same order. So a subgraph can be
// simplified, planned and run like any other graph.
//
// Not thread-safe; const use from several threads is.
#pragma once

#include <mini_infer/status.h>
#include <mini_infer/tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ir/attribute.h"
#include "graph/ir/dim.h"

namespace mini_infer {

using ValueId = std::int32_t;
using NodeId = std::int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional input or output that is left out
inline constexpr NodeId kNoNode = -1;

// Domain of operators that exist only inside mini-infer: fused and layout nodes.
inline constexpr std::string_view kInternalDomain = "mini_infer";

// How the bytes of a value are arranged. kBlocked: [N,C,spatial...] stored as
// [N][ceil(C/c)][spatial...][c] with c = lanes of the instruction set; the lanes past C in the last
// block hold anything and no kernel lets them matter.
enum class Layout : std::uint8_t { kPlain, kBlocked };

struct Value {
  std::string name;
  DType dtype = DType::kUndefined;
  std::optional<SymShape> shape;  // no value: not even the rank is known
  Layout layout = Layout::kPlain;
  Tensor constant;  // empty unless the value is a constant (initialiser)
  // Contents of a small integer tensor as far as they are known, in row-major order (a scalar has
  // one): numbers and symbols. For shape arithmetic.
  std::optional<std::vector<Dim>> contents;
  NodeId producer = kNoNode;
  std::vector<NodeId> users;  // once for each use

  bool is_constant() const { return !constant.empty(); }
};

struct Node {
  std::string name;    // the ONNX node's name, or a synthetic one: "Conv_12"
  std::string domain;  // "" is ONNX's own
  std::string op_type;
  Attributes attributes;
  std::vector<ValueId> inputs;  // kNoValue where an optional one is left out
  std::vector<ValueId> outputs;
  int captures = 0;       // how many of the last inputs are captured by subgraphs
  int opset = 0;          // version of `domain` the node is written in
  std::int64_t rank = 0;  // order among nodes that do not depend on each other

  bool is(std::string_view type, std::string_view in_domain = "") const {
    return op_type == type && domain == in_domain;
  }
  std::string str() const;  // "node 'Conv_12' (Conv, opset 11)"
};

struct GraphOutput {
  std::string name;
  ValueId value = kNoValue;
};

class Graph {
 public:
  std::string name;
  std::map<std::string, int> opsets;  // by domain
  std::vector<ValueId> inputs;
  const std::vector<GraphOutput>& outputs() const { return outputs_; }

  // --- values
  ValueId add_value(std::string value_name, DType dtype = DType::kUndefined,
                    std::optional<SymShape> shape = {});
  ValueId add_constant(std::string value_name, Tensor tensor);
  ValueId add_input(std::string value_name, DType dtype, std::optional<SymShape> shape);
  void add_output(std::string output_name, ValueId value);
  void set_output(std::size_t index, ValueId value);
  void remove_output(std::size_t index);
  // Turns a produced value into a constant; a producer none of whose outputs is needed any more is
  // removed.
  void make_constant(ValueId value, Tensor tensor);

  Value& value(ValueId id) { return values_[static_cast<std::size_t>(id)]; }
  const Value& value(ValueId id) const { return values_[static_cast<std::size_t>(id)]; }
  std::size_t value_count() const { return values_.size(); }
  // The tensor of a constant value; nullptr for others and for kNoValue.
  const Tensor* constant(ValueId id) const;
  // Lets go of the bytes of constants that can be had again.
  void unread_constants();
  ValueId find_value(std::string_view value_name) const;  // kNoValue when there is none; linear
  bool is_output(ValueId id) const;
  bool is_input(ValueId id) const;
  // One use and no graph output: the producer may be fused into the user.
  bool only_use(ValueId id) const;

  // --- nodes
  // The outputs must be values without a producer.
  NodeId add_node(Node node);
  // A new node with `outputs` new values, named after `near` and with its place in the order. Its
  // opset is the graph's for the domain.
  NodeId add_node(NodeId near, std::string_view op_type, std::vector<ValueId> node_inputs,
                  Attributes attributes = {}, std::string_view domain = "",
                  std::size_t outputs = 1);
  Node& node(NodeId id) { return *nodes_[static_cast<std::size_t>(id)]; }
  const Node& node(NodeId id) const { return *nodes_[static_cast<std::size_t>(id)]; }
  bool alive(NodeId id) const {
    return id >= 0 && static_cast<std::size_t>(id) < nodes_.size() &&
           nodes_[static_cast<std::size_t>(id)].has_value();
  }
  std::size_t node_slots() const { return nodes_.size(); }
  std::size_t node_count() const;
  // Every node after the nodes whose values it uses. A cycle leaves its nodes out (verify() reports
  // it).
  std::vector<NodeId> order() const;
  // Nodes of one type, in order.
  std::vector<NodeId> nodes_of(std::string_view op_type, std::string_view domain = "") const;
  NodeId producer(ValueId id) const { return id == kNoValue ? kNoNode : value(id).producer; }
  // The producer of a value if it is of that type, else kNoNode.
  NodeId producer_of_type(ValueId id, std::string_view op_type, std::string_view domain = "") const;
  // kNoValue where the node has fewer inputs or outputs.
  ValueId input(NodeId id, std::size_t index) const;
  ValueId output(NodeId id, std::size_t index = 0) const;

  // --- mutators that keep use lists right
  void set_input(NodeId id, std::size_t index, ValueId value);  // grows the inputs when needed
  void remove_input(NodeId id, std::size_t index);
  // All uses of `from`, graph outputs included, use `to` from now on.
  void replace_uses(ValueId from, ValueId to);
  // The outputs must be without uses.
  void remove_node(NodeId id);
  // `value` (without a producer) becomes the node's output at `index`; what was there loses its
  // producer.
  void set_node_output(NodeId id, std::size_t index, ValueId value);

  // The attribute, or nullptr where it is missing or of another kind.
  template <class T>
  const T* attribute(NodeId id, std::string_view attribute_name) const {
    const Attributes& attributes = node(id).attributes;
    const auto it = attributes.find(attribute_name);
    return it == attributes.end() ? nullptr : std::get_if<T>(&it->second);
  }

  // Consistency: ids, use lists, producers, cycles. A failure is a bug of whoever changed the graph
  // last.
  Status verify() const;
  // A line a node: `%y: float32[N,64,112,112] = Conv(%x, %w) {strides=[2,2]}  # Conv_0`.
  std::string print() const;

  // Version of a domain that new nodes are written in; 1 where the model does not import it.
  int opset(std::string_view domain = "") const;

 private:
  void add_user(ValueId value, NodeId user);
  void remove_user(ValueId value, NodeId user);

  std::vector<Value> values_;
  std::vector<std::optional<Node>> nodes_;
  std::vector<GraphOutput> outputs_;
  std::int64_t next_rank_ = 0;
};

// In their order.
std::vector<std::string> input_names(const Graph& graph);
std::vector<std::string> output_names(const Graph& graph);

}  // namespace mini_infer
