#include "graph/passes/strided_view.h"

#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

Ints dense_strides(const Ints& extents) {
  Ints strides(extents.size(), 1);
  for (std::size_t i = extents.size(); i-- > 1;) strides[i - 1] = strides[i] * extents[i];
  return strides;
}

// An affine map: index i of a value, axis by axis, lies `strides` apart from `offset` on in
// another. Without extents: both lie in the same order.
struct Move {
  Ints extents, strides;
  std::int64_t offset = 0;
};

// Cuts a run of the dense value into runs of single axes and maps these; reach[axis] grows by how
// far they go.
bool map_run(Run run, const Move& move, const Ints& dense, Ints& reach, ViewAxis& out) {
  if (run.extent == 1) return true;
  if (run.stride == 0) {
    out.push_back(run);
    return true;
  }
  std::size_t a = 0;
  while (a < dense.size() && (move.extents[a] == 1 || dense[a] > run.stride)) ++a;
  if (a == dense.size() || run.stride % dense[a] != 0) return false;
  const std::int64_t step = run.stride / dense[a], inside = move.extents[a] / step;
  if (run.extent > inside) {  // it goes on along axes further out
    const bool even = inside > 0 && move.extents[a] % step == 0 && run.extent % inside == 0;
    if (!even || !map_run({run.extent / inside, run.stride * inside}, move, dense, reach, out)) {
      return false;
    }
    run.extent = inside;
  }
  reach[a] += (run.extent - 1) * step;
  out.push_back({run.extent, step * move.strides[a]});
  return true;
}

std::optional<StridedView> mapped(StridedView view, const Move& move, ValueId base) {
  view.base = base;
  if (move.extents.empty()) return view;
  const Ints dense = dense_strides(move.extents);
  Ints reach;
  std::int64_t rest = view.offset;
  view.offset = move.offset;
  for (std::size_t a = 0; a < dense.size(); ++a) {
    reach.push_back(rest / dense[a]);
    rest %= dense[a];
    view.offset += reach[a] * move.strides[a];
  }
  for (ViewAxis& axis : view.axes) {
    ViewAxis out;
    for (const Run& run : axis) {
      if (!map_run(run, move, dense, reach, out)) return std::nullopt;
    }
    axis = joined(out);
  }
  for (std::size_t a = 0; a < reach.size(); ++a) {
    if (reach[a] >= move.extents[a]) return std::nullopt;  // a carry: no sum of strides
  }
  return view;
}

bool keeps_order(const Node& node) {
  return node.domain.empty() &&
         (node.op_type == "Reshape" || node.op_type == "Squeeze" || node.op_type == "Unsqueeze" ||
          node.op_type == "Flatten" || node.op_type == "Identity");
}

// --- from an output to the input, by operator; `x` and `y` are their extents

// Axis i of the output is axis permutation[i] of the input.
std::optional<std::vector<std::size_t>> permutation(const Graph& graph, NodeId id,
                                                    std::size_t rank) {
  const Ints* perm = graph.attribute<Ints>(id, "perm");
  if (perm != nullptr && perm->size() != rank) return std::nullopt;
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < rank; ++i) {
    const auto axis = perm != nullptr ? normal_axis((*perm)[i], rank) : rank - 1 - i;
    if (!axis) return std::nullopt;
    axes.push_back(*axis);
  }
  return axes;
}

std::optional<Move> transpose(const Graph& graph, NodeId id, const Ints& x, const Ints& y) {
  const auto axes = permutation(graph, id, x.size());
  if (!axes || x.size() != y.size()) return std::nullopt;
  const Ints dense = dense_strides(x);
  Move move{.extents = y, .strides = {}};
  for (const std::size_t axis : *axes) move.strides.push_back(dense[axis]);
  return move;
}

std::optional<Move> slice(const Graph& graph, NodeId id, const Ints& x, const Ints& y) {
  const auto arguments = slice_arguments(graph, id);
  if (!arguments || x.size() != y.size()) return std::nullopt;
  const Ints dense = dense_strides(x);
  Move move{.extents = y, .strides = dense};
  for (std::size_t i = 0; i < arguments->axes.size(); ++i) {
    const auto axis = normal_axis(arguments->axes[i], x.size());
    if (!axis || arguments->steps[i] < 1) return std::nullopt;
    const std::int64_t extent = x[*axis];
    std::int64_t start = arguments->starts[i];
    start = std::clamp<std::int64_t>(start < 0 ? start + extent : start, 0, extent);
    move.offset += start * dense[*axis];
    move.strides[*axis] *= arguments->steps[i];
  }
  return move;
}

