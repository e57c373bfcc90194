// Subgraphs are closed: what they use from outside becomes an input.
#include "tests/onnx/model_maker.h"

namespace mini_infer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void add_graph_output(pb::GraphProto* graph, const std::string& name) {
  graph->add_output()->set_name(name);
}

// If(cond) with the two branches; `cond` is a graph input.
pb::ModelProto if_model(const pb::GraphProto& then_branch, const pb::GraphProto& else_branch) {
  pb::ModelProto model = make_model();
  set_type(model.mutable_graph()->add_input(), "cond", pb::TensorProto::BOOL, {});
  pb::NodeProto node = make_node("If", {"cond"}, {"y"}, "choice");
  *add_attribute(node, "then_branch", pb::AttributeProto::GRAPH)->mutable_g() = then_branch;
  *add_attribute(node, "else_branch", pb::AttributeProto::GRAPH)->mutable_g() = else_branch;
  *model.mutable_graph()->add_node() = node;
  return model;
}

pb::GraphProto branch(const pb::NodeProto& node) {
  pb::GraphProto graph;
  *graph.add_node() = node;
  add_graph_output(&graph, node.output(0));
  return graph;
}

const Graph& subgraph_of(const Node& node, const std::string& name) {
  return *std::get<GraphPtr>(node.attributes.at(name));
}

std::vector<std::string> names_of(const Graph& graph, const std::vector<ValueId>& values) {
  std::vector<std::string> names;
  for (const ValueId id : values) names.push_back(graph.value(id).name);
  return names;
}

TEST(ImportSubgraph, branches_get_the_same_captures_in_the_same_order) {
  pb::ModelProto model = if_model(branch(make_node("Relu", {"x"}, {"then_out"})),
                                  branch(make_node("Add", {"a", "x"}, {"else_out"})));
  *model.mutable_graph()->add_node() = make_node("Neg", {"x"}, {"a"});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Node& node = imported.node("If");
  EXPECT_EQ(node.captures, 2);
  EXPECT_THAT(names_of(imported.graph(), node.inputs), ElementsAre("cond", "x", "a"));
  const Graph& then_graph = subgraph_of(node, "then_branch");
  const Graph& else_graph = subgraph_of(node, "else_branch");
  EXPECT_THAT(names_of(else_graph, else_graph.inputs), ElementsAre("x", "a"));
  EXPECT_THAT(names_of(then_graph, then_graph.inputs), ElementsAre("x", "unused"));
  EXPECT_EQ(then_graph.value(then_graph.inputs[0]).shape->str(), "[N1,2]");
  EXPECT_EQ(then_graph.node(then_graph.order()[0]).name, "choice/Relu_0");
  EXPECT_EQ(then_graph.opset(), 13);
  EXPECT_EQ(imported.result->info.op_counts.at("Relu"), 1);
}

TEST(ImportSubgraph, constants_are_copied_instead_of_captured) {
  pb::ModelProto model = if_model(branch(make_node("Add", {"x", "w"}, {"t"})),
                                  branch(make_node("Sub", {"x", "w"}, {"e"})));
  *model.mutable_graph()->add_initializer() = float_tensor("w", {1}, {3});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Node& node = imported.node("If");
  EXPECT_EQ(node.captures, 1);
  const Graph& graph = subgraph_of(node, "then_branch");
  const ValueId w = graph.find_value("w");
  ASSERT_NE(w, kNoValue);
  EXPECT_EQ(graph.value(w).constant.data(), imported.value("w").constant.data());
}

TEST(ImportSubgraph, an_output_may_be_a_value_from_outside) {
  pb::GraphProto direct;
  add_graph_output(&direct, "x");
  const Imported imported = import_proto(if_model(direct, branch(make_node("Relu", {"x"}, {"e"}))));
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Graph& graph = subgraph_of(imported.node("If"), "then_branch");
  EXPECT_EQ(graph.outputs()[0].value, graph.inputs[0]);
}

TEST(ImportSubgraph, captures_go_through_all_levels) {
  const pb::ModelProto inner = if_model(branch(make_node("Relu", {"deep"}, {"t"})),
                                        branch(make_node("Add", {"deep", "mid"}, {"e"})));
  pb::GraphProto outer;
  *outer.add_node() = make_node("Neg", {"x"}, {"mid"});
  *outer.add_node() = inner.graph().node(0);
  outer.mutable_node(1)->set_name("inner");
  outer.mutable_node(1)->set_output(0, "outer_y");
  add_graph_output(&outer, "outer_y");
  pb::ModelProto model = if_model(outer, branch(make_node("Relu", {"x"}, {"e"})));
  *model.mutable_graph()->add_node() = make_node("Exp", {"x"}, {"deep"});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Node& node = imported.node("If");
  EXPECT_THAT(names_of(imported.graph(), node.inputs), ElementsAre("cond", "x", "cond", "deep"));
  const Graph& middle = subgraph_of(node, "then_branch");
  const Node& nested = middle.node(middle.nodes_of("If")[0]);
  EXPECT_THAT(names_of(middle, nested.inputs), ElementsAre("cond", "deep", "mid"));
  EXPECT_EQ(nested.captures, 2);
}

