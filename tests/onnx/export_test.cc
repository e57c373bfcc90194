// What is written must read back as the same graph, with the same results.
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "graph/onnx/exporter.h"
#include "graph/onnx/tensor_reader.h"
#include "kernels/op_registry.h"
#include "tests/onnx/model_maker.h"

namespace mini_infer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The graph and its subgraphs as text, with the elements of constants.
std::string deep_print(const Graph& graph) {
  std::string text = graph.print();
  for (const NodeId id : graph.order()) {
    for (const ValueId in : graph.node(id).inputs) {
      const Tensor* tensor = graph.constant(in);
      if (tensor == nullptr || tensor->dtype() == DType::kString) continue;
      text += cat(graph.value(in).name, ' ', tensor->dtype(), tensor->shape(), ' ',
                  std::hash<std::string_view>()(
                      std::string_view(static_cast<const char*>(tensor->data()), tensor->bytes())),
                  '\n');
    }
    for (const auto& [name, attribute] : graph.node(id).attributes) {
      if (const auto* one = std::get_if<GraphPtr>(&attribute)) text += name + deep_print(**one);
      if (const auto* many = std::get_if<std::vector<GraphPtr>>(&attribute)) {
        for (const GraphPtr& each : *many) text += name + deep_print(*each);
      }
    }
  }
  return text;
}

std::string exported(const ImportedModel& model) {
  const Result<std::string> bytes = export_bytes(model);
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  return bytes.ok() ? *bytes : std::string();
}

// A model with a name, which a graph must have; else as make_model().
pb::ModelProto named_model() {
  pb::ModelProto model = make_model();
  model.mutable_graph()->set_name("net");
  return model;
}

// Writes and reads; the graph must be the same, and the second writing give the same bytes.
Imported round_trip(const Imported& first) {
  EXPECT_TRUE(first.ok()) << first.message();
  const std::string bytes = exported(*first.result);
  Imported second = import_string(bytes);
  EXPECT_TRUE(second.ok()) << second.message();
  EXPECT_EQ(deep_print(first.graph()), deep_print(second.graph()));
  EXPECT_EQ(bytes, exported(*second.result));
  return second;
}

pb::ModelProto written(const ImportedModel& model) {
  pb::ModelProto proto;
  EXPECT_TRUE(proto.ParseFromString(exported(model)));
  return proto;
}

std::vector<Tensor> test_inputs(const fs::path& folder, const std::vector<ValueInfo>& inputs) {
  std::vector<Tensor> tensors(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const fs::path file = folder / ("test_data_set_0/input_" + std::to_string(i) + ".pb");
    const auto read = read_tensor_file(file.string());
    EXPECT_TRUE(read.ok()) << read.status().message();
    if (!read.ok()) return {};
    std::size_t place = i;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      if (inputs[k].name == read->name) place = k;
    }
    const bool scalar = inputs[place].dims && inputs[place].dims->empty();
    tensors[place] = scalar ? read->tensor.reshaped({}) : read->tensor;
  }
  return tensors;
}

void expect_same_bytes(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].shape(), b[i].shape());
    ASSERT_EQ(a[i].dtype(), b[i].dtype());
    if (a[i].dtype() == DType::kString) continue;
    EXPECT_EQ(std::memcmp(a[i].data(), b[i].data(), a[i].bytes()), 0) << "output " << i;
  }
}

// Attributes in the order of their names, which decides the order of captures.
void sort_attributes(pb::GraphProto& graph) {
  for (pb::NodeProto& node : *graph.mutable_node()) {
    auto& attributes = *node.mutable_attribute();
    std::sort(attributes.begin(), attributes.end(),
              [](const auto& a, const auto& b) { return a.name() < b.name(); });
    for (pb::AttributeProto& attribute : attributes) {
      if (attribute.has_g()) sort_attributes(*attribute.mutable_g());
    }
  }
}

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A file as an export would write it, or as it is where its data lies outside.
Imported import_sorted(const std::string& path) {
  Result<ImportedModel> model = import_file(path);
  if (model.ok() && model->header.external_data) return {std::move(model), {}};
  pb::ModelProto proto;
  EXPECT_TRUE(proto.ParseFromString(contents(path)));
  sort_attributes(*proto.mutable_graph());
  Imported imported = import_proto(proto);
  // Where functions were called, outputs of subgraphs have other names than their values at first.
  if (proto.functions_size() == 0 || !imported.ok()) return imported;
  return import_string(exported(*imported.result));
}

