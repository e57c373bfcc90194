// mini-infer compare.
#include "tools/compare.h"

#include <cmath>

#include "engine/graph_runner.h"
#include "engine/input_check.h"
#include "engine/node_runner.h"
#include "graph/passes/match.h"
#include "program.h"
#include "tests/onnx/model_maker.h"
#include "tools/bisect.h"
#include "tools/npy.h"
#include "tools/reference.h"

namespace mini_infer::tools {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class Comparing : public Program {
 protected:
  // 60 nodes, x -> (BatchNormalization -> LeakyRelu) 30 times -> y; one of them may have another
  // epsilon.
  static pb::ModelProto chain(int changed = -1, int batch = 1, int side = 3) {
    pb::ModelProto model = make_model();
    auto* graph = model.mutable_graph();
    set_type(graph->mutable_input(0), "x", kFloat, {batch, 4, side, side});
    *graph->add_initializer() = float_tensor("scale", {4}, {1, 0.75F, 1.25F, 0.5F});
    *graph->add_initializer() = float_tensor("bias", {4}, {0.25F, -0.25F, 0, 0.125F});
    *graph->add_initializer() = float_tensor("mean", {4}, {0, 0.125F, -0.125F, 0});
    *graph->add_initializer() = float_tensor("var", {4}, {1, 0.5F, 2, 0.25F});
    std::string from = "x";
    for (int i = 0; i < 30; ++i) {
      const std::string bn = "bn" + std::to_string(i),
                        act = i == 29 ? "y" : "act" + std::to_string(i);
      pb::NodeProto node = make_node("BatchNormalization", {from, "scale", "bias", "mean", "var"},
                                     {bn + "_out"}, bn);
      add_attribute(node, "epsilon", pb::AttributeProto::FLOAT)
          ->set_f(i == changed ? 1e-1F : 1e-5F);
      *graph->add_node() = node;
      *graph->add_node() =
          make_node("LeakyRelu", {bn + "_out"}, {act}, "leaky" + std::to_string(i));
      from = act;
    }
    return model;
  }
};

TEST_F(Comparing, FindsTheNodeWithTheWrongEpsilonAmongSixty) {
  const std::string right = save(chain(), "right.onnx");
  for (const int changed : {0, 17, 29}) {
    const std::string wrong = save(chain(changed), "wrong.onnx");
    EXPECT_EQ(run("compare " + wrong + ' ' + right), 1) << err_;
    EXPECT_THAT(out_, HasSubstr("first diverging node: 'bn" + std::to_string(changed) +
                                "' (BatchNormalization"));
    const std::string input = changed == 0 ? "x" : "act" + std::to_string(changed - 1);
    EXPECT_THAT(out_, HasSubstr("  input     " + input + "  float32 [1,4,3,3]  from "));
    EXPECT_THAT(out_, HasSubstr("  input     var  float32 [4]  from 0.25 to 2"));
    EXPECT_THAT(out_, HasSubstr("60 of 60 values compared, " + std::to_string(60 - 2 * changed) +
                                " differ"));
    EXPECT_EQ(run("compare " + wrong + ' ' + right + " --json"), 1);
    const json result = json::parse(out_, nullptr, false);
    EXPECT_EQ(result["first"]["node"], "bn" + std::to_string(changed));
    EXPECT_EQ(result["rows"].size(), 60U);
    EXPECT_LT(result["first"]["cosine"], 1);
    EXPECT_GT(result["first"]["max_abs"], 0);
  }
  EXPECT_EQ(run("compare " + right + ' ' + right), 0) << out_;
  EXPECT_THAT(out_, HasSubstr("60 of 60 values compared, 0 differ"));
}

// A session would run such a batch image by image, without values of the whole of it.
TEST_F(Comparing, ABatchIsComparedWhole) {
  const std::string right = save(chain(-1, 8, 60), "right.onnx");
  EXPECT_EQ(run("compare " + right), 0) << err_;
  const std::string wrong = save(chain(17, 8, 60), "wrong.onnx");
  EXPECT_EQ(run("compare " + wrong + ' ' + right), 1) << err_;
  EXPECT_THAT(out_, HasSubstr("first diverging node: 'bn17'"));
  EXPECT_THAT(out_, HasSubstr("  input     act16  float32 [8,4,60,60]  from "));
}

TEST_F(Comparing, TolerancesAndInputsMatter) {
  const std::string right = save(chain(), "right.onnx"), wrong = save(chain(17), "wrong.onnx");
  const std::string both = "compare " + wrong + ' ' + right;
  EXPECT_EQ(run(both + " --atol 10"), 0) << out_;
  EXPECT_EQ(run(both + " --rtol 0.9 --atol 0.5"), 0) << out_;
  EXPECT_EQ(run(both + " --atol much"), 2);
  expect_one_line("--atol takes a number or auto, not 'much'");
  EXPECT_EQ(run(both + " --rtol -1"), 2);
  const auto largest = [&](const std::string& options) {
    run(both + " --json" + options);
    return json::parse(out_, nullptr, false)["first"]["max_abs"].get<double>();
  };
  EXPECT_NE(largest(""), largest(" --seed 5"));
  EXPECT_EQ(largest(""), largest(" --seed 1 --threads 1"));
  EXPECT_NE(largest(""), largest(" --input 0.5"));
  EXPECT_EQ(run(both + " --input z=1"), 1);
  expect_one_line("no input 'z'");
}

TEST_F(Comparing, AgainstFiles) {
  const std::string right = save(chain(), "right.onnx"), wrong = save(chain(17), "wrong.onnx");
  EXPECT_EQ(run("run " + right + " --input 0.5 --top 0 --dump all --output " + file("values")), 0)
      << err_;
  EXPECT_EQ(run("compare " + right + ' ' + file("values") + " --input 0.5"), 0) << out_;
  EXPECT_THAT(out_, HasSubstr("60 of 60 values compared, 0 differ"));
  EXPECT_EQ(run("compare " + wrong + ' ' + file("values") + " --input 0.5"), 1);
  EXPECT_THAT(out_, HasSubstr("first diverging node: 'bn17'"));
  // Without the index, files are found by the names of the values.
  std::filesystem::remove(file("values/index.json"));
  std::filesystem::remove(file("values/act3.npy"));
  EXPECT_EQ(run("compare " + right + ' ' + file("values") + " --input 0.5"), 0) << out_;
  EXPECT_THAT(out_, HasSubstr("59 of 60 values compared, 0 differ"));
  EXPECT_EQ(run("compare " + right + ' ' + folder_.string()), 1);
  expect_one_line("has no .npy or .pb files");
  EXPECT_EQ(run("compare " + right + " /nowhere.npz"), 1);
  expect_one_line("cannot read '/nowhere.npz'");
}

TEST_F(Comparing, AgainstTensorProtos) {
  const std::string model = save(relu_model(), "relu.onnx");
  std::filesystem::create_directories(file("protos"));
  const auto put = [&](const std::string& name, const pb::TensorProto& tensor) {
    const std::string bytes = tensor.SerializeAsString();
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    write("protos/" + name, {begin, begin + bytes.size()});
  };
  // The name is in the file, or it is the file's.
  put("output_0.pb", float_tensor("y", {1, 2}, {3, 3}));
  EXPECT_EQ(run("compare " + model + ' ' + file("protos") + " --input 3"), 0) << out_ << err_;
  put("output_0.pb", float_tensor("y", {1, 2}, {3, 4}));
  EXPECT_EQ(run("compare " + model + ' ' + file("protos") + " --input 3"), 1);
  EXPECT_THAT(out_, HasSubstr("1 of 2 values differ; the worst at [0,1]: 3 instead of 4"));
  std::filesystem::remove(file("protos/output_0.pb"));
  put("y.pb", float_tensor("", {1, 2}, {3, 3}));
  EXPECT_EQ(run("compare " + model + ' ' + file("protos") + " --input 3"), 0) << out_ << err_;
  EXPECT_EQ(err_, "");
  EXPECT_EQ(run("compare " + model), 0);
  EXPECT_THAT(err_, HasSubstr("note: open dimensions of x (float32 [N1,2]) are taken as 1"));
  EXPECT_EQ(run("compare " + model + " --shape 3x2"), 0);
  EXPECT_EQ(err_, "");
}

TEST_F(Comparing, AgainstANpzFile) {
  // numpy.savez's form: one array, stored. The checksum is of the .npy file in it.
  const Result<Bytes> npy = format_npy(Tensor::from<float>({1, 2}, {0, 2}));
  ASSERT_TRUE(npy.ok());
  const std::string model = save(relu_model(), "relu.onnx");
  write("y.npy", *npy);
  if (std::system(("cd " + folder_.string() +
                   " && python3 -c \"import zipfile; z = "
                   "zipfile.ZipFile('y.npz', 'w'); z.write('y.npy')\" 2>/dev/null")
                      .c_str()) != 0)
    GTEST_SKIP() << "python3 is not there to write a .npz file";
  ASSERT_TRUE(write_npy(file("x.npy"), Tensor::from<float>({1, 2}, {-1, 2})).ok());
  EXPECT_EQ(run("compare " + model + ' ' + file("y.npz") + " --input " + file("x.npy")), 0)
      << out_ << err_;
  EXPECT_THAT(out_, HasSubstr("1 of 1 values compared, 0 differ"));
  EXPECT_EQ(run("compare " + model + ' ' + file("y.npz") + " --input 3"), 1);
  EXPECT_THAT(out_, HasSubstr("first diverging node: 'relu'"));
}

TEST_F(Comparing, AModelWithItsOwnUnoptimisedPlan) {
  const json result = run_json("compare " + kModel + " --input " + kStar);
  EXPECT_EQ(result["different"], 0);
  EXPECT_EQ(result["values"], 10);
  EXPECT_EQ(result["compared"], 9) << "all but the Reorder that the layout pass adds";
  EXPECT_THAT(result["rows"][0]["kernel"].get<std::string>(), HasSubstr("conv/"));
  EXPECT_EQ(run("compare " + kModel + " --bisect"), 0) << err_;
  EXPECT_EQ(out_, "the optimised plan gives the right outputs: nothing to find\n");
  EXPECT_EQ(run_json("compare " + kModel + " --bisect")["wrong"], false);
  EXPECT_EQ(run("compare " + kModel + ' ' + kModel + " --bisect"), 2);
  expect_one_line("--bisect looks for a fault of the model's own plan");
  EXPECT_EQ(run("compare " + kModel + ' ' + save(chain(), "chain.onnx")), 1);
  expect_one_line("has inputs that the first model lacks: x (float32 [1,4,3,3])");
}

TEST_F(Comparing, SaysThatBodiesAreLeftOut) {
  const std::string model = save(if_model(), "if.onnx");
  EXPECT_EQ(run("compare " + model + " --input x=2 --input c=1"), 0) << out_;
  expect_one_line(
      "the values of 3 nodes in bodies of If, Loop and Scan are not compared, only what "
      "the bodies give out; the first is in the ");
  EXPECT_THAT(err_, HasSubstr("_branch of 'choice'"));
  EXPECT_THAT(out_, HasSubstr("1 of 1 values compared, 0 differ"));
}

TEST(Compare, NamesTheWorstWithDigitsThatTellThemApart) {
  const auto problem = [](float a, float b) {
    return compare(Tensor::from<float>({1}, {a}), Tensor::from<float>({1}, {b}), {0, 0}).problem;
  };
  EXPECT_THAT(problem(1.5F, 2.5F), HasSubstr("1.5 instead of 2.5, off by 1"));
  EXPECT_THAT(problem(2.5F, std::nextafter(2.5F, 3.0F)),
              HasSubstr("2.5 instead of 2.50000024, off by 2.38e-07"));
}

TEST(Reference, ComesInPartsThatTogetherAreAll) {
  pb::ModelProto model = make_model();
  *model.mutable_graph()->add_node() = make_node("Relu", {"x"}, {"a"}, "a");
  *model.mutable_graph()->add_node() = make_node("Neg", {"a"}, {"b"}, "b");
  *model.mutable_graph()->add_node() = make_node("Abs", {"b"}, {"y"}, "y");
  const std::string bytes = model.SerializeAsString();
  const auto session = Session::load(std::as_bytes(std::span(bytes)), unoptimised({}));
  ASSERT_TRUE(session.ok());
  const TensorMap inputs = {{"x", Tensor::from<float>({1, 2}, {-1, 2})}};
  const auto reference = run_session(*session, inputs, {"a", "y"}, 1);
  std::vector<std::string> parts;
  while (*reference->next()) {
    parts.emplace_back();
    for (const char* name : {"a", "b", "y"})
      if (!reference->find(name)->empty()) parts.back() += name;
  }
  EXPECT_THAT(parts, testing::ElementsAre("a", "y"));
}

TEST(Measure, AbsoluteRelativeAndCosine) {
  const auto floats = [](std::initializer_list<float> values) {
    return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
  };
  const Difference same = measure(floats({1, 2}), floats({1, 2}));
  EXPECT_EQ(same.max_abs, 0);
  EXPECT_EQ(same.cosine, 1);
  const Difference right_angle = measure(floats({1, 0}), floats({0, 1}));
  EXPECT_EQ(right_angle.max_abs, 1);
  EXPECT_EQ(right_angle.cosine, 0);
  // 0.002 is too small beside 100 for its relative difference to count.
  EXPECT_DOUBLE_EQ(measure(floats({101, 0.5F, 0.004F}), floats({100, 0.4F, 0.002F})).max_rel,
                   static_cast<double>(0.5F - 0.4F) / static_cast<double>(0.4F));
  EXPECT_TRUE(std::isinf(measure(floats({NAN}), floats({1})).max_abs));
}

// --- bisection

// A pass that does not keep the meaning: it takes a Neg for an Abs.
Result<int> mistake_neg_for_abs(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Neg", [&](NodeId id) {
    retype(graph, id, "Abs", "");
    return true;
  });
}

