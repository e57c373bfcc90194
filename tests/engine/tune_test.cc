// SessionOptions::tune and tune_cache: what is measured, what is written, what is read back.
#include <mini_infer/session.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/tune_cache.h"
#include "tests/onnx/model_maker.h"

namespace mini_infer {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kChannels = 32, kSize = 20;

float number(int i) { return static_cast<float>(i * 37 % 101) / 101.f - 0.5f; }

std::vector<float> numbers(int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(number(i));
  return values;
}

// Two equal 3x3 convolutions, which several algorithms take.
pb::ModelProto conv_model() {
  pb::ModelProto model;
  model.set_ir_version(7);
  model.add_opset_import()->set_version(13);
  pb::GraphProto& graph = *model.mutable_graph();
  set_type(graph.add_input(), "x", kFloat, {1, kChannels, kSize, kSize});
  graph.add_output()->set_name("y");
  *graph.add_initializer() =
      float_tensor("w", {kChannels, kChannels, 3, 3}, numbers(kChannels * kChannels * 9));
  for (const auto& [from, to] : {std::pair("x", "middle"), std::pair("middle", "y")}) {
    pb::NodeProto& node = *graph.add_node() = make_node("Conv", {from, "w"}, {to});
    auto* pads = add_attribute(node, "pads", pb::AttributeProto::INTS);
    for (int i = 0; i < 4; ++i) pads->add_ints(1);
  }
  return model;
}

const Shape kInput{1, kChannels, kSize, kSize};

class Tune : public testing::Test {
 protected:
  Tune()
      : folder_(std::filesystem::temp_directory_path() / cat("mini-infer-tune-", getpid())),
        file_(folder_ / "cache") {
    std::filesystem::create_directories(folder_);
  }
  ~Tune() override { std::filesystem::remove_all(folder_); }

  struct Outcome {
    PlanInfo plan;
    std::vector<float> output;
    std::vector<std::string> notes;
  };
  Outcome run(bool tune, bool cache = true, int threads = 1) const {
    Outcome outcome;
    SessionOptions options{.threads = threads,
                           .log = [&](const std::string& line) { outcome.notes.push_back(line); },
                           .tune = tune,
                           .tune_cache = cache ? file_.string() : ""};
    const std::string bytes = conv_model().SerializeAsString();
    const auto session = Session::load(std::as_bytes(std::span(bytes)), options);
    EXPECT_TRUE(session.ok()) << session.status().message();
    const Tensor x = Tensor::from<float>(kInput, numbers(static_cast<int>(kInput.elements())));
    auto outputs = session->run({{"x", x}});
    EXPECT_TRUE(outputs.ok()) << outputs.status().message();
    const auto values = (*outputs)["y"].values<float>();
    outcome.output.assign(values.begin(), values.end());
    outcome.plan = session->plan(std::vector{kInput}).value();
    return outcome;
  }
  static std::string why(const Outcome& outcome) {
    for (const StepInfo& step : outcome.plan.steps) {
      if (step.op.ends_with("Conv")) return step.why;
    }
    return "no convolution";
  }

  std::string contents() const {
    std::stringstream text;
    text << std::ifstream(file_).rdbuf();
    return text.str();
  }
  void write(const std::string& text) const { std::ofstream(file_) << text; }
  // The only line of measurements, cut at its tabs.
  std::vector<std::string> fields() const {
    std::istringstream text(contents());
    std::string line, field;
    std::getline(text, line);
    std::getline(text, line);
    std::vector<std::string> list;
    for (std::istringstream in(line); std::getline(in, field, '\t');) list.push_back(field);
    return list;
  }
  static std::string join(const std::vector<std::string>& fields) {
    std::string line = "mini-infer tune cache 1\n";
    for (std::size_t i = 0; i < fields.size(); ++i) line += (i > 0 ? "\t" : "") + fields[i];
    return line + '\n';
  }

