// before:  x -> Pad {mode = "reflect" or "edge"} -> y -> Conv
// after:   x -> FusedConv {pads, border = mode}
// when:    y has no other use, its paddings are constant and spatial only and within the mode's
//          reach; the convolution is float32, of one group, and pads nothing itself

#include <algorithm>

#include "graph/passes/match.h"
#include "graph/passes/padding.h"

namespace mini_infer {
namespace {

bool pads_nothing(const Graph& graph, NodeId conv) {
  const AttributeReader node(graph.node(conv));
  const std::string auto_pad = node.string("auto_pad", "NOTSET");
  const Ints pads = node.ints("pads");
  const bool none = std::all_of(pads.begin(), pads.end(), [](auto p) { return p == 0; });
  return auto_pad == "VALID" || (auto_pad == "NOTSET" && none);
}

// The mode must say what lies there: a mirror shows each element but the last of an axis once.
bool within_reach(const Padding& padding, const SymShape& x) {
  for (std::size_t i = 0; i < padding.begin.size(); ++i) {
    const Dim& extent = x[i + 2];
    const std::int64_t most = std::max(padding.begin[i], padding.end[i]);
    const std::int64_t needed = padding.mode == "reflect" ? most + 1 : 1;
    if (!extent.known() || extent.value() < needed) return false;
  }
  return true;
}

bool fuse(Graph& graph, NodeId conv) {
  const ValueId padded = graph.input(conv, 0);
  const NodeId pad = made_only_for(graph, padded, "Pad");
  const auto padding = pad != kNoNode ? padding_of(graph, pad) : std::nullopt;
  if (!padding || (padding->mode != "reflect" && padding->mode != "edge")) return false;
  const ValueId x = graph.input(pad, 0);
  const auto* groups = graph.attribute<std::int64_t>(conv, "group");
  if ((groups != nullptr && *groups != 1) || !has_dtype(graph, x, DType::kFloat32) ||
      graph.node(conv).attributes.contains("border") || !pads_nothing(graph, conv) ||
      !within_reach(*padding, *graph.value(x).shape)) {
    return false;
  }
  retype(graph, conv, "FusedConv", kInternalDomain);
  Ints pads = padding->begin;
  pads.insert(pads.end(), padding->end.begin(), padding->end.end());
  Attributes& attributes = graph.node(conv).attributes;
  attributes["pads"] = std::move(pads);
  attributes["border"] = padding->mode;
  attributes.erase("auto_pad");
  graph.set_input(conv, 0, x);
  remove_unused(graph, padded);
  return true;
}

}  // namespace

Result<int> fuse_border_pad(Graph& graph, PassContext& context) {
  if (!has_internal(context, "FusedConv")) return 0;
  const auto rewrite = [&](NodeId id) { return fuse(graph, id); };
  const int plain = rewrite_each(graph, context, "Conv", rewrite);
  return plain + rewrite_each(graph, context, "FusedConv", rewrite, kInternalDomain);
}

}  // namespace mini_infer
