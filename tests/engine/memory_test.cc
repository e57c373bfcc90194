// What loading a big model costs in memory: each weight once, packed.
#include <mini_infer/session.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/onnx/model_maker.h"

namespace mini_infer {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr std::size_t kMiB = 1 << 20;

// "VmRSS", what the process holds, or "VmHWM", the most it held; in bytes.
std::size_t memory(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::size_t kib = 0;
    if (std::sscanf(line.c_str(), (field + ": %zu kB").c_str(), &kib) == 1) return kib * 1024;
  }
  return 0;
}

// From now on VmHWM counts anew, see proc(5).
bool reset_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5";
  return static_cast<bool>(file.flush());
}

class Memory : public testing::TestWithParam<bool> {  // external data
 protected:
  Memory() { std::filesystem::create_directory(folder_); }
  ~Memory() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  void add_weights(pb::ModelProto& model, const std::string& name, const std::vector<int>& dims) {
    pb::TensorProto& tensor = *model.mutable_graph()->add_initializer();
    tensor = float_tensor(name, dims, {});
    std::size_t count = 1;
    for (const int dim : dims) count *= static_cast<std::size_t>(dim);
    std::string bytes(count * sizeof(float), '\0');
    for (std::size_t i = 0; i < bytes.size(); i += sizeof(float)) bytes[i + 3] = '\x3a';  // 4.9e-4
    if (!GetParam()) {
      tensor.set_raw_data(std::move(bytes));
      return;
    }
    std::ofstream file(path("weights.bin"), std::ios::app | std::ios::binary);
    const auto offset = std::filesystem::file_size(path("weights.bin"));
    file << bytes;
    tensor.set_data_location(pb::TensorProto::EXTERNAL);
    const auto add = [&](const std::string& key, const std::string& value) {
      auto* entry = tensor.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    add("location", "weights.bin");
    add("offset", std::to_string(offset));
    add("length", std::to_string(bytes.size()));
  }

  // y = five matrix products of x, z = two convolutions of image: 99 MiB of weights.
  void write_model() {
    pb::ModelProto model = make_model();
    pb::GraphProto& graph = *model.mutable_graph();
    set_type(graph.mutable_input(0), "x", kFloat, {1, 2048});
    set_type(graph.add_input(), "image", kFloat, {1, 512, 8, 8});
    graph.add_output()->set_name("z");
    for (int i = 0; i < 5; ++i) {
      add_weights(model, cat("w", i), {2048, 2048});
      *graph.add_node() = make_node("MatMul", {i == 0 ? "x" : cat("x", i), cat("w", i)},
                                    {i == 4 ? "y" : cat("x", i + 1)});
    }
    for (int i = 0; i < 2; ++i) {
      add_weights(model, cat("f", i), {512, 512, 3, 3});
      *graph.add_node() =
          make_node("Conv", {i == 0 ? "image" : "middle", cat("f", i)}, {i == 0 ? "middle" : "z"});
    }
    std::ofstream file(path("model.onnx"), std::ios::binary);
    ASSERT_TRUE(model.SerializeToOstream(&file));
  }

  std::size_t file_bytes() const {
    std::size_t sum = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder_)) sum += file.file_size();
    return sum;
  }

 private:
  std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) /
                                  ("mini_infer_memory_" + std::to_string(::getpid()));
};

TEST_P(Memory, weights_are_held_once) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs memory of its own";
  write_model();
  const std::size_t before = memory("VmRSS");
  if (!reset_peak()) GTEST_SKIP() << "/proc/self/clear_refs cannot be written";
  const auto session = Session::load(path("model.onnx"));
  ASSERT_TRUE(session.ok()) << session.status().message();
  const auto outputs = session->run({{"x", Tensor(DType::kFloat32, {1, 2048})},
                                     {"image", Tensor(DType::kFloat32, {1, 512, 8, 8})}});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  const std::size_t peak = memory("VmHWM") - before, after = memory("VmRSS") - before;

  const std::vector<Shape> shapes = {{1, 2048}, {1, 512, 8, 8}};
  const auto plan = session->plan(shapes);
  ASSERT_TRUE(plan.ok());
  EXPECT_GE(plan->weight_bytes, 90 * kMiB);
  EXPECT_LE(peak, file_bytes() + plan->weight_bytes + 64 * kMiB);
  // Neither the file's pages nor copies of them stay beside the packed weights.
  EXPECT_LE(after, plan->weight_bytes + 48 * kMiB);
}

// Weights [n, k] are read and packed in parts, so that not even while a plan is made they are in
// memory twice.
TEST_P(Memory, transposed_weights_are_packed_in_parts) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs memory of its own";
  constexpr int kInputs = 4096, kOutputs = 8192;
  pb::ModelProto model = make_model();
  set_type(model.mutable_graph()->mutable_input(0), "x", kFloat, {1, kInputs});
  add_weights(model, "w", {kOutputs, kInputs});
  pb::NodeProto gemm = make_node("Gemm", {"x", "w"}, {"y"});
  add_attribute(gemm, "transB", pb::AttributeProto::INT)->set_i(1);
  *model.mutable_graph()->add_node() = gemm;
  std::ofstream file(path("model.onnx"), std::ios::binary);
  ASSERT_TRUE(model.SerializeToOstream(&file));
  file.close();
  const std::size_t before = memory("VmRSS");
  if (!reset_peak()) GTEST_SKIP() << "/proc/self/clear_refs cannot be written";
  const auto session = Session::load(path("model.onnx"));
  ASSERT_TRUE(session.ok()) << session.status().message();
  Tensor x(DType::kFloat32, {1, kInputs});
  std::fill_n(x.mutable_data<float>(), kInputs, 1.f);
  const auto outputs = session->run({{"x", x}});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  for (const float y : outputs->at("y").values<float>()) {
    ASSERT_NEAR(y, kInputs * 4.8828125e-4, 1e-3);
  }
  const std::size_t weights = std::size_t{kInputs} * kOutputs * sizeof(float);
  EXPECT_LE(memory("VmHWM") - before, weights + 48 * kMiB);
}

INSTANTIATE_TEST_SUITE_P(Weights, Memory, testing::Bool());

}  // namespace
}  // namespace mini_infer
