// Positions for drawing a graph in layers, edges downwards: Sugiyama's method. Layers by longest
// paths, order in them by barycentres, then places as near to the neighbours' as the order allows.
#pragma once

#include <utility>
#include <vector>

namespace mini_infer::tools {

struct Point {
  double x = 0, y = 0;
};

struct GraphLayout {
  std::vector<Point> nodes;               // centres
  std::vector<int> layers;                // of the nodes, from 0
  std::vector<std::vector<Point>> edges;  // from the lower side of one node to the upper of another
  double width = 0, height = 0;           // everything lies in [0, width] x [0, height]
};

inline constexpr double kNodeHeight = 34;

// `widths` of the nodes; `edges` are pairs of nodes and must not form a cycle.
GraphLayout lay_out(const std::vector<double>& widths,
                    const std::vector<std::pair<int, int>>& edges);

}  // namespace mini_infer::tools
