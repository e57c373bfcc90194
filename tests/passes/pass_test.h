// Graphs made by code, and passes run on them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graph/passes/pass.h"

namespace mini_infer {

// Builds a graph; values are named x0, x1, ... in order of their making unless a name is given.
class GraphBuilder {
 public:
  explicit GraphBuilder(int opset = 13) { graph_.opsets[""] = opset; }

  ValueId input(SymShape shape, DType dtype = DType::kFloat32);
  ValueId constant(Tensor tensor);
  ValueId scalar(float value) { return constant(Tensor::scalar<float>(value)); }
  // 1, 2, 3, ... times `step`.
  ValueId weights(Shape shape, double step = 0.125);
  ValueId floats(Shape shape, std::initializer_list<float> values) {
    return constant(Tensor::from<float>(std::move(shape), values));
  }
  ValueId ints(std::initializer_list<std::int64_t> values) {
    return constant(Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  }
  // A node with one output, whose shape is given or left to inference.
  ValueId node(std::string_view type, std::vector<ValueId> inputs, Attributes attributes = {},
               std::optional<SymShape> shape = {}, DType dtype = DType::kFloat32);
  ValueId internal(std::string_view type, std::vector<ValueId> inputs, Attributes attributes = {},
                   std::optional<SymShape> shape = {});
  void output(ValueId value) { graph_.add_output("out" + std::to_string(outputs_++), value); }
  Graph& graph() { return graph_; }

 private:
  std::string next_name() { return "x" + std::to_string(names_++); }
  Graph graph_;
  int names_ = 0;
  int outputs_ = 0;
};

// Runs shape inference, then the pass once, and checks the graph. Returns the number of rewrites.
int run_pass(Graph& graph, PassFn pass);
// Runs a stage to its end.
std::vector<PassReport> run_stage(Graph& graph, PassStage stage, const PassOptions& options = {});

// Operator types in order, internal ones with a leading '*': "Conv *FusedConv Add".
std::string ops_of(const Graph& graph);
// The producer of output `i`.
const Node& output_node(const Graph& graph, std::size_t i = 0);
NodeId output_node_id(const Graph& graph, std::size_t i = 0);
// All elements of a constant as text: "[1,2]".
std::string constant_str(const Graph& graph, ValueId value);

// The outputs of a graph computed node by node with the kernels of the registry.
Result<std::vector<Tensor>> evaluate(const Graph& graph, const std::vector<Tensor>& inputs);
// Numbers that look random, from -1 to 1.
Tensor random_tensor(Shape shape, unsigned seed);
// Evaluates both graphs on random inputs of these shapes and compares the outputs; skips the
// comparison, with a message, when an operator of one of them does not exist.
void expect_same_results(const Graph& a, const Graph& b, const std::vector<Shape>& shapes,
                         double tolerance = 1e-4);

}  // namespace mini_infer