class ExportShared : public ::testing::TestWithParam<const char*> {};

TEST_P(ExportShared, models_read_back_and_give_the_same_results) {
  const fs::path root = fs::path(MINI_SHARED) / GetParam();
  if (!fs::exists(root)) GTEST_SKIP() << "no " << root;
  for (const auto& entry : fs::directory_iterator(root)) {
    SCOPED_TRACE(entry.path().string());
    const std::string path = (entry.path() / "model.onnx").string();
    const Imported first = import_sorted(path);
    ASSERT_TRUE(first.ok()) << first.message();
    const std::string bytes = exported(*first.result);
    round_trip(first);
    const auto before = Session::load(path);
    const auto after = Session::load(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(before.ok()) << before.status().message();
    ASSERT_TRUE(after.ok()) << after.status().message();
    const std::vector<Tensor> inputs = test_inputs(entry.path(), before->inputs());
    const auto want = before->run(inputs), got = after->run(inputs);
    ASSERT_TRUE(want.ok()) << want.status().message();
    ASSERT_TRUE(got.ok()) << got.status().message();
    expect_same_bytes(*want, *got);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ExportShared, ::testing::Values("models", "cases"));

// --- models made by hand

TEST(Export, keeps_what_the_file_says_of_itself) {
  pb::ModelProto model = relu_model();
  model.set_producer_name("maker");
  model.set_producer_version("1.2");
  model.set_domain("org.example");
  model.set_model_version(7);
  model.set_doc_string("about the model");
  model.mutable_graph()->set_name("net");
  model.mutable_graph()->set_doc_string("about the graph");
  model.mutable_graph()->mutable_node(0)->set_doc_string("about the node");
  auto* entry = model.add_metadata_props();
  entry->set_key("names");
  entry->set_value("{0: 'cat'}");
  const pb::ModelProto again = written(*import_proto(model).result);
  EXPECT_EQ(again.producer_name(), "maker");
  EXPECT_EQ(again.producer_version(), "1.2");
  EXPECT_EQ(again.domain(), "org.example");
  EXPECT_EQ(again.model_version(), 7);
  EXPECT_EQ(again.doc_string(), "about the model");
  EXPECT_EQ(again.graph().name(), "net");
  EXPECT_EQ(again.graph().doc_string(), "about the graph");
  EXPECT_EQ(again.graph().node(0).doc_string(), "about the node");
  ASSERT_EQ(again.metadata_props_size(), 1);
  EXPECT_EQ(again.metadata_props(0).value(), "{0: 'cat'}");
  EXPECT_EQ(again.ir_version(), 7);
  ASSERT_EQ(again.opset_import_size(), 1);
  EXPECT_EQ(again.opset_import(0).version(), 13);
  EXPECT_EQ(again.graph().input(0).type().tensor_type().shape().dim(0).dim_param(), "N1");
}

TEST(Export, raises_the_ir_version_to_what_the_opset_needs) {
  pb::ModelProto model = relu_model();
  model.set_ir_version(3);
  model.mutable_opset_import(0)->set_version(8);
  EXPECT_EQ(written(*import_proto(model).result).ir_version(), 4);
  model.mutable_opset_import(0)->set_version(21);
  EXPECT_EQ(written(*import_proto(model).result).ir_version(), 10);
}

TEST(Export, writes_every_kind_of_attribute) {
  pb::ModelProto model = named_model();
  pb::NodeProto node = make_node("Foo", {"x", "", "w"}, {"", "y"}, "foo");
  node.set_domain("org.example");
  add_attribute(node, "i", pb::AttributeProto::INT)->set_i(-3);
  add_attribute(node, "f", pb::AttributeProto::FLOAT)->set_f(0.1f);
  add_attribute(node, "s", pb::AttributeProto::STRING)->set_s(std::string("a\0b", 3));
  for (const int i : {1, 2}) {
    if (i == 1) add_attribute(node, "is", pb::AttributeProto::INTS);
    node.mutable_attribute(3)->add_ints(i);
  }
  add_attribute(node, "fs", pb::AttributeProto::FLOATS)->add_floats(2.5f);
  add_attribute(node, "ss", pb::AttributeProto::STRINGS)->add_strings("text");
  add_attribute(node, "none", pb::AttributeProto::INTS);
  *add_attribute(node, "t", pb::AttributeProto::TENSOR)->mutable_t() =
      float_tensor("", {2}, {1, 2});
  *add_attribute(node, "ts", pb::AttributeProto::TENSORS)->add_tensors() =
      float_tensor("", {1}, {3});
  pb::GraphProto graph;
  graph.set_name("inner");
  *graph.add_node() = make_node("Relu", {"x"}, {"g"});
  graph.add_output()->set_name("g");
  *add_attribute(node, "g", pb::AttributeProto::GRAPH)->mutable_g() = graph;
  *add_attribute(node, "gs", pb::AttributeProto::GRAPHS)->add_graphs() = graph;
  auto* import = model.add_opset_import();
  import->set_domain("org.example");
  import->set_version(2);
  *model.mutable_graph()->add_node() = node;
  *model.mutable_graph()->add_initializer() = float_tensor("w", {1}, {1});
  const Imported second = round_trip(import_proto(model));
  const Attributes& read = second.result->graph.node(0).attributes;
  EXPECT_EQ(read.size(), node.attribute_size());
  EXPECT_EQ(std::get<std::int64_t>(read.at("i")), -3);
  EXPECT_EQ(std::get<float>(read.at("f")), 0.1f);
  EXPECT_EQ(std::get<std::string>(read.at("s")), std::string("a\0b", 3));
  EXPECT_EQ(std::get<Ints>(read.at("is")), (Ints{1, 2}));
  EXPECT_TRUE(std::get<Ints>(read.at("none")).empty());
  EXPECT_EQ(std::get<Floats>(read.at("fs")), Floats{2.5f});
  EXPECT_EQ(std::get<Strings>(read.at("ss")), Strings{"text"});
  EXPECT_THAT(std::get<Tensor>(read.at("t")).values<float>(), ElementsAre(1, 2));
  EXPECT_THAT(std::get<std::vector<Tensor>>(read.at("ts"))[0].values<float>(), ElementsAre(3));
  EXPECT_EQ(second.graph().node(0).inputs[1], kNoValue);
  EXPECT_EQ(second.graph().node(0).outputs[0], kNoValue);
}

TEST(Export, says_what_a_graph_has_no_place_for) {
  pb::ModelProto model = relu_model();
  add_attribute(*model.mutable_graph()->mutable_node(0), "t", pb::AttributeProto::TYPE_PROTO);
  model.mutable_graph()->add_quantization_annotation();
  EXPECT_THAT(import_proto(model).result->header.dropped,
              ElementsAre("quantization_annotation", HasSubstr("node 'relu'")));
}

TEST(Export, writes_every_element_type) {
  pb::ModelProto model = named_model();
  pb::NodeProto node = make_node("Foo", {"x"}, {"y"}, "foo");
  for (int type = 1; type <= 16; ++type) {
    for (const int count : {3, 0}) {
      pb::TensorProto tensor;
      tensor.set_name(cat('t', type, '_', count));
      tensor.set_data_type(type);
      tensor.add_dims(count);
      const std::size_t size = dtype_size(static_cast<DType>(type));
      if (static_cast<DType>(type) == DType::kString) {
        for (int i = 0; i < count; ++i) tensor.add_string_data(cat("text ", i));
      } else {
        tensor.set_raw_data(std::string(size * static_cast<std::size_t>(count), '\1'));
      }
      node.add_input(tensor.name());
      *model.mutable_graph()->add_initializer() = tensor;
    }
  }
  *model.mutable_graph()->add_node() = node;
  const Imported second = round_trip(import_proto(model));
  EXPECT_EQ(second.value("t10_3").dtype, DType::kFloat16);
  EXPECT_EQ(second.value("t8_3").constant.values<std::string>()[2], "text 2");
  EXPECT_EQ(second.value("t16_0").constant.elements(), 0);
}

pb::GraphProto branch(const std::vector<pb::NodeProto>& nodes, const std::string& output) {
  pb::GraphProto graph;
  graph.set_name("branch of " + output);
  for (const pb::NodeProto& node : nodes) *graph.add_node() = node;
  graph.add_output()->set_name(output);
  return graph;
}

pb::ModelProto if_model(const pb::GraphProto& yes, const pb::GraphProto& no) {
  pb::ModelProto model = named_model();
  set_type(model.mutable_graph()->add_input(), "cond", pb::TensorProto::BOOL, {});
  pb::NodeProto node = make_node("If", {"cond"}, {"y"}, "choice");
  *add_attribute(node, "then_branch", pb::AttributeProto::GRAPH)->mutable_g() = yes;
  *add_attribute(node, "else_branch", pb::AttributeProto::GRAPH)->mutable_g() = no;
  *model.mutable_graph()->add_node() = node;
  return model;
}

TEST(Export, turns_captures_back_into_outer_names) {
  const auto inner = [](const char* out) {
    return branch({make_node("Add", {"x", "w"}, {cat(out, "_sum")}, cat(out, "_add")),
                   make_node("Relu", {cat(out, "_sum")}, {cat(out, "_relu")})},
                  cat(out, "_relu"));
  };
  pb::ModelProto model = if_model(inner("yes"), inner("no"));
  *model.mutable_graph()->add_initializer() = float_tensor("w", {1}, {3});
  // A branch within a branch that captures across both.
  pb::NodeProto nested = make_node("If", {"cond"}, {"deep"}, "nested");
  *add_attribute(nested, "then_branch", pb::AttributeProto::GRAPH)->mutable_g() = inner("a");
  *add_attribute(nested, "else_branch", pb::AttributeProto::GRAPH)->mutable_g() = inner("b");
  auto* yes = model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g();
  *yes->add_node() = nested;
  yes->mutable_output(0)->set_name("deep");
  const Imported second = round_trip(import_proto(model));
  const pb::ModelProto again = written(*second.result);
  const pb::NodeProto& node = again.graph().node(0);
  EXPECT_EQ(node.input_size(), 1);
  const pb::GraphProto& no = node.attribute(0).g();
  EXPECT_EQ(no.input_size(), 0);
  EXPECT_EQ(no.initializer_size(), 0) << "w is the outer graph's";
  EXPECT_THAT(no.node(0).input(), ElementsAre("x", "w"));
  EXPECT_EQ(again.graph().initializer_size(), 1);
}

TEST(Export, gives_names_that_are_unique_in_and_around_a_graph) {
  // The branches shadow the names x and y of the graph around them.
  pb::ModelProto model = if_model(branch({make_node("Relu", {"x"}, {"y"})}, "y"),
                                  branch({make_node("Neg", {"x"}, {"z"})}, "z"));
  const pb::ModelProto again = written(*import_proto(model).result);
  const auto& attributes = again.graph().node(0).attribute();
  EXPECT_EQ(attributes[1].name(), "then_branch");
  EXPECT_EQ(attributes[1].g().output(0).name(), "y_2");
  EXPECT_EQ(attributes[0].g().output(0).name(), "z");
}

TEST(Export, gives_outputs_that_have_no_value_of_their_own_an_identity) {
  pb::ModelProto model = relu_model();
  ImportedModel imported = *import_proto(model).result;
  Graph& graph = imported.graph;
  const ValueId y = graph.outputs()[0].value;
  graph.add_output("again", y);
  graph.add_output("input", graph.inputs[0]);
  graph.add_output("constant", graph.add_constant("c", Tensor::scalar<float>(2)));
  const pb::GraphProto again = written(imported).graph();
  ASSERT_EQ(again.node_size(), 3);
  EXPECT_EQ(again.node(1).op_type(), "Identity");
  EXPECT_EQ(again.node(1).name(), "again/Identity");
  EXPECT_THAT(again.node(1).input(), ElementsAre("y"));
  EXPECT_THAT(again.node(2).input(), ElementsAre("x"));
  EXPECT_EQ(again.initializer(0).name(), "constant");
  EXPECT_EQ(again.output(3).type().tensor_type().elem_type(), kFloat);
}

TEST(Export, an_output_of_a_subgraph_is_never_a_value_from_outside) {
  pb::GraphProto direct;
  direct.add_output()->set_name("x");
  pb::GraphProto constant;
  constant.add_output()->set_name("w");
  pb::ModelProto model = if_model(direct, constant);
  *model.mutable_graph()->add_initializer() = float_tensor("w", {1, 2}, {3, 4});
  *model.mutable_graph()->add_node() = make_node("Relu", {"w"}, {"used"}, "user");
  model.mutable_graph()->add_output()->set_name("used");
  const Imported first = import_proto(model);
  const pb::GraphProto again = written(*first.result).graph();
  for (const pb::AttributeProto& attribute : again.node(0).attribute()) {
    ASSERT_EQ(attribute.g().node_size(), 1) << attribute.name();
    EXPECT_EQ(attribute.g().node(0).op_type(), "Identity");
    EXPECT_EQ(attribute.g().node(0).output(0), attribute.g().output(0).name());
  }
}

TEST(Export, large_constants_of_branches_are_shared) {
  pb::GraphProto yes = branch({make_node("Add", {"x", "w"}, {"a"})}, "a");
  const std::vector<float> values(2000, 1.f);
  *yes.add_initializer() = float_tensor("w", {1000, 2}, values);
  pb::GraphProto no = branch({make_node("Add", {"x", "v"}, {"b"})}, "b");
  *no.add_initializer() = float_tensor("v", {1, 2}, {1, 2});
  const Imported first = import_proto(if_model(yes, no));
  const pb::GraphProto again = written(*first.result).graph();
  ASSERT_EQ(again.initializer_size(), 1);
  EXPECT_EQ(again.initializer(0).name(), "w");
  EXPECT_EQ(again.node(0).attribute(0).g().initializer(0).name(), "v");
  EXPECT_EQ(again.node(0).attribute(1).g().initializer_size(), 0);
}

TEST(Export, leaves_extents_open_that_are_expressions) {
  ImportedModel imported = *import_proto(relu_model()).result;
  Value& y = imported.graph.value(imported.graph.outputs()[0].value);
  y.dtype = DType::kFloat32;
  y.shape = SymShape{Dim("N1") * Dim(2), Dim("?y_1"), Dim("N1"), 5};
  const pb::ModelProto model = written(imported);
  const auto& shape = model.graph().output(0).type().tensor_type().shape();
  EXPECT_EQ(shape.dim(0).value_case(), pb::TensorShapeProto::Dimension::VALUE_NOT_SET);
  EXPECT_EQ(shape.dim(1).value_case(), pb::TensorShapeProto::Dimension::VALUE_NOT_SET);
  EXPECT_EQ(shape.dim(2).dim_param(), "N1");
  EXPECT_EQ(shape.dim(3).dim_value(), 5);
}

TEST(Export, refuses_operators_of_its_own_and_nodes_of_another_opset) {
  ImportedModel imported = *import_proto(relu_model()).result;
  const NodeId relu = imported.graph.order()[0];
  imported.graph.node(relu).opset = 7;
  EXPECT_THAT(export_bytes(imported).status().message(), HasSubstr("raise the file's opset"));
  // Relu-6 is Relu-13 in meaning, but a version of its own.
  EXPECT_FALSE(export_bytes(imported, {.ops = &op_registry()}).ok());
  imported.graph.node(relu).opset = 14;  // still Relu-14 = what opset 15 has
  imported.graph.opsets[""] = 15;
  EXPECT_TRUE(export_bytes(imported, {.ops = &op_registry()}).ok());
  imported.graph.node(relu).domain = std::string(kInternalDomain);
  EXPECT_THAT(export_bytes(imported).status().message(), HasSubstr("of mini-infer's own"));
}

// --- files

class ExportFile : public ::testing::Test {
 protected:
  ExportFile() : folder_(fs::temp_directory_path() / cat("mini-infer-export-", getpid())) {
    fs::create_directories(folder_);
    pb::ModelProto model = named_model();
    *model.mutable_graph()->add_node() = make_node("MatMul", {"x", "w"}, {"m"}, "product");
    *model.mutable_graph()->add_node() = make_node("Add", {"m", "b"}, {"y"}, "sum");
    std::vector<float> values;
    for (int i = 0; i < 4000; ++i) values.push_back(static_cast<float>(i));
    *model.mutable_graph()->add_initializer() = float_tensor("w", {2, 2000}, values);
    values.resize(2000);
    *model.mutable_graph()->add_initializer() = float_tensor("b", {2000}, values);
    model_ = *import_proto(model).result;
  }
  ~ExportFile() override { fs::remove_all(folder_); }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  fs::path folder_;
  ImportedModel model_;
};

using External = ExportOptions::ExternalData;

TEST_F(ExportFile, writes_one_file_and_nothing_else) {
  ASSERT_TRUE(export_file(model_, file("m.onnx")).ok());
  EXPECT_THAT(files(), ElementsAre("m.onnx"));
  EXPECT_EQ(contents(file("m.onnx")), exported(model_));
}

TEST_F(ExportFile, external_data_holds_tensors_from_the_threshold_on) {
  const ExportOptions options{.external_data = External::kAlways, .external_threshold = 10000};
  ASSERT_TRUE(export_file(model_, file("m.onnx"), options).ok());
  EXPECT_THAT(files(), ElementsAre("m.onnx", "m.onnx.data"));
  EXPECT_EQ(fs::file_size(file("m.onnx.data")), 16000u);
  const auto read = import_file(file("m.onnx"));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(read->header.external_data);
  EXPECT_EQ(deep_print(read->graph), deep_print(model_.graph));
  // As it came: external again, from the threshold of 1024 bytes on; pages begin at 4096.
  ASSERT_TRUE(export_file(*read, file("n.onnx")).ok());
  EXPECT_EQ(fs::file_size(file("n.onnx.data")), 16384u + 8000u);
  EXPECT_EQ(deep_print(import_file(file("n.onnx"))->graph), deep_print(model_.graph));
  ASSERT_TRUE(export_file(*read, file("o.onnx"), {.external_data = External::kNever}).ok());
  EXPECT_FALSE(fs::exists(file("o.onnx.data")));
  EXPECT_EQ(exported(model_), contents(file("o.onnx")));
}

TEST_F(ExportFile, a_model_that_is_too_large_for_one_file_gets_external_data) {
  ExportOptions options{.largest_message = 20000};
  ASSERT_TRUE(export_file(model_, file("m.onnx"), options).ok());
  EXPECT_LT(fs::file_size(file("m.onnx")), 2000u);
  EXPECT_EQ(deep_print(import_file(file("m.onnx"))->graph), deep_print(model_.graph));
  options.external_data = External::kNever;
  const Status status = export_file(model_, file("n.onnx"), options);
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("write external data"));
  EXPECT_FALSE(fs::exists(file("n.onnx")));
}

TEST_F(ExportFile, may_take_the_place_of_its_source) {
  const ExportOptions options{.external_data = External::kAlways};
  ASSERT_TRUE(export_file(model_, file("m.onnx"), options).ok());
  const std::string before = contents(file("m.onnx")), data = contents(file("m.onnx.data"));
  fs::create_symlink("m.onnx", file("link.onnx"));
  const auto read = import_file(file("link.onnx"));
  ASSERT_TRUE(read.ok());
  ASSERT_TRUE(export_file(*read, file("link.onnx")).ok());
  EXPECT_THAT(files(), ElementsAre("link.onnx", "m.onnx", "m.onnx.data"));
  EXPECT_TRUE(fs::is_symlink(file("link.onnx")));
  EXPECT_EQ(contents(file("m.onnx")), before);
  EXPECT_EQ(contents(file("m.onnx.data")), data);
}

TEST_F(ExportFile, a_failure_leaves_nothing) {
  EXPECT_THAT(export_file(model_, file("none/m.onnx")).message(), HasSubstr("No such file"));
  EXPECT_THAT(export_file(model_, folder_.string()).message(), HasSubstr("no regular file"));
  std::ofstream(file("m.onnx")) << "old";
  model_.graph.node(model_.graph.order()[0]).domain = std::string(kInternalDomain);
  EXPECT_FALSE(export_file(model_, file("m.onnx")).ok());
  EXPECT_EQ(contents(file("m.onnx")), "old");
  EXPECT_THAT(files(), ElementsAre("m.onnx"));
}

TEST_F(ExportFile, what_is_staged_can_be_loaded_and_goes_away_unless_it_is_committed) {
  {
    auto staged = stage_model(model_, file("m.onnx"), {.external_data = External::kAlways});
    ASSERT_TRUE(staged.ok()) << staged.status().message();
    EXPECT_TRUE(import_file(staged->path()).ok());
    EXPECT_FALSE(fs::exists(file("m.onnx")));
    EXPECT_EQ(staged->bytes(),
              fs::file_size(staged->path()) + fs::file_size(staged->path() + ".data"));
  }
  EXPECT_TRUE(files().empty());
}

}  // namespace
}  // namespace mini_infer
