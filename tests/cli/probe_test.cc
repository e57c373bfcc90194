// run --dump and --check-finite.
#include "program.h"
#include "tests/onnx/model_maker.h"
#include "tools/nearest.h"
#include "tools/npy.h"

namespace mini_infer::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Probing : public Program {
 protected:
  // x -> Identity -> Relu -> (- one) -> Log -> (+ shift) -> y
  std::string logarithm(float shift = 0) {
    pb::ModelProto model = make_model();
    auto* graph = model.mutable_graph();
    set_type(graph->mutable_input(0), "x", kFloat, {1, 2});
    *graph->add_initializer() = float_tensor("one", {}, {1});
    *graph->add_initializer() = float_tensor("shift", {}, {shift});
    *graph->add_node() = make_node("Identity", {"x"}, {"same/x"}, "same");
    *graph->add_node() = make_node("Relu", {"same/x"}, {"same_x"}, "relu");
    *graph->add_node() = make_node("Sub", {"same_x", "one"}, {"less"}, "sub");
    *graph->add_node() = make_node("Log", {"less"}, {"log"}, "log_of_it");
    *graph->add_node() = make_node("Add", {"log", "shift"}, {"y"}, "add");
    return save(model);
  }

  std::vector<float> floats(const std::string& name) {
    const Result<Bytes> npy = read_bytes(file(name));
    if (!npy.ok()) return {};
    const Result<Tensor> tensor = parse_npy(*npy);
    if (!tensor.ok()) return {};
    const auto values = tensor->values<float>();
    return {values.begin(), values.end()};
  }
};

TEST_F(Probing, DumpsTheNamedValues) {
  const std::string model = logarithm();
  const std::string run_it = "run " + model + " --input 3 --top 0 --output " + file("values");
  EXPECT_EQ(run(run_it + " --dump less --dump one"), 0) << err_;
  EXPECT_THAT(floats("values/less.npy"), ElementsAre(2, 2));
  EXPECT_THAT(floats("values/one.npy"), ElementsAre(1));
  EXPECT_EQ(floats("values/y.npy").size(), 2U);
  EXPECT_FALSE(std::filesystem::exists(file("values/log.npy")));
}

TEST_F(Probing, DumpsAllIncludingWhatPassesRemove) {
  const std::string model = logarithm();
  EXPECT_EQ(run("run " + model + " --input 3 --top 0 --dump all --output " + file("values")), 0)
      << err_;
  EXPECT_THAT(out_, HasSubstr("6 values in "));
  const json index = json::parse(contents(file("values/index.json")), nullptr, false);
  // Two names that would give the same file.
  EXPECT_EQ(index["same/x"], "same_x.npy");
  EXPECT_EQ(index["same_x"], "same_x-2.npy");
  EXPECT_THAT(floats("values/same_x.npy"), ElementsAre(3, 3));
  EXPECT_THAT(floats("values/x.npy"), ElementsAre(3, 3));
  EXPECT_FALSE(index.contains("one"));
}

TEST_F(Probing, DumpsNothingThatTheFileDoesNotHave) {
  // Half-precision models get casts at their ends.
  pb::ModelProto model = make_model();
  set_type(model.mutable_graph()->mutable_input(0), "x", pb::TensorProto::FLOAT16, {1, 2});
  *model.mutable_graph()->add_node() = make_node("Neg", {"x"}, {"middle"}, "neg");
  *model.mutable_graph()->add_node() = make_node("Relu", {"middle"}, {"y"}, "relu");
  EXPECT_EQ(run("run " + save(model) + " --input -2 --top 0 --dump all --output " + file("values")),
            0)
      << err_;
  const json index = json::parse(contents(file("values/index.json")), nullptr, false);
  EXPECT_EQ(index, json({{"middle", "middle.npy"}, {"x", "x.npy"}, {"y", "y.npy"}}));
  EXPECT_THAT(floats("values/middle.npy"), ElementsAre(2, 2)) << "float32, as it is computed";
}

TEST_F(Probing, RefusesUnknownValuesWithTheNearest) {
  const std::string model = logarithm();
  EXPECT_EQ(run("run " + model + " --input 3 --dump lesss --output " + file("values")), 1);
  expect_one_line("--dump: there is no value 'lesss'; the nearest are 'less'");
  EXPECT_EQ(run("run " + model + " --input 3 --dump all"), 2);
  expect_one_line("--dump needs --output DIR");
}

TEST_F(Probing, SaysWhyValuesOfBodiesCannotBeHad) {
  const std::string model = save(if_model());
  EXPECT_EQ(
      run("run " + model + " --input x=-3 --input c=1 --top 0 --dump y --output " + file("v")), 0)
      << err_;
  EXPECT_THAT(floats("v/y.npy"), ElementsAre(3, 3));
  EXPECT_EQ(run("run " + model + " --input x=3 --input c=1 --dump negated --output " + file("v")),
            1);
  expect_one_line("--dump: 'negated' is a value of the then_branch of node 'choice' (If");
  EXPECT_THAT(err_, HasSubstr("values of bodies are not kept"));
}

TEST_F(Probing, CheckFiniteNamesTheNode) {
  const std::string model = logarithm();
  EXPECT_EQ(run("run " + model + " --input 3 --top 0 --check-finite"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("all 5 values are finite"));
  EXPECT_EQ(run("run " + model + " --input 0.5 --top 0 --check-finite"), 1);
  expect_one_line("node 'log_of_it' (Log) is the first whose output is not finite");
  EXPECT_THAT(out_, HasSubstr("input   less  float32 [1,2]  from -0.5 to -0.5"));
  EXPECT_EQ(run("run " + model + " --input 0.5 --top 0 --check-finite --json"), 1);
  const json result = json::parse(out_, nullptr, false)["results"][0]["finite"];
  EXPECT_EQ(result["first"]["node"], "log_of_it");
  EXPECT_EQ(result["first"]["output"]["nan"], 2);
  EXPECT_EQ(run("run " + model + " --input 0.5 --top 0"), 0) << "only when asked";
}

TEST_F(Probing, CheckFiniteLeavesInfiniteConstantsAlone) {
  const std::string model = logarithm(-std::numeric_limits<float>::infinity());
  EXPECT_EQ(run("run " + model + " --input 3 --top 0 --check-finite"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("1 of 5 values are not finite; it begins with 'shift'"));
  // Infinity minus infinity: NaN where no input has one.
  EXPECT_EQ(run("run " + model + " --input inf --top 0 --check-finite"), 1);
  expect_one_line("node 'add' (Add)");
}

TEST(Nearest, ByEditsAndContainment) {
  EXPECT_THAT(nearest("conv1", {"relu", "conv2", "conv10", "pool"}, 2),
              ElementsAre("conv2", "conv10"));
  EXPECT_THAT(nearest("Relu_output", {"abcdefghijk", "/a/very/long/name/Relu_output_0"}, 1),
              ElementsAre("/a/very/long/name/Relu_output_0"));
  EXPECT_THAT(nearest("x", {}), ElementsAre());
}

}  // namespace
}  // namespace mini_infer::tools
