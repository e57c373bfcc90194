// before:  x -> Pad -> y -> Conv {pads = q}             also AveragePool, MaxPool
// after:   x -> Conv {pads = p + q}
// when:    y has no other use; the paddings are constant, not negative and spatial only
//          Conv:        padded with 0; auto_pad is not used
//          AveragePool: padded with 0, which then counts: count_include_pad; q is 0 or counts too
//          MaxPool:     padded with -infinity or the lowest float

#include <algorithm>
#include <limits>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// Larger paddings are those of a broken file.
constexpr std::int64_t kMostPadding = 1 << 20;

struct Padding {
  Ints begin, end;  // spatial
  double value = 0;
};

std::optional<Ints> all_pads(const Graph& graph, NodeId pad, std::size_t rank) {
  if (graph.node(pad).opset < 11) {
    const Ints* pads = graph.attribute<Ints>(pad, graph.node(pad).opset == 1 ? "paddings" : "pads");
    return pads != nullptr ? std::optional(*pads) : std::nullopt;
  }
  const auto pads = known_ints(graph, graph.input(pad, 1));
  const ValueId axes_value = graph.input(pad, 3);
  if (!pads || axes_value == kNoValue) return pads;
  const auto axes = known_ints(graph, axes_value);
  if (!axes || pads->size() != 2 * axes->size()) return std::nullopt;
  Ints full(2 * rank, 0);
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const auto axis = normal_axis((*axes)[i], rank);
    if (!axis) return std::nullopt;
    full[*axis] = (*pads)[i];
    full[rank + *axis] = (*pads)[axes->size() + i];
  }
  return full;
}

std::optional<Padding> padding_of(const Graph& graph, NodeId pad) {
  const AttributeReader node(graph.node(pad));
  const auto rank = rank_of(graph, graph.input(pad, 0));
  if (!rank || *rank < 3 || node.string("mode", "constant") != "constant") return std::nullopt;
  const auto pads = all_pads(graph, pad, *rank);
  if (!pads || pads->size() != 2 * *rank) return std::nullopt;
  Padding padding{.value = static_cast<double>(node.number("value", 0.f))};
  if (graph.node(pad).opset >= 11 && graph.input(pad, 2) != kNoValue) {
    const auto value = scalar_constant(graph, graph.input(pad, 2));
    if (!value) return std::nullopt;
    padding.value = *value;
  }
  for (std::size_t i = 0; i < *rank; ++i) {
    const std::int64_t begin = (*pads)[i], end = (*pads)[*rank + i];
    if (begin < 0 || end < 0 || begin > kMostPadding || end > kMostPadding) return std::nullopt;
    if (i < 2 && begin + end != 0) return std::nullopt;
    if (i < 2) continue;
    padding.begin.push_back(begin);
    padding.end.push_back(end);
  }
  return padding;
}

// The node's own paddings, begins first.
std::optional<Ints> window_pads(const Graph& graph, NodeId id, std::size_t spatial) {
  const AttributeReader node(graph.node(id));
  const std::string auto_pad = node.string("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID") return std::nullopt;
  Ints pads = auto_pad == "VALID" ? Ints() : node.ints("pads");
  if (pads.empty()) pads.assign(2 * spatial, 0);
  const bool sane = std::all_of(pads.begin(), pads.end(),
                                [](auto pad) { return pad >= 0 && pad <= kMostPadding; });
  return sane && pads.size() == 2 * spatial ? std::optional(pads) : std::nullopt;
}

// Whether the padding may be the window's own.
bool fits(const Graph& graph, NodeId id, const Padding& padding, const Ints& pads) {
  const AttributeReader node(graph.node(id));
  const std::string& type = graph.node(id).op_type;
  if (type == "Conv") return padding.value == 0;
  if (node.integer("ceil_mode", 0) != 0 || graph.node(id).outputs.size() != 1) return false;
  const Ints kernel = node.ints("kernel_shape");
  for (std::size_t i = 0; i < padding.begin.size(); ++i) {
    const std::int64_t begin = padding.begin[i] + pads[i];
    const std::int64_t end = padding.end[i] + pads[padding.begin.size() + i];
    if (i >= kernel.size() || begin >= kernel[i] || end >= kernel[i]) return false;
  }
  if (type == "MaxPool") {
    return padding.value <= -static_cast<double>(std::numeric_limits<float>::max());
  }
  const bool none = std::all_of(pads.begin(), pads.end(), [](auto p) { return p == 0; });
  return padding.value == 0 && graph.node(id).opset >= 7 &&
         (none || node.integer("count_include_pad", 0) == 1);
}

bool fuse(Graph& graph, NodeId id) {
  const NodeId pad = made_only_for(graph, graph.input(id, 0), "Pad");
  const auto padding = pad != kNoNode ? padding_of(graph, pad) : std::nullopt;
  if (!padding) return false;
  const std::size_t spatial = padding->begin.size();
  auto pads = window_pads(graph, id, spatial);
  if (!pads || !fits(graph, id, *padding, *pads)) return false;
  for (std::size_t i = 0; i < spatial; ++i) {
    (*pads)[i] += padding->begin[i];
    (*pads)[spatial + i] += padding->end[i];
  }
  Attributes& attributes = graph.node(id).attributes;
  attributes["pads"] = *pads;
  attributes.erase("auto_pad");
  if (graph.node(id).op_type == "AveragePool") attributes["count_include_pad"] = std::int64_t{1};
  const ValueId padded = graph.input(id, 0);
  graph.set_input(id, 0, graph.input(pad, 0));
  remove_unused(graph, padded);
  return true;
}

}  // namespace

Result<int> fuse_pad(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, {"Conv", "AveragePool", "MaxPool"},
                      [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
