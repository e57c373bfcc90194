// Calls of functions that the model defines are replaced by their bodies.
#include "tests/onnx/model_maker.h"

namespace mini_infer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

pb::FunctionProto* add_function(pb::ModelProto& model, const std::string& name,
                                const std::vector<std::string>& inputs,
                                const std::vector<std::string>& outputs,
                                const std::vector<pb::NodeProto>& nodes) {
  auto* function = model.add_functions();
  function->set_name(name);
  function->set_domain("local");
  for (const auto& input : inputs) function->add_input(input);
  for (const auto& output : outputs) function->add_output(output);
  for (const auto& node : nodes) *function->add_node() = node;
  return function;
}

pb::NodeProto call(const std::string& function, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs, const std::string& name = "") {
  pb::NodeProto node = make_node(function, inputs, outputs, name);
  node.set_domain("local");
  return node;
}

pb::ModelProto calling_model(const std::vector<pb::NodeProto>& nodes) {
  pb::ModelProto model = make_model();
  for (const auto& node : nodes) *model.mutable_graph()->add_node() = node;
  auto* import = model.add_opset_import();
  import->set_domain("local");
  import->set_version(1);
  return model;
}

std::vector<std::string> lines_of(const Graph& graph) {
  std::vector<std::string> lines;
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    std::string line = node.name + ":";
    for (const ValueId in : node.inputs)
      line += " " + (in == kNoValue ? "-" : graph.value(in).name);
    line += " ->";
    for (const ValueId out : node.outputs) line += " " + graph.value(out).name;
    lines.push_back(line);
  }
  return lines;
}

TEST(ImportFunction, bodies_replace_calls_with_names_of_their_own) {
  pb::ModelProto model = calling_model({call("F", {"x"}, {"m"}, "one"), call("F", {"m"}, {"y"})});
  add_function(model, "F", {"a"}, {"b"},
               {make_node("Neg", {"a"}, {"t"}, "neg"), make_node("Exp", {"t"}, {"b"})});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  EXPECT_THAT(lines_of(imported.graph()),
              ElementsAre("one/neg: x -> one/t", "one/Exp_1: one/t -> m", "F_1/neg: m -> F_1/t",
                          "F_1/Exp_1: F_1/t -> y"));
  EXPECT_EQ(imported.result->info.op_counts.at("local.F"), 2);
}

TEST(ImportFunction, attribute_references_defaults_and_constants) {
  pb::NodeProto node = make_node("Op", {"a"}, {"t"});
  add_attribute(node, "axis", pb::AttributeProto::INT)->set_ref_attr_name("given");
  add_attribute(node, "alpha", pb::AttributeProto::FLOAT)->set_ref_attr_name("default");
  add_attribute(node, "beta", pb::AttributeProto::FLOAT)->set_ref_attr_name("absent");
  pb::NodeProto constant = make_node("Constant", {}, {"c"});
  add_attribute(constant, "value_int", pb::AttributeProto::INT)->set_ref_attr_name("given");
  pb::NodeProto caller = call("F", {"x"}, {"y"}, "f");
  add_attribute(caller, "given", pb::AttributeProto::INT)->set_i(3);
  pb::ModelProto model = calling_model({caller});
  auto* function =
      add_function(model, "F", {"a"}, {"b"}, {node, constant, make_node("Add", {"t", "c"}, {"b"})});
  // attribute_proto = 11, which came after this onnx.proto.
  pb::AttributeProto preset;
  preset.set_name("default");
  preset.set_f(0.25f);
  const std::string bytes = preset.SerializeAsString();
  *function->mutable_unknown_fields() =
      std::string("\x5a") + static_cast<char>(bytes.size()) + bytes;
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Attributes& attributes = imported.node("Op").attributes;
  EXPECT_EQ(std::get<std::int64_t>(attributes.at("axis")), 3);
  EXPECT_EQ(std::get<float>(attributes.at("alpha")), 0.25f);
  EXPECT_FALSE(attributes.contains("beta"));
  EXPECT_THAT(imported.value("f/c").constant.values<std::int64_t>(), ElementsAre(3));
}

