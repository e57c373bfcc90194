#include "engine/batch.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "graph/passes/match.h"
#include "graph/passes/padding.h"

namespace mini_infer {
namespace {

// What is known on the way through a graph.
struct Images {
  const Graph& graph;
  std::int64_t count;
  std::vector<bool> batched;  // by value: its first axis is that of the images

  bool is_batched(ValueId id) const {
    return id != kNoValue && batched[static_cast<std::size_t>(id)];
  }
  // The same for all images. So is what is left out.
  bool is_shared(ValueId id) const { return !is_batched(id); }
  const SymShape* shape(ValueId id) const {
    return id != kNoValue && graph.value(id).shape ? &*graph.value(id).shape : nullptr;
  }
  std::size_t rank(ValueId id) const { return shape(id) != nullptr ? shape(id)->rank() : 0; }
  bool has_images_first(ValueId id) const {
    const SymShape* s = shape(id);
    return s != nullptr && s->rank() > 0 && (*s)[0].known() && (*s)[0].value() == count;
  }
  bool all_shared_from(const Node& node, std::size_t first) const {
    for (std::size_t i = first; i < node.inputs.size(); ++i) {
      if (!is_shared(node.inputs[i])) return false;
    }
    return true;
  }
};

using Rule = bool (*)(const Images&, NodeId);

// Input 0 has images, everything else is a parameter.
bool of_data(const Images& im, NodeId id) {
  const Node& node = im.graph.node(id);
  return im.is_batched(node.inputs[0]) && im.all_shared_from(node, 1);
}

// The second output of a pool counts elements from the start of the batch.
bool of_pool(const Images& im, NodeId id) {
  return of_data(im, id) && im.graph.node(id).outputs.size() == 1;
}

// In training, statistics are those of the batch.
bool of_batch_norm(const Images& im, NodeId id) {
  const auto* training = im.graph.attribute<std::int64_t>(id, "training_mode");
  return of_pool(im, id) && (training == nullptr || *training == 0);
}

// Sizes name the number of images, scales do not.
bool of_resize(const Images& im, NodeId id) {
  return of_data(im, id) && im.graph.input(id, 3) == kNoValue;
}

// The residual of a fused convolution has images, too.
bool of_conv(const Images& im, NodeId id) {
  const Node& node = im.graph.node(id);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const bool images = i == 0 || i == 3;
    if (node.inputs[i] != kNoValue && im.is_batched(node.inputs[i]) != images) return false;
  }
  return true;
}

bool of_elements(const Images& im, NodeId id) {
  const Node& node = im.graph.node(id);
  if (has_legacy_broadcast(node)) return false;
  const std::size_t rank = im.rank(node.outputs[0]);
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId in) {
    const SymShape* s = im.shape(in);
    if (in == kNoValue) return true;
    if (im.is_batched(in)) return s->rank() == rank;
    return s != nullptr && (s->rank() < rank || (*s)[0] == Dim(1));
  });
}

std::optional<std::size_t> axis_of(const Images& im, NodeId id, std::int64_t fallback) {
  const AttributeReader node(im.graph.node(id));
  return normal_axis(node.integer("axis", fallback), im.rank(im.graph.input(id, 0)));
}

template <std::int64_t kDefault>
bool along_axis(const Images& im, NodeId id) {
  return of_data(im, id) && axis_of(im, id, kDefault).value_or(0) != 0;
}

bool of_concat(const Images& im, NodeId id) {
  const std::vector<ValueId>& in = im.graph.node(id).inputs;
  const bool all = std::all_of(in.begin(), in.end(), [&](ValueId v) { return im.is_batched(v); });
  return all && axis_of(im, id, 1).value_or(0) != 0;
}

bool of_reshape(const Images& im, NodeId id) {
  const Ints* attribute = im.graph.attribute<Ints>(id, "shape");
  const auto target = attribute != nullptr ? std::optional(*attribute)
                                           : known_ints(im.graph, im.graph.input(id, 1));
  return of_data(im, id) && target && !target->empty() && (*target)[0] <= 0;
}

