// mini-infer bench.
#include "program.h"
#include "tests/onnx/model_maker.h"
#include "tools/npy.h"

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;

class Bench : public Program {
 protected:
  // y = Relu(x) and u = Relu(z) with x [N1,2] and z [3,N1]: any batch N1.
  std::string open_batch_model() const {
    pb::ModelProto model = relu_model();
    pb::GraphProto& graph = *model.mutable_graph();
    set_type(graph.add_input(), "z", kFloat, {3, -1});
    graph.add_output()->set_name("u");
    *graph.add_node() = make_node("Relu", {"z"}, {"u"}, "relu_z");
    const std::string bytes = model.SerializeAsString();
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    return write("open.onnx", {begin, begin + bytes.size()});
  }
  std::vector<std::string> output_shapes(const std::string& arguments) {
    std::vector<std::string> shapes;
    const json result = run_json("bench --seconds 0.01 --threads 1 --profile " + arguments);
    for (const json& step : result["steps"]) shapes.push_back(step["output_shape"]);
    return shapes;
  }
};

TEST_F(Bench, ReportsItsFields) {
  const json result = run_json("bench " + kModel + " --seconds 0.05 --threads 1 --profile");
  for (const char* field :
       {"model", "threads", "streams", "batch", "isa", "load_ms", "first_ms", "min_ms", "median_ms",
        "p95_ms", "iterations", "inferences_per_s", "gflop", "gflops", "peak_gflops",
        "percent_of_peak", "peak_rss_mb", "arena_mb", "weights_mb"}) {
    EXPECT_TRUE(result.contains(field)) << field;
  }
  EXPECT_LE(result["min_ms"], result["median_ms"]);
  EXPECT_LE(result["median_ms"], result["p95_ms"]);
  EXPECT_GE(result["iterations"], 5);
  EXPECT_GT(result["gflop"], 0.001);
  double steps = 0;
  for (const json& step : result["steps"]) steps += step["ms"].get<double>();
  EXPECT_GT(steps, 0);
  EXPECT_LE(steps, result["profiled_ms"].get<double>() * 1.001);
}

TEST_F(Bench, ProfileRowsAddUpToTheTotal) {
  EXPECT_EQ(run("bench " + kModel + " --seconds 0.05 --profile"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("GFLOP/s"));
  EXPECT_THAT(out_, HasSubstr("total"));
  EXPECT_THAT(out_, HasSubstr("100.0 %"));
}

TEST_F(Bench, StreamsRunAtOnce) {
  const json result = run_json("bench " + kModel + " --seconds 0.05 --threads 1 --streams 3");
  EXPECT_EQ(result["streams"], 3);
  EXPECT_GE(result["iterations"], 15);  // five of each stream
  EXPECT_GT(result["inferences_per_s"], 0);
}

TEST_F(Bench, BatchIsTheOpenFirstDimension) {
  using testing::ElementsAre;
  const std::string model = open_batch_model();
  EXPECT_THAT(output_shapes(model), ElementsAre("[1,2]", "[3,1]"));
  EXPECT_THAT(output_shapes(model + " --batch 6"), ElementsAre("[6,2]", "[3,6]"));
  EXPECT_THAT(output_shapes(model + " --batch 6 --shape x=4x2"), ElementsAre("[6,2]", "[3,6]"));
  EXPECT_EQ(run_json("bench " + model + " --seconds 0.01 --batch 6")["batch"], 6);
  EXPECT_EQ(run("bench " + kModel + " --seconds 0.01 --batch 1"), 0) << err_;

  ASSERT_TRUE(write_npy(file("x.npy"), Tensor(DType::kFloat32, {5, 2})).ok());
  EXPECT_EQ(run("bench " + model + " --batch 6 --input x=" + file("x.npy")), 1);
  expect_one_line("input 'x' has shape [5,2]; --batch makes its first dimension 6");
}

TEST_F(Bench, ThroughputTriesStreamsAndBatches) {
  const std::string open = open_batch_model();
  const json result = run_json("bench " + open + " --throughput --threads 2 --seconds 0.01");
  double best = 0;
  for (const json& line : result["tried"]) {
    EXPECT_EQ(line["streams"].get<int>() * line["threads"].get<int>(), 2);
    best = std::max(best, line["inferences_per_s"].get<double>());
  }
  EXPECT_EQ(result["best"]["inferences_per_s"], best);
  EXPECT_GT(result["tried"].size(), 2U);
  // A model of one batch is tried with streams alone, and the reason is given.
  EXPECT_EQ(run("bench " + kModel + " --throughput --threads 2 --seconds 0.01"), 0);
  EXPECT_THAT(out_, HasSubstr("best: --streams "));
  expect_one_line("an input must leave its first dimension open");
}

}  // namespace
}  // namespace mini_infer::tools
