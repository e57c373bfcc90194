// mini-infer simplify as its user sees it.
#include "graph/onnx/exporter.h"
#include "graph/onnx/importer.h"
#include "program.h"
#include "tools/model_check.h"

namespace mini_infer::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class SimplifyCommand : public Program {
 protected:
  // x [N,3] -> Dropout -> Relu -> Relu -> a;  Exp -> b;  an input `y` that nothing uses; weights of
  // 4800 bytes.
  SimplifyCommand() {
    ImportedModel model;
    Graph& graph = model.graph;
    graph.name = "net";
    graph.opsets[""] = 13;
    const ValueId x = graph.add_input("x", DType::kFloat32, SymShape{Dim("N"), 3});
    graph.add_input("y", DType::kFloat32, SymShape{Dim("N"), 4});
    const auto add = [&](const char* type, std::vector<ValueId> inputs) {
      const ValueId out = graph.add_value(std::string("value_") + type);
      graph.add_node({.name = std::string("make_") + type,
                      .op_type = type,
                      .inputs = std::move(inputs),
                      .outputs = {out}});
      return out;
    };
    const ValueId kept = add("Dropout", {x});
    Tensor weights(DType::kFloat32, {3, 400});
    for (int i = 0; i < 1200; ++i) weights.mutable_data<float>()[i] = static_cast<float>(i % 7) - 3;
    const ValueId w = graph.add_constant("w", weights);
    graph.add_output("a", add("Relu", {add("Relu", {add("MatMul", {kept, w})})}));
    graph.add_output("b", add("Exp", {kept}));
    model_ = file("model.onnx");
    const Status status = export_file(model, model_);
    EXPECT_TRUE(status.ok()) << status.message();
  }

  std::vector<std::string> ops(const std::string& path) const {
    const auto model = import_file(path);
    EXPECT_TRUE(model.ok()) << model.status().message();
    std::vector<std::string> types;
    for (const NodeId id : model->graph.order()) types.push_back(model->graph.node(id).op_type);
    return types;
  }
  int simplify(const std::string& options = "") {
    return run("simplify " + model_ + " " + file("out.onnx") + " " + options);
  }

  std::string model_;
};

TEST_F(SimplifyCommand, PrintsOperatorsBeforeAndAfter) {
  ASSERT_EQ(simplify(), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("operator    before    after"));
  EXPECT_THAT(out_, MatchesRegex("(.|\n)*Dropout +1 +0\n(.|\n)*"));
  EXPECT_THAT(out_, MatchesRegex("(.|\n)*Relu +2 +1\n(.|\n)*"));
  EXPECT_THAT(out_, MatchesRegex("(.|\n)*all nodes +5 +3\n(.|\n)*"));
  EXPECT_THAT(out_, HasSubstr("outputs agree on 1 random input, largest difference 0"));
  EXPECT_EQ(err_, "");
  EXPECT_THAT(ops(file("out.onnx")), testing::UnorderedElementsAre("MatMul", "Relu", "Exp"));
}

TEST_F(SimplifyCommand, TwiceIsOnce) {
  ASSERT_EQ(simplify(), 0) << err_;
  ASSERT_EQ(run("simplify " + file("out.onnx") + " " + file("again.onnx")), 0) << err_;
  EXPECT_EQ(contents(file("out.onnx")), contents(file("again.onnx")));
  // In place.
  ASSERT_EQ(run("simplify " + model_ + " " + model_), 0) << err_;
  EXPECT_EQ(contents(model_), contents(file("out.onnx")));
}

TEST_F(SimplifyCommand, ReportsAsJson) {
  const json report = run_json("simplify " + model_ + " " + file("out.onnx") + " --check 3");
  EXPECT_EQ(report["nodes"]["before"], 5);
  EXPECT_EQ(report["nodes"]["after"], 3);
  EXPECT_EQ(report["check"]["runs"], 3);
  EXPECT_EQ(report["bytes"]["after"], std::filesystem::file_size(file("out.onnx")));
  EXPECT_EQ(report["operators"][0]["type"], "Dropout");
}

TEST_F(SimplifyCommand, SkipsPasses) {
  ASSERT_EQ(simplify("--skip eliminate_dropout --skip eliminate_idempotent"), 0) << err_;
  EXPECT_THAT(out_, MatchesRegex("(.|\n)*all nodes +5 +5\n(.|\n)*"));
  EXPECT_EQ(simplify("--skip no_such_pass"), 2);
  expect_one_line("'no_such_pass': there is no such pass; known are");
  EXPECT_EQ(simplify("--skip assign_layouts"), 2) << "no pass of the simplifier";
  expect_one_line("'assign_layouts': there is no such pass; known are");
}

TEST_F(SimplifyCommand, FixesShapes) {
  ASSERT_EQ(simplify("--shape x=2x3"), 0) << err_;
  const auto model = import_file(file("out.onnx"));
  EXPECT_EQ(model->graph.value(model->graph.inputs[0]).shape->str(), "[2,3]");
  EXPECT_EQ(simplify("--shape x=2x4"), 2);
  expect_one_line("cannot become 4");
  EXPECT_EQ(simplify("--shape z=2x4"), 2);
  expect_one_line("the model has no input 'z'");
}

TEST_F(SimplifyCommand, DropsUnusedInputsUnlessAsked) {
  ASSERT_EQ(simplify(), 0) << err_;
  EXPECT_EQ(import_file(file("out.onnx"))->graph.inputs.size(), 1u);
}

TEST_F(SimplifyCommand, KeepsUnusedInputsAndDropsUnusedOutputs) {
  ASSERT_EQ(simplify("--keep-unused-input --unused-output b"), 0) << err_;
  auto model = import_file(file("out.onnx"));
  EXPECT_EQ(model->graph.inputs.size(), 2u);
  EXPECT_EQ(model->graph.outputs().size(), 1u);
  EXPECT_EQ(simplify("--unused-output c"), 2);
  expect_one_line("no such output; it has 'a', 'b'");
}

