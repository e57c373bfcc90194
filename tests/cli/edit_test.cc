// edit: each step changes what it says, and refuses what it cannot do in one line.
#include "editing.h"

namespace mini_infer::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST_F(Editing, SetsTheBatchAndTheConstantsThatHoldIt) {
  edit(save(vision()), "--set-batch 5");
  EXPECT_EQ(what_, "1 input, 1 Reshape constant");
  const ImportedModel model = import(out());
  EXPECT_EQ(model.graph.value(model.graph.inputs[0]).shape->concrete(), (Shape{5, 3, 6, 5}));
  EXPECT_EQ(run_model(out(), picture({5, 3, 6, 5})).size(), 300U);
  expect_refused(save(vision()), "--set-batch 0", "--set-batch 0: it takes a number from 1 on", 2);
  expect_refused(save(vision()), "--set-batch many", "it takes a number", 2);
}

// As attention is spelt: [L,N,E] -> [L,N*H,D] -> [L*N,E] -> [L,N,E], all with a batch N of 1.
TEST_F(Editing, TheBatchIsFollowedThroughReshapesThatMergeIt) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  set_type(graph->mutable_input(0), "x", kFloat, {1, 5, 6});
  const std::vector<std::vector<int>> shapes = {{5, 2, 3}, {5, 6}, {5, 1, 6}};
  std::string from = "rows";
  pb::NodeProto turn = make_node("Transpose", {"x"}, {from}, "turn");
  pb::NodeProto back = make_node("Transpose", {"value2"}, {"y"}, "back");
  for (pb::NodeProto* node : {&turn, &back}) {
    auto* perm = add_attribute(*node, "perm", pb::AttributeProto::INTS);
    for (const int axis : {1, 0, 2}) perm->add_ints(axis);
  }
  *graph->add_node() = turn;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const std::string number = std::to_string(i);
    pb::TensorProto shape;
    shape.set_name("shape" + number);
    shape.set_data_type(kInt64);
    shape.add_dims(static_cast<std::int64_t>(shapes[i].size()));
    for (const int dim : shapes[i]) shape.add_int64_data(dim);
    *graph->add_initializer() = shape;
    *graph->add_node() = make_node("Reshape", {from, "shape" + number}, {"value" + number});
    from = "value" + number;
  }
  *graph->add_node() = back;
  edit(save(model), "--set-batch 2");
  EXPECT_EQ(what_, "1 input, 3 Reshape constants");
  const Tensor x = picture({2, 5, 6});
  const auto values = x.values<float>();
  expect_near(run_model(out(), x), {values.begin(), values.end()});
}

pb::TensorProto shape_tensor(const std::string& name, const std::vector<int>& dims) {
  pb::TensorProto shape;
  shape.set_name(name);
  shape.set_data_type(kInt64);
  shape.add_dims(static_cast<std::int64_t>(dims.size()));
  for (const int dim : dims) shape.add_int64_data(dim);
  return shape;
}

// x -> Reshape -> `type` -> Reshape to [1,6], a graph that captures x.
pb::GraphProto reshaping(const std::string& name, const std::string& type,
                         const std::vector<int>& shape) {
  pb::GraphProto graph;
  graph.set_name(name);
  *graph.add_initializer() = shape_tensor(name + "_shape", shape);
  *graph.add_initializer() = shape_tensor(name + "_row", {1, 6});
  *graph.add_node() = make_node("Reshape", {"x", name + "_shape"}, {name + "1"}, name + "_first");
  *graph.add_node() = make_node(type, {name + "1"}, {name + "2"});
  *graph.add_node() = make_node("Reshape", {name + "2", name + "_row"}, {name + "3"});
  graph.add_output()->set_name(name + "3");
  return graph;
}

// Also where one branch does not fit at all, and so is never taken.
TEST_F(Editing, TheBatchIsFollowedIntoTheBranchesOfAnIf) {
  for (const bool fits : {true, false}) {
    pb::ModelProto model = make_model();
    auto* graph = model.mutable_graph();
    set_type(graph->mutable_input(0), "x", kFloat, {1, 3, 2});
    *graph->add_initializer() = shape_tensor("last", {1, 2, 3});
    auto* yes = graph->add_initializer();
    yes->set_name("yes");
    yes->set_data_type(pb::TensorProto::BOOL);
    yes->add_int32_data(1);
    pb::NodeProto node = make_node("If", {"yes"}, {"row"}, "branch");
    using A = pb::AttributeProto;
    *add_attribute(node, "then_branch", A::GRAPH)->mutable_g() = reshaping("a", "Neg", {1, 2, 3});
    *add_attribute(node, "else_branch", A::GRAPH)->mutable_g() =
        reshaping("b", "Abs", fits ? std::vector<int>{6, 1} : std::vector<int>{7, 7});
    *graph->add_node() = node;
    *graph->add_node() = make_node("Reshape", {"row", "last"}, {"y"}, "tail");
    edit(save(model), "--set-batch 2");
    EXPECT_EQ(what_, fits ? "1 input, 5 Reshape constants" : "1 input, 3 Reshape constants");
    const Tensor x = picture({2, 3, 2});
    std::vector<float> want(x.values<float>().begin(), x.values<float>().end());
    for (float& value : want) value = -value;
    expect_near(run_model(out(), x), want);
    EXPECT_EQ(contents(out()).find("mini_infer_batch"), std::string::npos);
  }
}

