// before:  Mul(x, s) -> y -> Conv(y, W, b) 1x1 -> z      s: [1, C, 1, 1]; also FusedConv
// after:   FusedConv(x, W, b, , , s) -> z                which multiplies W by s instead
// when:    y has no other use, there is one image, W is constant and smaller than the map, and
//          Strassen's algorithm, which needs W as it is, gains nothing
//
// What squeeze-and-excite ends with.
#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kLeastChannels = 8;      // fewer may be computed on the plain layout
constexpr std::int64_t kStrassenChannels = 96;  // of input and output, from which it gains more

// The extents of a value of four axes.
std::optional<Shape> extents_of(const Graph& graph, ValueId value) {
  if (!has_dtype(graph, value, DType::kFloat32)) return std::nullopt;
  auto extents = known_shape(graph, value);
  return extents && extents->rank() == 4 ? extents : std::nullopt;
}

// The operands of a product: a map of one image, and a factor for each of its channels.
struct Scaled {
  ValueId map, factors;
};
std::optional<Scaled> scaled_by_channel(const Graph& graph, NodeId mul) {
  const ValueId a = graph.input(mul, 0), b = graph.input(mul, 1);
  for (const Scaled& s : {Scaled{a, b}, Scaled{b, a}}) {
    const auto map = extents_of(graph, s.map), factors = extents_of(graph, s.factors);
    if (map && factors && (*map)[0] == 1 && *factors == Shape{1, (*map)[1], 1, 1} &&
        map->elements(2, 4) > 1) {
      return s;
    }
  }
  return std::nullopt;
}

bool pays(const Shape& weights, std::int64_t pixels, int block) {
  const std::int64_t oc = weights[0], ic = weights[1], both = std::min(ic, oc);
  const bool strassen = both >= kStrassenChannels && ic % (2 * block) == 0 && oc % (2 * block) == 0;
  return both >= kLeastChannels && 4 * oc <= 3 * pixels && !strassen;
}

bool fold(Graph& graph, NodeId conv, int block) {
  const ValueId y = graph.input(conv, 0);
  const NodeId mul = y != kNoValue ? made_only_for(graph, y, "Mul") : kNoNode;
  const Tensor* w = graph.constant(graph.input(conv, 1));
  if (mul == kNoNode || has_legacy_broadcast(graph.node(mul)) || w == nullptr) return false;
  if (w->dtype() != DType::kFloat32 || w->shape().rank() != 4 || w->shape().elements(2, 4) != 1 ||
      graph.input(conv, 5) != kNoValue) {
    return false;
  }
  const auto scaled = scaled_by_channel(graph, mul);
  if (!scaled) return false;
  const Shape map = *extents_of(graph, scaled->map);
  if (w->shape()[1] != map[1] || !pays(w->shape(), map.elements(2, 4), block)) return false;
  retype(graph, conv, "FusedConv", kInternalDomain);
  graph.set_input(conv, 5, scaled->factors);
  graph.set_input(conv, 0, scaled->map);
  remove_unused(graph, y);
  return true;
}

}  // namespace

Result<int> fold_channel_scale(Graph& graph, PassContext& context) {
  if (!has_internal(context, "FusedConv")) return 0;
  const auto rewrite = [&](NodeId id) { return fold(graph, id, context.block); };
  const int plain = rewrite_each(graph, context, "Conv", rewrite);
  return plain + rewrite_each(graph, context, "FusedConv", rewrite, kInternalDomain);
}

}  // namespace mini_infer
