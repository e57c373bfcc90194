// If, Loop and Scan in models, run by a session.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mini_infer/session.h>

#include "tests/onnx/model_maker.h"

namespace mini_infer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kBool = pb::TensorProto::BOOL;

pb::GraphProto graph_of(const std::vector<pb::NodeProto>& nodes,
                        const std::vector<std::string>& outputs) {
  pb::GraphProto graph;
  for (const auto& node : nodes) *graph.add_node() = node;
  for (const auto& output : outputs) graph.add_output()->set_name(output);
  return graph;
}

// A model whose inputs and outputs have the given names and any shape.
struct Input {
  std::string name;
  int dtype;
  std::vector<int> dims;
};
pb::ModelProto model_of(const std::vector<Input>& inputs, const std::vector<pb::NodeProto>& nodes,
                        const std::vector<std::string>& outputs, int opset = 13) {
  pb::ModelProto model;
  model.set_ir_version(7);
  model.add_opset_import()->set_version(opset);
  *model.mutable_graph() = graph_of(nodes, outputs);
  for (const Input& input : inputs) {
    set_type(model.mutable_graph()->add_input(), input.name, input.dtype, input.dims);
  }
  return model;
}

void set_graph(pb::NodeProto& node, const std::string& name, const pb::GraphProto& graph) {
  *add_attribute(node, name, pb::AttributeProto::GRAPH)->mutable_g() = graph;
}

Result<TensorMap> run_model(const pb::ModelProto& model, const TensorMap& inputs) {
  const std::string bytes = model.SerializeAsString();
  MINI_TRY_ASSIGN(const Session session,
                  Session::load(std::as_bytes(std::span(bytes)), {.threads = 1}));
  return session.run(inputs);
}

std::vector<float> floats_of(const Result<TensorMap>& outputs, const std::string& name) {
  if (!outputs.ok()) {
    ADD_FAILURE() << outputs.status().message();
    return {};
  }
  const auto values = outputs->at(name).values<float>();
  return {values.begin(), values.end()};
}

Tensor truth(bool value) { return Tensor::scalar<bool>(value); }

// --- If

pb::ModelProto if_model(const pb::NodeProto& then_node, const pb::NodeProto& else_node) {
  pb::NodeProto node = make_node("If", {"cond"}, {"y"}, "choice");
  set_graph(node, "then_branch", graph_of({then_node}, {then_node.output(0)}));
  set_graph(node, "else_branch", graph_of({else_node}, {else_node.output(0)}));
  return model_of({{"x", kFloat, {-1}}, {"cond", kBool, {}}}, {node}, {"y"});
}

TEST(If, runs_one_branch_on_captured_values) {
  const pb::ModelProto model =
      if_model(make_node("Add", {"x", "x"}, {"t"}), make_node("Relu", {"x"}, {"e"}));
  const Tensor x = Tensor::from<float>({2}, {-1, 3});
  EXPECT_THAT(floats_of(run_model(model, {{"x", x}, {"cond", truth(true)}}), "y"),
              ElementsAre(-2, 6));
  EXPECT_THAT(floats_of(run_model(model, {{"x", x}, {"cond", truth(false)}}), "y"),
              ElementsAre(0, 3));
}

TEST(If, branches_may_have_different_shapes_and_users) {
  pb::ModelProto model =
      if_model(make_node("Concat", {"x", "x"}, {"t"}), make_node("Identity", {"x"}, {"e"}));
  add_attribute(
      *model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g()->mutable_node(0),
      "axis", pb::AttributeProto::INT);
  *model.mutable_graph()->add_node() = make_node("Add", {"y", "y"}, {"z"});
  model.mutable_graph()->add_output()->set_name("z");
  const Tensor x = Tensor::from<float>({2}, {1, 2});
  const auto yes = run_model(model, {{"x", x}, {"cond", truth(true)}});
  EXPECT_THAT(floats_of(yes, "y"), ElementsAre(1, 2, 1, 2));
  EXPECT_THAT(floats_of(yes, "z"), ElementsAre(2, 4, 2, 4));
  EXPECT_THAT(floats_of(run_model(model, {{"x", x}, {"cond", truth(false)}}), "z"),
              ElementsAre(2, 4));
}

