// edit: each wrong use of a step, of its argument or of the files is one clear line, and nothing is
// written.
#include "editing.h"

namespace mini_infer::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Wrong {
  const char* steps;
  const char* why;
};

class Refusing : public Editing {
 protected:
  void all_refused(const pb::ModelProto& model, const std::vector<Wrong>& all, int code = 1) {
    const std::string in = save(model);
    for (const auto& [steps, why] : all) expect_refused(in, steps, why, code);
  }
};

TEST_F(Refusing, ArgumentsOfTheWrongKind) {
  all_refused(vision(),
              {{"--set-batch", "--set-batch: 1 required N missing"},
               {"--set-batch -2", "it takes a number from 1 on"},
               {"--set-batch 99999999999999999999", "it takes a number from 1 on"},
               {"--set-shape =1x2", "it takes INPUT=DIMS"},
               {"--set-shape x=", "it takes INPUT=DIMS"},
               {"--set-attr conv.pads=", "it takes NODE.ATTR=VALUE"},
               {"--add-output ''", "--add-output: it is empty"},
               {"--remove-node ''", "--remove-node: it is empty"},
               {"--extract ''", "--extract: it is empty"},
               {"--rename x", "it takes OLD=NEW"},
               {"--fix-prelu=x", "--fix-prelu takes no value"},
               {"--extract-preprocess=1", "takes no value; see mini-infer edit --help"},
               {"--merge ''", "--merge: it is empty"},
               {"--fp16-weights=all", "takes no value; see mini-infer edit --help"},
               {"--opset x", "--opset x: it takes a number from 1 on"},
               {"--opset 1.5", "it takes a number from 1 on"},
               {"--set-meta =v", "it takes KEY=VALUE"},
               {"--strip-doc=all", "takes no value; see mini-infer edit --help"},
               {"--to-external=0", "it takes a number from 1 on"},
               {"--from-external=x", "takes no value; see mini-infer edit --help"},
               {"--no-such-step", "--no-such-step"},
               {"", "edit needs a step"}},
              2);
}

TEST_F(Refusing, WhatTheGraphDoesNotHave) {
  all_refused(
      vision(),
      {{"--set-shape X=1x2", "there is no input 'X'; the inputs are [x]"},
       {"--set-shape x=1x3xx5", "'' is neither a number from 1 on nor a name"},
       {"--set-shape x=1x-3x6x5", "'-3' is neither a number from 1 on nor a name"},
       {"--set-shape x=2x4x6x5", "x"},
       {"--set-attr con.pads=1", "there is no node 'con'; nearest is 'conv'"},
       {"--set-attr .pads=1", "it takes NODE.ATTR=VALUE"},
       {"--set-attr conv.pad=1", "has no attribute 'pad'; it has ["},
       {"--add-output fetures", "there is no value 'fetures'; nearest is 'features'"},
       {"--add-output conv:1", "node 'conv' (Conv, opset 13) has no output 1; it has 1 output"},
       {"--add-output features --add-output features", "is output 'features' already"},
       {"--remove-node dib", "there is no node 'dib'; nearest are 'div', 'sub'"},
       {"--remove-node div --remove-node div", "there is no node 'div'"},
       {"--remove-node div=y", "has no input 'y'"},
       {"--extract scaled:fetures", "there is no value 'fetures'; nearest is 'features'"},
       {"--extract scaled:features,features", "value 'features' is named twice"},
       {"--extract :", "it takes IN,..:OUT,.."},
       {"--rename feature=z", "there is no value 'feature'; nearest is 'features'"},
       {"--rename x=features", "there is a value 'features' already"},
       {"--rename conv=div", "there is a node 'div' (Div, opset 13) already"}});
}

// A node for each kind of attribute.
pb::ModelProto kinds() {
  using A = pb::AttributeProto;
  pb::ModelProto model = make_model(9);
  auto* graph = model.mutable_graph();
  set_type(graph->mutable_input(0), "x", kFloat, {1, 1, 2, 2});
  pb::NodeProto leaky = make_node("LeakyRelu", {"x"}, {"a"}, "leaky");
  pb::NodeProto joined = make_node("Concat", {"a", "a"}, {"b"}, "joined");
  add_attribute(joined, "axis", A::INT)->set_i(1);
  pb::NodeProto pool = make_node("MaxPool", {"b"}, {"c"}, "pool");
  auto* kernel = add_attribute(pool, "kernel_shape", A::INTS);
  for (int i = 0; i < 2; ++i) kernel->add_ints(1);
  pb::NodeProto filled = make_node("ConstantOfShape", {"extents"}, {"d"}, "filled");
  pb::NodeProto sum = make_node("Add", {"c", "d"}, {"e"}, "sum");
  pb::NodeProto branch = make_node("If", {"yes"}, {"f"}, "branch");
  pb::GraphProto inner;
  *inner.add_node() = make_node("Neg", {"e"}, {"g"}, "inner");
  inner.set_name("inside");
  inner.add_output()->set_name("g");
  for (const char* name : {"then_branch", "else_branch"}) {
    *add_attribute(branch, name, A::GRAPH)->mutable_g() = inner;
  }
  pb::NodeProto last = make_node("Identity", {"f"}, {"y"}, "last");
  for (const auto& node : {leaky, joined, pool, filled, sum, branch, last}) {
    *graph->add_node() = node;
  }
  set_type(graph->add_input(), "yes", pb::TensorProto::BOOL, {});
  pb::TensorProto* extents = graph->add_initializer();
  extents->set_name("extents");
  extents->set_data_type(kInt64);
  extents->add_dims(1);
  extents->add_int64_data(1);
  return model;
}

