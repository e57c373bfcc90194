// before:  Gemm(Transpose(a), b)                  also the second operand
// after:   Gemm(a, b) {transA = 1}                or 0 where it was 1
// when:    the Transpose swaps the two axes of a matrix; it stays where it has other uses

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

bool swaps(const Graph& graph, NodeId transpose) {
  const Ints* perm = graph.attribute<Ints>(transpose, "perm");
  if (perm != nullptr) return *perm == Ints{1, 0};
  return rank_of(graph, graph.input(transpose, 0)) == std::optional<std::size_t>(2);
}

bool fuse(Graph& graph, NodeId gemm) {
  bool found = false;
  for (const std::size_t i : {0u, 1u}) {
    const ValueId in = graph.input(gemm, i);
    const NodeId transpose = in != kNoValue ? made_by(graph, in, "Transpose") : kNoNode;
    if (transpose == kNoNode || !swaps(graph, transpose)) continue;
    const char* name = i == 0 ? "transA" : "transB";
    const auto* before = graph.attribute<std::int64_t>(gemm, name);
    const bool was = before != nullptr && *before != 0;
    graph.node(gemm).attributes[name] = std::int64_t{was ? 0 : 1};
    graph.set_input(gemm, i, graph.input(transpose, 0));
    remove_unused(graph, in);
    found = true;
  }
  return found;
}

}  // namespace

Result<int> fuse_transpose_gemm(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Gemm", [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
