// before:  Concat over the channels of x[:,:,0::2,0::2], x[:,:,1::2,0::2], ...   four quarters
// after:   SpaceToDepth(x) {blocksize = 2}, or Focus(x) {block = 2, order} in another order
// when:    each quarter is cut by one Slice or one for each axis, with constant arguments up to the
//          end; order[k] = 2 * row + column where quarter k starts. Where there is no Focus, the
//          Conv that follows gets its channels in SpaceToDepth's order.

#include <array>
#include <cstring>
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

// The weights of the Conv that alone reads the quarters, their channels reordered; false where
// there is no such.
bool reorder_channels(Graph& graph, ValueId quarters, const Ints& order) {
  if (!only_use(graph, quarters)) return false;
  const NodeId conv = graph.value(quarters).users[0];
  const ValueId weights_id = graph.input(conv, 1);
  const Tensor* weights = graph.constant(weights_id);
  if (!graph.node(conv).is("Conv") || graph.input(conv, 0) != quarters || weights == nullptr ||
      weights->dtype() != DType::kFloat32 || weights->shape().rank() != 4 ||
      weights->shape()[1] % 4 != 0 || AttributeReader(graph.node(conv)).integer("group", 1) != 1) {
    return false;
  }
  const Shape& w = weights->shape();
  Tensor reordered(DType::kFloat32, w);
  const std::int64_t quarter = w.elements(1, 4) / 4;
  const float* in = weights->data<float>();
  float* out = reordered.mutable_data<float>();
  for (std::int64_t oc = 0; oc < w[0]; ++oc, out += 4 * quarter) {
    for (const std::int64_t place : order) {
      std::memcpy(out + place * quarter, in, static_cast<std::size_t>(quarter) * sizeof(float));
      in += quarter;
    }
  }
  graph.set_input(
      conv, 1,
      graph.add_constant(graph.value(weights_id).name + "_reordered", std::move(reordered)));
  return true;
}

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
  const bool in_rows = order == Ints{0, 1, 2, 3};
  if (in_rows ||
      (!has_internal(context, "Focus") && reorder_channels(graph, graph.output(concat), order))) {
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
