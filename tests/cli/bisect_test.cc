// compare --bisect as its user sees it. With no tolerance at all rounding is a fault, and what
// rounds otherwise is to be named: a pass that folds, or a kernel that adds in another order.
#include <mini_infer/session.h>

#include "program.h"
#include "tools/trace.h"

namespace mini_infer::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Bisecting : public Program {
 protected:
  ~Bisecting() override { unsetenv("MINI_ISA"); }

  // x -> Identity -> a product for each of 8 channels -> BatchNormalization -> y. Products round in
  // one way only; folded into them, the normalization rounds in another.
  static pb::ModelProto foldable() {
    pb::ModelProto model = make_model();
    auto* graph = model.mutable_graph();
    set_type(graph->mutable_input(0), "x", kFloat, {1, 1, 16, 16});
    const auto constant = [&](const char* name, const std::vector<int>& dims, float first) {
      std::vector<float> values;
      for (int i = 0; i < 8; ++i) values.push_back(first + 0.3F * static_cast<float>(i));
      *graph->add_initializer() = float_tensor(name, dims, values);
    };
    constant("w", {8, 1, 1, 1}, -1.1F);
    constant("scale", {8}, 0.7F);
    constant("bias", {8}, -0.9F);
    constant("mean", {8}, -0.7F);
    constant("var", {8}, 0.37F);
    *graph->add_node() = make_node("Identity", {"x"}, {"same"}, "same");
    *graph->add_node() = make_node("Conv", {"same", "w"}, {"c"}, "conv");
    *graph->add_node() =
        make_node("BatchNormalization", {"c", "scale", "bias", "mean", "var"}, {"y"}, "norm");
    return model;
  }
  // y = Relu(x) w with 300 terms in each sum.
  static pb::ModelProto long_sums() {
    pb::ModelProto model = make_model();
    auto* graph = model.mutable_graph();
    set_type(graph->mutable_input(0), "x", kFloat, {4, 300});
    std::vector<float> values;
    for (int i = 0; i < 300 * 64; ++i)
      values.push_back(static_cast<float>(i * 37 % 101) / 97 - 0.5F);
    *graph->add_initializer() = float_tensor("w", {300, 64}, values);
    *graph->add_node() = make_node("Relu", {"x"}, {"r"}, "relu");
    *graph->add_node() = make_node("MatMul", {"r", "w"}, {"y"}, "product");
    return model;
  }
  static void set_isa(const std::string& isa) { setenv("MINI_ISA", isa.c_str(), 1); }
};

constexpr const char* kExact = " --bisect --rtol 0 --atol 0";

TEST_F(Bisecting, NamesThePassAndItsRewrite) {
  set_isa(isa_names().front());
  const std::string model = save(foldable());
  EXPECT_EQ(run("compare " + model + kExact), 1) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("wrong: output 'y': "), HasSubstr(" of 2048 values differ"),
                          HasSubstr("pass fold_conv_batch_norm (load) is at fault\n"),
                          HasSubstr("disabled_passes = {\"fold_conv_batch_norm\"}"),
                          HasSubstr("rewrite 2, by pass fold_conv_batch_norm (load), is the first"),
                          HasSubstr("\n  - y = BatchNormalization(c, scale, bias, mean, var)"),
                          HasSubstr("\n  + y = Conv(")));
  EXPECT_EQ(run("compare " + model + kExact + " --json"), 1);
  const json found = json::parse(out_, nullptr, false);
  EXPECT_EQ(found["kind"], "pass");
  EXPECT_EQ(found["rewrite"], 2) << "the Identity goes first, and is right";
  EXPECT_EQ(run("compare " + model + " --bisect"), 0) << "within the usual tolerance";
  EXPECT_EQ(out_, "the optimised plan gives the right outputs: nothing to find\n");
}

TEST_F(Bisecting, LeavingThatPassOutIsARemedy) {
  const std::string model = save(foldable());
  const auto outputs = [&](SessionOptions options) {
    options.isa = isa_names().front();
    const auto session = Session::load(model, options);
    EXPECT_TRUE(session.ok());
    std::vector<float> input;
    for (int i = 0; i < 256; ++i) input.push_back(static_cast<float>(i) / 131 - 1);
    const auto got = session->run({{"x", Tensor::from<float>({1, 1, 16, 16}, input)}});
    EXPECT_TRUE(got.ok());
    const auto values = got->at("y").values<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  const std::vector<float> right = outputs(unoptimised({}));
  EXPECT_NE(outputs({}), right);
  SessionOptions without;
  without.disabled_passes = {"fold_conv_batch_norm"};
  EXPECT_EQ(outputs(without), right);
}

TEST_F(Bisecting, BlamesNoKernelOfTheLowestSet) {
  set_isa(isa_names().front());
  // On x86-64 blocked convolutions add in another order here, and higher sets in the right one.
  EXPECT_NE(run("compare " + kModel + kExact), 2);
  EXPECT_THAT(out_, Not(HasSubstr("a kernel is at fault")));
}

TEST_F(Bisecting, NamesTheKernel) {
  const std::string model = save(long_sums());
  set_isa(isa_names().front());
  EXPECT_EQ(run("compare " + model + kExact), 0) << out_;
  set_isa(isa_names().back());
  if (run("compare " + model + kExact) == 0) GTEST_SKIP() << "all kernels here add in one order";
  EXPECT_THAT(out_,
              AllOf(HasSubstr("a kernel is at fault: with the instruction set "),
                    HasSubstr("are of node 'product', by kernel gemm/" + isa_names().back())));
  EXPECT_EQ(run("compare " + model + kExact + " --json"), 1);
  const json found = json::parse(out_, nullptr, false);
  EXPECT_EQ(found["kind"], "kernel");
  EXPECT_EQ(found["node"], "product");
  // The remedy that was printed.
  const std::string isa = found["right_isa"];
  EXPECT_THAT(found["remedy"].get<std::string>(), HasSubstr("MINI_ISA=" + isa + ' '));
  set_isa(isa);
  EXPECT_EQ(run("compare " + model + kExact), 0) << out_;
}

}  // namespace
}  // namespace mini_infer::tools
