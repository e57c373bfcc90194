// Whole networks in float32, with all passes and fast kernels, against the same models node by node
// in float64 with the kernels that follow the definitions.
#include <gtest/gtest.h>
#include <mini_infer/session.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <ostream>
#include <random>

#include "engine/node_runner.h"
#include "graph/ir/constants.h"
#include "graph/onnx/importer.h"
#include "kernels/op_registry.h"

namespace mini_infer {
namespace {

// Of the largest value of an output.
constexpr double kTolerance = 1e-4;

Tensor to_double(const Tensor& tensor) {
  return Tensor::from<double>(tensor.shape(), *numbers(tensor));
}

// Scales of Resize stay what they are: they are float32 whatever the picture is.
bool only_scales(const Graph& graph, ValueId id) {
  const auto& users = graph.value(id).users;
  return !users.empty() && std::all_of(users.begin(), users.end(), [&](NodeId user) {
    const std::string& type = graph.node(user).op_type;
    return (type == "Resize" || type == "Upsample") && graph.input(user, 0) != id;
  });
}

// float32 becomes float64 everywhere.
void widen(Graph& graph) {
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    Value& value = graph.value(id);
    if (value.dtype != DType::kFloat32 || only_scales(graph, id)) continue;
    value.dtype = DType::kFloat64;
    if (value.is_constant()) value.constant = to_double(value.constant);
  }
  for (const NodeId id : graph.order()) {
    for (auto& [name, attribute] : graph.node(id).attributes) {
      auto* number = std::get_if<std::int64_t>(&attribute);
      if (number != nullptr && (name == "to" || name == "dtype") &&
          *number == static_cast<std::int64_t>(DType::kFloat32)) {
        *number = static_cast<std::int64_t>(DType::kFloat64);
      }
      auto* tensor = std::get_if<Tensor>(&attribute);
      if (tensor != nullptr && tensor->dtype() == DType::kFloat32) *tensor = to_double(*tensor);
    }
  }
}

// Values in 0 .. most.
TensorMap make_inputs(const std::vector<ValueInfo>& infos, float most) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> uniform(0.f, most);
  TensorMap inputs;
  for (const ValueInfo& info : infos) {
    std::vector<std::int64_t> dims;
    for (const DimInfo& dim : *info.dims) dims.push_back(dim.value < 0 ? 1 : dim.value);
    Tensor tensor(info.dtype, Shape(dims));
    EXPECT_EQ(info.dtype, DType::kFloat32);
    float* data = tensor.mutable_data<float>();
    for (std::int64_t i = 0; i < tensor.elements(); ++i) data[i] = uniform(random);
    inputs[info.name] = std::move(tensor);
  }
  return inputs;
}

// The model's outputs, in order.
Result<std::vector<Tensor>> run_in_double(const std::string& file, const TensorMap& inputs) {
  MINI_TRY_ASSIGN(ImportedModel model, import_file(file));
  Graph& graph = model.graph;
  widen(graph);
  NodeEvaluator evaluator(op_registry(), {}, std::size_t{4} << 30);
  std::map<ValueId, Tensor> tensors;
  for (const ValueId id : graph.inputs) {
    tensors[id] = to_double(inputs.at(graph.value(id).name));
  }
  const auto tensor_of = [&](ValueId id) {
    if (id == kNoValue) return Tensor();
    return graph.constant(id) != nullptr ? *graph.constant(id) : tensors[id];
  };
  for (const NodeId id : graph.order()) {
    std::vector<Tensor> arguments;
    for (const ValueId in : graph.node(id).inputs) arguments.push_back(tensor_of(in));
    MINI_TRY_ASSIGN(const auto results, evaluator.evaluate(graph.node(id), arguments));
    for (std::size_t i = 0; i < results.size(); ++i) tensors[graph.output(id, i)] = results[i];
  }
  std::vector<Tensor> outputs;
  for (const GraphOutput& out : graph.outputs()) outputs.push_back(tensor_of(out.value));
  return outputs;
}

void expect_close(const Tensor& actual, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(actual.shape().str(), expected.shape().str()) << what;
  const auto got = numbers(actual), want = numbers(expected);
  ASSERT_TRUE(got && want) << what;
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < want->size(); ++i) {
    largest = std::max(largest, std::abs((*want)[i]));
    worst = std::max(worst, std::abs((*got)[i] - (*want)[i]));
  }
  EXPECT_LE(worst, kTolerance * largest) << what << ": the largest value is " << largest;
}

struct Network {
  const char* name;
  float most = 1;  // values of its inputs, see make_inputs()
};
void PrintTo(const Network& network, std::ostream* out) { *out << network.name; }

class Networks : public testing::TestWithParam<Network> {};

TEST_P(Networks, AgreeWithDouble) {
  const std::string file = std::string(MINI_SHARED) + "/models/" + GetParam().name + "/model.onnx";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "skipped: " << file << " is not there";
  SessionOptions options;
  options.threads = 2;
  const auto session = Session::load(file, options);
  ASSERT_TRUE(session.ok()) << session.status().message();
  const TensorMap inputs = make_inputs(session->inputs(), GetParam().most);
  const auto actual = session->run(inputs);
  ASSERT_TRUE(actual.ok()) << actual.status().message();
  const auto expected = run_in_double(file, inputs);
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  const auto outputs = session->outputs();
  ASSERT_EQ(outputs.size(), expected->size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    expect_close(actual->at(outputs[i].name), (*expected)[i], outputs[i].name);
  }
}

// YOLOX was trained on pictures in 0 .. 255. With random values in -1 .. 1 the network itself makes
// 0.7e-4 to 1.9e-4 of float32's rounding, whatever the order of additions (measured on four inputs;
// onnxruntime 0.6e-4 to 1.5e-4), in its range less than 1.2e-5.
INSTANTIATE_TEST_SUITE_P(
    , Networks,
    testing::Values(Network{"cifar10_cnn_winml"}, Network{"ppocrv3_det_ch"},
                    Network{"yolox_nano", 255}, Network{"hand_landmark_mediapipe"},
                    Network{"license_plate_rec"}, Network{"mnist_bn_matmul"},
                    Network{"mnv3_face_detection_ort"}, Network{"openseeface_lm_model0_ort"},
                    Network{"openseeface_shufflenet_lm_ort"}, Network{"speech_commands_squeezenet"},
                    Network{"ultraface_rfb_320"}, Network{"vttrack_2023_beta"},
                    Network{"yolo_fastestv2_coco"}, Network{"yunet_2021_120x160"}),
    [](const auto& network) { return std::string(network.param.name); });

}  // namespace
}  // namespace mini_infer
