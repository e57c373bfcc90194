// before:  x -> Transpose(p) -> Transpose(q) -> y
// after:   x -> Transpose(r) -> y                   with r[i] = p[q[i]]
// when:    both have a perm; the first may have other uses, then it stays

#include "graph/passes/match.h"

namespace mini_infer {

Result<int> fuse_transposes(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Transpose", [&](NodeId id) {
    const NodeId first = made_by(graph, graph.input(id, 0), "Transpose");
    if (first == kNoNode) return false;
    const Ints* p = graph.attribute<Ints>(first, "perm");
    const Ints* q = graph.attribute<Ints>(id, "perm");
    if (p == nullptr || q == nullptr || p->size() != q->size()) return false;
    Ints r;
    for (const std::int64_t axis : *q) {
      if (axis < 0 || axis >= static_cast<std::int64_t>(p->size())) return false;
      r.push_back((*p)[static_cast<std::size_t>(axis)]);
    }
    const ValueId between = graph.input(id, 0);
    graph.node(id).attributes["perm"] = std::move(r);
    graph.set_input(id, 0, graph.input(first, 0));
    remove_unused(graph, between);
    return true;
  });
}

}  // namespace mini_infer
