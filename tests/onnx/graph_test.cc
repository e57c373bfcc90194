// Names, types, attributes and problems of the main graph.
#include "tests/onnx/model_maker.h"

namespace mini_infer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ImportGraph, reads_header_inputs_and_outputs) {
  pb::ModelProto model = relu_model();
  model.set_producer_name("maker");
  model.set_producer_version("2");
  auto* entry = model.add_metadata_props();
  entry->set_key("preset");
  entry->set_value("caffe");
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  EXPECT_THAT(imported.notes, ElementsAre());
  const ModelInfo& info = imported.result->info;
  EXPECT_EQ(info.ir_version, 7);
  EXPECT_EQ(info.producer, "maker 2");
  EXPECT_EQ(info.metadata.at("preset"), "caffe");
  EXPECT_EQ(info.opsets.at(""), 13);
  EXPECT_EQ(info.op_counts.at("Relu"), 1);
  EXPECT_EQ(info.file_bytes, model.ByteSizeLong());
  const Graph& graph = imported.graph();
  ASSERT_EQ(graph.inputs.size(), 1u);
  EXPECT_EQ(graph.value(graph.inputs[0]).shape->str(), "[N1,2]");
  ASSERT_EQ(graph.outputs().size(), 1u);
  EXPECT_EQ(graph.outputs()[0].name, "y");
  EXPECT_EQ(imported.node("Relu").str(), "node 'relu' (Relu, opset 13)");
}

TEST(ImportGraph, open_dimensions_are_unknowns_of_their_own) {
  pb::ModelProto model = relu_model();
  auto* input = model.mutable_graph()->mutable_input(0);
  set_type(input, "x", kFloat, {0, -2, -3, 4, -5});
  auto* shape = input->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape->mutable_dim(0)->set_dim_value(-1);
  shape->mutable_dim(1)->set_dim_param("None");
  shape->mutable_dim(2)->clear_dim_param();
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  EXPECT_EQ(imported.value("x").shape->str(), "[?x_0,?x_1,?x_2,4,N5]");
}

TEST(ImportGraph, nodes_without_a_name_get_one_and_equal_names_differ) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  *graph->add_node() = make_node("Relu", {"x"}, {"a"});
  *graph->add_node() = make_node("Relu", {"a"}, {"b"}, "same");
  *graph->add_node() = make_node("Relu", {"b"}, {"c"}, "same");
  *graph->add_node() = make_node("Relu", {"c"}, {"y"});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  std::vector<std::string> names;
  for (const NodeId id : imported.graph().order()) names.push_back(imported.graph().node(id).name);
  EXPECT_THAT(names, ElementsAre("Relu_0", "same", "same_2", "Relu_3"));
}

TEST(ImportGraph, nodes_may_stand_in_any_order_and_the_default_domain_has_two_spellings) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  *graph->add_node() = make_node("Neg", {"a"}, {"y"});
  *graph->add_node() = make_node("Relu", {"x"}, {"a"});
  graph->mutable_node(1)->set_domain("ai.onnx");
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const auto order = imported.graph().order();
  EXPECT_EQ(imported.graph().node(order[0]).op_type, "Relu");
  EXPECT_EQ(imported.graph().node(order[0]).domain, "");
  EXPECT_EQ(imported.graph().node(order[0]).opset, 13);
}

TEST(ImportGraph, inputs_that_are_left_out_keep_their_place) {
  pb::ModelProto model = make_model();
  *model.mutable_graph()->add_node() = make_node("Clip", {"x", "", "x", "", ""}, {"y", ""});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Node& node = imported.node("Clip");
  ASSERT_EQ(node.inputs.size(), 3u);
  EXPECT_EQ(node.inputs[1], kNoValue);
  EXPECT_EQ(node.outputs.size(), 1u);
}

TEST(ImportGraph, initialisers_are_constants_whether_or_not_they_are_inputs) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  set_type(graph->add_input(), "a", kFloat, {2});
  *graph->add_initializer() = float_tensor("a", {2}, {1, 2});
  *graph->add_initializer() = float_tensor("b", {1}, {3});
  *graph->add_node() = make_node("Add", {"x", "a"}, {"t"});
  *graph->add_node() = make_node("Add", {"t", "b"}, {"y"});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  EXPECT_EQ(imported.graph().inputs.size(), 1u);
  EXPECT_THAT(imported.value("a").constant.values<float>(), ElementsAre(1, 2));
  EXPECT_TRUE(imported.value("b").is_constant());
  EXPECT_EQ(imported.result->info.parameters, 3);
}

