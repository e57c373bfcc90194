#include "graph/passes/raise_opset.h"

#include <algorithm>
#include <memory>
#include <string>

#include "graph/ir/text.h"
#include "graph/passes/match.h"

namespace mini_infer {
namespace {

class Raiser {
 public:
  Raiser(Graph& graph, int opset, std::string& problems)
      : graph_(graph), opset_(opset), problems_(problems) {}

  void run() {
    // Steps may add nodes, at the end.
    for (NodeId id = 0; id < static_cast<NodeId>(graph_.node_slots()); ++id) {
      if (graph_.alive(id) && graph_.node(id).domain.empty()) raise(id);
    }
    graph_.opsets[""] = std::max(graph_.opset(), opset_);
  }

 private:
  // The next step of the node's operator, or nullptr.
  const OpsetStep* next_step(const Node& node) const {
    const OpsetStep* next = nullptr;
    for (const OpsetStep& step : opset_steps()) {
      if (step.type != node.op_type || step.version <= node.opset || step.version > opset_)
        continue;
      if (next == nullptr || step.version < next->version) next = &step;
    }
    return next;
  }

  void raise(NodeId id) {
    while (const OpsetStep* step = next_step(graph_.node(id))) {
      if (!step->convert(graph_, id)) {
        problems_ += cat(problems_.empty() ? "" : "\n", graph_.node(id).str(),
                         ": cannot be said in opset ", step->version);
        return;
      }
      graph_.node(id).opset = step->version;
    }
    Node& node = graph_.node(id);
    node.attributes.erase("consumed_inputs");  // of opsets before 6, where it did nothing
    node.opset = std::max(node.opset, opset_);
    for (GraphPtr* subgraph : subgraphs_of(node)) {
      auto copy = std::make_shared<Graph>(**subgraph);
      Raiser(*copy, opset_, problems_).run();
      *subgraph = std::move(copy);
    }
  }

  Graph& graph_;
  int opset_;
  std::string& problems_;
};

}  // namespace

int newest_opset(const Graph& graph) {
  int newest = graph.opset();
  for (const NodeId id : graph.order()) {
    Node node = graph.node(id);
    if (node.domain.empty()) newest = std::max(newest, node.opset);
    for (const GraphPtr* subgraph : subgraphs_of(node)) {
      newest = std::max(newest, newest_opset(**subgraph));
    }
  }
  return newest;
}

Status raise_opset(Graph& graph, int opset) {
  std::string problems;
  Raiser(graph, opset, problems).run();
  return problems.empty() ? ok() : not_implemented(problems);
}

}  // namespace mini_infer
