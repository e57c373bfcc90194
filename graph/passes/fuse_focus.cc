// before:  Concat over the channels of x[:,:,0::2,0::2], x[:,:,1::2,0::2], ...   four quarters
// after:   SpaceToDepth(x) {blocksize = 2}, or Focus(x) {block = 2, order} in another order
// when:    each quarter is cut by one Slice or one for each axis, with constant arguments up to the
//          end; order[k] = 2 * row + column where quarter k starts

#include <array>
#include <limits>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// Where a quarter starts and how it steps, by axis.
struct Quarter {
  ValueId x = kNoValue;
  std::array<std::int64_t, 4> starts = {0, 0, 0, 0};
  std::array<std::int64_t, 4> steps = {1, 1, 1, 1};
};

bool to_the_end(std::int64_t end, const Dim& extent) {
  return end >= std::numeric_limits<std::int32_t>::max() ||
         (extent.known() && end >= extent.value());
}

// Takes one Slice more into account, whose input is q.x afterwards. Steps below multiply.
bool prepend(const Graph& graph, NodeId slice, Quarter& q) {
  const auto arguments = slice_arguments(graph, slice);
  const ValueId in = graph.input(slice, 0);
  if (!arguments || rank_of(graph, in) != std::optional<std::size_t>(4)) return false;
  for (std::size_t i = 0; i < arguments->starts.size(); ++i) {
    const auto axis = normal_axis(arguments->axes[i], 4);
    const std::int64_t start = arguments->starts[i], step = arguments->steps[i];
    if (!axis || start < 0 || start > 1 || step < 1 || step > 2 ||
        !to_the_end(arguments->ends[i], (*graph.value(in).shape)[*axis])) {
      return false;
    }
    q.starts[*axis] = start + step * q.starts[*axis];
    q.steps[*axis] *= step;
  }
  q.x = in;
  return true;
}

std::optional<Quarter> quarter(const Graph& graph, ValueId value) {
  Quarter q{.x = value};
  // One Slice for both axes, or one for each; any more are not of this pattern.
  for (int i = 0; i < 2 && q.steps != std::array<std::int64_t, 4>{1, 1, 2, 2}; ++i) {
    const NodeId slice = made_by(graph, q.x, "Slice");
    if (slice == kNoNode || !prepend(graph, slice, q)) return std::nullopt;
  }
  const bool cut =
      q.steps == std::array<std::int64_t, 4>{1, 1, 2, 2} && q.starts[0] == 0 && q.starts[1] == 0;
  return cut ? std::optional(q) : std::nullopt;
}

bool even(const Dim& extent) { return !extent.known() || extent.value() % 2 == 0; }

bool fuse(Graph& graph, PassContext& context, NodeId concat) {
  const auto* axis = graph.attribute<std::int64_t>(concat, "axis");
  if (graph.node(concat).inputs.size() != 4 || (axis != nullptr && *axis != 1 && *axis != -3)) {
    return false;
  }
  Ints order;
  ValueId x = kNoValue;
  unsigned seen = 0;
  for (const ValueId in : graph.node(concat).inputs) {
    const auto q = quarter(graph, in);
    if (!q || (x != kNoValue && q->x != x)) return false;
    x = q->x;
    order.push_back(2 * q->starts[2] + q->starts[3]);
    seen |= 1u << order.back();
  }
  const SymShape& shape = *graph.value(x).shape;
  if (seen != 15u || !even(shape[2]) || !even(shape[3])) return false;
  if (order == Ints{0, 1, 2, 3}) {
    replace_node(graph, concat, "SpaceToDepth", {x}, {{"blocksize", std::int64_t{2}}});
    return true;
  }
  if (!has_internal(context, "Focus")) return false;
  replace_node(graph, concat, "Focus", {x}, {{"block", std::int64_t{2}}, {"order", order}},
               kInternalDomain);
  return true;
}

}  // namespace

Result<int> fuse_focus(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Concat",
                      [&](NodeId id) { return fuse(graph, context, id); });
}

}  // namespace mini_infer
