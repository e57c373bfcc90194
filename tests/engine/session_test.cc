// Session from the outside: names, dtypes, shapes, errors, plans by shape, many threads.
#include <mini_infer/session.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "tests/onnx/model_maker.h"

namespace mini_infer {
namespace {

using testing::AllOf;
using testing::Eq;
using testing::HasSubstr;

Result<Session> load(const pb::ModelProto& model, const SessionOptions& options = {}) {
  const std::string bytes = model.SerializeAsString();
  return Session::load(std::as_bytes(std::span(bytes)), options);
}

// y = relu(x), z = x + x
pb::ModelProto two_outputs() {
  pb::ModelProto model = relu_model();
  *model.mutable_graph()->add_node() = make_node("Add", {"x", "x"}, {"z"}, "twice");
  model.mutable_graph()->add_output()->set_name("z");
  return model;
}

std::string failure(const Session& session, const TensorMap& inputs) {
  const auto outputs = session.run(inputs);
  return outputs.ok() ? "" : outputs.status().message();
}

TEST(Session, runs_by_name) {
  auto session = load(two_outputs());
  ASSERT_TRUE(session.ok()) << session.status().message();
  auto outputs = session->run({{"x", Tensor::from<float>({2, 2}, {-1, 2, 3, -4})}});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  EXPECT_THAT((*outputs)["y"].values<float>(), testing::ElementsAre(0, 2, 3, 0));
  EXPECT_THAT((*outputs)["z"].values<float>(), testing::ElementsAre(-2, 4, 6, -8));
}

TEST(Session, describes_inputs_and_outputs) {
  auto session = load(two_outputs());
  ASSERT_TRUE(session.ok());
  EXPECT_EQ(session->inputs().at(0).shape_str(), "[N1,2]");
  EXPECT_EQ(session->outputs().at(1).name, "z");
  EXPECT_EQ(session->outputs().at(1).shape_str(), "[N1,2]");
  EXPECT_EQ(session->outputs().at(1).dtype, DType::kFloat32);
}

TEST(Session, says_what_is_wrong_with_inputs) {
  auto session = load(two_outputs());
  ASSERT_TRUE(session.ok());
  EXPECT_EQ(failure(*session, {{"x", Tensor(DType::kFloat32, {2, 3})}}),
            "input 'x' has shape [2,3]; the model expects [N1,2]");
  EXPECT_EQ(failure(*session, {{"x", Tensor(DType::kFloat32, {2})}}),
            "input 'x' has shape [2]; the model expects [N1,2]");
  EXPECT_EQ(failure(*session, {{"x", Tensor(DType::kInt64, {2, 2})}}),
            "input 'x' has dtype int64; the model expects float32");
  EXPECT_EQ(failure(*session, {{"a", Tensor(DType::kFloat32, {2, 2})}}),
            "input 'x' (float32[N1,2]) is missing\nthere is no input 'a'; the model's inputs: 'x'");
  EXPECT_THAT(failure(*session, {{"x", Tensor()}}), HasSubstr("empty tensor"));
}

TEST(Session, names_all_missing_operators_at_once) {
  pb::ModelProto model = relu_model();
  *model.mutable_graph()->add_node() = make_node("NoSuchOp", {"x"}, {"a"}, "first");
  *model.mutable_graph()->add_node() = make_node("NoSuchOp", {"a"}, {"b"}, "second");
  auto* foreign = model.mutable_graph()->add_node();
  *foreign = make_node("FooOp", {"b"}, {"c"}, "third");
  foreign->set_domain("com.acme");
  const auto session = load(model);
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.status().code(), Code::kNotImplemented);
  EXPECT_EQ(session.status().message(),
            "operators not implemented: NoSuchOp (first at 'first'), FooOp of domain com.acme "
            "(first at 'third')");
}

TEST(Session, gives_any_value_as_an_extra_output) {
  pb::ModelProto model = make_model();
  *model.mutable_graph()->add_node() = make_node("Relu", {"x"}, {"middle"}, "relu");
  *model.mutable_graph()->add_node() = make_node("Neg", {"middle"}, {"y"}, "neg");
  auto session = load(model, {.extra_outputs = {"middle"}});
  ASSERT_TRUE(session.ok()) << session.status().message();
  auto outputs = session->run({{"x", Tensor::from<float>({1, 2}, {-1, 2})}});
  ASSERT_TRUE(outputs.ok());
  EXPECT_THAT((*outputs)["middle"].values<float>(), testing::ElementsAre(0, 2));
  EXPECT_THAT((*outputs)["y"].values<float>(), testing::ElementsAre(0, -2));

  const auto missing = load(model, {.extra_outputs = {"nowhere"}});
  EXPECT_THAT(missing.status().message(), HasSubstr("'nowhere'"));
}

TEST(Session, an_input_may_be_an_output) {
  pb::ModelProto model = relu_model();
  model.mutable_graph()->add_output()->set_name("x");
  auto session = load(model);
  ASSERT_TRUE(session.ok()) << session.status().message();
  auto outputs = session->run({{"x", Tensor::from<float>({1, 2}, {-1, 2})}});
  ASSERT_TRUE(outputs.ok());
  EXPECT_THAT((*outputs)["x"].values<float>(), testing::ElementsAre(-1, 2));
}

TEST(Session, refuses_what_passes_the_memory_limit) {
  auto session = load(relu_model(), {.memory_limit = 1000});
  ASSERT_TRUE(session.ok());
  pb::ModelProto model = make_model();
  *model.mutable_graph()->add_node() = make_node("Add", {"x", "x"}, {"a"});
  *model.mutable_graph()->add_node() = make_node("MatMul", {"a", "w"}, {"y"});
  *model.mutable_graph()->add_initializer() = float_tensor("w", {2, 2}, {1, 2, 3, 4});
  session = load(model, {.memory_limit = 1000});
  ASSERT_TRUE(session.ok()) << session.status().message();
  const auto outputs = session->run({{"x", Tensor(DType::kFloat32, {1000, 2})}});
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(outputs.status().message(), HasSubstr("memory_limit"));
}

TEST(Session, empty_and_broken_files_are_errors) {
  EXPECT_FALSE(Session::load(std::span<const std::byte>()).ok());
  EXPECT_THAT(Session::load("no such file.onnx").status().message(),
              HasSubstr("no such file.onnx"));
  const std::string text = "this is no model";
  EXPECT_FALSE(Session::load(std::as_bytes(std::span(text))).ok());
}

TEST(Session, unknown_passes_cannot_be_disabled) {
  EXPECT_THAT(load(relu_model(), {.disabled_passes = {"no_such_pass"}}).status().message(),
              HasSubstr("no_such_pass"));
}

TEST(Session, many_threads_share_one_session) {
  auto session = load(two_outputs(), {.threads = 2});
  ASSERT_TRUE(session.ok());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 1; i <= 30; ++i) {
        const Shape shape{(t + i) % 5 + 1, 2};  // five shapes, so plans are made while others run
        std::vector<float> values(static_cast<std::size_t>(shape.elements()),
                                  static_cast<float>(t * 100 + i));
        auto outputs = session->run({{"x", Tensor::from<float>(shape, values)}});
        if (!outputs.ok() || (*outputs)["z"].values<float>()[0] != 2 * values[0] ||
            (*outputs)["z"].shape() != shape)
          ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Session, profiles_a_plan) {
  auto session = load(two_outputs());
  ASSERT_TRUE(session.ok());
  const std::vector<Shape> shapes = {{3, 2}};
  auto plan = session->plan(shapes);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  ASSERT_THAT(plan->steps.size(), Eq(2u));
  EXPECT_THAT(plan->steps[0], AllOf(testing::Field(&StepInfo::op, "Relu"),
                                    testing::Field(&StepInfo::output_shape, "[3,2]")));
  const std::vector<Tensor> inputs = {Tensor(DType::kFloat32, {3, 2})};
  ASSERT_TRUE(session->profile(inputs, *plan).ok());
  EXPECT_EQ(plan->steps[1].runs, 1);
}

// A convolution whose outer taps reach past maps of less than 30 rows and columns: each plan cuts
// its own weights.
pb::ModelProto wide_dilation() {
  pb::ModelProto model = make_model();
  set_type(model.mutable_graph()->mutable_input(0), "x", kFloat, {1, 64, -1, -2});
  *model.mutable_graph()->add_initializer() =
      float_tensor("w", {64, 64, 3, 3}, std::vector<float>(std::size_t{64} * 64 * 9, 0.5f));
  pb::NodeProto& conv = *model.mutable_graph()->add_node();
  conv = make_node("Conv", {"x", "w"}, {"y"}, "conv");
  for (const std::string name : {"dilations", "pads"}) {
    auto* values = add_attribute(conv, name, pb::AttributeProto::INTS);
    for (std::size_t i = 0; i < (name == "pads" ? 4u : 2u); ++i) values->add_ints(30);
  }
  return model;
}

TEST(Session, lets_go_of_weights_with_their_plans) {
  auto session = load(wide_dilation());
  ASSERT_TRUE(session.ok()) << session.status().message();
  constexpr std::size_t kOneTap = 64 * 64 * sizeof(float);
  std::size_t least = 0, most = 0;
  for (std::int64_t width = 1; width < 30; ++width) {
    for (const std::int64_t height : {1, 2}) {
      const auto plan = session->plan(std::vector{Shape{1, 64, height, width}});
      ASSERT_TRUE(plan.ok()) << plan.status().message();
      if (least == 0) least = plan->weight_bytes;
      most = std::max(most, plan->weight_bytes);
    }
  }
  EXPECT_GE(least, kOneTap);
  EXPECT_LT(least, 2 * kOneTap);
  EXPECT_LE(most, 17 * least);
}

// Two convolutions on maps that are large beside the weights.
pb::ModelProto wide_maps() {
  pb::ModelProto model = make_model();
  set_type(model.mutable_graph()->mutable_input(0), "x", kFloat, {-1, 4, 96, 96});
  std::vector<float> weights(std::size_t{16} * 4 * 9);
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = std::sin(static_cast<float>(i)) * 0.2f;
  *model.mutable_graph()->add_initializer() = float_tensor("w", {16, 4, 3, 3}, weights);
  *model.mutable_graph()->add_node() = make_node("Conv", {"x", "w"}, {"a"}, "conv");
  *model.mutable_graph()->add_node() = make_node("Relu", {"a"}, {"y"}, "relu");
  *model.mutable_graph()->add_node() = make_node("GlobalMaxPool", {"y"}, {"z"}, "pool");
  model.mutable_graph()->add_output()->set_name("z");
  return model;
}

TEST(Session, outputs_are_the_callers_while_it_has_them) {
  auto session = load(two_outputs());
  ASSERT_TRUE(session.ok());
  constexpr std::int64_t kRows = 50000;  // large enough to be used again
  const auto run = [&](float value) {
    Tensor x(DType::kFloat32, {kRows, 2});
    std::fill_n(x.mutable_data<float>(), x.elements(), value);
    return (*session->run({{"x", x}}))["z"];
  };
  const auto all = [](const Tensor& z, float value) {
    const auto values = z.values<float>();
    return std::all_of(values.begin(), values.end(), [&](float v) { return v == value; });
  };
  const Tensor first = run(1);
  const Tensor second = run(2);
  EXPECT_TRUE(all(first, 2) && all(second, 4));
  Tensor third = run(3);
  const void* const memory = third.data();
  third = Tensor();
  third = run(4);
  EXPECT_EQ(third.data(), memory);
  EXPECT_TRUE(all(first, 2) && all(second, 4) && all(third, 8));
  session = load(relu_model());
  EXPECT_TRUE(all(first, 2) && all(third, 8));
}

// One after the other, or on threads of their own: the results are those of each image alone.
class ImagesOfABatch : public testing::TestWithParam<int> {};

TEST_P(ImagesOfABatch, run_apart) {
  constexpr std::int64_t kImages = 8;
  const int threads = GetParam();
  auto session = load(wide_maps(), {.threads = threads});
  ASSERT_TRUE(session.ok()) << session.status().message();
  const Shape shapes[] = {{kImages, 4, 96, 96}};
  const auto plan = session->plan(shapes);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->images, kImages);
  EXPECT_EQ(plan->image_threads, threads == 3 ? 1 : threads);  // 8 images do not fill three
  EXPECT_DOUBLE_EQ(plan->flop, kImages * session->plan(std::vector{Shape{1, 4, 96, 96}})->flop);
  Tensor batch(DType::kFloat32, shapes[0]);
  for (std::int64_t i = 0; i < batch.elements(); ++i)
    batch.mutable_data<float>()[i] = std::sin(0.37f * static_cast<float>(i));
  auto together = session->run({{"x", batch}});
  ASSERT_TRUE(together.ok()) << together.status().message();
  EXPECT_EQ((*together)["y"].shape(), (Shape{kImages, 16, 94, 94}));
  EXPECT_EQ((*together)["z"].shape(), (Shape{kImages, 16, 1, 1}));
  const std::int64_t size = batch.elements() / kImages;
  for (std::int64_t i = 0; i < kImages; ++i) {
    const Tensor image =
        Tensor::view(DType::kFloat32, {1, 4, 96, 96}, batch.mutable_data<float>() + i * size);
    auto alone = session->run({{"x", image}});
    ASSERT_TRUE(alone.ok());
    for (const char* name : {"y", "z"}) {
      const auto whole = (*together)[name].values<float>(), part = (*alone)[name].values<float>();
      EXPECT_THAT(whole.subspan(static_cast<std::size_t>(i) * part.size(), part.size()),
                  testing::ElementsAreArray(part))
          << name << " of image " << i;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Threads, ImagesOfABatch, testing::Values(1, 2, 3, 8));

// Threads with images of their own need an arena each.
TEST(Session, shares_images_where_memory_is_short) {
  pb::ModelProto model = wide_maps();
  set_type(model.mutable_graph()->mutable_input(0), "x", kFloat, {-1, 4, 320, 320});
  model.mutable_graph()->mutable_output(0)->set_name("z");  // the map is in the arena
  model.mutable_graph()->mutable_output()->RemoveLast();
  const Shape shapes[] = {{8, 4, 320, 320}};
  auto roomy = load(model, {.threads = 8});
  ASSERT_TRUE(roomy.ok());
  const auto apart = roomy->plan(shapes);
  ASSERT_TRUE(apart.ok());
  EXPECT_EQ(apart->image_threads, 8);
  auto tight = load(model, {.threads = 8, .memory_limit = 4 * apart->arena_bytes});
  ASSERT_TRUE(tight.ok());
  const auto plan = tight->plan(shapes);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->images, 8);
  EXPECT_EQ(plan->image_threads, 1);
  const auto result = tight->run({{"x", Tensor(DType::kFloat32, shapes[0])}});
  EXPECT_TRUE(result.ok()) << result.status().message();
}

// Shortcuts: of a convolution around itself, of one whose result is needed later, and of one that
// ends there and may be overwritten.
pb::ModelProto shortcuts(int kernel) {
  pb::ModelProto model = make_model();
  set_type(model.mutable_graph()->mutable_input(0), "x", kFloat, {1, 96, 29, 31});
  std::vector<float> weights(static_cast<std::size_t>(96 * 96 * kernel * kernel));
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = std::sin(static_cast<float>(i)) * 0.05f;
  *model.mutable_graph()->add_initializer() = float_tensor("w", {96, 96, kernel, kernel}, weights);
  const auto add = [&](const std::string& type, const std::vector<std::string>& inputs,
                       const std::string& output) {
    pb::NodeProto node = make_node(type, inputs, {output}, output);
    if (type == "Conv") {
      add_attribute(node, "auto_pad", pb::AttributeProto::STRING)->set_s("SAME_UPPER");
    }
    *model.mutable_graph()->add_node() = node;
  };
  std::string from = "x";
  for (const std::string block : {"1", "2", "3", "4"}) {
    add("Relu", {from}, "r" + block);
    add("Conv", {"r" + block, "w"}, "c" + block);
    add("Add", {"c" + block, block == "2" || block == "4" ? from : "r" + block}, "s" + block);
    from = "s" + block;
  }
  add("Add", {"s4", "s2"}, "y");
  return model;
}

TEST(Session, adds_shortcuts_where_they_lie) {
  Tensor x(DType::kFloat32, {1, 96, 29, 31});
  for (std::int64_t i = 0; i < x.elements(); ++i)
    x.mutable_data<float>()[i] = std::sin(0.37f * static_cast<float>(i));
  for (const int kernel : {1, 3}) {
    auto fused = load(shortcuts(kernel));
    auto plain = load(shortcuts(kernel), {.disabled_passes = {"fuse_conv_residual_add"}});
    ASSERT_TRUE(fused.ok() && plain.ok());
    const Shape shapes[] = {x.shape()};
    EXPECT_LT(fused->plan(shapes)->steps.size(), plain->plan(shapes)->steps.size());
    auto got = fused->run({{"x", x}}), expected = plain->run({{"x", x}});
    ASSERT_TRUE(got.ok() && expected.ok());
    EXPECT_THAT((*got)["y"].values<float>(),
                testing::Pointwise(testing::FloatNear(1e-4f), (*expected)["y"].values<float>()))
        << "kernel " << kernel;
  }
}

// Squeeze-and-excite: the filters of a 1x1 convolution are scaled instead of the map.
TEST(Session, scales_filters_instead_of_maps) {
  pb::ModelProto model = make_model();
  pb::GraphProto& graph = *model.mutable_graph();
  set_type(graph.mutable_input(0), "x", kFloat, {-1, 40, 20, 20});
  const auto weights = [&](const char* name, int out, int in) {
    std::vector<float> w(static_cast<std::size_t>(out * in));
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::sin(static_cast<float>(i)) * 0.2f;
    *graph.add_initializer() = float_tensor(name, {out, in, 1, 1}, w);
  };
  weights("squeeze", 10, 40);
  weights("excite", 40, 10);
  weights("w", 24, 40);
  *graph.add_node() = make_node("GlobalAveragePool", {"x"}, {"mean"}, "pool");
  *graph.add_node() = make_node("Conv", {"mean", "squeeze"}, {"a"}, "fc1");
  *graph.add_node() = make_node("Relu", {"a"}, {"b"}, "relu");
  *graph.add_node() = make_node("Conv", {"b", "excite"}, {"c"}, "fc2");
  *graph.add_node() = make_node("Sigmoid", {"c"}, {"s"}, "sigmoid");
  *graph.add_node() = make_node("Mul", {"s", "x"}, {"scaled"}, "scale");
  *graph.add_node() = make_node("Conv", {"scaled", "w"}, {"y"}, "conv");
  auto folded = load(model), plain = load(model, {.disabled_passes = {"fold_channel_scale"}});
  ASSERT_TRUE(folded.ok() && plain.ok());
  for (const std::int64_t images : {1, 3}) {
    Tensor x(DType::kFloat32, {images, 40, 20, 20});
    for (std::int64_t i = 0; i < x.elements(); ++i)
      x.mutable_data<float>()[i] = std::sin(0.37f * static_cast<float>(i));
    const Shape shapes[] = {x.shape()};
    EXPECT_EQ(folded->plan(shapes)->steps.size() < plain->plan(shapes)->steps.size(), images == 1);
    auto got = folded->run({{"x", x}}), expected = plain->run({{"x", x}});
    ASSERT_TRUE(got.ok() && expected.ok());
    EXPECT_THAT((*got)["y"].values<float>(),
                testing::Pointwise(testing::FloatNear(1e-5f), (*expected)["y"].values<float>()))
        << images << " images";
  }
}

// Products of normalised rows by Strassen's algorithm: for one sequence, not for a batch, where
// what is wrong with one would be with others.
TEST(Session, multiplies_normalised_rows_by_strassen) {
  pb::ModelProto model = make_model();
  model.mutable_opset_import(0)->set_version(20);
  pb::GraphProto& graph = *model.mutable_graph();
  set_type(graph.mutable_input(0), "x", kFloat, {-1, 100, 256});
  const auto weights = [&](const char* name, const std::vector<int>& dims, float size) {
    std::vector<float> w(static_cast<std::size_t>(dims[0] * (dims.size() > 1 ? dims[1] : 1)));
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::sin(1.7f * static_cast<float>(i)) * size;
    *graph.add_initializer() = float_tensor(name, dims, w);
  };
  weights("scale", {256}, 2.f);
  weights("w", {256, 512}, 0.1f);
  weights("bias", {512}, 1.f);
  *graph.add_node() = make_node("LayerNormalization", {"x", "scale"}, {"rows"}, "norm");
  *graph.add_node() = make_node("MatMul", {"rows", "w"}, {"product"}, "product");
  *graph.add_node() = make_node("Add", {"product", "bias"}, {"sum"}, "sum");
  *graph.add_node() = make_node("Gelu", {"sum"}, {"y"}, "gelu");
  auto fast = load(model), plain = load(model, {.disabled_passes = {"infer_alike_rows"}});
  ASSERT_TRUE(fast.ok() && plain.ok()) << fast.status().message();
  for (const std::int64_t sequences : {1, 2}) {
    Tensor x(DType::kFloat32, {sequences, 100, 256});
    for (std::int64_t i = 0; i < x.elements(); ++i)
      x.mutable_data<float>()[i] =
          std::sin(0.37f * static_cast<float>(i) * static_cast<float>(i % 7));
    const Shape shapes[] = {x.shape()};
    const bool strassen = std::ranges::any_of(fast->plan(shapes)->steps, [](const auto& step) {
      return step.kernel.find("strassen") != std::string::npos;
    });
    EXPECT_EQ(strassen, sequences == 1);
    auto got = fast->run({{"x", x}}), expected = plain->run({{"x", x}});
    ASSERT_TRUE(got.ok() && expected.ok());
    EXPECT_THAT((*got)["y"].values<float>(),
                testing::Pointwise(testing::FloatNear(2e-5f), (*expected)["y"].values<float>()))
        << sequences << " sequences";
  }
}

// Rows of channels become a map, which a convolution reads, and the channels of a head move behind
// its pixels: from and to blocks, with groups that begin within a block and channels around whole
// ones.
pb::ModelProto channels_last_model(int groups, int channels) {
  pb::ModelProto model = make_model();
  pb::GraphProto& graph = *model.mutable_graph();
  set_type(graph.mutable_input(0), "x", kFloat, {-1, -2, -3, channels});
  std::vector<float> w(static_cast<std::size_t>(groups * channels * channels));
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::sin(static_cast<float>(i));
  *graph.add_initializer() = float_tensor("w", {groups * channels, channels, 1, 1}, w);
  pb::TensorProto& to = *graph.add_initializer();
  to.set_name("to");
  to.set_data_type(kInt64);
  to.add_dims(4);
  for (const int extent : {0, groups, channels, -1}) to.add_int64_data(extent);
  const auto transpose = [&](const char* x, const char* y, std::initializer_list<int> axes) {
    pb::NodeProto& node = *graph.add_node();
    node = make_node("Transpose", {x}, {y}, cat("transpose_", y));
    auto* perm = add_attribute(node, "perm", pb::AttributeProto::INTS);
    for (const int axis : axes) perm->add_ints(axis);
  };
  transpose("x", "first", {0, 3, 1, 2});
  *graph.add_node() = make_node("Conv", {"first", "w"}, {"map"}, "conv");
  *graph.add_node() = make_node("Reshape", {"map", "to"}, {"split"}, "reshape");
  transpose("split", "y", {0, 1, 3, 2});
  return model;
}

TEST(Session, moves_channels_first_and_last) {
  const std::vector<std::string> passes = {"fuse_channels_first", "fuse_channels_last"};
  for (const auto& [groups, channels] :
       {std::pair{1, 1}, {1, 16}, {1, 37}, {3, 5}, {3, 17}, {5, 8}, {2, 85}}) {
    const pb::ModelProto model = channels_last_model(groups, channels);
    for (const std::string& isa : isa_names()) {
      for (const int threads : {1, 3}) {
        auto fast = load(model, {.threads = threads, .isa = isa}),
             plain = load(model, {.disabled_passes = passes, .isa = isa});
        ASSERT_TRUE(fast.ok() && plain.ok()) << fast.status().message();
        for (const std::int64_t width : {1, 2, 7, 40, 301}) {
          Tensor x(DType::kFloat32, {2, 3, width, channels});
          for (std::int64_t i = 0; i < x.elements(); ++i)
            x.mutable_data<float>()[i] = std::sin(0.37f * static_cast<float>(i));
          auto got = fast->run({{"x", x}}), expected = plain->run({{"x", x}});
          ASSERT_TRUE(got.ok() && expected.ok()) << got.status().message();
          EXPECT_EQ((*got)["y"].shape(), (*expected)["y"].shape());
          EXPECT_THAT(
              (*got)["y"].values<float>(),
              testing::Pointwise(testing::FloatNear(1e-4f), (*expected)["y"].values<float>()))
              << groups << " of " << channels << ", width " << width << ", " << isa;
        }
      }
    }
  }
}

// A batch that the model itself states is no disagreement with the image that is planned.
TEST(Session, says_nothing_of_a_stated_batch) {
  pb::ModelProto model = wide_maps();
  set_type(model.mutable_graph()->mutable_input(0), "x", kFloat, {8, 4, 96, 96});
  *model.mutable_graph()->add_node() = make_node("Flatten", {"z"}, {"flat"}, "flatten");
  set_type(model.mutable_graph()->add_output(), "flat", kFloat, {8, 16});
  std::vector<std::string> notes;
  auto session = load(model, {.log = [&](const std::string& note) { notes.push_back(note); }});
  ASSERT_TRUE(session.ok()) << session.status().message();
  const auto plan = session->plan(std::vector{Shape{8, 4, 96, 96}});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->images, 8);
  EXPECT_THAT(notes, testing::IsEmpty());
}

}  // namespace
}  // namespace mini_infer
