// Minimum cut between a source and a sink (Dinic's algorithm): the cheapest way to give each point
// one of two labels when pairs of points cost something if they differ.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace mini_infer {

class MinCut {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max() / 4;
  static constexpr int kSource = 0;
  static constexpr int kSink = 1;

  int add_point() {
    edges_of_.emplace_back();
    return static_cast<int>(edges_of_.size()) - 1;
  }
  // What it costs when `from` is on the source's side and `to` on the sink's.
  void add_cost(int from, int to, std::int64_t cost);
  // For each point whether it is on the source's side. Points that could be on either side are.
  std::vector<bool> solve();

 private:
  struct Edge {
    int to;
    std::int64_t capacity;  // what is left of it
  };
  bool find_levels();
  std::int64_t push(int point, std::int64_t most);

  std::vector<Edge> edges_;                            // each followed by its reverse
  std::vector<std::vector<int>> edges_of_ = {{}, {}};  // by point
  std::vector<int> level_;
  std::vector<std::size_t> next_;
};

}  // namespace mini_infer
