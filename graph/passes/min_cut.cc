#include "graph/passes/min_cut.h"

#include <algorithm>

namespace mini_infer {

void MinCut::add_cost(int from, int to, std::int64_t cost) {
  if (from == to || cost <= 0) return;
  edges_of_[static_cast<std::size_t>(from)].push_back(static_cast<int>(edges_.size()));
  edges_.push_back({to, cost});
  edges_of_[static_cast<std::size_t>(to)].push_back(static_cast<int>(edges_.size()));
  edges_.push_back({from, 0});
}

// Distances from the source over edges with capacity left; false when the sink is out of reach.
bool MinCut::find_levels() {
  level_.assign(edges_of_.size(), -1);
  std::vector<int> queue = {kSource};
  level_[kSource] = 0;
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const auto point = static_cast<std::size_t>(queue[i]);
    for (const int e : edges_of_[point]) {
      const Edge& edge = edges_[static_cast<std::size_t>(e)];
      if (edge.capacity == 0 || level_[static_cast<std::size_t>(edge.to)] >= 0) continue;
      level_[static_cast<std::size_t>(edge.to)] = level_[point] + 1;
      queue.push_back(edge.to);
    }
  }
  return level_[kSink] >= 0;
}

// Pushes flow along one shortest path, found without recursion: paths may be long.
std::int64_t MinCut::push(int start, std::int64_t most) {
  std::vector<int> path;  // edges
  int point = start;
  while (point != kSink) {
    const auto p = static_cast<std::size_t>(point);
    bool advanced = false;
    for (; next_[p] < edges_of_[p].size(); ++next_[p]) {
      const int e = edges_of_[p][next_[p]];
      const Edge& edge = edges_[static_cast<std::size_t>(e)];
      if (edge.capacity == 0 || level_[static_cast<std::size_t>(edge.to)] != level_[p] + 1)
        continue;
      path.push_back(e);
      point = edge.to;
      advanced = true;
      break;
    }
    if (advanced) continue;
    if (path.empty()) return 0;
    point = edges_[static_cast<std::size_t>(path.back() ^ 1)].to;  // a dead end
    ++next_[static_cast<std::size_t>(point)];
    path.pop_back();
  }
  for (const int e : path) most = std::min(most, edges_[static_cast<std::size_t>(e)].capacity);
  for (const int e : path) {
    edges_[static_cast<std::size_t>(e)].capacity -= most;
    edges_[static_cast<std::size_t>(e ^ 1)].capacity += most;
  }
  return most;
}

std::vector<bool> MinCut::solve() {
  while (find_levels()) {
    next_.assign(edges_of_.size(), 0);
    while (push(kSource, kNever) > 0) {
    }
  }
  // The sink's side is what can still reach the sink.
  std::vector<bool> source_side(edges_of_.size(), true);
  std::vector<int> queue = {kSink};
  source_side[kSink] = false;
  for (std::size_t i = 0; i < queue.size(); ++i) {
    for (const int e : edges_of_[static_cast<std::size_t>(queue[i])]) {
      const Edge& into = edges_[static_cast<std::size_t>(e ^ 1)];
      const int from = edges_[static_cast<std::size_t>(e)].to;
      if (into.capacity == 0 || !source_side[static_cast<std::size_t>(from)]) continue;
      source_side[static_cast<std::size_t>(from)] = false;
      queue.push_back(from);
    }
  }
  return source_side;
}

}  // namespace mini_infer