TEST(ImportGraph, a_repeated_initialiser_gets_a_note) {
  pb::ModelProto model = relu_model();
  *model.mutable_graph()->add_initializer() = float_tensor("a", {1}, {1});
  *model.mutable_graph()->add_initializer() = float_tensor("a", {1}, {2});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  EXPECT_THAT(imported.notes, ElementsAre("initialiser 'a' is there twice; the last counts"));
  EXPECT_THAT(imported.value("a").constant.values<float>(), ElementsAre(2));
}

TEST(ImportGraph, value_info_is_a_hint_and_conflicts_get_one_note) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  *graph->add_node() = make_node("Relu", {"x"}, {"a"});
  *graph->add_node() = make_node("Relu", {"a"}, {"y"});
  set_type(graph->add_value_info(), "a", kFloat, {-1, 2});
  set_type(graph->add_value_info(), "a", kFloat, {-1, 3});
  set_type(graph->add_value_info(), "x", kInt64, {-1, 2});
  set_type(graph->add_value_info(), "nothing", kInt64, {-1, 2});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  EXPECT_EQ(imported.value("a").shape->str(), "[N1,2]");
  EXPECT_THAT(imported.notes,
              ElementsAre("the model says that 'a' is float32[N1,3], but it is float32[N1,2]; "
                          "ignored (and 1 more like it)"));
}

TEST(ImportGraph, attributes_of_every_kind) {
  pb::ModelProto model = make_model();
  pb::NodeProto node = make_node("Op", {"x"}, {"y"});
  using A = pb::AttributeProto;
  add_attribute(node, "i", A::INT)->set_i(5);
  add_attribute(node, "zero", A::INT);
  add_attribute(node, "f", A::FLOAT)->set_f(0.5f);
  add_attribute(node, "s", A::STRING)->set_s("text");
  add_attribute(node, "ints", A::INTS)->add_ints(7);
  add_attribute(node, "none", A::INTS);
  add_attribute(node, "floats", A::FLOATS)->add_floats(1.5f);
  add_attribute(node, "strings", A::STRINGS)->add_strings("a");
  *add_attribute(node, "t", A::TENSOR)->mutable_t() = float_tensor("", {1}, {2});
  *add_attribute(node, "tensors", A::TENSORS)->add_tensors() = float_tensor("", {1}, {3});
  auto* sparse = add_attribute(node, "sparse", A::SPARSE_TENSOR)->mutable_sparse_tensor();
  *sparse->mutable_values() = float_tensor("", {1}, {4});
  sparse->mutable_indices()->set_data_type(kInt64);
  sparse->mutable_indices()->add_dims(1);
  sparse->mutable_indices()->add_int64_data(1);
  sparse->add_dims(3);
  *model.mutable_graph()->add_node() = node;
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Attributes& read = imported.node("Op").attributes;
  EXPECT_EQ(std::get<std::int64_t>(read.at("i")), 5);
  EXPECT_EQ(std::get<std::int64_t>(read.at("zero")), 0);
  EXPECT_EQ(std::get<float>(read.at("f")), 0.5f);
  EXPECT_EQ(std::get<std::string>(read.at("s")), "text");
  EXPECT_EQ(std::get<Ints>(read.at("ints")), Ints{7});
  EXPECT_EQ(std::get<Ints>(read.at("none")), Ints{});
  EXPECT_EQ(std::get<Floats>(read.at("floats")), Floats{1.5f});
  EXPECT_EQ(std::get<Strings>(read.at("strings")), Strings{"a"});
  EXPECT_THAT(std::get<Tensor>(read.at("t")).values<float>(), ElementsAre(2));
  EXPECT_THAT(std::get<std::vector<Tensor>>(read.at("tensors"))[0].values<float>(), ElementsAre(3));
  EXPECT_THAT(std::get<Tensor>(read.at("sparse")).values<float>(), ElementsAre(0, 4, 0));
}

