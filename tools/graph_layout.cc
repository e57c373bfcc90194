#include "tools/graph_layout.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace mini_infer::tools {
namespace {

constexpr double kLayerGap = 30, kNodeGap = 18, kMargin = 20;
constexpr double kBendWidth = 4;
// Long edges stay straight at the cost of nodes.
constexpr double kBendWeight = 4;
constexpr int kOrderSweeps = 12, kPlaceSweeps = 10;

// A node, or a place in a layer where a long edge passes through.
struct Item {
  int layer = 0;
  double width = kBendWidth, weight = kBendWeight, x = 0;
  std::vector<int> above, below;
};

class Layouter {
 public:
  Layouter(const std::vector<double>& widths, const std::vector<std::pair<int, int>>& edges)
      : edges_(edges), items_(widths.size()), below_(widths.size()), above_(widths.size()) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      items_[i].width = widths[i];
      items_[i].weight = 1;
    }
    for (const auto& [from, to] : edges) {
      below_[index(from)].push_back(to);
      above_[index(to)].push_back(from);
    }
  }

  GraphLayout run() {
    assign_layers();
    trace_edges();
    order_layers();
    place_items();
    return finish();
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  Item& item(int i) { return items_[index(i)]; }

  std::vector<int> topological() const {
    std::vector<int> order;
    std::vector<std::size_t> open(below_.size());
    for (std::size_t i = 0; i < open.size(); ++i) {
      open[i] = above_[i].size();
      if (open[i] == 0) order.push_back(static_cast<int>(i));
    }
    for (std::size_t at = 0; at < order.size(); ++at) {
      for (const int next : below_[index(order[at])]) {
        if (--open[index(next)] == 0) order.push_back(next);
      }
    }
    return order;
  }

  // The longest path to a node; what nothing leads to lies just above its first user.
  void assign_layers() {
    const std::vector<int> order = topological();
    for (const int i : order) {
      for (const int next : below_[index(i)])
        item(next).layer = std::max(item(next).layer, item(i).layer + 1);
    }
    for (const int i : order) {
      if (!above_[index(i)].empty() || below_[index(i)].empty()) continue;
      int first = item(below_[index(i)][0]).layer;
      for (const int next : below_[index(i)]) first = std::min(first, item(next).layer);
      item(i).layer = first - 1;
    }
    for (const Item& each : items_) layers_.resize(std::max(layers_.size(), index(each.layer) + 1));
    for (const int i : order) layers_[index(item(i).layer)].push_back(i);
  }

  // Edges over several layers get an item in each of those; edges from one node share them. The
  // bound is for graphs where that would be most of the picture: their longest edges run straight.
  void trace_edges() {
    const std::size_t most = 20 * items_.size() + 10000;
    std::map<std::pair<int, int>, int> bends;  // node, layer
    for (const auto& [from, to] : edges_) {
      std::vector<int> path = {from};
      const bool room = items_.size() + index(item(to).layer - item(from).layer) < most;
      for (int layer = item(from).layer + 1; room && layer < item(to).layer; ++layer) {
        const auto [bend, is_new] =
            bends.try_emplace({from, layer}, static_cast<int>(items_.size()));
        if (is_new) {
          items_.push_back({.layer = layer});
          layers_[index(layer)].push_back(bend->second);
        }
        path.push_back(bend->second);
      }
      path.push_back(to);
      for (std::size_t i = 1; i < path.size(); ++i) link(path[i - 1], path[i]);
      paths_.push_back(std::move(path));
    }
  }

  void link(int from, int to) {
    std::vector<int>& below = item(from).below;
    if (std::find(below.begin(), below.end(), to) != below.end()) return;
    below.push_back(to);
    item(to).above.push_back(from);
  }

  void order_layers() {
    std::vector<double> place(items_.size(), 0);
    const auto number = [&](const std::vector<int>& layer) {
      for (std::size_t i = 0; i < layer.size(); ++i)
        place[index(layer[i])] = static_cast<double>(i);
    };
    for (const auto& layer : layers_) number(layer);
    for (int sweep = 0; sweep < kOrderSweeps; ++sweep) {
      const bool down = sweep % 2 == 0;
      for (std::size_t l = 0; l < layers_.size(); ++l) {
        std::vector<int>& layer = layers_[down ? l : layers_.size() - 1 - l];
        std::vector<std::pair<double, int>> sorted;
        for (const int i : layer) {
          const std::vector<int>& near = down ? item(i).above : item(i).below;
          double sum = 0;
          for (const int other : near) sum += place[index(other)];
          const double own = place[index(i)];
          sorted.emplace_back(near.empty() ? own : sum / static_cast<double>(near.size()), i);
        }
        std::stable_sort(sorted.begin(), sorted.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        for (std::size_t i = 0; i < layer.size(); ++i) layer[i] = sorted[i].second;
        number(layer);
      }
    }
  }

  void place_items() {
    for (auto& layer : layers_) place_layer(layer, [](const Item&) { return 0.0; });
    for (int sweep = 0; sweep < kPlaceSweeps; ++sweep) {
      const bool last = sweep + 2 >= kPlaceSweeps, down = sweep % 2 == 0;
      for (std::size_t l = 0; l < layers_.size(); ++l) {
        place_layer(layers_[down ? l : layers_.size() - 1 - l], [&](const Item& each) {
          double sum = 0;
          std::size_t count = 0;
          for (const auto* near : {&each.above, &each.below}) {
            if (!last && near == (down ? &each.below : &each.above)) continue;
            for (const int other : *near) sum += item(other).x;
            count += near->size();
          }
          return count > 0 ? sum / static_cast<double>(count) : each.x;
        });
      }
    }
  }

  // As near to the wished places as the order and the widths allow, by least squares: isotonic
  // regression with pools of adjacent violators.
  template <class Wish>
  void place_layer(const std::vector<int>& layer, Wish&& wish) {
    struct Pool {
      double sum, weight;
      std::size_t count;
      double mean() const { return sum / weight; }
    };
    std::vector<Pool> pools;
    std::vector<double> offsets;
    double offset = 0;
    for (std::size_t i = 0; i < layer.size(); ++i) {
      const Item& each = item(layer[i]);
      if (i > 0) offset += (item(layer[i - 1]).width + each.width) / 2 + kNodeGap;
      offsets.push_back(offset);
      pools.push_back({(wish(each) - offset) * each.weight, each.weight, 1});
      while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
        const Pool joined = pools.back();
        pools.pop_back();
        pools.back().sum += joined.sum;
        pools.back().weight += joined.weight;
        pools.back().count += joined.count;
      }
    }
    std::size_t at = 0;
    for (const Pool& pool : pools) {
      for (std::size_t i = 0; i < pool.count; ++i, ++at)
        item(layer[at]).x = pool.mean() + offsets[at];
    }
  }

  GraphLayout finish() {
    GraphLayout out;
    double left = 0, right = 0;
    for (const Item& each : items_) {
      left = std::min(left, each.x - each.width / 2);
      right = std::max(right, each.x + each.width / 2);
    }
    const auto centre = [&](int i) {
      return Point{item(i).x - left + kMargin,
                   kMargin + kNodeHeight / 2 + item(i).layer * (kNodeHeight + kLayerGap)};
    };
    for (std::size_t i = 0; i < below_.size(); ++i) {
      out.nodes.push_back(centre(static_cast<int>(i)));
      out.layers.push_back(items_[i].layer);
    }
    for (const std::vector<int>& path : paths_) {
      std::vector<Point>& points = out.edges.emplace_back();
      for (const int i : path) points.push_back(centre(i));
      points.front().y += kNodeHeight / 2;
      points.back().y -= kNodeHeight / 2;
    }
    out.width = right - left + 2 * kMargin;
    const auto layers = static_cast<double>(layers_.size());
    out.height = 2 * kMargin + layers * kNodeHeight + std::max(layers - 1, 0.0) * kLayerGap;
    return out;
  }

  const std::vector<std::pair<int, int>>& edges_;
  std::vector<Item> items_;                      // the nodes first
  std::vector<std::vector<int>> below_, above_;  // of the nodes
  std::vector<std::vector<int>> layers_;         // items from left to right
  std::vector<std::vector<int>> paths_;          // of the edges
};

}  // namespace

GraphLayout lay_out(const std::vector<double>& widths,
                    const std::vector<std::pair<int, int>>& edges) {
  return Layouter(widths, edges).run();
}

}  // namespace mini_infer::tools
