// before:  y = If(true, captures...) {then_branch, else_branch}
// after:   the nodes of then_branch, on the captured values
// when:    the condition is constant

#include <map>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

class Inliner {
 public:
  Inliner(Graph& to, const Graph& from, NodeId near) : to_(to), from_(from), near_(near) {}

  // The values of the outer graph that `from`'s outputs became.
  std::vector<ValueId> run(const std::vector<ValueId>& captured) {
    for (std::size_t i = 0; i < captured.size(); ++i) map_[from_.inputs[i]] = captured[i];
    for (const NodeId id : from_.order()) {
      Node node = from_.node(id);
      node.rank = to_.node(near_).rank;
      for (ValueId& in : node.inputs) in = mapped(in);
      for (ValueId& out : node.outputs) out = mapped(out);
      to_.add_node(std::move(node));
    }
    std::vector<ValueId> outputs;
    for (const GraphOutput& output : from_.outputs()) outputs.push_back(mapped(output.value));
    return outputs;
  }

 private:
  ValueId mapped(ValueId id) {
    if (id == kNoValue) return kNoValue;
    const auto it = map_.find(id);
    if (it != map_.end()) return it->second;
    const Value& value = from_.value(id);
    const ValueId added = value.is_constant() ? to_.add_constant(value.name, value.constant)
                                              : to_.add_value(value.name, value.dtype, value.shape);
    to_.value(added).contents = value.contents;
    return map_[id] = added;
  }

  Graph& to_;
  const Graph& from_;
  NodeId near_;
  std::map<ValueId, ValueId> map_;
};

bool inline_if(Graph& graph, NodeId id) {
  const auto condition = scalar_constant(graph, graph.input(id, 0));
  if (!condition) return false;
  const auto* found =
      graph.attribute<GraphPtr>(id, *condition != 0 ? "then_branch" : "else_branch");
  const Node node = graph.node(id);  // a copy keeps the branch alive
  if (found == nullptr || *found == nullptr) return false;
  const GraphPtr branch = *found;
  const std::vector<ValueId> captured(node.inputs.begin() + 1, node.inputs.end());
  if (branch->inputs.size() != captured.size() || branch->outputs().size() < node.outputs.size()) {
    return false;
  }
  const std::vector<ValueId> results = Inliner(graph, *branch, id).run(captured);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) graph.replace_uses(node.outputs[i], results[i]);
  }
  graph.remove_node(id);
  return true;
}

}  // namespace

Result<int> inline_constant_if(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "If", [&](NodeId id) { return inline_if(graph, id); });
}

}  // namespace mini_infer
