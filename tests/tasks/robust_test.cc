// Whatever numbers and shapes a network puts out, a decoder answers with findings or with an error.
#include <limits>
#include <random>
#include <set>

#include "heads.h"
#include "tools/tasks/report.h"

namespace mini_infer::tools {
namespace {

struct Example {
  const char* family;
  Network network;
};

std::vector<FakeOutput> yunet_levels() {
  std::vector<FakeOutput> levels;
  for (const auto& [name, columns] :
       {std::pair("cls", 1), std::pair("obj", 1), std::pair("bbox", 4), std::pair("kps", 10)}) {
    for (const int stride : {8, 16, 32})
      levels.push_back(
          {name + ('_' + std::to_string(stride)), {1, 64 * 64 / stride / stride, columns}});
  }
  return levels;
}

// A network of each family, for an input of 64x64 (84 cells) unless the family wants another.
std::vector<Example> examples() {
  const auto net = [](std::vector<Shape> shapes, Task asked = Task::kAuto, int side = 64) {
    std::vector<FakeOutput> outputs;
    for (const Shape& shape : shapes) outputs.push_back({"out", shape});
    Network network = fake_network(side, side, outputs);
    network.asked = asked;
    return network;
  };
  const std::vector<Shape> maps = {{1, 21, 8, 8}, {1, 21, 4, 4}, {1, 21, 2, 2}};
  std::vector<Example> all = {
      {"yolov8", net({{1, 7, 84}})},
      {"yolov8-pose", net({{1, 56, 84}})},
      {"yolov8-segment", net({{1, 10, 84}, {1, 4, 16, 16}})},
      {"yolov6", net({{1, 84, 8}})},
      {"yolox", net({{1, 84, 8}})},
      {"yolov5", net({{1, 252, 12}})},
      {"yolov5-segment", net({{1, 252, 12}, {1, 4, 16, 16}})},
      {"yolov5-maps", net(maps)},
      {"yolov7", net(maps)},
      {"yolov4", net(maps)},
      {"yolov3", net(maps)},
      {"yolo-fastest", net({{1, 4, 4, 95}, {1, 2, 2, 95}})},
      {"yolov10", net({{1, 300, 6}})},
      {"yolov7-nms", net({{9, 7}})},
      {"nanodet", net({{1, 84, 112}})},
      {"retinaface", net({{1, 168, 4}, {1, 168, 2}, {1, 168, 10}})},
      {"yunet", net({{235, 14}, {235, 2}, {235, 1}})},
      {"scrfd", net({{128, 1}, {32, 1}, {8, 1}, {128, 4}, {32, 4}, {8, 4}})},
      {"ultraface", net({{1, 600, 2}, {1, 600, 4}})},
      {"ssd", net({{1, 600, 5}, {1, 600, 4}})},
      {"text", net({{1, 1, 64, 64}}, Task::kDetect)},
      {"hand", net({{1, 63}, {1, 1}})},
      {"face-mesh", net({{1, 1404}, {1, 1}})},
      {"face-heatmaps", net({{1, 198, 28, 28}}, Task::kAuto, 224)},
      {"depth", net({{1, 1, 64, 64}}, Task::kDepth)},
      {"picture", net({{1, 3, 128, 128}})},
      {"segmentation", net({{1, 5, 64, 64}})},
      {"mask", net({{1, 1, 64, 64}}, Task::kSegment)},
      {"embedding", net({{1, 32}}, Task::kEmbed)}};
  const auto named = [&](const char* family, std::vector<FakeOutput> outputs) {
    all.push_back({family, fake_network(64, 64, outputs)});
  };
  named("nms", {{"boxes", {1, 9, 4}}, {"scores", {1, 9}}, {"labels", {1, 9}}, {"num_det", {1}}});
  named("nms-indices",
        {{"boxes", {1, 9, 4}}, {"scores", {1, 3, 9}}, {"at", {4, 3}, DType::kInt64}});
  named("detr", {{"logits", {1, 9, 5}}, {"pred_boxes", {1, 9, 4}}});
  named("face-centres", {{"output", {1, 2, 16, 16}}, {"maxpool", {1, 2, 16, 16}}});
  named("yunet-2022", yunet_levels());
  return all;
}

Tensor filled_with(const ValueInfo& output, const std::function<double()>& number, int more) {
  Shape shape;
  for (const DimInfo& dim : *output.dims) shape.push_back(dim.value);
  if (shape.rank() > 0) shape[shape.rank() - 1] += more;
  Tensor tensor(output.dtype, shape);
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    if (output.dtype == DType::kInt64) {
      const double value = number();
      tensor.mutable_data<std::int64_t>()[i] =
          std::abs(value) < 1e6 ? static_cast<std::int64_t>(value) : -1;
    } else {
      tensor.mutable_data<float>()[i] = static_cast<float>(number());
    }
  }
  return tensor;
}

// Decodes with all thresholds open, and reports and draws what comes out.
void decode_and_draw(const Example& example, const std::function<double()>& number, int more) {
  std::optional<Head> head = recognise_head(example.network, example.family);
  ASSERT_TRUE(head.has_value()) << example.family;
  head->score = 0;
  std::vector<Tensor> outputs;
  for (const ValueInfo& output : example.network.outputs)
    outputs.push_back(filled_with(output, number, more));
  const Image image(90, 50);
  const Result<Findings> findings = decode(*head, example.network, outputs, image);
  if (!findings.ok()) {
    EXPECT_FALSE(findings.status().message().empty());
    return;
  }
  EXPECT_LE(findings->objects.size(), std::size_t{5000});
  for (const Object& object : findings->objects) {
    EXPECT_TRUE(std::isfinite(object.box.width() + object.score)) << example.family;
    EXPECT_GE(object.box.left, 0) << example.family;
    EXPECT_LE(object.box.bottom, 50) << example.family;
  }
  Json json;
  add_findings(*findings, {}, json);
  EXPECT_FALSE(dump(json).empty());
  EXPECT_GT(draw_findings(image, *findings, {}).pixels.size(), 0U);
}

TEST(Decoders, EveryFamilyHasAnExample) {
  std::set<std::string> covered;
  for (const Example& example : examples()) covered.insert(example.family);
  for (const Family& family : families()) EXPECT_TRUE(covered.contains(family.name)) << family.name;
}

TEST(Decoders, BearAnyNumbers) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const Example& example : examples()) {
    for (const double value : {0.0, 1.0, -1.0, 0.5, 1e30, -1e30, kInfinity, -kInfinity,
                               std::numeric_limits<double>::quiet_NaN()})
      decode_and_draw(
          example, [&] { return double{value}; }, 0);
    std::mt19937 random(1);
    for (const double scale : {1.0, 20.0, 1e5}) {
      std::uniform_real_distribution<double> number(-scale, scale), share(0, 1);
      decode_and_draw(
          example, [&] { return number(random); }, 0);
      decode_and_draw(
          example, [&] { return share(random); }, 0);
    }
  }
}

TEST(Decoders, BearOtherShapes) {
  for (const Example& example : examples()) {
    for (const int more : {-1, 1, 7})
      decode_and_draw(
          example, [] { return 0.5; }, more);
  }
}

}  // namespace
}  // namespace mini_infer::tools