TEST(If, a_branch_may_hand_out_a_captured_value) {
  pb::NodeProto node = make_node("If", {"cond"}, {"y"});
  set_graph(node, "then_branch", graph_of({}, {"x"}));
  set_graph(node, "else_branch", graph_of({make_node("Neg", {"x"}, {"e"})}, {"e"}));
  const pb::ModelProto model = model_of({{"x", kFloat, {-1}}, {"cond", kBool, {}}}, {node}, {"y"});
  const Tensor x = Tensor::from<float>({2}, {1, 2});
  EXPECT_THAT(floats_of(run_model(model, {{"x", x}, {"cond", truth(true)}}), "y"),
              ElementsAre(1, 2));
  EXPECT_THAT(floats_of(run_model(model, {{"x", x}, {"cond", truth(false)}}), "y"),
              ElementsAre(-1, -2));
}

TEST(If, a_missing_branch_is_an_error) {
  pb::NodeProto node = make_node("If", {"cond"}, {"y"}, "choice");
  set_graph(node, "then_branch", graph_of({make_node("Neg", {"x"}, {"e"})}, {"e"}));
  const pb::ModelProto model = model_of({{"x", kFloat, {1}}, {"cond", kBool, {}}}, {node}, {"y"});
  const auto result =
      run_model(model, {{"x", Tensor::from<float>({1}, {2})}, {"cond", truth(false)}});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().message(), HasSubstr("attribute 'else_branch' is missing"));
}

// --- Loop

// body(i, c, state): next = state + x, slice = state; the condition stays.
pb::ModelProto loop_model(const std::string& trips, const std::string& cond) {
  pb::GraphProto body =
      graph_of({make_node("Identity", {"c"}, {"c_out"}), make_node("Add", {"state", "x"}, {"next"}),
                make_node("Identity", {"state"}, {"slice"})},
               {"c_out", "next", "slice"});
  set_type(body.add_input(), "i", kInt64, {});
  set_type(body.add_input(), "c", kBool, {});
  set_type(body.add_input(), "state", kFloat, {2});
  pb::NodeProto loop = make_node("Loop", {trips, cond, "x"}, {"last", "all"}, "loop");
  set_graph(loop, "body", body);
  return model_of({{"x", kFloat, {2}}, {"trips", kInt64, {}}, {"cond", kBool, {}}}, {loop},
                  {"last", "all"});
}

TensorMap loop_inputs(std::int64_t trips, bool cond) {
  return {{"x", Tensor::from<float>({2}, {1, 2})},
          {"trips", Tensor::scalar<std::int64_t>(trips)},
          {"cond", truth(cond)}};
}

TEST(Loop, carries_states_and_stacks_slices) {
  const auto result = run_model(loop_model("trips", "cond"), loop_inputs(3, true));
  EXPECT_THAT(floats_of(result, "last"), ElementsAre(4, 8));
  EXPECT_THAT(floats_of(result, "all"), ElementsAre(1, 2, 2, 4, 3, 6));
  EXPECT_EQ(result->at("all").shape(), (Shape{3, 2}));
}

TEST(Loop, may_run_no_iteration) {
  for (const auto& inputs : {loop_inputs(0, true), loop_inputs(5, false), loop_inputs(-3, true)}) {
    const auto result = run_model(loop_model("trips", "cond"), inputs);
    EXPECT_THAT(floats_of(result, "last"), ElementsAre(1, 2));
    EXPECT_EQ(result->at("all").shape(), (Shape{0, 2}));
  }
}

TEST(Loop, a_condition_that_is_left_out_is_true) {
  EXPECT_THAT(floats_of(run_model(loop_model("trips", ""), loop_inputs(2, false)), "last"),
              ElementsAre(3, 6));
}

TEST(Loop, the_body_may_end_it) {
  // i < 3, without a trip count
  pb::GraphProto body = graph_of(
      {make_node("Less", {"i", "three"}, {"go"}), make_node("Add", {"state", "state"}, {"next"})},
      {"go", "next"});
  set_type(body.add_input(), "i", kInt64, {});
  set_type(body.add_input(), "c", kBool, {});
  set_type(body.add_input(), "state", kFloat, {});
  pb::NodeProto loop = make_node("Loop", {"", "", "x"}, {"y"});
  set_graph(loop, "body", body);
  pb::ModelProto model = model_of({{"x", kFloat, {}}}, {loop}, {"y"});
  auto* three = model.mutable_graph()->add_initializer();
  three->set_name("three");
  three->set_data_type(kInt64);
  three->add_int64_data(3);
  // iterations 0, 1, 2 go on; iteration 3 is the last
  EXPECT_THAT(floats_of(run_model(model, {{"x", Tensor::scalar(1.f)}}), "y"), ElementsAre(16));
}

