#include "graph/passes/padding.h"

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

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

}  // namespace

std::optional<Padding> padding_of(const Graph& graph, NodeId pad) {
  const AttributeReader node(graph.node(pad));
  const auto rank = rank_of(graph, graph.input(pad, 0));
  if (!rank || *rank < 3) return std::nullopt;
  const auto pads = all_pads(graph, pad, *rank);
  if (!pads || pads->size() != 2 * *rank) return std::nullopt;
  Padding padding{.mode = node.string("mode", "constant"),
                  .value = static_cast<double>(node.number("value", 0.f))};
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

}  // namespace mini_infer
