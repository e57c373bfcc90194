// inspect --node, --op, --match and --memory.
#include <regex>

#include "program.h"
#include "tests/onnx/model_maker.h"
#include "tools/arena_plot.h"
#include "tools/node_view.h"

namespace mini_infer::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class Inspecting : public Program {
 protected:
  // x -> Gemm(w) -> Relu -> NoSuchOp(left out, x) -> y; the weights in a Constant node.
  std::string model() {
    pb::ModelProto model = make_model();
    auto* graph = model.mutable_graph();
    pb::NodeProto constant = make_node("Constant", {}, {"w"}, "weights");
    std::vector<float> values;
    for (int i = 0; i < 20; ++i) values.push_back(static_cast<float>(i < 15 ? 0 : i));
    *add_attribute(constant, "value", pb::AttributeProto::TENSOR)->mutable_t() =
        float_tensor("", {2, 10}, values);
    *graph->add_node() = constant;
    pb::NodeProto gemm = make_node("Gemm", {"x", "w"}, {"product"}, "head/gemm");
    add_attribute(gemm, "alpha", pb::AttributeProto::FLOAT)->set_f(0.5F);
    auto* list = add_attribute(gemm, "_list", pb::AttributeProto::INTS);
    for (int i = 0; i < 12; ++i) list->add_ints(i);
    *graph->add_node() = gemm;
    *graph->add_node() = make_node("Relu", {"product"}, {"positive"}, "head/relu");
    *graph->add_node() = make_node("NoSuchOp", {"positive", "", "x"}, {"y"}, "tail");
    return save(model);
  }
};

TEST_F(Inspecting, ShowsOneNodeInFull) {
  const std::string file = model();
  EXPECT_EQ(run("inspect " + file + " --node head/gemm"), 0) << err_;
  for (const char* what :
       {"node 'head/gemm' (Gemm, opset 13)\n", "attribute  alpha    float            0.5\n",
        "[0,1,2,3,4,5,6,7,8,9,10,11]\n", "x        float32 [N1,2]   input of the graph\n",
        "float32 [2,10]   constant, min 0  max 19  mean 4.25  \u2588",
        "product  float32 [N1,10]  used by 'head/relu' (Relu)\n"}) {
    EXPECT_THAT(out_, HasSubstr(what));
  }
  EXPECT_THAT(out_, Not(HasSubstr("'tail'")));
  const json node = run_json("inspect " + file + " --node head/gemm")["nodes"][0];
  EXPECT_EQ(node["attributes"][1]["value"], 0.5);
  EXPECT_EQ(node["inputs"][1]["constant"]["histogram"][0], 15);
  EXPECT_EQ(node["outputs"][0]["consumers"], json({"head/relu"}));
  EXPECT_EQ(run("inspect " + file + " --node tail"), 0);
  EXPECT_THAT(out_, HasSubstr("  input   (left out)\n"));
  EXPECT_EQ(run_json("inspect " + file + " --node tail")["nodes"][0]["inputs"][1], nullptr);
  EXPECT_EQ(run_json("inspect " + file + " --node head/relu")["nodes"][0]["inputs"][0]["producer"],
            "head/gemm");
}

TEST_F(Inspecting, ChoosesByOperatorAndPattern) {
  const std::string file = model();
  const auto names = [&](const std::string& options) {
    std::vector<std::string> out;
    const json found = run_json("inspect " + file + options);
    for (const json& node : found["nodes"]) out.push_back(node["name"]);
    return out;
  };
  EXPECT_THAT(names(" --op Relu"), ElementsAre("head/relu"));
  EXPECT_THAT(names(" --op Relu --op Gemm"), ElementsAre("head/gemm", "head/relu"));
  EXPECT_THAT(names(" --match '^head/'"), ElementsAre("head/gemm", "head/relu"));
  EXPECT_THAT(names(" --match '^y$'"), ElementsAre("tail")) << "by the name of an output";
  EXPECT_THAT(names(" --match '^head/' --op Relu"), ElementsAre("head/relu"));
}

TEST_F(Inspecting, RefusesWhatIsNotThere) {
  const std::string file = model();
  EXPECT_EQ(run("inspect " + file + " --match '['"), 2);
  expect_one_line("'[' is no regular expression");
  EXPECT_EQ(run("inspect " + file + " --node head/gem"), 1);
  expect_one_line("there is no node 'head/gem'; the nearest are 'head/gemm'");
  EXPECT_EQ(run("inspect " + file + " --op relu"), 1);
  expect_one_line("there is no node of type 'relu'; the nearest are 'Relu'");
  EXPECT_EQ(run("inspect " + file + " --match nothing"), 1);
  expect_one_line("none of the 3 nodes matches");
  EXPECT_EQ(run("inspect " + kModel + " --profile"), 2);
  expect_one_line("--profile colours the page of --html FILE");
}

