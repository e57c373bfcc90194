// Reads a Pad node that pads spatial axes.
#pragma once

#include <optional>
#include <string>

#include "graph/ir/graph.h"

namespace mini_infer {

// Larger paddings are those of a broken file.
inline constexpr std::int64_t kMostPadding = 1 << 20;

struct Padding {
  std::string mode;  // "constant", "reflect", "edge" or "wrap"
  Ints begin, end;   // spatial, not negative
  double value = 0;
};

// What a Pad of [N,C,spatial...] does, where that is constant and spatial only.
std::optional<Padding> padding_of(const Graph& graph, NodeId pad);

}  // namespace mini_infer
