// Every shared model simplifies to a file that gives the same results, and once is enough.
#include "tests/support/shared_models.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "engine/simplifier.h"
#include "graph/ir/constants.h"
#include "graph/ir/text.h"
#include "graph/onnx/exporter.h"
#include "graph/onnx/tensor_reader.h"

namespace mini_infer {
namespace {

namespace fs = std::filesystem;

// By the names of the inputs.
TensorMap test_inputs(const fs::path& folder, const std::vector<ValueInfo>& inputs) {
  TensorMap tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto read = read_tensor_file((folder / cat("test_data_set_0/input_", i, ".pb")).string());
    EXPECT_TRUE(read.ok()) << read.status().message();
    if (!read.ok()) return {};
    const ValueInfo* input = &inputs[i];
    for (const ValueInfo& each : inputs) {
      if (each.name == read->name) input = &each;
    }
    const bool scalar = input->dims && input->dims->empty();
    tensors[input->name] = scalar ? read->tensor.reshaped({}) : read->tensor;
  }
  return tensors;
}

// What shared/README.md allows.
double tolerance_of(const ModelInfo& info) {
  bool rough = info.tensor_dtypes.contains(DType::kFloat16);
  for (const auto& [type, count] : info.op_counts) {
    rough = rough || type.find("Quantize") != std::string::npos ||
            type.find("Integer") != std::string::npos || type.find("QLinear") != std::string::npos;
  }
  return rough ? 1e-2 : 1e-4;
}

void expect_close(const Tensor& got, const Tensor& want, double factor) {
  ASSERT_EQ(got.shape().str(), want.shape().str());
  ASSERT_EQ(got.dtype(), want.dtype());
  if (want.dtype() == DType::kString) return;
  const auto a = *numbers(got), b = *numbers(want);
  double most = 0;
  for (const double x : b) most = std::isfinite(x) ? std::max(most, std::abs(x)) : most;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    ASSERT_NEAR(a[i], b[i], 1e-3 * std::abs(b[i]) + factor * most) << "element " << i;
  }
}

Result<std::string> simplified(ImportedModel& model, const SimplifyOptions& options = {}) {
  const auto reports = simplify(model, options);
  if (!reports.ok()) return reports.status();
  return export_bytes(model, {.ops = &file_operators()});
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(SimplifyShared, results_stay_and_once_is_enough) {
  const std::vector<fs::path> models = shared_models();
  if (models.empty()) GTEST_SKIP() << "no models in " << MINI_SHARED;
  for (const fs::path& folder : models) {
    SCOPED_TRACE(folder.string());
    const std::string path = (folder / "model.onnx").string();
    auto model = import_file(path);
    ASSERT_TRUE(model.ok()) << model.status().message();
    const double factor = tolerance_of(model->info);
    const auto bytes = simplified(*model);
    ASSERT_TRUE(bytes.ok()) << bytes.status().message();
    auto again = import_bytes(bytes_of(*bytes));
    ASSERT_TRUE(again.ok()) << again.status().message();
    const auto twice = simplified(*again);
    ASSERT_TRUE(twice.ok()) << twice.status().message();
    EXPECT_TRUE(*bytes == *twice) << "the second time changed something";

    const auto before = Session::load(path), after = Session::load(bytes_of(*bytes));
    ASSERT_TRUE(before.ok()) << before.status().message();
    ASSERT_TRUE(after.ok()) << after.status().message();
    TensorMap inputs = test_inputs(folder, before->inputs());
    const auto want = before->run(inputs);
    std::erase_if(inputs, [&](const auto& input) {
      return std::none_of(after->inputs().begin(), after->inputs().end(),
                          [&](const ValueInfo& info) { return info.name == input.first; });
    });
    const auto got = after->run(inputs);
    ASSERT_TRUE(want.ok()) << want.status().message();
    ASSERT_TRUE(got.ok()) << got.status().message();
    for (const auto& [name, tensor] : *want) {
      SCOPED_TRACE(name);
      expect_close(got->at(name), tensor, factor);
    }
  }
}

// Nodes that a file of fixed shapes needs no more.
void find_leftovers(const Graph& graph, std::string& found) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    const bool glue = node.is("Shape") || node.is("Identity") || node.is("Dropout") ||
                      node.is("Size") || node.is("ConstantOfShape");
    const bool decided = node.is("If") && graph.constant(node.inputs[0]) != nullptr;
    const bool constant = !node.inputs.empty() && !node.is("DequantizeLinear") &&
                          std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId in) {
                            return in == kNoValue || graph.constant(in) != nullptr;
                          });
    if (glue || decided || constant) found += node.str() + "\n";
  }
}