// The state of a loop may have another shape in each round.
TEST_F(Editing, BodiesOfLoopsThatMayHoldTheBatchAreNamed) {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  set_type(graph->mutable_input(0), "x", kFloat, {1, 3, 2});
  *graph->add_initializer() = shape_tensor("rounds", {2});
  pb::GraphProto body = reshaping("a", "Neg", {1, 2, 3});
  set_type(body.add_input(), "round", kInt64, {});
  set_type(body.add_input(), "go_on", pb::TensorProto::BOOL, {});
  *body.add_node() = make_node("Identity", {"go_on"}, {"going"});
  body.mutable_output(0)->set_name("going");
  body.add_output()->set_name("a3");
  pb::NodeProto loop = make_node("Loop", {"rounds", ""}, {"y"}, "loop");
  *add_attribute(loop, "body", pb::AttributeProto::GRAPH)->mutable_g() = body;
  *graph->add_node() = loop;
  EXPECT_EQ(run("edit " + save(model) + ' ' + out() + " --set-batch 2"), 1);
  for (const char* where : {"node 'a_first' (Reshape, opset 13) with shape [1,2,3]", "[1,6]"}) {
    EXPECT_THAT(err_, HasSubstr(where));
  }
  EXPECT_THAT(err_, HasSubstr("node 'loop' (Loop, opset 13): its subgraph 'body' has "));
  EXPECT_FALSE(std::filesystem::exists(out()));
}

TEST_F(Editing, SetsShapes) {
  edit(save(relu_model()), "--set-shape x=Mx2");
  EXPECT_EQ(what_, "input 'x' is float32[M,2], was float32[N1,2]");
  edit(save(relu_model()), "--set-shape x=7x2");
  EXPECT_EQ(import(out()).graph.value(import(out()).graph.inputs[0]).shape->concrete(),
            (Shape{7, 2}));
  expect_refused(save(relu_model()), "--set-shape z=1x2", "there is no input 'z'");
  expect_refused(save(relu_model()), "--set-shape x=1x2x3", "has rank 3");
  expect_refused(save(relu_model()), "--set-shape x", "it takes INPUT=DIMS", 2);
}

TEST_F(Editing, SetsAttributesOfTheirKind) {
  edit(save(vision()), "--set-attr conv.pads=0,2,2,0 --set-attr conv.auto_pad=NOTSET");
  EXPECT_THAT(what_, HasSubstr("auto_pad of node 'conv' (Conv, opset 13) is \"NOTSET\", added"));
  const ImportedModel model = import(out());
  const NodeId conv = model.graph.nodes_of("Conv").front();
  ASSERT_NE(model.graph.attribute<Ints>(conv, "pads"), nullptr);
  EXPECT_EQ(*model.graph.attribute<Ints>(conv, "pads"), (Ints{0, 2, 2, 0}));
  expect_refused(save(vision()), "--set-attr conv.strides=2,2", "has 36 elements, shape [2,60]");
  expect_refused(save(vision()), "--set-attr conv.pads=one", "is of kind ints, such as 1,2,3");
  expect_refused(save(vision()), "--set-attr flat.allowzero=1", "has no attribute 'allowzero'");
  expect_refused(save(vision()), "--set-attr cnv.pads=1,1,1,1", "nearest are 'conv'");
  expect_refused(save(vision()), "--set-attr conv.kernel_shape=2,2", "kernel_shape");
  expect_refused(save(vision()), "--set-attr conv", "it takes NODE.ATTR=VALUE", 2);
}

TEST_F(Editing, AnEpsilonChangesTheResult) {
  pb::ModelProto model = make_model();
  set_type(model.mutable_graph()->mutable_input(0), "x", kFloat, {1, 1, 2, 2});
  *model.mutable_graph()->add_initializer() = float_tensor("scale", {1}, {1});
  *model.mutable_graph()->add_initializer() = float_tensor("bias", {1}, {0});
  pb::NodeProto norm = make_node("InstanceNormalization", {"x", "scale", "bias"}, {"y"}, "norm");
  add_attribute(norm, "epsilon", pb::AttributeProto::FLOAT)->set_f(1e-5F);
  *model.mutable_graph()->add_node() = norm;
  const Tensor x = Tensor::from<float>({1, 1, 2, 2}, {1, -1, 1, -1});
  edit(save(model), "--set-attr norm.epsilon=3");
  expect_near(run_model(out(), x), {0.5F, -0.5F, 0.5F, -0.5F});
}