  std::filesystem::path folder_, file_;
};

TEST_F(Tune, measures_each_distinct_layer_once_and_computes_the_same) {
  const Outcome untuned = run(false, false), tuned = run(true, false);
  EXPECT_EQ(untuned.plan.timed_layers, 0);
  EXPECT_EQ(tuned.plan.timed_layers, 1);
  EXPECT_THAT(why(tuned), AllOf(HasSubstr("tuned: "), HasSubstr("direct "), HasSubstr(" ms, "),
                                HasSubstr("winograd4x3 "), HasSubstr("winograd2x3 ")));
  EXPECT_THAT(why(untuned), testing::Not(HasSubstr("tuned")));
  ASSERT_EQ(tuned.output.size(), untuned.output.size());
  float largest = 0;
  for (const float y : untuned.output) largest = std::max(largest, std::abs(y));
  for (std::size_t i = 0; i < tuned.output.size(); ++i) {
    ASSERT_NEAR(tuned.output[i], untuned.output[i], 1e-5F * largest);
  }
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(Tune, keeps_no_weights_of_kernels_that_lose) {
  const Outcome tuned = run(true);
  // A session that finds the verdict in the file packs for one kernel only.
  EXPECT_EQ(tuned.plan.weight_bytes, run(false).plan.weight_bytes);
}

TEST_F(Tune, times_are_read_back_as_they_were) {
  const double odd = 32.0 + 0.9949999 / 3;
  TuneCache(file_, "cpu\tisa\t1", {}).add("layer", {{"direct", odd}});
  const TuneCache later(file_, "cpu\tisa\t1", {});
  const KernelTimes* times = later.find("layer");
  ASSERT_NE(times, nullptr);
  EXPECT_EQ(times->front().ms, odd);
}

TEST_F(Tune, reads_the_verdict_back_without_measuring) {
  const Outcome first = run(true);
  EXPECT_THAT(first.notes, IsEmpty());
  const std::string written = contents();
  for (const bool tune : {true, false}) {
    const Outcome later = run(tune);
    EXPECT_EQ(later.plan.timed_layers, 0);
    EXPECT_EQ(why(later), why(first));
    EXPECT_EQ(later.output, first.output);
    EXPECT_THAT(later.notes, IsEmpty());
  }
  EXPECT_EQ(contents(), written);
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(entry.path(), file_);  // no temporary file is left
  }
}

TEST_F(Tune, follows_the_file) {
  run(true);
  std::vector<std::string> line = fields();
  ASSERT_EQ(line.size(), 7U);
  for (const std::string kernel : {"direct", "winograd2x3", "winograd4x3"}) {
    line.resize(4);
    line.push_back(kernel + " 0.25");
    write(join(line));
    const Outcome outcome = run(false);
    EXPECT_THAT(why(outcome), HasSubstr("tuned: " + kernel + " 0.25 ms"));
    EXPECT_THAT(outcome.plan.steps, Contains(testing::Field(&StepInfo::kernel, HasSubstr(kernel))));
  }
  // A kernel that is not there is passed over.
  line.resize(4);
  line.insert(line.end(), {"quantum 0.01", "direct 0.5"});
  write(join(line));
  EXPECT_THAT(why(run(false)), HasSubstr("tuned: direct 0.50 ms ("));
}

TEST_F(Tune, prefers_the_estimate_where_times_are_close) {
  const Outcome untuned = run(false, false);
  const auto is_estimate = [&](const std::string& kernel) {
    return std::ranges::any_of(untuned.plan.steps, [&](const StepInfo& step) {
      return step.kernel.find(kernel) != std::string::npos;
    });
  };
  std::string estimate, other;
  for (const std::string kernel : {"direct", "winograd2x3", "winograd4x3"})
    (is_estimate(kernel) ? estimate : other) = kernel;
  ASSERT_FALSE(estimate.empty());
  run(true);
  std::vector<std::string> line = fields();
  for (const auto& [ms, taken] : {std::pair("0.99", estimate), std::pair("0.9", other)}) {
    line.resize(4);
    line.insert(line.end(), {other + " " + ms, estimate + " 1"});
    write(join(line));
    EXPECT_THAT(run(false).plan.steps,
                Contains(testing::Field(&StepInfo::kernel, HasSubstr(taken))));
  }
}

TEST_F(Tune, ignores_what_is_of_another_machine_and_keeps_it) {
  run(true);
  std::vector<std::string> line = fields();
  for (const auto& [field, other] : {std::pair(0, "Another CPU"), std::pair(2, "64")}) {
    std::vector<std::string> changed = line;
    changed[static_cast<std::size_t>(field)] = other;
    write(join(changed));
    const Outcome outcome = run(false);
    EXPECT_THAT(why(outcome), testing::Not(HasSubstr("tuned")));
    EXPECT_THAT(outcome.notes, testing::ElementsAre(HasSubstr("is of other machines")));
    EXPECT_EQ(run(true).plan.timed_layers, 1);
    EXPECT_THAT(contents(), AllOf(HasSubstr(join(changed).substr(24)), HasSubstr(line[0])));
  }
}

TEST_F(Tune, measures_for_each_number_of_threads) {
  EXPECT_EQ(run(true, true, 1).plan.timed_layers, 1);
  EXPECT_EQ(run(true, true, 2).plan.timed_layers, 1);
  EXPECT_EQ(run(true, true, 1).plan.timed_layers, 0);
}

TEST_F(Tune, ignores_broken_lines_and_writes_good_ones) {
  run(true);
  std::vector<std::string> line = fields();
  const std::string good = join(line);
  for (const std::string broken : {"direct", "direct -1", "direct 1 2", "direct nan", ""}) {
    line.resize(4);
    line.push_back(broken);
    write(join(line) + "nonsense\n\n");
    const Outcome outcome = run(true);
    EXPECT_THAT(outcome.notes, testing::ElementsAre(HasSubstr("ignored"))) << broken;
    EXPECT_EQ(outcome.plan.timed_layers, 1) << broken;
    EXPECT_THAT(run(false).notes, IsEmpty());
  }
  write(good + "nonsense\n");
  const Outcome outcome = run(false);
  EXPECT_THAT(outcome.notes, testing::ElementsAre(HasSubstr("has 1 lines")));
  EXPECT_THAT(why(outcome), HasSubstr("tuned"));
}

TEST_F(Tune, writes_over_other_versions_but_not_over_other_files) {
  write("mini-infer tune cache 0\nsomething else\n");
  EXPECT_THAT(run(true).notes, testing::ElementsAre(HasSubstr("of another version")));
  EXPECT_EQ(fields().size(), 7U);

  const std::string precious = "a letter, or a model\n";
  write(precious);
  const Outcome outcome = run(true);
  EXPECT_EQ(outcome.plan.timed_layers, 1);
  EXPECT_THAT(outcome.notes, testing::ElementsAre(HasSubstr("left as it is")));
  EXPECT_EQ(contents(), precious);
}

TEST_F(Tune, says_that_it_cannot_write) {
  file_ = folder_ / "no" / "such" / "folder";
  EXPECT_THAT(run(true).notes, testing::ElementsAre(HasSubstr("cannot write tune cache")));
}

}  // namespace
}  // namespace mini_infer