TEST(Loop, states_may_grow) {
  pb::NodeProto concat = make_node("Concat", {"state", "x"}, {"next"});
  add_attribute(concat, "axis", pb::AttributeProto::INT);
  pb::GraphProto body =
      graph_of({make_node("Identity", {"c"}, {"c_out"}), concat}, {"c_out", "next"});
  set_type(body.add_input(), "i", kInt64, {});
  set_type(body.add_input(), "c", kBool, {});
  set_type(body.add_input(), "state", kFloat, {-5});
  pb::NodeProto loop = make_node("Loop", {"trips", "", "x"}, {"y"});
  set_graph(loop, "body", body);
  const pb::ModelProto model = model_of({{"x", kFloat, {1}}, {"trips", kInt64, {}}},
                                        {loop, make_node("Neg", {"y"}, {"z"})}, {"z"});
  const TensorMap inputs = {{"x", Tensor::from<float>({1}, {2})},
                            {"trips", Tensor::scalar<std::int64_t>(3)}};
  EXPECT_THAT(floats_of(run_model(model, inputs), "z"), ElementsAre(-2, -2, -2, -2));
}

TEST(Loop, a_known_trip_count_gives_a_known_shape) {
  pb::ModelProto model = loop_model("count", "");
  auto* count = model.mutable_graph()->add_initializer();
  count->set_name("count");
  count->set_data_type(kInt64);
  count->add_int64_data(4);
  const std::string bytes = model.SerializeAsString();
  const auto session = Session::load(std::as_bytes(std::span(bytes)), {.threads = 1});
  ASSERT_TRUE(session.ok()) << session.status().message();
  EXPECT_EQ(session->outputs()[1].shape_str(), "[4,2]");
  const auto result = session->run(loop_inputs(0, false));
  EXPECT_EQ(result->at("all").shape(), (Shape{4, 2}));
}

TEST(Loop, slices_of_different_shapes_are_an_error) {
  pb::NodeProto concat = make_node("Concat", {"state", "x"}, {"next"});
  add_attribute(concat, "axis", pb::AttributeProto::INT);
  pb::GraphProto body = graph_of({make_node("Identity", {"c"}, {"c_out"}), concat,
                                  make_node("Identity", {"state"}, {"slice"})},
                                 {"c_out", "next", "slice"});
  set_type(body.add_input(), "i", kInt64, {});
  set_type(body.add_input(), "c", kBool, {});
  set_type(body.add_input(), "state", kFloat, {-5});
  pb::NodeProto loop = make_node("Loop", {"trips", "", "x"}, {"y", "all"}, "loop");
  set_graph(loop, "body", body);
  const pb::ModelProto model =
      model_of({{"x", kFloat, {1}}, {"trips", kInt64, {}}}, {loop}, {"y", "all"});
  const TensorMap inputs = {{"x", Tensor::from<float>({1}, {2})},
                            {"trips", Tensor::scalar<std::int64_t>(3)}};
  const auto result = run_model(model, inputs);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().message(),
              HasSubstr("a slice of output 1 is float32[2], unlike the others"));
}

TEST(Loop, an_endless_loop_does_not_fill_the_memory) {
  // Slices of 64 MiB, without end.
  pb::GraphProto body = graph_of(
      {make_node("Identity", {"c"}, {"c_out"}), make_node("Expand", {"x", "size"}, {"slice"})},
      {"c_out", "slice"});
  set_type(body.add_input(), "i", kInt64, {});
  set_type(body.add_input(), "c", kBool, {});
  pb::NodeProto loop = make_node("Loop", {"", ""}, {"all"}, "loop");
  set_graph(loop, "body", body);
  pb::ModelProto model = model_of({{"x", kFloat, {1}}}, {loop}, {"all"});
  auto* size = model.mutable_graph()->add_initializer();
  size->set_name("size");
  size->set_data_type(kInt64);
  size->add_dims(1);
  size->add_int64_data(1 << 24);
  const auto result = run_model(model, {{"x", Tensor::from<float>({1}, {2})}});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(result.status().message(), HasSubstr("more than 11 slices of shape [16777216]"));
}