TEST(ImportGraph, an_attribute_without_a_type_has_that_of_its_value) {
  pb::ModelProto model = make_model();
  pb::NodeProto node = make_node("Op", {"x"}, {"y"});
  const auto add = [&](const std::string& name) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    return attribute;
  };
  add("i")->set_i(5);
  add("f")->set_f(0.5f);
  add("s")->set_s("text");
  add("ints")->add_ints(7);
  add("floats")->add_floats(7);
  add("strings")->add_strings("a");
  *add("t")->mutable_t() = float_tensor("", {1}, {2});
  add("none");
  *model.mutable_graph()->add_node() = node;
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  std::string kinds;
  for (const auto& [name, value] : imported.node("Op").attributes) {
    kinds += cat(name, ':', attribute_kind(value), ' ');
  }
  EXPECT_EQ(kinds,
            "f:float floats:floats i:int ints:ints none:ints s:string strings:strings t:tensor ");
}

TEST(ImportGraph, constant_nodes_become_constants) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  using A = pb::AttributeProto;
  const auto add = [&](const std::string& name, const std::string& attribute,
                       A::AttributeType type) {
    *graph->add_node() = make_node("Constant", {}, {name});
    return add_attribute(*graph->mutable_node(graph->node_size() - 1), attribute, type);
  };
  *add("t", "value", A::TENSOR)->mutable_t() = float_tensor("", {1}, {2});
  add("f", "value_float", A::FLOAT)->set_f(1.5f);
  add("i", "value_int", A::INT)->set_i(3);
  add("s", "value_string", A::STRING)->set_s("text");
  add("ints", "value_ints", A::INTS)->add_ints(4);
  add("floats", "value_floats", A::FLOATS)->add_floats(5);
  add("strings", "value_strings", A::STRINGS)->add_strings("a");
  *graph->add_node() = make_node("Relu", {"x"}, {"y"});
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  EXPECT_EQ(imported.graph().node_count(), 1u);
  EXPECT_EQ(imported.result->info.op_counts.at("Constant"), 7);
  EXPECT_THAT(imported.value("t").constant.values<float>(), ElementsAre(2));
  EXPECT_EQ(imported.value("f").constant.shape(), Shape{});
  EXPECT_THAT(imported.value("i").constant.values<std::int64_t>(), ElementsAre(3));
  EXPECT_THAT(imported.value("s").constant.values<std::string>(), ElementsAre("text"));
  EXPECT_EQ(imported.value("ints").constant.shape(), Shape{1});
  EXPECT_THAT(imported.value("floats").constant.values<float>(), ElementsAre(5));
  EXPECT_THAT(imported.value("strings").constant.values<std::string>(), ElementsAre("a"));
}

TEST(ImportGraph, all_problems_come_together) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  graph->add_output()->set_name("z");
  *graph->add_node() = make_node("Relu", {"missing"}, {"a"}, "first");
  *graph->add_node() = make_node("Relu", {"x"}, {"a"}, "second");
  *graph->add_node() = make_node("Constant", {}, {"c"}, "empty");
  *graph->add_node() = make_node("Add", {"x", "c"}, {"y"}, "add");
  *graph->add_initializer() = float_tensor("w", {2, 2}, {1});
  const Imported imported = import_proto(model);
  ASSERT_FALSE(imported.ok());
  EXPECT_EQ(imported.result.status().code(), Code::kInvalidModel);
  EXPECT_EQ(imported.message(),
            "initialiser 'w': float_data holds 1 values; float32[2,2] needs 4\n"
            "node 'second': output 'a' has the name of another value; names must be unique\n"
            "node 'empty' (Constant, opset 13): a Constant needs one of value, sparse_value, "
            "value_float, value_floats, value_int, value_ints, value_string, value_strings\n"
            "node 'first' (Relu, opset 13): input 0 'missing' is not defined: no node, input or "
            "initialiser has that name\n"
            "output 'z': no node, input or initialiser has that name");
}

TEST(ImportGraph, a_cycle_is_named) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  *graph->add_node() = make_node("Add", {"x", "c"}, {"a"}, "one");
  *graph->add_node() = make_node("Relu", {"a"}, {"c"}, "two");
  *graph->add_node() = make_node("Relu", {"c"}, {"y"}, "three");
  EXPECT_EQ(import_proto(model).message(), "the graph has a cycle: 'one' needs 'two' needs 'one'");
}

