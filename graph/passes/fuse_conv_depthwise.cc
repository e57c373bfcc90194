// before:  Conv(x, W', b') -> y -> Conv(y, W, b) depthwise -> z                also FusedConv
// after:   PointwiseDepthwise(x, W, b, , slopes, W', b', slopes') -> z         where W' is 1x1
//          StemDepthwise(x, W, b, , slopes, W', b', slopes') -> z              where x is an image
// when:    y has no other use and is larger than caches usually are: it is then never written to
//          memory. Both are float32 with constant weights, without a residual or factors, and a
//          border is of zeros; a 1x1 convolution has neither stride nor border

#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kLeastBytes = 512 << 10;
constexpr std::int64_t kLeastChannels = 16;  // fewer would leave blocks empty
// Of an image: such inputs are read on the plain layout.
constexpr std::int64_t kMostImageChannels = 4;

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
  const auto extents = known_shape(graph, y);
  return extents && extents->rank() == 4 &&
         extents->elements(1, 4) * static_cast<std::int64_t>(sizeof(float)) >= kLeastBytes;
}

// What becomes of the first convolution.
enum class First { kNone, kPointwise, kStem };
First kind_of(const AttributeReader& first, const Shape& weights) {
  if (first.integer("group", 1) != 1) return First::kNone;
  if (weights[1] <= kMostImageChannels) {
    const bool fixed = first.string("auto_pad", "NOTSET") == "NOTSET" && !first.has("border");
    return fixed ? First::kStem : First::kNone;
  }
  const bool pointwise = weights.elements(2, 4) == 1 && weights[1] >= kLeastChannels / 2;
  return pointwise && is_plain(first) ? First::kPointwise : First::kNone;
}

// The attributes of the first convolution, under other names.
void take_over(Attributes& to, const AttributeReader& first, First kind) {
  const std::string prefix = kind == First::kStem ? "stem_" : "pointwise_";
  for (const char* name : {"activation", "activation_params"}) {
    const Attributes& attributes = first.node().attributes;
    if (const auto found = attributes.find(name); found != attributes.end())
      to[prefix + name] = found->second;
  }
  if (kind == First::kPointwise) return;
  const auto numbers = [&](const char* name, const Ints& if_none) {
    const Ints found = first.ints(name);
    return found.empty() ? if_none : found;
  };
  to["stem_strides"] = numbers("strides", {1, 1});
  to["stem_dilations"] = numbers("dilations", {1, 1});
  to["stem_pads"] = numbers("pads", {0, 0, 0, 0});
}

bool fuse(Graph& graph, NodeId depthwise) {
  const ValueId y = graph.input(depthwise, 0);
  if (y == kNoValue || !only_use(graph, y) || !has_dtype(graph, y, DType::kFloat32)) return false;
  const NodeId conv = graph.producer(y);
  if (!is_convolution(graph, conv) || !large(graph, y)) return false;
  const auto w = weights_of(graph, depthwise), w1 = weights_of(graph, conv);
  if (!w || !w1) return false;
  const std::int64_t channels = (*w1)[0];
  const AttributeReader node(graph.node(depthwise)), first(graph.node(conv));
  const First kind = kind_of(first, *w1);
  if (kind == First::kNone || channels < kLeastChannels || (*w)[0] != channels || (*w)[1] != 1 ||
      node.integer("group", 1) != channels || node.has("border")) {
    return false;
  }
  take_over(graph.node(depthwise).attributes, first, kind);
  retype(graph, depthwise, kind == First::kStem ? "StemDepthwise" : "PointwiseDepthwise",
         kInternalDomain);
  graph.set_input(depthwise, 5, graph.input(conv, 1));
  graph.set_input(depthwise, 6, graph.input(conv, 2));
  graph.set_input(depthwise, 7, graph.input(conv, 4));
  graph.set_input(depthwise, 0, graph.input(conv, 0));
  remove_unused(graph, y);
  return true;
}

}  // namespace

Result<int> fuse_conv_depthwise(Graph& graph, PassContext& context) {
  if (!has_internal(context, "PointwiseDepthwise") || !has_internal(context, "StemDepthwise"))
    return 0;
  const auto rewrite = [&](NodeId id) { return fuse(graph, id); };
  const int plain = rewrite_each(graph, context, "Conv", rewrite);
  return plain + rewrite_each(graph, context, "FusedConv", rewrite, kInternalDomain);
}

}  // namespace mini_infer