bool of_transpose(const Images& im, NodeId id) {
  const Ints* perm = im.graph.attribute<Ints>(id, "perm");
  return of_data(im, id) && perm != nullptr && !perm->empty() && (*perm)[0] == 0;
}

bool of_gemm(const Images& im, NodeId id) {
  const AttributeReader node(im.graph.node(id));
  const ValueId c = im.graph.input(id, 2);
  const bool one_row = c == kNoValue || im.rank(c) < 2 || (*im.shape(c))[0] == Dim(1);
  return of_data(im, id) && node.integer("transA", 0) == 0 && one_row;
}

bool of_matmul(const Images& im, NodeId id) {
  const Node& node = im.graph.node(id);
  // What follows the factors of a fused product: a bias.
  for (std::size_t i = 2; i < node.inputs.size(); ++i) {
    if (im.is_batched(node.inputs[i]) || im.rank(node.inputs[i]) > 1) return false;
  }
  if (node.attributes.contains("transA")) return false;
  const ValueId a = node.inputs[0], b = node.inputs[1];
  if (im.is_batched(a) && im.is_batched(b)) return im.rank(a) == im.rank(b) && im.rank(a) > 2;
  return im.is_batched(a) && im.rank(a) >= 2 && im.rank(b) <= 2;
}

// The axes that a node names are known, and the first is none of them.
bool along_other_axes(const Images& im, NodeId id, std::size_t axes_input) {
  const Ints* attribute = im.graph.attribute<Ints>(id, "axes");
  const auto axes = attribute != nullptr ? std::optional(*attribute)
                                         : known_ints(im.graph, im.graph.input(id, axes_input));
  if (!of_data(im, id) || !axes || axes->empty()) return false;
  return std::all_of(axes->begin(), axes->end(), [&](std::int64_t axis) {
    return normal_axis(axis, im.rank(im.graph.input(id, 0))).value_or(0) != 0;
  });
}

bool of_reduction(const Images& im, NodeId id) { return along_other_axes(im, id, 1); }
bool of_slice(const Images& im, NodeId id) { return along_other_axes(im, id, 3); }

bool of_pad(const Images& im, NodeId id) {
  return of_data(im, id) && padding_of(im.graph, id).has_value();
}

struct RuleFor {
  std::string_view op_type;
  Rule rule;
};
constexpr RuleFor kRules[] = {
    {"Conv", of_conv},
    {"FusedConv", of_conv},
    {"ConvTranspose", of_data},
    {"FusedConvTranspose", of_conv},
    {"MaxPool", of_pool},
    {"AveragePool", of_data},
    {"LpPool", of_data},
    {"GlobalMaxPool", of_data},
    {"GlobalAveragePool", of_data},
    {"BatchNormalization", of_batch_norm},
    {"InstanceNormalization", of_data},
    {"GroupNormalization", of_data},
    {"LRN", of_data},
    {"DepthToSpace", of_data},
    {"SpaceToDepth", of_data},
    {"Focus", of_data},
    {"Resize", of_resize},
    {"Upsample", of_data},
    {"PRelu", of_elements},
    {"Concat", of_concat},
    {"Split", along_axis<0>},
    {"Softmax", along_axis<-1>},
    {"LogSoftmax", along_axis<-1>},
    {"LayerNormalization", along_axis<-1>},
    {"Gather", along_axis<0>},
    {"Flatten", along_axis<1>},
    {"Squeeze", of_data},
    {"Unsqueeze", of_data},
    {"Reshape", of_reshape},
    {"Transpose", of_transpose},
    {"Gemm", of_gemm},
    {"FusedGemm", of_gemm},
    {"MatMul", of_matmul},
    {"FusedMatMul", of_matmul},
    {"ReduceMean", of_reduction},
    {"ReduceSum", of_reduction},
    {"ReduceMax", of_reduction},
    {"ReduceMin", of_reduction},
    {"Pad", of_pad},
    {"Slice", of_slice},
};

