// before:  x -> Relu -> y -> Relu -> z           also Ceil, Floor, Round, Abs, Sign, Clip, ...
// after:   x -> Relu -> y
// when:    both are the same operator with the same attributes and the same other inputs

#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// The same numbers and texts; the operators here have no other attributes.
bool same_attributes(const Attributes& a, const Attributes& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           if (x.first != y.first || x.second.index() != y.second.index()) return false;
           const auto* f = std::get_if<float>(&x.second);
           return f != nullptr && *f == std::get<float>(y.second);
         });
}

}  // namespace

Result<int> eliminate_idempotent(Graph& graph, PassContext& context) {
  return rewrite_each(
      graph, context, {"Relu", "Ceil", "Floor", "Round", "Abs", "Sign", "Clip"}, [&](NodeId id) {
        const ValueId y = graph.input(id, 0);
        const NodeId first = y != kNoValue ? made_by(graph, y, graph.node(id).op_type) : kNoNode;
        if (first == kNoNode) return false;
        const Node &a = graph.node(first), &b = graph.node(id);
        const bool same_inputs =
            a.inputs.size() == b.inputs.size() &&
            std::equal(a.inputs.begin() + 1, a.inputs.end(), b.inputs.begin() + 1);
        if (!same_inputs || a.opset != b.opset || !same_attributes(a.attributes, b.attributes)) {
          return false;
        }
        bypass(graph, id, y);
        return true;
      });
}

}  // namespace mini_infer