TEST(ImportSubgraph, an_own_name_hides_the_outer_one) {
  pb::GraphProto shadow;
  *shadow.add_node() = make_node("Exp", {"cond"}, {"x"});
  *shadow.add_node() = make_node("Relu", {"x"}, {"t"});
  add_graph_output(&shadow, "t");
  const Imported imported = import_proto(if_model(shadow, branch(make_node("Relu", {"x"}, {"e"}))));
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Graph& graph = subgraph_of(imported.node("If"), "then_branch");
  const NodeId relu = graph.nodes_of("Relu")[0];
  EXPECT_NE(graph.producer_of_type(graph.input(relu, 0), "Exp"), kNoNode);
}

TEST(ImportSubgraph, own_initialisers_and_inputs_stand_before_captures) {
  pb::GraphProto body;
  set_type(body.add_input(), "i", kInt64, {});
  set_type(body.add_input(), "c", pb::TensorProto::BOOL, {});
  set_type(body.add_input(), "state", kFloat, {-1, 2});
  set_type(body.add_input(), "w", kFloat, {1});
  *body.add_initializer() = float_tensor("w", {1}, {3});
  *body.add_node() = make_node("Add", {"state", "w"}, {"s"});
  *body.add_node() = make_node("Add", {"s", "x"}, {"next"});
  for (const char* name : {"c", "next"}) add_graph_output(&body, name);
  pb::ModelProto model = make_model();
  pb::NodeProto loop = make_node("Loop", {"", "", "x"}, {"y"});
  *add_attribute(loop, "body", pb::AttributeProto::GRAPH)->mutable_g() = body;
  *model.mutable_graph()->add_node() = loop;
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Node& node = imported.node("Loop");
  EXPECT_EQ(node.inputs[0], kNoValue);
  EXPECT_EQ(node.inputs.size(), 4u);
  EXPECT_EQ(node.captures, 1);
  const Graph& graph = subgraph_of(node, "body");
  EXPECT_THAT(names_of(graph, graph.inputs), ElementsAre("i", "c", "state", "x"));
}

TEST(ImportSubgraph, inputs_that_are_left_out_keep_their_place_before_captures) {
  pb::GraphProto body;
  set_type(body.add_input(), "i", kInt64, {});
  set_type(body.add_input(), "c", pb::TensorProto::BOOL, {});
  *body.add_node() = make_node("Relu", {"x"}, {"slice"});
  for (const char* name : {"c", "slice"}) add_graph_output(&body, name);
  pb::ModelProto model = make_model();
  pb::NodeProto loop = make_node("Loop", {"x", ""}, {"y"});
  *add_attribute(loop, "body", pb::AttributeProto::GRAPH)->mutable_g() = body;
  *model.mutable_graph()->add_node() = loop;
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Node& node = imported.node("Loop");
  ASSERT_EQ(node.inputs.size(), 3u);
  EXPECT_EQ(node.inputs[1], kNoValue);
  EXPECT_EQ(node.captures, 1);
}

TEST(ImportSubgraph, undefined_names_inside_are_reported) {
  const Imported imported = import_proto(if_model(branch(make_node("Relu", {"nothing"}, {"t"})),
                                                  branch(make_node("Relu", {"x"}, {"e"}))));
  EXPECT_EQ(imported.message(),
            "node 'choice/Relu_0' (Relu, opset 13): input 0 'nothing' is not defined: no node, "
            "input or initialiser has that name");
}

TEST(ImportSubgraph, nesting_is_bounded) {
  pb::GraphProto graph = branch(make_node("Relu", {"x"}, {"out"}));
  for (int i = 0; i < 30; ++i) {
    pb::NodeProto node = make_node("If", {"cond"}, {"out"});
    *add_attribute(node, "then_branch", pb::AttributeProto::GRAPH)->mutable_g() = graph;
    graph = branch(node);
  }
  pb::ModelProto model = if_model(graph, branch(make_node("Relu", {"x"}, {"e"})));
  const Imported imported = import_proto(model);
  EXPECT_EQ(imported.message(), "graphs are nested deeper than 24 levels");
  EXPECT_EQ(imported.result.status().code(), Code::kNotImplemented);
}

}  // namespace
}  // namespace mini_infer