TEST_F(Editing, AddsOutputsWithoutValueInfo) {
  edit(save(vision()), "--add-output features --add-output sub");
  EXPECT_EQ(what_, "output 'centred' float32[2,3,6,5]");
  const auto session = Session::load(out());
  ASSERT_TRUE(session.ok());
  EXPECT_EQ(session->outputs().size(), 3U);
  EXPECT_EQ(session->outputs()[1].shape_str(), "[2,2,6,5]");
  expect_refused(save(vision()), "--add-output feature", "nearest is 'features'");
  expect_refused(save(vision()), "--add-output y", "is output 'y' already");
}

TEST_F(Editing, RemovesNodesThatChangeNoShape) {
  edit(save(vision()), "--remove-node div");
  EXPECT_THAT(what_, HasSubstr("'centred' goes on in its place"));
  EXPECT_TRUE(import(out()).graph.nodes_of("Div").empty());
  expect_refused(save(vision()), "--remove-node flat", "neither dtype nor shape");
  expect_refused(save(vision()), "--remove-node no", "there is no node 'no'");
}

TEST_F(Editing, ExtractsWhatLiesBetweenValues) {
  edit(save(vision()), "--extract scaled:features");
  EXPECT_EQ(what_, "1 node of 4");
  const ImportedModel model = import(out());
  EXPECT_EQ(model.graph.node_count(), 1U);
  EXPECT_EQ(model.graph.value(model.graph.inputs[0]).name, "scaled");
  EXPECT_EQ(model.graph.outputs()[0].name, "features");
  expect_refused(save(vision()), "--extract scaled:nothing", "nothing");
  expect_refused(save(vision()), "--extract features", "IN");
}

TEST_F(Editing, RenamesValuesAndNodes) {
  edit(save(vision()), "--rename x=image --rename y=scores --rename conv=first");
  const ImportedModel model = import(out());
  EXPECT_EQ(model.graph.value(model.graph.inputs[0]).name, "image");
  EXPECT_EQ(model.graph.outputs()[0].name, "scores");
  EXPECT_EQ(model.graph.node(model.graph.nodes_of("Conv").front()).name, "first");
  expect_refused(save(vision()), "--rename nothing=x2", "nothing");
  expect_refused(save(vision()), "--rename features=scaled", "scaled");
}

TEST_F(Editing, FixesSlopesOfMxnet) {
  pb::ModelProto model = make_model();
  set_type(model.mutable_graph()->mutable_input(0), "x", kFloat, {1, 2, 1, 3});
  *model.mutable_graph()->add_initializer() = float_tensor("slope", {2}, {0.5F, 0.25F});
  *model.mutable_graph()->add_node() = make_node("PRelu", {"x", "slope"}, {"y"}, "act");
  edit(save(model), "--fix-prelu");
  EXPECT_EQ(what_, "1 slope of 1 PRelu node");
  expect_near(run_model(out(), Tensor::from<float>({1, 2, 1, 3}, {-2, -2, 2, -4, 4, -4})),
              {-1, -1, 2, -1, 4, -1});
  edit(save(vision()), "--fix-prelu");
  EXPECT_EQ(what_, "0 slopes of 0 PRelu nodes");
}

// Pixels at the border too: the convolution pads.
TEST_F(Editing, FoldsPreprocessingExactlyAtTheBorder) {
  const Tensor x = picture({2, 3, 6, 5});
  for (const bool same : {false, true}) {
    const std::string in = save(vision(same));
    edit(in, "--fold-preprocess");
    EXPECT_THAT(what_, HasSubstr(same ? "padded with 2" : "padded with 1,2,4"));
    const ImportedModel model = import(out());
    EXPECT_TRUE(model.graph.nodes_of("Sub").empty());
    EXPECT_TRUE(model.graph.nodes_of("Div").empty());
    EXPECT_EQ(model.graph.nodes_of("Pad").size(), same ? 1U : 3U);
    expect_near(run_model(in, x), run_model(out(), x));
  }
  expect_refused(out(), "--fold-preprocess=mean=1/std=2", "does not go into one convolution");
}

