// Session::trace, SessionOptions::max_rewrites and isa, and what PlanInfo says of values and
// memory.
#include <mini_infer/session.h>

#include <cmath>
#include <cstdlib>

#include "tests/onnx/model_maker.h"

namespace mini_infer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<Session> load(const pb::ModelProto& model, const SessionOptions& options = {}) {
  const std::string bytes = model.SerializeAsString();
  return Session::load(std::as_bytes(std::span(bytes)), options);
}

// x [1,24,8,8] -> Conv -> Identity -> Relu -> Conv -> y: optimised, the values lie in blocks.
pb::ModelProto convolutions() {
  pb::ModelProto model = make_model();
  auto* graph = model.mutable_graph();
  set_type(graph->mutable_input(0), "x", kFloat, {1, 24, 8, 8});
  std::vector<float> weights(24 * 24 * 9);
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = 0.05F * std::sin(static_cast<float>(i));
  *graph->add_initializer() = float_tensor("w", {24, 24, 3, 3}, weights);
  const auto conv = [&](const std::string& from, const std::string& to) {
    pb::NodeProto node = make_node("Conv", {from, "w"}, {to}, "conv_" + to);
    auto* pads = add_attribute(node, "pads", pb::AttributeProto::INTS);
    for (int i = 0; i < 4; ++i) pads->add_ints(1);
    *graph->add_node() = node;
  };
  conv("x", "a");
  *graph->add_node() = make_node("Identity", {"a"}, {"b"}, "same");
  *graph->add_node() = make_node("Relu", {"b"}, {"c"}, "relu");
  conv("c", "y");
  return model;
}

Tensor picture() {
  Tensor tensor(DType::kFloat32, {1, 24, 8, 8});
  for (std::int64_t i = 0; i < tensor.elements(); ++i)
    tensor.mutable_data<float>()[i] = std::cos(static_cast<float>(i));
  return tensor;
}

struct Traced {
  PlanInfo plan;
  TensorMap values;
  std::vector<Tensor> outputs;
};

Traced trace(const Session& session, const Tensor& input) {
  Traced traced;
  const Shape shapes[] = {input.shape()};
  const Tensor inputs[] = {input};
  traced.plan = *session.plan(shapes);
  traced.outputs = *session.trace(inputs, [&](std::size_t s, std::span<const Tensor> outputs) {
    EXPECT_EQ(outputs.size(), traced.plan.steps[s].outputs.size());
    traced.values[traced.plan.steps[s].outputs[0]] = outputs[0].clone();
    return ok();
  });
  return traced;
}

std::vector<std::string> names(const TensorMap& values) {
  std::vector<std::string> out;
  for (const auto& [name, tensor] : values) out.push_back(name);
  return out;
}

TEST(Trace, ShowsEveryValueOfTheFileWithoutRewrites) {
  const auto session = load(convolutions(), {.max_rewrites = 0});
  ASSERT_TRUE(session.ok()) << session.status().message();
  const Traced traced = trace(*session, picture());
  EXPECT_THAT(names(traced.values), ElementsAre("a", "b", "c", "y"));
  EXPECT_THAT(traced.plan.steps[0].inputs, ElementsAre("x", "w"));
  const auto a = traced.values.at("a").values<float>(), c = traced.values.at("c").values<float>();
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(c[i], std::max(a[i], 0.0F)) << i;
}

TEST(Trace, ShowsBlockedValuesAsPlainOnes) {
  const auto plain = load(convolutions(), {.max_rewrites = 0});
  const auto optimised = load(convolutions());
  ASSERT_TRUE(plain.ok() && optimised.ok());
  const Traced want = trace(*plain, picture()), got = trace(*optimised, picture());
  EXPECT_LT(got.plan.steps.size(), 6U);
  ASSERT_TRUE(got.values.contains("c"));
  std::string ops;
  for (const StepInfo& step : got.plan.steps) ops += step.op + ' ';
  ASSERT_THAT(ops, HasSubstr("Reorder")) << "c must lie in blocks for this test";
  const auto a = got.values.at("c").values<float>(), b = want.values.at("c").values<float>();
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5) << i;
}

TEST(Trace, EndsWithTheObserversFailure) {
  const auto session = load(convolutions());
  ASSERT_TRUE(session.ok());
  const Tensor inputs[] = {picture()};
  const auto outputs = session->trace(
      inputs, [](std::size_t, std::span<const Tensor>) { return Status(Code::kIo, "disk full"); });
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.status().message(), "disk full");
}

TEST(SessionOptions, MaxRewritesStopsInBothStages) {
  std::size_t steps = 100;
  int changes = 0;
  for (long long most = 0; most <= 6; ++most) {
    const auto session = load(convolutions(), {.max_rewrites = most});
    ASSERT_TRUE(session.ok());
    const Traced traced = trace(*session, picture());
    int rewrites = 0;
    for (const PassInfo& pass : traced.plan.passes)
      if (pass.name != "infer_shapes") rewrites += pass.rewrites > 0 ? 1 : 0;
    EXPECT_LE(rewrites, most);
    changes += traced.plan.steps.size() != steps ? 1 : 0;
    steps = traced.plan.steps.size();
  }
  EXPECT_GE(changes, 3) << "each of the first rewrites shows in the steps";
}

TEST(SessionOptions, IsaChoosesTheKernels) {
  for (const std::string& isa : isa_names()) {
    const auto session = load(convolutions(), {.isa = isa});
    ASSERT_TRUE(session.ok());
    const Traced traced = trace(*session, picture());
    EXPECT_THAT(traced.plan.steps.back().kernel, testing::EndsWith(isa));
  }
  const auto session = load(convolutions(), {.isa = "mmx"});
  ASSERT_FALSE(session.ok());
  EXPECT_THAT(session.status().message(), HasSubstr("instruction set 'mmx': this CPU has "));
}

TEST(SessionOptions, UnknownSetInEnvironmentIsRefused) {
  const char* before = std::getenv("MINI_ISA");
  const std::string kept = before != nullptr ? before : "";
  setenv("MINI_ISA", "sse4.2", 1);
  const auto session = load(convolutions());
  kept.empty() ? unsetenv("MINI_ISA") : setenv("MINI_ISA", kept.c_str(), 1);
  ASSERT_FALSE(session.ok());
  EXPECT_THAT(session.status().message(),
              HasSubstr("MINI_ISA=sse4.2 in the environment: no such instruction set"));
}

TEST(PlanInfo, ArenaBlocksOfOneStepDoNotOverlap) {
  const auto session = load(convolutions());
  ASSERT_TRUE(session.ok());
  const PlanInfo plan = trace(*session, picture()).plan;
  ASSERT_FALSE(plan.arena.empty());
  std::size_t end = 0;
  for (const ArenaBlock& a : plan.arena) {
    EXPECT_LE(a.first, a.last);
    EXPECT_LT(a.last, static_cast<int>(plan.steps.size()));
    end = std::max(end, a.offset + a.bytes);
    for (const ArenaBlock& b : plan.arena) {
      const bool together = &a != &b && a.first <= b.last && b.first <= a.last;
      EXPECT_FALSE(together && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes)
          << a.name << ' ' << b.name;
    }
  }
  EXPECT_EQ(end, plan.arena_bytes);
}

}  // namespace
}  // namespace mini_infer