TEST(SimplifyShared, nothing_is_left_of_the_glue_where_shapes_are_fixed) {
  const std::vector<fs::path> models = shared_models();
  if (models.empty()) GTEST_SKIP() << "no models in " << MINI_SHARED;
  for (const fs::path& folder : models) {
    SCOPED_TRACE(folder.string());
    auto model = import_file((folder / "model.onnx").string());
    ASSERT_TRUE(model.ok()) << model.status().message();
    const auto session = Session::load((folder / "model.onnx").string());
    ASSERT_TRUE(session.ok()) << session.status().message();
    SimplifyOptions options;
    for (const auto& [name, tensor] : test_inputs(folder, session->inputs())) {
      options.shapes[name] = tensor.shape();
    }
    const auto reports = simplify(*model, options);
    ASSERT_TRUE(reports.ok()) << reports.status().message();
    std::string found;
    find_leftovers(model->graph, found);
    EXPECT_EQ(found, "");
  }
}

// --- options

ImportedModel two_inputs() {
  ImportedModel model;
  Graph& graph = model.graph;
  graph.name = "net";
  graph.opsets[""] = 13;
  const ValueId x = graph.add_input("x", DType::kFloat32, SymShape{Dim("N"), 3});
  graph.add_input("y", DType::kFloat32, SymShape{Dim("N"), 4});
  for (const char* name : {"a", "b"}) {
    const ValueId out = graph.add_value(name);
    graph.add_node({.name = cat("make_", name),
                    .op_type = std::string(name) == "a" ? "Relu" : "Exp",
                    .inputs = {x},
                    .outputs = {out}});
    graph.add_output(name, out);
  }
  return model;
}

TEST(Simplify, shapes_are_fixed_wherever_the_symbol_stands) {
  ImportedModel model = two_inputs();
  ASSERT_TRUE(simplify(model, {.shapes = {{"x", {2, 3}}}, .keep_unused_inputs = true}).ok());
  EXPECT_EQ(model.graph.value(model.graph.inputs[1]).shape->str(), "[2,4]");
  EXPECT_EQ(model.graph.value(model.graph.outputs()[0].value).shape->str(), "[2,3]");
}

TEST(Simplify, refuses_shapes_that_do_not_fit) {
  const std::pair<std::map<std::string, Shape>, const char*> wrong[] = {
      {{{"z", {1}}}, "the model has no such input; it has 'x', 'y'"},
      {{{"x", {1}}}, "not one of rank 1"},
      {{{"x", {1, 5}}}, "is fixed and cannot become 5"},
      {{{"x", {1, 3}}, {"y", {2, 4}}}, "'N' would be 1 and 2"},
  };
  for (const auto& [shapes, what] : wrong) {
    ImportedModel model = two_inputs();
    const auto result = simplify(model, {.shapes = shapes});
    ASSERT_FALSE(result.ok()) << what;
    EXPECT_EQ(result.status().code(), Code::kInvalidArgument);
    EXPECT_NE(result.status().message().find(what), std::string::npos) << result.status().message();
  }
}

TEST(Simplify, inputs_that_nothing_uses_go_unless_they_are_kept) {
  ImportedModel model = two_inputs();
  ASSERT_TRUE(simplify(model, {}).ok());
  EXPECT_EQ(model.graph.inputs.size(), 1u);
  ImportedModel kept = two_inputs();
  ASSERT_TRUE(simplify(kept, {.keep_unused_inputs = true}).ok());
  EXPECT_EQ(kept.graph.inputs.size(), 2u);
}