Rule rule_for(const Node& node, const OpLookup& ops) {
  if (!node.domain.empty() && node.domain != kInternalDomain) return nullptr;
  const OpDef* op = ops.find(node.domain, node.op_type, node.opset);
  if (op != nullptr && (op->traits & kElementwise) != 0) return of_elements;
  const auto* found = std::find_if(std::begin(kRules), std::end(kRules), [&](const RuleFor& rule) {
    return rule.op_type == node.op_type;
  });
  return found != std::end(kRules) ? found->rule : nullptr;
}

bool is_deterministic(const Node& node, const OpLookup& ops) {
  const OpDef* op = ops.find(node.domain, node.op_type, node.opset);
  return op != nullptr && (op->traits & kNotDeterministic) == 0;
}

// Marks what the node gives. False where images may meet, or would get other numbers at each run.
bool follow(Images& im, NodeId id, const OpLookup& ops) {
  const Node& node = im.graph.node(id);
  if (!is_deterministic(node, ops)) return false;
  if (im.all_shared_from(node, 0)) return !has_subgraph(node);
  const Rule rule = rule_for(node, ops);
  if (rule == nullptr || !rule(im, id)) return false;
  for (const ValueId out : node.outputs) {
    if (out == kNoValue) continue;
    if (!im.has_images_first(out)) return false;
    im.batched[static_cast<std::size_t>(out)] = true;
  }
  return true;
}

double bytes_of(const Graph& graph, ValueId id) {
  const auto shape = graph.value(id).shape ? graph.value(id).shape->concrete() : std::nullopt;
  if (!shape) return 0;
  return static_cast<double>(shape->elements()) *
         static_cast<double>(dtype_size(graph.value(id).dtype));
}

}  // namespace

std::int64_t separate_images(const Graph& graph, const OpLookup& ops) {
  if (graph.inputs.empty()) return 1;
  const auto& first = graph.value(graph.inputs[0]).shape;
  if (!first || first->rank() == 0 || !(*first)[0].known() || (*first)[0].value() < 2) return 1;
  Images im{graph, (*first)[0].value(), std::vector<bool>(graph.value_count(), false)};
  for (const ValueId in : graph.inputs) {
    if (!im.has_images_first(in)) return 1;
    im.batched[static_cast<std::size_t>(in)] = true;
  }
  for (const NodeId id : graph.order()) {
    if (!follow(im, id, ops)) return 1;
  }
  // Results are put together as bytes, which text is not.
  const bool all =
      std::all_of(graph.outputs().begin(), graph.outputs().end(), [&](const GraphOutput& out) {
        return im.is_batched(out.value) && graph.value(out.value).dtype != DType::kString;
      });
  return all ? im.count : 1;
}

bool prefers_single_images(const Graph& graph, std::int64_t images) {
  // A batch that fits stays whole, and so do images of so little work that starting steps counts.
  constexpr double kCached = 4 << 20, kLeast = 256 << 10;
  double activations = 0, weights = 0;
  for (const NodeId id : graph.order()) {
    for (const ValueId out : graph.node(id).outputs) {
      if (out != kNoValue) activations += bytes_of(graph, out);
    }
    for (const ValueId in : graph.node(id).inputs) {
      if (graph.constant(in) != nullptr) weights += bytes_of(graph, in);
    }
  }
  const double image = activations / static_cast<double>(images);
  // Written, read, and read again by shortcuts.
  return activations > kCached && image > kLeast && 2.5 * image > weights;
}

int threads_for_images(std::int64_t images, int threads) {
  const std::int64_t rounds = (images + threads - 1) / threads;
  // What threads that share an image get done is about as much.
  constexpr double kBusy = 0.9;
  const bool busy = static_cast<double>(images) >= kBusy * static_cast<double>(rounds * threads);
  return busy ? threads : 1;
}

}  // namespace mini_infer
