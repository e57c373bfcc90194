// before:  x -> Shape -> Gather -> Unsqueeze -> Concat(.., -1) = s;  x -> Reshape(s) -> y
// after:   x -> Reshape(constant) -> y              with 0 and -1 in place of symbols
// when:    inference knows the elements of s as numbers and symbols, and the symbols can be
//          expressed: Reshape: extents of x at the same place, and one more
//          Expand:  extents of x at the same place (1 keeps them)
//          Slice:   ends that are the whole extent
//          Resize:  sizes that are a whole multiple of x (becomes a constant scale)
//
// What computed s vanishes as dead code. So the glue that exporters write around a symbolic batch
// goes as it would with a number.

#include <algorithm>
#include <limits>

#include "graph/passes/match.h"
#include "graph/passes/shape_argument.h"

namespace mini_infer {
namespace {

// Scales above this are no upsampling anyone writes.
constexpr std::int64_t kMostScale = 64;

// Known contents, one element at least a symbol (numbers alone are folded by fold_constants).
const std::vector<Dim>* symbols(const Graph& graph, ValueId value) {
  if (value == kNoValue || graph.constant(value) != nullptr) return nullptr;
  const auto& contents = graph.value(value).contents;
  return contents ? &*contents : nullptr;
}

void set_constant(Graph& graph, NodeId id, std::size_t index, const Ints& values) {
  const ValueId old = graph.input(id, index);
  graph.set_input(id, index, add_ints(graph, graph.value(old).name + "_folded", values));
  remove_unused(graph, old);
}

// What Reshape makes of `shape`: 0 and -1 solved where that is possible.
SymShape reshaped(const Graph& graph, NodeId id, const std::vector<Dim>& shape) {
  SymShape out(shape);
  const auto& inferred = graph.value(graph.output(id)).shape;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool open = shape[i].is(0) || shape[i].is(-1);
    if (open && inferred && inferred->rank() == shape.size()) out[i] = (*inferred)[i];
  }
  return out;
}

bool fold_reshape(Graph& graph, NodeId id) {
  const auto* shape = symbols(graph, graph.input(id, 1));
  const auto* allow_zero = graph.attribute<std::int64_t>(id, "allowzero");
  const ValueId x = graph.input(id, 0);
  if (shape == nullptr || x == kNoValue || (allow_zero != nullptr && *allow_zero != 0))
    return false;
  const SymShape in = graph.value(x).shape.value_or(SymShape());
  const auto argument = reshape_argument(in, reshaped(graph, id, *shape));
  if (!argument) return false;
  set_constant(graph, id, 1, *argument);
  return true;
}

bool fold_expand(Graph& graph, NodeId id) {
  const auto* shape = symbols(graph, graph.input(id, 1));
  const ValueId x = graph.input(id, 0);
  if (shape == nullptr || x == kNoValue || !graph.value(x).shape) return false;
  const SymShape& in = *graph.value(x).shape;
  if (shape->size() < in.rank()) return false;
  const std::size_t lead = shape->size() - in.rank();
  Ints argument;
  for (std::size_t i = 0; i < shape->size(); ++i) {
    const Dim& dim = (*shape)[i];
    if (dim.known()) {
      argument.push_back(dim.value());
    } else if (i >= lead && in[i - lead] == dim) {
      argument.push_back(1);
    } else {
      return false;
    }
  }
  set_constant(graph, id, 1, argument);
  return true;
}

bool fold_slice_ends(Graph& graph, NodeId id) {
  const auto* ends = symbols(graph, graph.input(id, 2));
  const auto starts = known_ints(graph, graph.input(id, 1));
  const ValueId x = graph.input(id, 0), axes_value = graph.input(id, 3);
  if (ends == nullptr || !starts || x == kNoValue || !graph.value(x).shape) return false;
  const SymShape& in = *graph.value(x).shape;
  Ints axes;
  if (axes_value == kNoValue) {
    for (std::size_t i = 0; i < ends->size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  } else if (const auto known = known_ints(graph, axes_value)) {
    axes = *known;
  }
  if (axes.size() != ends->size()) return false;
  Ints argument;
  for (std::size_t i = 0; i < ends->size(); ++i) {
    const auto axis = normal_axis(axes[i], in.rank());
    if (!axis) return false;
    const Dim& end = (*ends)[i];
    if (!end.known() && !(end == in[*axis])) return false;
    argument.push_back(end.known() ? end.value() : std::numeric_limits<std::int64_t>::max());
  }
  set_constant(graph, id, 2, argument);
  return true;
}

// k where `to` is k times `from`.
std::optional<float> whole_scale(const Dim& from, const Dim& to) {
  if (from == to) return 1.f;
  for (std::int64_t k = 2; k <= kMostScale; ++k) {
    if (from * Dim(k) == to) return static_cast<float>(k);
  }
  return std::nullopt;
}

bool fold_resize(Graph& graph, NodeId id) {
  const auto* sizes = symbols(graph, graph.input(id, 3));
  const ValueId x = graph.input(id, 0);
  if (sizes == nullptr || graph.node(id).opset < 11 || x == kNoValue || !graph.value(x).shape ||
      graph.value(x).shape->rank() != sizes->size() || graph.node(id).attributes.contains("axes") ||
      graph.node(id).attributes.contains("keep_aspect_ratio_policy")) {
    return false;
  }
  Floats scales;
  for (std::size_t i = 0; i < sizes->size(); ++i) {
    const auto scale = whole_scale((*graph.value(x).shape)[i], (*sizes)[i]);
    if (!scale) return false;
    scales.push_back(*scale);
  }
  const ValueId old = graph.input(id, 3);
  const auto count = static_cast<std::int64_t>(scales.size());
  graph.set_input(
      id, 2,
      graph.add_constant(graph.value(old).name + "_scales", Tensor::from<float>({count}, scales)));
  graph.remove_input(id, 3);
  remove_unused(graph, old);
  return true;
}

}  // namespace

Result<int> fold_shape_glue(Graph& graph, PassContext& context) {
  int count = 0;
  count +=
      rewrite_each(graph, context, "Reshape", [&](NodeId n) { return fold_reshape(graph, n); });
  count += rewrite_each(graph, context, "Expand", [&](NodeId n) { return fold_expand(graph, n); });
  count +=
      rewrite_each(graph, context, "Slice", [&](NodeId n) { return fold_slice_ends(graph, n); });
  count += rewrite_each(graph, context, "Resize", [&](NodeId n) { return fold_resize(graph, n); });
  return count;
}

}  // namespace mini_infer
