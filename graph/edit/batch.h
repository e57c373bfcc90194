// The batch as a symbol, followed through a graph, to tell which constants hold it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/ir/graph.h"
#include "graph/ir/op_def.h"
#include "graph/onnx/import_state.h"

namespace mini_infer {

// An element of a constant integer tensor that a node reads.
struct ConstantPlace {
  NodeId node = kNoNode;
  std::size_t input = 0, element = 0;
};

class BatchWalk {
 public:
  // `old_batch`: no value where the file leaves it open. The inputs must have batch_symbol() where
  // the batch is.
  BatchWalk(Graph& graph, const OpLookup& ops, std::optional<std::int64_t> old_batch,
            std::int64_t new_batch)
      : graph_(graph), ops_(ops), old_(old_batch), new_(new_batch) {}

  static Dim symbol() { return Dim(std::string("mini_infer_batch")); }

  // Infers shapes and changes the constants that hold the old batch.
  void run();

  // In subgraphs too, extents are numbers again from then on.
  void finish();

  // How many constants of which operators were changed.
  std::map<std::string, int> changed() const;
  // Places that cannot follow.
  const Problems& problems() const { return problems_; }
  // "batch * k" as k; no value for what has nothing to do with the batch, or not in this way.
  static std::optional<std::int64_t> factor(const Dim& dim);
  static bool has_batch(const Dim& dim);

 private:
  void visit(NodeId id);
  void visit_reshape(NodeId id);
  void visit_expand(NodeId id);
  void visit_resize(NodeId id);
  void visit_slice(NodeId id);
  void visit_concat(NodeId id);
  void visit_recurrent(NodeId id);
  void visit_broadcast(NodeId id);
  void refuse_along_batch(NodeId id);
  void visit_subgraphs(NodeId id);
  bool fits_old_batch(NodeId id, const Graph& body) const;
  void follow_branch(NodeId id, const std::string& name);
  void refuse_in_subgraph(NodeId id, const std::string& name, const Graph& body);
  void keep_symbols_of_branches(NodeId id);

  const SymShape* shape(NodeId id, std::size_t input) const;
  // The axis whose extent has the batch; no value when none or more than one has.
  std::optional<std::size_t> batch_axis(const SymShape& shape) const;
  void problem(NodeId id, const std::string& what);

  // The target of a Reshape as numbers, -1 replaced where that is possible.
  std::optional<Ints> resolved(const std::vector<Dim>& target, const SymShape& from) const;
  std::optional<std::int64_t> batch_held_by(const std::vector<Dim>& target,
                                            const SymShape& from) const;
  // Sets element `element` of the tensor that is input `input`; false where it is computed.
  bool set_element(NodeId id, std::size_t input, std::size_t element, std::int64_t number);
  std::optional<ConstantPlace> locate(NodeId id, std::size_t input, std::size_t element) const;
  // The value gets the new batch on that axis: its constants are changed, or those that make it.
  // False where that cannot be.
  bool widen(NodeId user, std::size_t input, std::size_t axis);
  static std::size_t place_of_one(const SymShape& from, std::size_t axis, const Ints& wanted,
                                  std::size_t i);
  void widen_expanded(NodeId user, std::size_t input, std::size_t axis);
  // A constant of the node holds the new batch now: its output has `factor` times the batch there,
  // which inference would take for a number.
  void follow(NodeId id, std::size_t axis, std::int64_t factor) { follows_[id] = {axis, factor}; }
  void keep_symbol(NodeId id);
  bool repeat_constant(NodeId user, std::size_t input, std::size_t axis);

  // A branch of an If, which is followed like any graph.
  struct Branch {
    std::shared_ptr<Graph> graph;
    std::unique_ptr<BatchWalk> walk;
  };

  Graph& graph_;
  const OpLookup& ops_;
  std::optional<std::int64_t> old_;
  std::int64_t new_;
  std::map<std::string, int> changed_;
  Problems problems_;
  std::map<NodeId, std::pair<std::size_t, std::int64_t>> follows_;
  std::map<std::pair<NodeId, std::string>, Branch> branches_;
  bool again_ = false;  // something before the present node was changed
};

}  // namespace mini_infer
