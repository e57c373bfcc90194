// Runs one node on tensors that are all known: constant folding, and steps whose shapes depend on
// data.
#pragma once

#include <span>
#include <vector>

#include "kernels/op.h"

namespace mini_infer {

// infer, prepare and run in one go. `inputs[i]` is empty where the node leaves that input out;
// `lasting[i]` says that input i is a constant of the model, so that what is packed from it may be
// kept. `memory_limit` bounds the outputs and scratch memory in bytes.
Result<std::vector<Tensor>> run_node(const Node& node, std::span<const Tensor> inputs,
                                     const std::vector<bool>& lasting, const OpLookup& ops,
                                     const PrepareContext::Environment& environment,
                                     std::size_t memory_limit);

// The Evaluator that passes get.
class NodeEvaluator : public Evaluator {
 public:
  NodeEvaluator(const OpLookup& ops, PrepareContext::Environment environment,
                std::size_t memory_limit)
      : ops_(ops), environment_(std::move(environment)), memory_limit_(memory_limit) {
    environment_.weights = nullptr;
  }
  Result<std::vector<Tensor>> evaluate(const Node& node, std::span<const Tensor> inputs) override {
    return run_node(node, inputs, std::vector<bool>(inputs.size(), false), ops_, environment_,
                    memory_limit_);
  }

 private:
  const OpLookup& ops_;
  PrepareContext::Environment environment_;
  std::size_t memory_limit_;
};

}  // namespace mini_infer