// Identity, Relu, Identity, Neg, Sigmoid: some rewrites come before the wrong one, some after it.
Graph chain_with_neg() {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  set_type(graph->mutable_input(0), "x", kFloat, {1, 2});
  *graph->add_node() = make_node("Identity", {"x"}, {"a"}, "a");
  *graph->add_node() = make_node("Relu", {"a"}, {"b"}, "b");
  *graph->add_node() = make_node("Identity", {"b"}, {"c"}, "c");
  *graph->add_node() = make_node("Neg", {"c"}, {"d"}, "negate");
  *graph->add_node() = make_node("Sigmoid", {"d"}, {"y"}, "y");
  return import_proto(model).graph();
}

// What Session does, with one pass more.
Result<Attempt> attempt_with(const Pass& wrong, const Tensor& want, long long rewrites) {
  Engine engine({});
  Graph graph = chain_with_neg();
  NodeEvaluator evaluator(engine.ops(), engine.environment(), engine.memory_limit({}));
  PassContext context = engine.pass_context(evaluator);
  MINI_TRY_ASSIGN(const std::vector<PassReport> reports,
                  run_passes(graph, PassStage::kLoad, context,
                             {.disabled = {}, .stop_after = rewrites, .added = {wrong}}));
  if (rewrites >= 0) engine.set_plan_rewrites(context.rewrites_left);
  GraphRunner runner(std::make_shared<const Graph>(std::move(graph)), engine);
  const Tensor inputs[] = {Tensor::from<float>({1, 2}, {1, 2})};
  MINI_TRY_ASSIGN(const std::shared_ptr<Executor> executor, runner.executor(inputs));
  MINI_TRY_ASSIGN(const std::vector<Tensor> got, executor->run(inputs));
  PlanInfo plan = describe_plan(executor->plan(), reports);
  Attempt attempt{.problem = compare(got[0], want, {}).problem, .passes = plan.passes, .steps = {}};
  for (const StepInfo& step : plan.steps) attempt.steps.push_back(step.op + ' ' + step.node);
  return attempt;
}

