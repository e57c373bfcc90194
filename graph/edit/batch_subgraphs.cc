// The batch inside subgraphs. The branches of an If see nothing but what they capture, so they are
// followed like any graph. Bodies of loops may change shapes from round to round and are not.
#include <algorithm>

#include "graph/edit/batch.h"
#include "graph/ir/constants.h"
#include "graph/ir/text.h"
#include "graph/passes/match.h"

namespace mini_infer {

void BatchWalk::visit_subgraphs(NodeId id) {
  const Node& node = graph_.node(id);
  const bool meets_batch = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId in) {
    const auto* shape =
        in != kNoValue && graph_.value(in).shape ? &*graph_.value(in).shape : nullptr;
    return shape != nullptr && std::any_of(shape->begin(), shape->end(), has_batch);
  });
  if (!meets_batch) return;
  std::vector<std::string> names;
  for (const auto& [name, attribute] : node.attributes) {
    const auto* body = std::get_if<GraphPtr>(&attribute);
    if (body != nullptr && *body != nullptr) names.push_back(name);
  }
  for (const std::string& name : names) {
    if (node.is("If")) {
      follow_branch(id, name);
    } else {
      refuse_in_subgraph(id, name, **graph_.attribute<GraphPtr>(id, name));
    }
  }
}

// With the batch that the file has. A branch that does not fit is one that is not taken.
bool BatchWalk::fits_old_batch(NodeId id, const Graph& body) const {
  if (!old_) return true;
  std::vector<InferInput> inputs;
  for (std::size_t i = 1; i < graph_.node(id).inputs.size(); ++i) {
    const ValueId in = graph_.input(id, i);
    if (in == kNoValue) return true;
    InferInput input{.present = true, .dtype = graph_.value(in).dtype};
    if (graph_.value(in).shape) {
      std::vector<Dim> dims(graph_.value(in).shape->begin(), graph_.value(in).shape->end());
      for (Dim& dim : dims) {
        const auto k = factor(dim);
        if (k) dim = *k * *old_;
      }
      input.shape = SymShape(std::move(dims));
    }
    inputs.push_back(std::move(input));
  }
  return infer_subgraph(body, inputs, ops_).ok();
}

void BatchWalk::follow_branch(NodeId id, const std::string& name) {
  if (!branches_.contains({id, name}) &&
      !fits_old_batch(id, **graph_.attribute<GraphPtr>(id, name))) {
    return;
  }
  Branch& branch = branches_[{id, name}];
  if (branch.graph == nullptr) {
    branch.graph = std::make_shared<Graph>(**graph_.attribute<GraphPtr>(id, name));
    branch.walk = std::make_unique<BatchWalk>(*branch.graph, ops_, old_, new_);
  }
  const Node& node = graph_.node(id);
  Graph& inner = *branch.graph;
  for (std::size_t i = 0; i < inner.inputs.size() && i + 1 < node.inputs.size(); ++i) {
    if (node.inputs[i + 1] == kNoValue) continue;
    const Value& from = graph_.value(node.inputs[i + 1]);
    Value& to = inner.value(inner.inputs[i]);
    to.dtype = from.dtype;
    to.shape = from.shape;
    to.contents = from.contents;
  }
  branch.walk->run();
  const Status status = branch.walk->problems().status();
  if (!status.ok()) problems_.add(status);
  graph_.node(id).attributes[name] = GraphPtr(branch.graph);
}

void BatchWalk::refuse_in_subgraph(NodeId id, const std::string& name, const Graph& body) {
  for (const NodeId inner : body.nodes_of("Reshape")) {
    const auto numbers = known_ints(body, body.input(inner, 1));
    if (!numbers || numbers->empty() || numbers->front() != old_.value_or(1)) continue;
    problem(id, cat("its subgraph '", name, "' has ", body.node(inner).str(), " with shape ",
                    *numbers, "; shapes inside are not followed"));
  }
}

// Inference takes a constant that was changed in a branch for a number; the branch knows better.
void BatchWalk::keep_symbols_of_branches(NodeId id) {
  auto yes = branches_.find({id, "then_branch"}), no = branches_.find({id, "else_branch"});
  if (yes == branches_.end()) yes = no;
  if (no == branches_.end()) no = yes;
  if (no == branches_.end()) return;
  const Graph &a = *yes->second.graph, &b = *no->second.graph;
  const std::size_t count = std::min(a.outputs().size(), b.outputs().size());
  for (std::size_t i = 0; i < std::min(count, graph_.node(id).outputs.size()); ++i) {
    const ValueId out = graph_.output(id, i);
    const auto &x = a.value(a.outputs()[i].value).shape, &y = b.value(b.outputs()[i].value).shape;
    if (out == kNoValue || !x || !y || x->rank() != y->rank()) continue;
    auto& shape = graph_.value(out).shape;
    if (!shape || shape->rank() != x->rank()) continue;
    for (std::size_t axis = 0; axis < x->rank(); ++axis) {
      if (has_batch((*x)[axis]) && (*x)[axis] == (*y)[axis]) (*shape)[axis] = (*x)[axis];
    }
  }
}

void BatchWalk::finish() {
  for (auto& [place, branch] : branches_) {
    branch.walk->finish();
    for (ValueId id = 0; id < static_cast<ValueId>(branch.graph->value_count()); ++id) {
      Value& value = branch.graph->value(id);
      value.contents.reset();
      if (value.shape && std::any_of(value.shape->begin(), value.shape->end(), has_batch)) {
        value.shape.reset();
      }
    }
  }
}

std::map<std::string, int> BatchWalk::changed() const {
  std::map<std::string, int> all = changed_;
  for (const auto& [place, branch] : branches_) {
    for (const auto& [op, count] : branch.walk->changed()) all[op] += count;
  }
  return all;
}

}  // namespace mini_infer
