// before:  LayerNormalization(x, g) -> a -> MatMul(a, W)      also Gemm, and the fused forms
// after:   LayerNormalization(x, g) -> a -> FusedMatMul(a, W) {alike_rows = 1}
// when:    W is constant, and x [1, ..., K] is one sequence or image; between the two, rows may be
//          moved (Reshape, Transpose and the like)
//
// Rows that were normalised have norms alike, so that Strassen's algorithm, whose sums mix rows,
// may compute the product: what is large in one row cannot swallow what is small in another. Those
// of a batch stay apart, for a NaN in one of them.
#include <algorithm>
#include <span>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

constexpr std::string_view kNormalizations[] = {
    "LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization",
    "SkipLayerNormalization", "SkipSimplifiedLayerNormalization"};
constexpr std::string_view kMoves[] = {"Reshape",   "Flatten",  "Squeeze",
                                       "Unsqueeze", "Identity", "Transpose"};

bool is_one_of(const Node& node, std::span<const std::string_view> types) {
  return std::ranges::find(types, node.op_type) != types.end();
}

// The extent of the last axis.
std::optional<std::int64_t> row_length(const Graph& graph, ValueId value) {
  const auto& shape = graph.value(value).shape;
  if (!shape || shape->rank() == 0) return std::nullopt;
  const Dim& last = (*shape)[shape->rank() - 1];
  return last.known() ? std::optional(last.value()) : std::nullopt;
}

// It normalises the last axis of one sequence.
bool normalises_rows(const Graph& graph, NodeId id) {
  const auto& shape = graph.value(graph.input(id, 0)).shape;
  if (!shape || shape->rank() < 3 || (*shape)[0] != Dim(1)) return false;
  const auto* axis = graph.attribute<std::int64_t>(id, "axis");
  return axis == nullptr || normal_axis(*axis, shape->rank()) == shape->rank() - 1;
}

// The last axis stays where it is.
bool keeps_rows(const Graph& graph, NodeId id) {
  if (row_length(graph, graph.input(id, 0)) != row_length(graph, graph.output(id))) return false;
  if (graph.node(id).op_type != "Transpose") return true;
  const auto* perm = graph.attribute<Ints>(id, "perm");
  return perm != nullptr && !perm->empty() &&
         perm->back() == static_cast<std::int64_t>(perm->size()) - 1;
}

bool has_alike_rows(const Graph& graph, ValueId value) {
  if (!row_length(graph, value)) return false;
  for (;;) {
    const NodeId id = graph.producer(value);
    if (id == kNoNode || graph.output(id) != value) return false;
    if (is_one_of(graph.node(id), kNormalizations)) return normalises_rows(graph, id);
    if (!is_one_of(graph.node(id), kMoves) || !keeps_rows(graph, id)) return false;
    value = graph.input(id, 0);
  }
}

bool infer(Graph& graph, PassContext& context, NodeId id, std::string_view fused) {
  const ValueId a = graph.input(id, 0), w = graph.input(id, 1);
  if (!has_internal(context, fused) || graph.attribute<std::int64_t>(id, "alike_rows") != nullptr ||
      !has_dtype(graph, a, DType::kFloat32) || graph.constant(w) == nullptr ||
      !has_alike_rows(graph, a)) {
    return false;
  }
  retype(graph, id, fused, kInternalDomain);
  graph.node(id).attributes["alike_rows"] = std::int64_t{1};
  return true;
}

}  // namespace

Result<int> infer_alike_rows(Graph& graph, PassContext& context) {
  int count = 0;
  for (const std::string_view type : {"MatMul", "Gemm"}) {
    const std::string_view fused = type == "Gemm" ? "FusedGemm" : "FusedMatMul";
    const auto rewrite = [&](NodeId id) { return infer(graph, context, id, fused); };
    count += rewrite_each(graph, context, type, rewrite);
    count += rewrite_each(graph, context, fused, rewrite, kInternalDomain);
  }
  return count;
}

}  // namespace mini_infer