TEST(Simplify, outputs_can_be_dropped_but_for_the_last) {
  ImportedModel model = two_inputs();
  ASSERT_TRUE(simplify(model, {.unused_outputs = {"b"}}).ok());
  EXPECT_EQ(model.graph.node_count(), 1u);
  ImportedModel none = two_inputs();
  EXPECT_FALSE(simplify(none, {.unused_outputs = {"a", "b"}}).ok());
  ImportedModel wrong = two_inputs();
  const auto result = simplify(wrong, {.unused_outputs = {"c"}});
  EXPECT_NE(result.status().message().find("it has 'a', 'b'"), std::string::npos);
}

TEST(Simplify, the_opset_is_raised_and_never_lowered) {
  ImportedModel model = two_inputs();
  ASSERT_TRUE(simplify(model, {.opset = 17}).ok());
  EXPECT_EQ(model.graph.opset(), 17);
  EXPECT_EQ(simplify(model, {.opset = 13}).status().code(), Code::kInvalidArgument);
}

TEST(Simplify, large_constants_are_not_computed_from_small_ones) {
  const auto make = [] {
    ImportedModel model = two_inputs();
    Graph& graph = model.graph;
    const ValueId shape = graph.add_constant("shape", Tensor::from<std::int64_t>({2}, {500, 3}));
    const ValueId filled = graph.add_value("filled"), sum = graph.add_value("sum");
    graph.add_node(
        {.name = "fill", .op_type = "ConstantOfShape", .inputs = {shape}, .outputs = {filled}});
    graph.add_node(
        {.name = "use", .op_type = "Sub", .inputs = {filled, graph.inputs[0]}, .outputs = {sum}});
    graph.add_output("sum", sum);
    return model;
  };
  ImportedModel all = make(), small = make();
  ASSERT_TRUE(simplify(all, {}).ok());
  ASSERT_TRUE(simplify(small, {.largest_constant = 5000}).ok());
  EXPECT_EQ(all.graph.nodes_of("ConstantOfShape").size(), 0u);
  EXPECT_EQ(small.graph.nodes_of("ConstantOfShape").size(), 1u);
}

TEST(Simplify, quantised_weights_stay_quantised) {
  ImportedModel model = two_inputs();
  Graph& graph = model.graph;
  const ValueId w = graph.add_constant("w", Tensor::from<std::int8_t>({3}, {1, 2, 3}));
  const ValueId scale = graph.add_constant("scale", Tensor::scalar(0.5f));
  const ValueId wide = graph.add_value("wide"), sum = graph.add_value("sum");
  graph.add_node(
      {.name = "q", .op_type = "DequantizeLinear", .inputs = {w, scale}, .outputs = {wide}});
  graph.add_node(
      {.name = "s", .op_type = "Add", .inputs = {graph.inputs[0], wide}, .outputs = {sum}});
  graph.add_output("sum", sum);
  ASSERT_TRUE(simplify(model, {}).ok());
  EXPECT_EQ(graph.nodes_of("DequantizeLinear").size(), 1u);
}

TEST(Simplify, operators_it_does_not_know_stay) {
  ImportedModel model = two_inputs();
  Graph& graph = model.graph;
  graph.opsets["org.example"] = 1;
  const ValueId out = graph.add_value("special", DType::kFloat32, SymShape{Dim("N"), 7});
  graph.add_node({.name = "s",
                  .domain = "org.example",
                  .op_type = "Special",
                  .inputs = {graph.inputs[0]},
                  .outputs = {out}});
  graph.add_output("special", out);
  ASSERT_TRUE(simplify(model, {}).ok());
  EXPECT_EQ(graph.nodes_of("Special", "org.example").size(), 1u);
  EXPECT_EQ(graph.value(out).shape->str(), "[N,7]");
  EXPECT_TRUE(export_bytes(model).ok());
}

}  // namespace
}  // namespace mini_infer