TEST_F(SimplifyCommand, PutsTensorsOutside) {
  ASSERT_EQ(simplify("--external-data 4KB"), 0) << err_;
  EXPECT_EQ(std::filesystem::file_size(file("out.onnx.data")), 4800u);
  std::filesystem::remove(file("out.onnx.data"));
  ASSERT_EQ(simplify("--external-data 5KB"), 0) << err_;
  EXPECT_FALSE(std::filesystem::exists(file("out.onnx.data")));
  EXPECT_EQ(simplify("--external-data lots"), 2);
  expect_one_line("'lots' is no size");
}

TEST_F(SimplifyCommand, RaisesTheOpset) {
  ASSERT_EQ(simplify("--opset 17"), 0) << err_;
  EXPECT_EQ(import_file(file("out.onnx"))->graph.opset(), 17);
  EXPECT_EQ(simplify("--opset 11"), 2);
  expect_one_line("it can only be raised");
  EXPECT_EQ(simplify("--opset 99"), 2);
  expect_one_line("--opset");
}

TEST_F(SimplifyCommand, RewritesTowardsASetOfOperators) {
  ASSERT_EQ(simplify("--target-ops MatMul,Relu"), 0) << err_;
  EXPECT_THAT(err_, HasSubstr("note: operators outside of --target-ops remain: Exp (1)"));
  std::ofstream(file("list")) << "MatMul Relu\nExp\n";
  ASSERT_EQ(simplify("--target-ops " + file("list")), 0) << err_;
  EXPECT_EQ(err_, "");
  EXPECT_EQ(simplify("--target-ops MatMul,Rellu"), 2);
  expect_one_line("there is no operator or file 'Rellu'");
  EXPECT_EQ(simplify("--target-ops ,"), 2);
  expect_one_line("--target-ops ',' names no operator");
  EXPECT_EQ(simplify("--target-ops ''"), 2);
  expect_one_line("--target-ops");
}

TEST_F(SimplifyCommand, LimitsFolding) {
  // y = x + (one value, expanded to 1600 bytes).
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  set_type(graph->mutable_input(0), "x", kFloat, {1, 400});
  *graph->add_initializer() = float_tensor("one", {1, 1}, {1});
  pb::TensorProto* shape = graph->add_initializer();
  shape->set_name("shape");
  shape->set_data_type(pb::TensorProto::INT64);
  shape->add_dims(2);
  for (const int extent : {1, 400}) shape->add_int64_data(extent);
  *graph->add_node() = make_node("Exp", {"one"}, {"e"}, "exp");
  *graph->add_node() = make_node("Expand", {"e", "shape"}, {"wide"}, "expand");
  *graph->add_node() = make_node("Mul", {"wide", "wide"}, {"square"}, "square");
  *graph->add_node() = make_node("Sub", {"x", "square"}, {"y"}, "sub");
  model_ = save(model);
  ASSERT_EQ(simplify(), 0) << err_;
  EXPECT_THAT(ops(file("out.onnx")), ElementsAre("Sub"));
  ASSERT_EQ(simplify("--no-large-tensor 1KB"), 0) << err_;
  EXPECT_THAT(ops(file("out.onnx")), testing::Contains("Expand"));
  EXPECT_THAT(ops(file("out.onnx")), Not(testing::Contains("Exp")));
  ASSERT_EQ(simplify("--no-large-tensor 2KB"), 0) << err_;
  EXPECT_THAT(ops(file("out.onnx")), ElementsAre("Sub"));
  EXPECT_EQ(simplify("--no-large-tensor 1X"), 2);
  expect_one_line("'1X' is no size");
}

TEST_F(SimplifyCommand, ChecksOnlyWhatItIsAskedTo) {
  ASSERT_EQ(simplify("--check 0"), 0) << err_;
  EXPECT_THAT(out_, Not(HasSubstr("agree")));
  EXPECT_EQ(simplify("--check -1"), 2);
  expect_one_line("--check");
}

TEST_F(SimplifyCommand, SaysWhatCannotBeReadOrWritten) {
  EXPECT_EQ(run("simplify " + file("none.onnx") + " " + file("out.onnx")), 1);
  expect_one_line("cannot read");
  EXPECT_EQ(run("simplify " + model_ + " " + file("none/out.onnx")), 1);
  expect_one_line("cannot write");
  EXPECT_EQ(run("simplify " + model_), 2);
  expect_one_line("OUT");
}

// --- check_models

TEST_F(SimplifyCommand, NamesTheFirstNodeThatDiffers) {
  auto changed = import_file(model_);
  Graph& graph = changed->graph;
  const NodeId product = graph.nodes_of("MatMul")[0];
  Tensor weights = graph.value(graph.input(product, 1)).constant.clone();
  weights.mutable_data<float>()[0] += 1;
  graph.set_input(product, 1, graph.add_constant("v", weights));
  ASSERT_TRUE(export_file(*changed, file("changed.onnx")).ok());
  const auto check = check_models(model_, file("changed.onnx"), {}, 2);
  ASSERT_TRUE(check.ok()) << check.status().message();
  EXPECT_EQ(check->runs, 1);
  EXPECT_THAT(check->problem, HasSubstr("the first node that differs is node 'make_MatMul'"));
  EXPECT_THAT(check->problem, HasSubstr("'a': 1 of 400 values differ"));
  const auto same = check_models(model_, model_, {}, 2);
  EXPECT_EQ(same->runs, 2);
  EXPECT_EQ(same->problem, "");
}

}  // namespace
}  // namespace mini_infer::tools