TEST_F(Inspecting, GoesIntoBodies) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  set_type(graph->add_input(), "c", pb::TensorProto::BOOL, {});
  pb::NodeProto node = make_node("If", {"c"}, {"y"}, "choice");
  for (const char* branch : {"then_branch", "else_branch"}) {
    auto* body = add_attribute(node, branch, pb::AttributeProto::GRAPH)->mutable_g();
    *body->add_node() = make_node("Relu", {"x"}, {"r"}, std::string("relu of ") + branch);
    body->add_output()->set_name("r");
  }
  *graph->add_node() = node;
  const std::string file = save(model);
  EXPECT_EQ(run("inspect " + file + " --op Relu"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("in then_branch of 'choice'"));
  EXPECT_THAT(out_, HasSubstr("in else_branch of 'choice'"));
}

TEST_F(Inspecting, CountsParametersInConstantNodes) {
  EXPECT_EQ(run("inspect " + model() + " --op Gemm"), 0) << err_;
  pb::ModelProto model = make_model();
  pb::NodeProto constant = make_node("Constant", {}, {"w"}, "weights");
  *add_attribute(constant, "value", pb::AttributeProto::TENSOR)->mutable_t() =
      float_tensor("", {2, 3}, {1, 2, 3, 4, 5, 6});
  *model.mutable_graph()->add_node() = constant;
  *model.mutable_graph()->add_node() = make_node("MatMul", {"x", "w"}, {"y"}, "product");
  EXPECT_EQ(run_json("inspect " + save(model))["parameters"], 6);
}

TEST_F(Inspecting, PlotsTheArena) {
  EXPECT_EQ(run("inspect " + kModel + " --memory"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("\narena of "));
  EXPECT_THAT(out_, HasSubstr("largest blocks"));
  EXPECT_EQ(run("inspect " + kModel), 0);
  EXPECT_THAT(out_, Not(HasSubstr("largest blocks")));
  const json plan = run_json("inspect " + kModel + " --memory");
  const json memory = plan["memory"];
  EXPECT_EQ(memory["arena_bytes"], plan["plan"]["arena_bytes"]);
  EXPECT_THAT(memory["bytes_by_step"], SizeIs(plan["plan"]["steps"].size()));
  EXPECT_FALSE(memory["blocks"].empty());
}

TEST(ArenaPlot, DrawsBlocksWhereTheyLie) {
  PlanInfo plan;
  for (const char* name : {"first", "second"}) plan.steps.push_back({.node = name, .op = "Op"});
  plan.arena_bytes = 4 << 20;
  plan.arena = {{.name = "a", .offset = 0, .bytes = 1 << 20, .first = 0, .last = 1},
                {.name = "", .offset = 2 << 20, .bytes = 2 << 20, .first = 1, .last = 1}};
  const std::string text = plot_arena(plan);
  const std::string quarter(16, '#'), free(48, '.');
  EXPECT_THAT(text, HasSubstr("0  " + quarter + free + "  1.00 MB  Op  first\n"));
  EXPECT_THAT(text, HasSubstr("1  " + quarter + std::string(16, '.') + std::string(32, '+') +
                              "  3.00 MB  Op  second\n"));
  EXPECT_THAT(text, HasSubstr("3.00 MB of it taken in step 1, 'second'"));
  EXPECT_THAT(text, HasSubstr("2.00 MB  scratch of second  steps 1 to 1\n"));
  EXPECT_THAT(plot_arena({}), HasSubstr("no arena"));
}

TEST(Sparkline, HeightsByTheFullestPart) {
  Histogram counts{};
  counts[0] = 80;
  counts[1] = 40;
  counts[15] = 1;
  EXPECT_EQ(sparkline(counts), "\u2588\u2584             \u2581");
  EXPECT_EQ(histogram(Tensor::from<float>({4}, {0, 0, 1, NAN}))[0], 2);
  EXPECT_EQ(histogram(Tensor::from<float>({4}, {0, 0, 1, NAN}))[15], 1);
  EXPECT_EQ(histogram(Tensor::from<float>({2}, {3, 3}))[0], 2) << "a range without width";
}

}  // namespace
}  // namespace mini_infer::tools