TEST_F(Refusing, ValuesOfTheWrongKindForEachKindOfAttribute) {
  all_refused(kinds(),
              {{"--set-attr joined.axis=1.5", "attribute 'axis' is of kind int, such as 2; '1.5'"},
               {"--set-attr joined.axis=1,1", "is of kind int, such as 2; '1,1' is not"},
               {"--set-attr joined.axis=99999999999999999999", "is of kind int"},
               {"--set-attr leaky.alpha=steep", "is of kind float, such as 1e-5; 'steep' is not"},
               {"--set-attr leaky.alpha=0.1,0.2", "is of kind float"},
               {"--set-attr pool.kernel_shape=1,a", "is of kind ints, such as 1,2,3; '1,a' is not"},
               {"--set-attr pool.kernel_shape=1.5,1", "is of kind ints"},
               {"--set-attr filled.value=1", "is of kind tensor, such as float32[2]:0.5,1; '1'"},
               {"--set-attr filled.value=float32[3]:1,2", "is of kind tensor"},
               {"--set-attr filled.value=int8:300", "is of kind tensor"},
               {"--set-attr filled.value=float7:1", "is of kind tensor"},
               {"--set-attr branch.then_branch=x", "is of kind graph, which cannot be set"},
               {"--set-attr inner.axis=1", "node 'inner' is in a subgraph of node 'branch'"},
               {"--set-attr joined.axis=7", "joined"}});
  // The same attributes as they should be.
  edit(save(kinds()),
       "--set-attr joined.axis=2 --set-attr leaky.alpha=0.5 --set-attr pool.kernel_shape=2,1 "
       "--set-attr filled.value=float32:4 --set-attr pool.auto_pad=VALID");
  const ImportedModel model = import(out());
  const Graph& graph = model.graph;
  const auto node = [&](const char* type) { return graph.nodes_of(type).front(); };
  EXPECT_EQ(*graph.attribute<std::int64_t>(node("Concat"), "axis"), 2);
  EXPECT_EQ(*graph.attribute<float>(node("LeakyRelu"), "alpha"), 0.5F);
  EXPECT_EQ(*graph.attribute<Ints>(node("MaxPool"), "kernel_shape"), (Ints{2, 1}));
  EXPECT_EQ(*graph.attribute<std::string>(node("MaxPool"), "auto_pad"), "VALID");
  EXPECT_EQ(graph.attribute<Tensor>(node("ConstantOfShape"), "value")->values<float>()[0], 4.F);
}

TEST_F(Refusing, ListsOfNumbersAndOfText) {
  using A = pb::AttributeProto;
  pb::ModelProto model = make_model(7);
  auto* graph = model.mutable_graph();
  set_type(graph->mutable_input(0), "x", kFloat, {1, 1, 2, 2});
  pb::NodeProto up = make_node("Upsample", {"x"}, {"y"}, "up");
  auto* scales = add_attribute(up, "scales", A::FLOATS);
  for (const float scale : {1.F, 1.F, 2.F, 2.F}) scales->add_floats(scale);
  *graph->add_node() = up;
  all_refused(model, {{"--set-attr up.scales=1,1,two,2", "is of kind floats, such as 0.5,1"},
                      {"--set-attr up.scales=1,1", "up"}});
  edit(save(model), "--set-attr up.scales=1,1,3,2");
  EXPECT_EQ(run_model(out(), picture({1, 1, 2, 2})).size(), 24U);

  pb::ModelProto text = make_model(10);
  set_type(text.mutable_graph()->mutable_input(0), "x", pb::TensorProto::STRING, {3});
  *text.mutable_graph()->add_node() = make_node("StringNormalizer", {"x"}, {"y"}, "words");
  edit(save(text), "--set-attr words.stopwords=a,the");
  const ImportedModel read = import(out());
  EXPECT_EQ(*read.graph.attribute<Strings>(read.graph.nodes_of("StringNormalizer")[0], "stopwords"),
            (Strings{"a", "the"}));
}

TEST_F(Refusing, BatchesThatInputsDoNotShare) {
  pb::ModelProto model = vision();
  set_type(model.mutable_graph()->add_input(), "other", kFloat, {7, 2});
  all_refused(model, {{"--set-batch 4", "input 'other' [7,2] does not begin with the batch 2"}});
  pb::ModelProto scalar = make_model();
  set_type(scalar.mutable_graph()->mutable_input(0), "x", kFloat, {});
  *scalar.mutable_graph()->add_node() = make_node("Neg", {"x"}, {"y"}, "neg");
  all_refused(scalar, {{"--set-batch 4", "the model has no input with a dimension"}});
}