TEST(ImportFunction, nested_calls_optional_inputs_and_own_opsets) {
  pb::ModelProto model = calling_model({call("Outer", {"x"}, {"y"}, "o")});
  auto* outer = add_function(model, "Outer", {"a", "bias"}, {"b"},
                             {call("Inner", {"a", "bias"}, {"b"}, "i")});
  auto* import = outer->add_opset_import();
  import->set_domain("");
  import->set_version(17);
  auto* inner = add_function(model, "Inner", {"p", "q"}, {"r"},
                             {make_node("Clip", {"p", "q", "p"}, {"r"}, "clip")});
  import = inner->add_opset_import();
  import->set_domain("ai.onnx");
  import->set_version(11);
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  EXPECT_THAT(lines_of(imported.graph()), ElementsAre("o/i/clip: x - x -> y"));
  EXPECT_EQ(imported.node("Clip").opset, 11);
}

TEST(ImportFunction, outputs_that_are_inputs_or_have_two_names) {
  pb::ModelProto model = calling_model(
      {call("F", {"x"}, {"p", "q", "r"}, "f"), make_node("Sum", {"p", "q", "r"}, {"y"})});
  add_function(model, "F", {"a"}, {"a", "b", "b"}, {make_node("Neg", {"a"}, {"b"})});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  EXPECT_EQ(imported.graph().nodes_of("Identity").size(), 2u);
  EXPECT_EQ(imported.graph().node_count(), 4u);
}

TEST(ImportFunction, subgraphs_of_a_body_capture_its_values) {
  pb::GraphProto branch;
  *branch.add_node() = make_node("Relu", {"t"}, {"out"});
  branch.add_output()->set_name("out");
  pb::NodeProto choice = make_node("If", {"a"}, {"b"});
  for (const char* name : {"then_branch", "else_branch"}) {
    *add_attribute(choice, name, pb::AttributeProto::GRAPH)->mutable_g() = branch;
  }
  pb::ModelProto model = calling_model({call("F", {"x"}, {"y"}, "f")});
  add_function(model, "F", {"a"}, {"b"}, {make_node("Neg", {"a"}, {"t"}), choice});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Node& node = imported.node("If");
  EXPECT_EQ(node.captures, 1);
  EXPECT_EQ(imported.graph().value(node.inputs[1]).name, "f/t");
}

TEST(ImportFunction, recursion_is_refused) {
  pb::ModelProto model = calling_model({call("F", {"x"}, {"y"}, "f")});
  add_function(model, "F", {"a"}, {"b"}, {call("G", {"a"}, {"b"}, "g")});
  add_function(model, "G", {"a"}, {"b"}, {call("F", {"a"}, {"b"}, "again")});
  EXPECT_EQ(import_proto(model).message(),
            "node 'f/g/again' (F of domain local, opset 1): the function calls itself: local.F -> "
            "local.G -> local.F");
}

TEST(ImportFunction, expansion_is_bounded) {
  pb::ModelProto model = calling_model({call("F0", {"x"}, {"y"})});
  for (int i = 0; i < 20; ++i) {
    std::vector<pb::NodeProto> nodes;
    const std::string next = cat('F', i + 1);
    for (int j = 0; j < 10; ++j) nodes.push_back(call(next, {"a"}, {j == 0 ? "b" : cat("c", j)}));
    add_function(model, cat('F', i), {"a"}, {"b"}, nodes);
  }
  add_function(model, "F20", {"a"}, {"b"}, {make_node("Neg", {"a"}, {"b"})});
  const Imported imported = import_proto(model);
  EXPECT_EQ(imported.result.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(imported.message(), HasSubstr("functions expand to more than 200000 nodes"));
}

TEST(ImportFunction, wrong_calls_are_reported) {
  pb::ModelProto model =
      calling_model({call("F", {"x", "x"}, {"y"}, "many"), call("F", {"x"}, {"p", "q"}, "more"),
                     call("G", {"x"}, {"r"}, "lost")});
  add_function(model, "F", {"a"}, {"b"}, {make_node("Neg", {"a"}, {"b"})});
  add_function(model, "G", {"a"}, {"b"}, {make_node("Neg", {"a"}, {"c"})});
  add_function(model, "G", {"a"}, {"b"}, {});
  EXPECT_EQ(import_proto(model).message(),
            "function 'G' is defined twice\n"
            "node 'many' (F of domain local, opset 1) has 2 inputs; the function has 1\n"
            "node 'more' (F of domain local, opset 1) has 2 outputs; the function has 1\n"
            "node 'lost' (G of domain local, opset 1): the function does not compute its output "
            "'b'");
}

}  // namespace
}  // namespace mini_infer
