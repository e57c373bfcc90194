// before:  Conv(x, W', b') 1x1 -> y -> Conv(y, W, b) depthwise -> z      also FusedConv
// after:   PointwiseDepthwise(x, W, b, , slopes, W', b', slopes') -> z
// when:    y has no other use and is larger than caches usually are: it is then never written to
//          memory. Both are float32 with constant weights, without a residual or factors; the
//          first has neither stride nor border, the second a border of zeros

#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kLeastBytes = 512 << 10;
constexpr std::int64_t kLeastChannels = 16;  // fewer would leave blocks empty

bool all_are(const Ints& numbers, std::int64_t number) {
  return std::all_of(numbers.begin(), numbers.end(), [&](auto n) { return n == number; });
}

// Neither border nor stride; auto_pad adds nothing to a 1x1 kernel.
bool is_plain(const AttributeReader& node) {
  return all_are(node.ints("pads"), 0) && all_are(node.ints("strides"), 1) && !node.has("border");
}

bool is_convolution(const Graph& graph, NodeId id) {
  return id != kNoNode &&
         (graph.node(id).is("Conv", "") || graph.node(id).is("FusedConv", kInternalDomain));
}

// Constant weights [a, b, kh, kw] of a convolution without a residual or factors for its channels.
std::optional<Shape> weights_of(const Graph& graph, NodeId conv) {
  const Tensor* w = graph.constant(graph.input(conv, 1));
  if (w == nullptr || w->shape().rank() != 4 || w->dtype() != DType::kFloat32) return std::nullopt;
  if (graph.input(conv, 3) != kNoValue || graph.input(conv, 5) != kNoValue) return std::nullopt;
  return w->shape();
}

bool large(const Graph& graph, ValueId y) {
  const auto& shape = graph.value(y).shape;
  const auto extents = shape ? shape->concrete() : std::nullopt;
  return extents && extents->rank() == 4 &&
         extents->elements(1, 4) * static_cast<std::int64_t>(sizeof(float)) >= kLeastBytes;
}

bool fuse(Graph& graph, NodeId depthwise) {
  const ValueId y = graph.input(depthwise, 0);
  if (y == kNoValue || !only_use(graph, y) || !has_dtype(graph, y, DType::kFloat32)) return false;
  const NodeId pointwise = graph.producer(y);
  if (!is_convolution(graph, pointwise) || !large(graph, y)) return false;
  const auto w = weights_of(graph, depthwise), w1 = weights_of(graph, pointwise);
  if (!w || !w1 || w1->elements(2, 4) != 1 || (*w1)[1] < kLeastChannels / 2) return false;
  const std::int64_t channels = (*w1)[0];
  const AttributeReader node(graph.node(depthwise)), first(graph.node(pointwise));
  if (channels < kLeastChannels || (*w)[0] != channels || (*w)[1] != 1 ||
      node.integer("group", 1) != channels || node.has("border") || !is_plain(first) ||
      first.integer("group", 1) != 1) {
    return false;
  }
  // The numbers of the activation, under other names.
  for (const char* name : {"activation", "activation_params"}) {
    const auto& attributes = graph.node(pointwise).attributes;
    if (const auto found = attributes.find(name); found != attributes.end()) {
      graph.node(depthwise).attributes[std::string("pointwise_") + name] = found->second;
    }
  }
  retype(graph, depthwise, "PointwiseDepthwise", kInternalDomain);
  graph.set_input(depthwise, 5, graph.input(pointwise, 1));
  graph.set_input(depthwise, 6, graph.input(pointwise, 2));
  graph.set_input(depthwise, 7, graph.input(pointwise, 4));
  graph.set_input(depthwise, 0, graph.input(pointwise, 0));
  remove_unused(graph, y);
  return true;
}

}  // namespace

Result<int> fuse_pointwise_depthwise(Graph& graph, PassContext& context) {
  if (!has_internal(context, "PointwiseDepthwise")) return 0;
  const auto rewrite = [&](NodeId id) { return fuse(graph, id); };
  const int plain = rewrite_each(graph, context, "Conv", rewrite);
  return plain + rewrite_each(graph, context, "FusedConv", rewrite, kInternalDomain);
}

}  // namespace mini_infer
