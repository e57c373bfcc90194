// Where an operand's elements lie, seen through nodes that only move them (Transpose, Reshape,
// Split, Slice, Gather of one index, Expand): so that a fused operator reads them where they come
// from, and writes its result where such nodes would take it.
#pragma once

#include <optional>
#include <vector>

#include "graph/ir/graph.h"

namespace mini_infer {

// `extent` elements, `stride` apart.
struct Run {
  std::int64_t extent = 1, stride = 0;
  bool operator==(const Run&) const = default;
};
// An axis of a view is an index in mixed radix: runs, the outermost first; none for extent 1.
using ViewAxis = std::vector<Run>;

// Element (i0, i1, ...) is element `offset` plus the runs' steps of `base`, which lies densely.
struct StridedView {
  ValueId base = kNoValue;
  std::int64_t offset = 0;
  std::vector<ViewAxis> axes;
};

// The shape of a value, where all extents are numbers and none is 0.
std::optional<Ints> known_extents(const Graph& graph, ValueId value);

// Joins runs that are one.
ViewAxis joined(const ViewAxis& axis);

// The value as it lies; no value when its shape is not all numbers or has no elements.
std::optional<StridedView> view_of(const Graph& graph, ValueId value);
// The same elements in an input of the base's producer. No value when that does more than move
// them, or moves them as no strides can tell.
std::optional<StridedView> view_before(const Graph& graph, const StridedView& view);
// The same elements in the output of a user of the base: Transpose or Reshape and its like, which
// keep all elements.
std::optional<StridedView> view_after(const Graph& graph, const StridedView& view, NodeId user);

}  // namespace mini_infer
