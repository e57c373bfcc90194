// before:  x -> Transpose(perm = 0,1,2,...) -> y
// after:   x
// when:    perm moves no axis, or x has rank 0 or 1

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

bool moves_nothing(const Graph& graph, NodeId id) {
  const auto rank = rank_of(graph, graph.input(id, 0));
  if (rank && *rank <= 1) return true;
  const Ints* perm = graph.attribute<Ints>(id, "perm");
  if (perm == nullptr || perm->empty()) return false;
  for (std::size_t i = 0; i < perm->size(); ++i) {
    if ((*perm)[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

}  // namespace

Result<int> eliminate_noop_transpose(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Transpose", [&](NodeId id) {
    if (graph.input(id, 0) == kNoValue || !moves_nothing(graph, id)) return false;
    bypass(graph, id, graph.input(id, 0));
    return true;
  });
}

}  // namespace mini_infer