TEST(Bisect, NamesTheWrongPassAndItsRewrite) {
  const Tensor want = Tensor::from<float>({1, 2}, {static_cast<float>(1 / (1 + std::exp(1.0))),
                                                   static_cast<float>(1 / (1 + std::exp(2.0)))});
  const Pass wrong{"mistake_neg_for_abs", mistake_neg_for_abs, PassStage::kLoad};
  const auto attempt = [&](long long rewrites, const std::string&) {
    return attempt_with(wrong, want, rewrites);
  };
  const Result<Culprit> culprit = bisect(attempt, {"low", "high"});
  ASSERT_TRUE(culprit.ok()) << culprit.status().message();
  EXPECT_EQ(culprit->kind, Culprit::Kind::kPass);
  EXPECT_EQ(culprit->pass, "mistake_neg_for_abs");
  EXPECT_GT(culprit->rewrite, 1);
  EXPECT_THAT(culprit->removed, Contains("Neg negate"));
  EXPECT_THAT(culprit->added, Contains("Abs negate"));
  EXPECT_THAT(print_culprit(*culprit), HasSubstr("pass mistake_neg_for_abs (load) is at fault"));
}

TEST(Bisect, NamesAWrongKernel) {
  // Wrong from the fifth rewrite on, by the best kernels only.
  const auto attempt = [](long long rewrites, const std::string& isa) -> Result<Attempt> {
    const int done = static_cast<int>(rewrites < 0 ? 9 : std::min(rewrites, 9LL));
    const bool wrong = done >= 5 && (isa.empty() || isa == "avx512");
    return Attempt{
        .problem = wrong ? "off" : "",
        .passes = {{.name = "infer_shapes", .stage = "load", .rewrites = 100},
                   {.name = "first", .stage = "load", .rewrites = std::min(done, 4)},
                   {.name = "second", .stage = "plan", .rewrites = std::max(done - 4, 0)}},
        .steps = {}};
  };
  const Result<Culprit> culprit = bisect(attempt, {"sse42", "avx2", "avx512"});
  ASSERT_TRUE(culprit.ok());
  EXPECT_EQ(culprit->kind, Culprit::Kind::kKernel);
  EXPECT_EQ(culprit->right_isa, "avx2");
  EXPECT_EQ(culprit->rewrite, 5);
  EXPECT_EQ(culprit->pass, "second");
  EXPECT_THAT(print_culprit(*culprit),
              HasSubstr("with the instruction set avx2 the same plan is right"));
}

TEST(Bisect, SaysSoWhereNothingHelps) {
  const auto always_wrong = [](long long, const std::string&) -> Result<Attempt> {
    return Attempt{.problem = "off", .passes = {}, .steps = {}};
  };
  const Result<Culprit> culprit = bisect(always_wrong, {"low", "high"});
  ASSERT_TRUE(culprit.ok());
  EXPECT_EQ(culprit->kind, Culprit::Kind::kNone);
  EXPECT_THAT(print_culprit(*culprit), HasSubstr("an operator is wrong in itself"));
}

}  // namespace
}  // namespace mini_infer::tools