std::optional<Move> split(const Graph& graph, NodeId id, ValueId output, const Ints& x,
                          const Ints& y) {
  const AttributeReader node(graph.node(id));
  const auto axis = normal_axis(node.integer("axis", 0), x.size());
  if (!axis || x.size() != y.size()) return std::nullopt;
  Move move{.extents = y, .strides = dense_strides(x)};
  for (const ValueId part : graph.node(id).outputs) {
    if (part == output) return move;
    const auto extents = known_extents(graph, part);
    if (!extents || extents->size() != x.size()) return std::nullopt;
    move.offset += (*extents)[*axis] * move.strides[*axis];
  }
  return std::nullopt;
}

// Of one constant index.
std::optional<Move> gather(const Graph& graph, NodeId id, const Ints& x, const Ints& y) {
  const AttributeReader node(graph.node(id));
  const auto axis = normal_axis(node.integer("axis", 0), x.size());
  const auto indices = known_ints(graph, graph.input(id, 1));
  const auto index_rank = rank_of(graph, graph.input(id, 1));
  if (!axis || !indices || indices->size() != 1 || !index_rank ||
      y.size() != x.size() - 1 + *index_rank) {
    return std::nullopt;
  }
  const auto index = normal_axis(indices->front(), static_cast<std::size_t>(x[*axis]));
  if (!index) return std::nullopt;
  Move move{.extents = y, .strides = dense_strides(x)};
  move.offset = static_cast<std::int64_t>(*index) * move.strides[*axis];
  const auto at = move.strides.begin() + static_cast<std::ptrdiff_t>(*axis);
  move.strides.insert(move.strides.erase(at), *index_rank, 0);
  return move;
}

std::optional<Move> expand(const Ints& x, const Ints& y) {
  if (x.size() > y.size()) return std::nullopt;
  const Ints dense = dense_strides(x);
  Move move{.extents = y, .strides = Ints(y.size() - x.size(), 0)};
  for (std::size_t i = 0; i < x.size(); ++i) move.strides.push_back(x[i] == 1 ? 0 : dense[i]);
  return move;
}

std::optional<Move> move_of(const Graph& graph, NodeId id, ValueId output) {
  const Node& node = graph.node(id);
  if (keeps_order(node)) return Move{};
  const auto x = known_extents(graph, graph.input(id, 0)), y = known_extents(graph, output);
  if (!x || !y || !node.domain.empty()) return std::nullopt;
  if (node.op_type == "Transpose") return transpose(graph, id, *x, *y);
  if (node.op_type == "Slice") return slice(graph, id, *x, *y);
  if (node.op_type == "Split") return split(graph, id, output, *x, *y);
  if (node.op_type == "Gather") return gather(graph, id, *x, *y);
  if (node.op_type == "Expand") return expand(*x, *y);
  return std::nullopt;
}

}  // namespace

std::optional<Ints> known_extents(const Graph& graph, ValueId value) {
  if (value == kNoValue || !graph.value(value).shape) return std::nullopt;
  Ints extents;
  for (const Dim& dim : graph.value(value).shape->dims()) {
    if (!dim.known() || dim.value() < 1) return std::nullopt;
    extents.push_back(dim.value());
  }
  return extents;
}

ViewAxis joined(const ViewAxis& axis) {
  ViewAxis out;
  for (const Run& run : axis) {
    if (!out.empty() && out.back().stride == run.stride * run.extent) {
      out.back() = {out.back().extent * run.extent, run.stride};
    } else {
      out.push_back(run);
    }
  }
  return out;
}

std::optional<StridedView> view_of(const Graph& graph, ValueId value) {
  const auto extents = known_extents(graph, value);
  if (!extents) return std::nullopt;
  StridedView view{.base = value};
  const Ints dense = dense_strides(*extents);
  for (std::size_t i = 0; i < extents->size(); ++i) {
    view.axes.push_back((*extents)[i] == 1 ? ViewAxis() : ViewAxis{{(*extents)[i], dense[i]}});
  }
  return view;
}

std::optional<StridedView> view_before(const Graph& graph, const StridedView& view) {
  const NodeId id = graph.producer(view.base);
  if (id == kNoNode || graph.input(id, 0) == kNoValue) return std::nullopt;
  const auto move = move_of(graph, id, view.base);
  return move ? mapped(view, *move, graph.input(id, 0)) : std::nullopt;
}

std::optional<StridedView> view_after(const Graph& graph, const StridedView& view, NodeId user) {
  const ValueId output = graph.output(user);
  if (graph.input(user, 0) != view.base || output == kNoValue) return std::nullopt;
  if (keeps_order(graph.node(user))) return mapped(view, Move{}, output);
  const auto x = known_extents(graph, view.base), y = known_extents(graph, output);
  if (!graph.node(user).is("Transpose") || !x || !y) return std::nullopt;
  const auto axes = permutation(graph, user, x->size());
  if (!axes || x->size() != y->size()) return std::nullopt;
  const Ints dense = dense_strides(*y);
  Move down{.extents = *x, .strides = Ints(x->size(), 0)};
  for (std::size_t i = 0; i < axes->size(); ++i) down.strides[(*axes)[i]] = dense[i];
  return mapped(view, down, output);
}

}  // namespace mini_infer