TEST_F(Refusing, PreprocessingThatDoesNotFit) {
  all_refused(
      vision(),
      {{"--fold-preprocess=mean=1,2/std=1", "'mean=1,2' is not mean=, std= or scale= with 1 or 3"},
       {"--fold-preprocess=mean=1,2,3,4", "with 1 or 3 numbers"},
       {"--fold-preprocess=mean=a", "with 1 or 3 numbers"},
       {"--fold-preprocess=mode=1", "'mode=1' is not mean=, std= or scale="},
       {"--fold-preprocess=std=0", "a factor is 0 or not finite"},
       {"--fold-preprocess=scale=0", "a factor is 0 or not finite"},
       {"--fold-preprocess --fold-preprocess", "meets no Sub, Div, Mul or Add"},
       {"--extract-preprocess --extract-preprocess", "meets no Sub, Div, Mul or Add"}});
  all_refused(relu_model(), {{"--fold-preprocess=mean=1", "no input is float32 [N,C,...]"}});
}

TEST_F(Refusing, ModelsThatDoNotMeet) {
  const std::string in = save(vision());
  pb::ModelProto wide = make_model();
  set_type(wide.mutable_graph()->mutable_input(0), "y", kFloat, {2, 61});
  *wide.mutable_graph()->add_node() = make_node("Neg", {"y"}, {"z"}, "neg");
  wide.mutable_graph()->mutable_output(0)->set_name("z");
  const std::string other = save(wide, "wide.onnx"), text = write("text.onnx", {});
  expect_refused(in, "--merge " + other, "output 'y' is float32[2,60]");
  expect_refused(in, "--merge " + file("absent.onnx"), "absent.onnx");
  expect_refused(in, "--merge " + text, "text.onnx");
  expect_refused(in, "--merge " + other + ",nothing=y", "nothing");
  expect_refused(in, "--merge " + other + ",y", "is no OUT=IN");
}

TEST_F(Refusing, HalvesBeforeTheyCouldBeCast) {
  pb::ModelProto model = make_model(5);
  *model.mutable_graph()->add_node() = make_node("Neg", {"x"}, {"y"}, "neg");
  all_refused(model, {{"--fp16-weights", "the model has opset 5"}});
}

TEST_F(Refusing, FilesThatCannotBeReadOrWritten) {
  const std::string in = save(vision());
  const auto refused = [&](const std::string& from, const std::string& to, const std::string& why) {
    EXPECT_EQ(run("edit " + from + ' ' + to + " --strip-doc"), 1);
    expect_one_line(why);
  };
  refused(file("absent.onnx"), out(), "cannot read '" + file("absent.onnx") + "'");
  refused(write("broken.onnx", Bytes(9, std::byte{0x7f})), out(), "broken.onnx");
  refused(in, file("absent/out.onnx"), "cannot write '" + file("absent/out.onnx") + "'");
  refused(in, folder_.string(), "cannot write '" + folder_.string() + "': it is no regular file");
  EXPECT_FALSE(std::filesystem::exists(out()));
  EXPECT_EQ(run("edit " + in + " --strip-doc"), 2);  // no OUT
  expect_one_line("OUT");
}

TEST_F(Refusing, StepsThatFindNothingToDoSaySo) {
  edit(save(vision()), "--from-external");
  EXPECT_EQ(what_, "they are in the one file already");
  edit(save(vision()), "--strip-doc --strip-doc");
  EXPECT_EQ(what_, "0 doc strings removed");
  edit(save(vision()), "--set-meta a=1 --set-meta a=2");
  EXPECT_EQ(what_, "'a' is '2', was '1'");
  edit(save(vision()), "--set-batch 4 --set-batch 3");
  EXPECT_EQ(run_model(out(), picture({3, 3, 6, 5})).size(), 180U);
  edit(save(vision()), "--opset 13");
  EXPECT_EQ(what_, "opset 13, was 13");
  edit(save(vision()), "--fp16-weights");
  EXPECT_EQ(what_, "0 tensors stored as float16, 0 bytes less");
}

TEST_F(Refusing, EachProblemIsALineThatBeginsWithTheProgram) {
  EXPECT_EQ(run("edit " + save(vision()) + ' ' + out() +
                " --remove-node a1 --set-meta k=v --add-output b2 --opset 99"),
            1);
  std::istringstream lines(err_);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_TRUE(line.starts_with("mini-infer: --")) << line;
  }
  EXPECT_EQ(count, 3U) << err_;
  EXPECT_EQ(run("edit " + save(vision()) + ' ' + out() + " --set-batch 0 --opset 0"), 2);
  EXPECT_EQ(err_,
            "mini-infer: --set-batch 0: it takes a number from 1 on\n"
            "mini-infer: --opset 0: it takes a number from 1 on\n");
}

}  // namespace
}  // namespace mini_infer::tools