// --- Scan

// body(sum, slice): next = sum + slice, out = next
pb::GraphProto running_sum() {
  pb::GraphProto body = graph_of(
      {make_node("Add", {"sum", "slice"}, {"next"}), make_node("Identity", {"next"}, {"out"})},
      {"next", "out"});
  set_type(body.add_input(), "sum", kFloat, {2});
  set_type(body.add_input(), "slice", kFloat, {2});
  return body;
}

pb::NodeProto scan_node(const std::vector<std::string>& inputs) {
  pb::NodeProto node = make_node("Scan", inputs, {"last", "sums"}, "scan");
  set_graph(node, "body", running_sum());
  add_attribute(node, "num_scan_inputs", pb::AttributeProto::INT)->set_i(1);
  return node;
}

void set_ints(pb::NodeProto& node, const std::string& name, std::int64_t value) {
  add_attribute(node, name, pb::AttributeProto::INTS)->add_ints(value);
}

TEST(Scan, goes_through_slices) {
  const pb::ModelProto model = model_of({{"start", kFloat, {2}}, {"x", kFloat, {-1, 2}}},
                                        {scan_node({"start", "x"})}, {"last", "sums"});
  const auto result = run_model(model, {{"start", Tensor::from<float>({2}, {10, 20})},
                                        {"x", Tensor::from<float>({3, 2}, {1, 2, 3, 4, 5, 6})}});
  EXPECT_THAT(floats_of(result, "last"), ElementsAre(19, 32));
  EXPECT_THAT(floats_of(result, "sums"), ElementsAre(11, 22, 14, 26, 19, 32));
}

TEST(Scan, axes_and_directions) {
  pb::NodeProto node = scan_node({"start", "x"});
  set_ints(node, "scan_input_axes", 1);
  set_ints(node, "scan_input_directions", 1);
  set_ints(node, "scan_output_axes", -1);
  set_ints(node, "scan_output_directions", 1);
  const pb::ModelProto model =
      model_of({{"start", kFloat, {2}}, {"x", kFloat, {2, -1}}}, {node}, {"last", "sums"});
  // x is [2][3]; slices are its columns from the last one on, and the results are columns as well.
  const auto result = run_model(model, {{"start", Tensor::from<float>({2}, {0, 0})},
                                        {"x", Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6})}});
  EXPECT_THAT(floats_of(result, "last"), ElementsAre(6, 15));
  EXPECT_THAT(floats_of(result, "sums"), ElementsAre(6, 5, 3, 15, 11, 6));
}

TEST(Scan, opset_8_has_a_batch_and_lengths) {
  pb::NodeProto node = scan_node({"lengths", "start", "x"});
  const pb::ModelProto model =
      model_of({{"lengths", kInt64, {2}}, {"start", kFloat, {2, 2}}, {"x", kFloat, {2, 2, 2}}},
               {node}, {"last", "sums"}, 8);
  const auto result =
      run_model(model, {{"lengths", Tensor::from<std::int64_t>({2}, {2, 1})},
                        {"start", Tensor::from<float>({2, 2}, {0, 0, 100, 100})},
                        {"x", Tensor::from<float>({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}});
  EXPECT_THAT(floats_of(result, "last"), ElementsAre(4, 6, 105, 106));
  EXPECT_THAT(floats_of(result, "sums"), ElementsAre(1, 2, 4, 6, 105, 106, 0, 0));
}

TEST(Scan, refuses_wrong_counts) {
  pb::NodeProto node = scan_node({"start", "x"});
  node.mutable_attribute(1)->set_i(5);
  const auto result = run_model(
      model_of({{"start", kFloat, {2}}, {"x", kFloat, {3, 2}}}, {node}, {"last", "sums"}), {});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().message(), HasSubstr("num_scan_inputs is 5; the node has 2 inputs"));
}

}  // namespace
}  // namespace mini_infer
