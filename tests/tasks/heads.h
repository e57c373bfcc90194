// Networks that are only shapes, and outputs made up for them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tools/tasks/task.h"

namespace mini_infer::tools {

struct FakeOutput {
  std::string name;
  Shape shape;
  DType dtype = DType::kFloat32;
};

inline Network fake_network(int width, int height, const std::vector<FakeOutput>& outputs,
                            std::map<std::string, std::string> metadata = {}) {
  Network network{.width = width, .height = height, .input_name = "images"};
  for (const FakeOutput& output : outputs) {
    ValueInfo info{.name = output.name, .dtype = output.dtype, .dims = std::vector<DimInfo>()};
    for (const std::int64_t dim : output.shape) info.dims->push_back({dim, ""});
    network.outputs.push_back(std::move(info));
  }
  network.model.metadata = std::move(metadata);
  return network;
}

// "" for an unknown head.
inline std::string family_of(const Network& network, const std::string& name = "") {
  const std::optional<Head> head = recognise_head(network, name);
  return head ? head->family : "";
}

// The head's findings for these outputs, for a picture of the input's size, by the thresholds that
// the head has.
inline Result<Findings> decode(const Head& head, const Network& network,
                               const std::vector<Tensor>& outputs, const Image& image) {
  PictureInput input{.width = network.width, .height = network.height};
  input.channels = network.channels;
  input.layout = network.layout;
  const auto channels = static_cast<std::size_t>(network.channels);
  const auto each = [&](const std::vector<double>& given, double usual) {
    std::vector<double> values(channels, usual);
    for (std::size_t c = 0; c < channels && !given.empty(); ++c)
      values[c] = given[given.size() == 1 ? 0 : c];
    return values;
  };
  input.normalization = {each(head.pixels.scale, 1), each(head.pixels.mean, 0),
                         each(head.pixels.std, 1)};
  input.fit = head.pixels.fit.value_or(Fit::kStretch);
  const Placement placement = placement_of(input, image);
  Result<Findings> findings = head.decode(outputs, {input, placement, image, head.score, head.iou});
  if (findings.ok()) map_back(*findings, placement, image);
  return findings;
}

inline Findings found(const Network& network, const std::vector<Tensor>& outputs,
                      const std::string& name = "") {
  const std::optional<Head> head = recognise_head(network, name);
  EXPECT_TRUE(head.has_value()) << "unknown";
  if (!head) return {};
  Result<Findings> findings = decode(*head, network, outputs, Image(network.width, network.height));
  EXPECT_TRUE(findings.ok()) << findings.status().message();
  return findings.ok() ? *std::move(findings) : Findings();
}

inline void expect_object(const Object& object, std::size_t cls, double score, const Box& box) {
  EXPECT_EQ(object.cls, cls);
  EXPECT_NEAR(object.score, score, 2e-3);
  EXPECT_NEAR(object.box.left, box.left, 0.05);
  EXPECT_NEAR(object.box.top, box.top, 0.05);
  EXPECT_NEAR(object.box.right, box.right, 0.05);
  EXPECT_NEAR(object.box.bottom, box.bottom, 0.05);
}

inline float logit(double p) { return static_cast<float>(std::log(p / (1 - p))); }

// A float tensor that is filled in place by indices.
class Filler {
 public:
  explicit Filler(const Shape& shape, float value = 0) : tensor(DType::kFloat32, shape) {
    std::fill_n(tensor.mutable_data<float>(), tensor.elements(), value);
  }
  template <class... Index>
  float& at(Index... index) {
    std::int64_t offset = 0;
    std::size_t axis = 0;
    ((offset = offset * tensor.shape()[axis++] + static_cast<std::int64_t>(index)), ...);
    return tensor.mutable_data<float>()[offset];
  }
  // Sets consecutive elements of the last axis, from `index` on.
  template <class... Index>
  void set(std::initializer_list<double> values, Index... index) {
    float* to = &at(index...);
    for (const double value : values) *to++ = static_cast<float>(value);
  }

  Tensor tensor;
};

}  // namespace mini_infer::tools
