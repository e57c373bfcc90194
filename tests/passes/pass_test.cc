#include "tests/passes/pass_test.h"

#include <cmath>
#include <map>
#include <random>

#include "engine/node_runner.h"
#include "engine/simplifier.h"
#include "graph/ir/constants.h"
#include "graph/ir/text.h"
#include "kernels/op_registry.h"

namespace mini_infer {
namespace {

constexpr std::size_t kMemoryLimit = 64u << 20;

NodeEvaluator& evaluator() {
  static NodeEvaluator instance(op_registry(), {}, kMemoryLimit);
  return instance;
}

}  // namespace

ValueId GraphBuilder::input(SymShape shape, DType dtype) {
  return graph_.add_input(next_name(), dtype, std::move(shape));
}

ValueId GraphBuilder::constant(Tensor tensor) {
  return graph_.add_constant(next_name(), std::move(tensor));
}

ValueId GraphBuilder::weights(Shape shape, double step) {
  Tensor tensor(DType::kFloat32, std::move(shape));
  float* data = tensor.mutable_data<float>();
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    data[i] = static_cast<float>(step * static_cast<double>(i + 1));
  }
  return constant(std::move(tensor));
}

ValueId GraphBuilder::node(std::string_view type, std::vector<ValueId> inputs,
                           Attributes attributes, std::optional<SymShape> shape, DType dtype) {
  const ValueId out = graph_.add_value(next_name(), dtype, std::move(shape));
  graph_.add_node({.name = "node_" + graph_.value(out).name,
                   .op_type = std::string(type),
                   .attributes = std::move(attributes),
                   .inputs = std::move(inputs),
                   .outputs = {out}});
  return out;
}

ValueId GraphBuilder::internal(std::string_view type, std::vector<ValueId> inputs,
                               Attributes attributes, std::optional<SymShape> shape) {
  const ValueId out = graph_.add_value(next_name(), DType::kFloat32, std::move(shape));
  graph_.add_node({.name = "node_" + graph_.value(out).name,
                   .domain = std::string(kInternalDomain),
                   .op_type = std::string(type),
                   .attributes = std::move(attributes),
                   .inputs = std::move(inputs),
                   .outputs = {out}});
  return out;
}

int run_pass(Graph& graph, PassFn pass) {
  PassContext context{.ops = op_registry(), .evaluator = evaluator()};
  const Status inferred = infer_shapes(graph, op_registry());
  EXPECT_TRUE(inferred.ok()) << inferred.message();
  const Result<int> rewrites = pass(graph, context);
  EXPECT_TRUE(rewrites.ok()) << rewrites.status().message();
  const Status sound = graph.verify();
  EXPECT_TRUE(sound.ok()) << sound.message();
  return rewrites.ok() ? *rewrites : -1;
}

std::vector<PassReport> run_stage(Graph& graph, PassStage stage, const PassOptions& options) {
  const bool for_file = stage == PassStage::kSimplify;
  PassContext context{.ops = for_file ? file_operators() : op_registry(),
                      .evaluator = evaluator(),
                      .for_file = for_file};
  const auto reports = run_passes(graph, stage, context, options);
  EXPECT_TRUE(reports.ok()) << reports.status().message();
  return reports.ok() ? *reports : std::vector<PassReport>();
}

std::string ops_of(const Graph& graph) {
  std::string text;
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    text += (text.empty() ? "" : " ") + std::string(node.domain.empty() ? "" : "*") + node.op_type;
  }
  return text;
}

NodeId output_node_id(const Graph& graph, std::size_t i) {
  return graph.producer(graph.outputs()[i].value);
}

const Node& output_node(const Graph& graph, std::size_t i) {
  static const Node none;
  const NodeId id = output_node_id(graph, i);
  EXPECT_NE(id, kNoNode);
  return id == kNoNode ? none : graph.node(id);
}

std::string constant_str(const Graph& graph, ValueId value) {
  const Tensor* tensor = graph.constant(value);
  if (tensor == nullptr) return "not constant";
  const auto values = numbers(*tensor);
  return values ? cat(*values) : "no numbers";
}

Result<std::vector<Tensor>> evaluate(const Graph& graph, const std::vector<Tensor>& inputs) {
  std::map<ValueId, Tensor> tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i) tensors[graph.inputs[i]] = inputs[i];
  const auto tensor_of = [&](ValueId id) {
    if (id == kNoValue) return Tensor();
    return graph.constant(id) != nullptr ? *graph.constant(id) : tensors[id];
  };
  for (const NodeId id : graph.order()) {
    std::vector<Tensor> arguments;
    for (const ValueId in : graph.node(id).inputs) arguments.push_back(tensor_of(in));
    MINI_TRY_ASSIGN(const auto results, evaluator().evaluate(graph.node(id), arguments));
    for (std::size_t i = 0; i < results.size(); ++i) {
      tensors[graph.output(id, i)] = results[i];
    }
  }
  std::vector<Tensor> outputs;
  for (const GraphOutput& out : graph.outputs()) outputs.push_back(tensor_of(out.value));
  return outputs;
}

Tensor random_tensor(Shape shape, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1.f, 1.f);
  Tensor tensor(DType::kFloat32, std::move(shape));
  float* data = tensor.mutable_data<float>();
  for (std::int64_t i = 0; i < tensor.elements(); ++i) data[i] = uniform(random);
  return tensor;
}

void expect_same_results(const Graph& a, const Graph& b, const std::vector<Shape>& shapes,
                         double tolerance) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) {
    inputs.push_back(random_tensor(shape, 7u + static_cast<unsigned>(inputs.size())));
  }
  const auto expected = evaluate(a, inputs);
  const auto actual = evaluate(b, inputs);
  for (const auto* result : {&expected, &actual}) {
    if (result->ok()) continue;
    EXPECT_EQ(result->status().code(), Code::kNotImplemented) << result->status().message();
    std::cout << "not compared: " << result->status().message() << "\n";
    return;
  }
  ASSERT_EQ(expected->size(), actual->size());
  for (std::size_t i = 0; i < expected->size(); ++i) {
    ASSERT_EQ((*expected)[i].shape().str(), (*actual)[i].shape().str());
    const auto want = numbers((*expected)[i]), got = numbers((*actual)[i]);
    ASSERT_TRUE(want && got);
    for (std::size_t k = 0; k < want->size(); ++k) {
      ASSERT_NEAR((*want)[k], (*got)[k], tolerance * (1 + std::abs((*want)[k])))
          << "output " << i << ", element " << k;
    }
  }
}

}  // namespace mini_infer