TEST(ImportGraph, inputs_that_are_no_tensors_are_named) {
  pb::ModelProto model = relu_model();
  auto* graph = model.mutable_graph();
  auto* list = graph->add_input();
  list->set_name("list");
  list->mutable_type()->mutable_sequence_type();
  auto* map = graph->add_input();
  map->set_name("map");
  map->mutable_type()->mutable_map_type();
  auto* maybe = graph->add_input();
  maybe->set_name("maybe");
  maybe->mutable_type()->mutable_optional_type();
  set_type(graph->add_input(), "tiny", 22, {1});
  const Imported imported = import_proto(model);
  ASSERT_FALSE(imported.ok());
  EXPECT_EQ(imported.result.status().code(), Code::kNotImplemented);
  EXPECT_EQ(imported.message(),
            "input 'list': a sequence; only tensors are implemented\n"
            "input 'map': a map; only tensors are implemented\n"
            "input 'maybe': an optional; only tensors are implemented\n"
            "input 'tiny': element type int4 (22) is not implemented");
}

TEST(ImportGraph, duplicate_inputs_outputs_and_attributes_are_refused) {
  pb::ModelProto model = relu_model();
  auto* graph = model.mutable_graph();
  set_type(graph->add_input(), "x", kFloat, {1});
  graph->add_output()->set_name("y");
  add_attribute(*graph->mutable_node(0), "a", pb::AttributeProto::INT);
  add_attribute(*graph->mutable_node(0), "a", pb::AttributeProto::INT);
  EXPECT_EQ(import_proto(model).message(),
            "input 'x' is declared twice\n"
            "node 'relu' (Relu, opset 13): attribute 'a' is there twice\n"
            "output 'y' is declared twice");
}

TEST(ImportGraph, versions) {
  pb::ModelProto model = relu_model();
  model.set_ir_version(2);
  EXPECT_EQ(import_proto(model).message(),
            "the model has IR version 2; the oldest that can be read is 3");
  model.set_ir_version(99);
  EXPECT_THAT(import_proto(model).notes,
              ElementsAre("the model has IR version 99, newer than 13; reading it all the same"));
  model.set_ir_version(3);
  model.mutable_opset_import(0)->set_version(99);
  EXPECT_THAT(import_proto(model).notes,
              ElementsAre("the model has opset 99, newer than 27; reading it all the same"));
  model.mutable_opset_import(0)->set_version(0);
  EXPECT_THAT(import_proto(model).message(),
              HasSubstr("the model imports version 0 of domain ''; versions start at 1"));
  model.clear_opset_import();
  const Imported none = import_proto(model);
  ASSERT_TRUE(none.ok()) << none.message();
  EXPECT_THAT(none.notes, ElementsAre("the model has no opset_import; taken as opset 1"));
  EXPECT_EQ(none.node("Relu").opset, 1);
  *model.mutable_graph()->add_node() = make_node("Reshape", {"x", "x"}, {"z"});
  EXPECT_THAT(import_proto(model).notes,
              ElementsAre("the model has no opset_import; taken as opset 5 because of the 2 inputs "
                          "of a Reshape"));
}

TEST(ImportGraph, a_domain_that_is_not_imported_gets_a_note) {
  pb::ModelProto model = relu_model();
  model.mutable_graph()->mutable_node(0)->set_domain("com.acme");
  const Imported imported = import_proto(model);
  ASSERT_TRUE(imported.ok()) << imported.message();
  EXPECT_THAT(imported.notes, ElementsAre(HasSubstr("does not import domain 'com.acme'")));
  EXPECT_EQ(imported.result->info.op_counts.at("com.acme.Relu"), 1);
}

TEST(ImportGraph, what_is_no_model) {
  EXPECT_EQ(import_string("").message(), "the model is empty");
  const std::string bytes = relu_model().SerializeAsString();
  EXPECT_THAT(import_string(bytes.substr(0, bytes.size() - 3)).message(),
              HasSubstr("the file is truncated"));
  EXPECT_THAT(import_string("<!DOCTYPE html><html></html>").message(),
              HasSubstr("not a readable ONNX file: wire type 4 at byte 0"));
  EXPECT_EQ(import_string(std::string("\x08\x07", 2)).message(),
            "not an ONNX model: it has no graph (2 bytes)");
  const auto folder = import_file(MINI_SOURCE_DIR);
  EXPECT_THAT(folder.status().message(), HasSubstr("it is a folder"));
  const auto missing = import_file("/nothing/there.onnx");
  EXPECT_EQ(missing.status().code(), Code::kIo);
  EXPECT_EQ(missing.status().message(),
            "cannot read '/nothing/there.onnx': No such file or directory");
}

}  // namespace
}  // namespace mini_infer