TEST_F(Editing, TakesPreprocessingOutAndPutsItBack) {
  const std::string in = save(vision());
  edit(in, "--extract-preprocess");
  EXPECT_EQ(what_, "2 nodes taken out; give pixels as --mean 1,2,4 --std 2,4,8");
  std::filesystem::rename(out(), file("bare.onnx"));
  edit(file("bare.onnx"), "--fold-preprocess=mean=1,2,4/std=2,4,8");
  const Tensor x = picture({2, 3, 6, 5});
  expect_near(run_model(in, x), run_model(out(), x));
  expect_refused(file("bare.onnx"), "--fold-preprocess=mean=1,2/std=2", "with 1 or 3 numbers");
  expect_refused(file("bare.onnx"), "--fold-preprocess", "meets no Sub, Div, Mul or Add");
  expect_refused(file("bare.onnx"), "--extract-preprocess", "meets no Sub, Div, Mul or Add");
  expect_refused(save(relu_model()), "--extract-preprocess", "no input is float32 [N,C,...]");
}

TEST_F(Editing, MergesModels) {
  pb::ModelProto second = make_model();
  set_type(second.mutable_graph()->mutable_input(0), "y", kFloat, {2, 60});
  *second.mutable_graph()->add_node() = make_node("Neg", {"y"}, {"z"}, "conv");
  second.mutable_graph()->mutable_output(0)->set_name("z");
  const std::string other = save(second, "other.onnx"), in = save(vision());
  edit(in, "--merge " + other);
  EXPECT_THAT(what_, HasSubstr("1 value passed on, 1 node added"));
  const Tensor x = picture({2, 3, 6, 5});
  std::vector<float> want = run_model(in, x);
  for (float& value : want) value = -value;
  expect_near(run_model(out(), x), want);
  expect_refused(in, "--merge " + file("absent.onnx"), "absent.onnx");
  expect_refused(in, "--merge " + other + ",y=x", "is no OUT=IN");
}

TEST_F(Editing, StoresWeightsAsHalves) {
  pb::ModelProto model = make_model();
  *model.mutable_graph()->add_initializer() =
      float_tensor("w", {2, 200}, std::vector<float>(400, 0.333333F));
  *model.mutable_graph()->add_node() = make_node("MatMul", {"x", "w"}, {"y"}, "product");
  const std::string in = save(model);
  edit(in, "--fp16-weights");
  EXPECT_EQ(what_, "1 tensor stored as float16, 800 bytes less");
  EXPECT_LT(std::filesystem::file_size(out()) + 600, std::filesystem::file_size(in));
  const Tensor x = Tensor::from<float>({1, 2}, {1, 2});
  EXPECT_NEAR(run_model(out(), x)[0], run_model(in, x)[0], 1e-3F);
}

TEST_F(Editing, RaisesTheOpset) {
  edit(save(vision()), "--opset 18");
  EXPECT_EQ(what_, "opset 18, was 13");
  EXPECT_EQ(import(out()).graph.opset(), 18);
  expect_refused(save(vision()), "--opset 6", "6 is too old");
  expect_refused(save(vision()), "--opset 99", "99 is too new");
}

TEST_F(Editing, SetsMetadataAndStripsDocs) {
  edit(save(vision()), "--set-meta author=me --strip-doc");
  EXPECT_EQ(what_, "1 doc string removed");
  const ImportedModel model = import(out());
  EXPECT_EQ(model.info.metadata.at("author"), "me");
  EXPECT_TRUE(model.header.node_docs.empty());
  expect_refused(save(vision()), "--set-meta author", "it takes KEY=VALUE", 2);
}

TEST_F(Editing, MovesTensorsOutOfTheFileAndBack) {
  const Tensor x = picture({2, 3, 6, 5});
  const std::string in = save(vision());
  edit(in, "--to-external=100");
  EXPECT_THAT(what_, HasSubstr("1 tensor of 100 bytes and more"));
  EXPECT_TRUE(std::filesystem::exists(out() + ".data"));
  expect_near(run_model(in, x), run_model(out(), x));
  EXPECT_EQ(run("edit " + out() + ' ' + file("one.onnx") + " --from-external"), 0) << err_;
  EXPECT_FALSE(std::filesystem::exists(file("one.onnx.data")));
  expect_near(run_model(in, x), run_model(file("one.onnx"), x));
  expect_refused(in, "--to-external=no", "it takes a number", 2);
}

TEST_F(Editing, NamesAllProblemsAndWritesNothing) {
  const std::string in = save(vision());
  EXPECT_EQ(run("edit " + in + ' ' + out() + " --remove-node a1 --set-meta k=v --add-output b2"),
            1);
  EXPECT_THAT(err_, AllOf(HasSubstr("--remove-node a1: "), HasSubstr("--add-output b2: ")));
  EXPECT_FALSE(std::filesystem::exists(out()));
  EXPECT_EQ(run("edit " + in + ' ' + out()), 2);
  expect_one_line("edit needs a step");
  EXPECT_EQ(run("edit " + in + ' ' + in + " --set-meta k=v"), 0) << err_;  // OUT may be IN
  EXPECT_THAT(out_, HasSubstr("set-meta k=v: 'k' is 'v', new\n"));
}

}  // namespace
}  // namespace mini_infer::tools
