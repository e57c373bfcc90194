// before:  x -> Pad -> y -> Conv {pads = q}             also AveragePool, MaxPool
// after:   x -> Conv {pads = p + q}
// when:    y has no other use; the paddings are constant, not negative and spatial only
//          Conv:        padded with 0; auto_pad is not used
//          AveragePool: padded with 0, which then counts: count_include_pad; q is 0 or counts too
//          MaxPool:     padded with -infinity or the lowest float

#include <algorithm>
#include <limits>

#include "graph/passes/match.h"
#include "graph/passes/padding.h"

namespace mini_infer {
namespace {

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
  if (!padding || padding->mode != "constant") return false;
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
