// Outputs that hold known boxes in each family's form, and what is found in them.
#include "heads.h"

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;

// An input of 64x64: 8x8, 4x4 and 2x2 cells of strides 8, 16 and 32, 84 in all.
constexpr int kSide = 64;
constexpr std::int64_t kCells = 84;
// The cell (3,2) of stride 16, whose middle is (56,40), and its number.
constexpr std::int64_t kCell = 64 + 2 * 4 + 3;
const Box kBox = {50, 30, 64, 54};  // middle (57,42), size 14x24

// Decoded boxes of all cells lie on their own cells; `row` gives the columns.
template <class Row>
void fill_decoded(Filler& output, const Row& row) {
  std::int64_t i = 0;
  for (const int stride : {8, 16, 32}) {
    for (int y = 0; y < kSide / stride; ++y) {
      for (int x = 0; x < kSide / stride; ++x, ++i)
        row(output, i, (x + 0.5) * stride, (y + 0.5) * stride);
    }
  }
}

Filler yolox_pixels(std::int64_t classes) {
  Filler output({1, kCells, 5 + classes});
  fill_decoded(output, [](Filler& o, std::int64_t i, double x, double y) {
    o.set({x, y, 10, 10}, 0, i, 0);
  });
  output.set({57, 42, 14, 24, 0.9, 0, 0.8}, 0, kCell, 0);
  return output;
}

TEST(Yolox, OffsetsFromCells) {
  Filler output({1, kCells, 8});
  output.set(
      {57 / 16.0 - 3, 42 / 16.0 - 2, std::log(14 / 16.0), std::log(24 / 16.0), 0.9, 0.1, 0.8}, 0,
      kCell, 0);
  const Network network = fake_network(kSide, kSide, {{"output", {1, kCells, 8}}});
  EXPECT_EQ(family_of(network), "yolox");
  const Findings findings = found(network, {output.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 1, 0.72, kBox);
}

TEST(Yolox, DecodedInTheGraph) {
  const Filler output = yolox_pixels(3);
  const Network network = fake_network(kSide, kSide, {{"output", {1, kCells, 8}}});
  const Findings findings = found(network, {output.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 1, 0.72, kBox);
}

TEST(Yolox, ScoresWithoutSigmoid) {
  Filler output = yolox_pixels(3);
  for (std::int64_t i = 0; i < kCells; ++i) output.set({-9, -9, -9, -9}, 0, i, 4);
  output.set({logit(0.9), logit(0.1), logit(0.8)}, 0, kCell, 4);
  const Findings findings =
      found(fake_network(kSide, kSide, {{"output", {1, kCells, 8}}}), {output.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 1, 0.72, kBox);
}

TEST(Yolov6, IsNamedOutputsAndTakesItsOwnPixels) {
  Filler output = yolox_pixels(3);
  const Network network = fake_network(kSide, kSide, {{"outputs", {1, kCells, 8}}});
  const std::optional<Head> head = recognise_head(network, "");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->family, "yolov6");
  EXPECT_EQ(head->pixels.color, Color::kRgb);
  EXPECT_EQ(family_of(fake_network(kSide, kSide, {{"output", {1, kCells, 8}}}), "yolov6"),
            "yolov6");
  expect_object(found(network, {output.tensor}).objects.at(0), 1, 0.72, kBox);
}

TEST(Yolov8, Detect) {
  Filler output({1, 6, kCells});
  const double values[] = {57, 42, 14, 24, 0.2, 0.7};
  for (int c = 0; c < 6; ++c) output.at(0, c, kCell) = static_cast<float>(values[c]);
  const Network network = fake_network(kSide, kSide, {{"output0", {1, 6, kCells}}});
  EXPECT_EQ(family_of(network), "yolov8");
  const Findings findings = found(network, {output.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 1, 0.7, kBox);
}

TEST(Yolov8, SharesOfTheInputAndTurnedOutput) {
  Filler output({1, kCells, 6});
  fill_decoded(output, [](Filler& o, std::int64_t i, double x, double y) {
    o.set({x / kSide, y / kSide, 0.1, 0.1}, 0, i, 0);
  });
  output.set({57.0 / kSide, 42.0 / kSide, 14.0 / kSide, 24.0 / kSide, 0.2, 0.7}, 0, kCell, 0);
  const Network network =
      fake_network(kSide, kSide, {{"output0", {1, kCells, 6}}}, {{"names", "{0: 'a', 1: 'b'}"}});
  EXPECT_EQ(family_of(network), "yolov8");
  const Findings findings = found(network, {output.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 1, 0.7, kBox);
}

TEST(Yolov8, MetadataThatContradictsIsNotBelieved) {
  const std::vector<FakeOutput> output = {{"output0", {1, 6, kCells}}};
  EXPECT_EQ(family_of(fake_network(kSide, kSide, output, {{"names", "{0: 'a'}"}})), "");
  EXPECT_EQ(family_of(fake_network(kSide, kSide, output, {{"task", "obb"}})), "");
  EXPECT_EQ(family_of(fake_network(kSide, kSide, output, {{"kpt_shape", "[9, 3]"}})), "");
  EXPECT_EQ(family_of(fake_network(kSide, kSide, {{"output0", {1, 6, kCells - 1}}})), "");
}

TEST(Yolov8, Pose) {
  Filler output({1, 4 + 1 + 2 * 3, kCells});
  const double values[] = {57, 42, 14, 24, 0.7, 55, 35, 0.9, 60, 50, 0.1};
  for (int c = 0; c < 11; ++c) output.at(0, c, kCell) = static_cast<float>(values[c]);
  const Network network =
      fake_network(kSide, kSide, {{"output0", {1, 11, kCells}}},
                   {{"task", "pose"}, {"kpt_shape", "[2, 3]"}, {"names", "{0: 'person'}"}});
  EXPECT_EQ(family_of(network), "yolov8-pose");
  const Findings findings = found(network, {output.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  ASSERT_EQ(findings.objects[0].points.size(), 2U);
  EXPECT_NEAR(findings.objects[0].points[1].at.y, 50, 1e-4);
  EXPECT_NEAR(findings.objects[0].points[1].score, 0.1, 1e-6);
  // COCO's seventeen need no metadata, and are joined.
  const Network coco = fake_network(kSide, kSide, {{"output0", {1, 56, kCells}}});
  EXPECT_EQ(family_of(coco), "yolov8-pose");
  Filler body({1, 56, kCells});
  body.at(0, 4, kCell) = 1;
  EXPECT_EQ(found(coco, {body.tensor}).bones.size(), 16U);
}

TEST(Yolov8, SegmentMasksFollowPrototypes) {
  Filler output({1, 4 + 2 + 3, kCells});
  const double values[] = {32, 32, 40, 40, 0.1, 0.9, 1, -1, 0};
  for (int c = 0; c < 9; ++c) output.at(0, c, kCell) = static_cast<float>(values[c]);
  // The sum of prototypes is positive in the left half only.
  Filler prototypes({1, 3, 16, 16}, 0);
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 16; ++x) prototypes.at(0, x < 8 ? 0 : 1, y, x) = 5;
  }
  const Network network =
      fake_network(kSide, kSide, {{"output0", {1, 9, kCells}}, {"output1", {1, 3, 16, 16}}});
  EXPECT_EQ(family_of(network), "yolov8-segment");
  const Findings findings = found(network, {output.tensor, prototypes.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  const Mask& mask = findings.objects[0].mask.value();
  EXPECT_EQ(mask.left, 12);
  EXPECT_EQ(mask.width, 40);
  ASSERT_EQ(mask.inside.size(), 1600U);
  for (int y = 0; y < 40; ++y) {
    for (int x = 0; x < 40; ++x)
      EXPECT_EQ(mask.inside[static_cast<std::size_t>(y * 40 + x)], x < 20) << x << ' ' << y;
  }
}

// Rows of YOLOv5: map after map, anchor after anchor. The anchor 1 of stride 16 is 62x45.
constexpr std::int64_t kRow = 3 * 64 + 16 + 2 * 4 + 3;

// t with 4 t^2 anchor = size, and with (2t - 0.5 + cell) * stride = middle.
double size_share(double size, double anchor) { return std::sqrt(size / anchor) / 2; }
double middle_share(double middle, double stride, double cell) {
  return (middle / stride - cell + 0.5) / 2;
}

TEST(Yolov5, SigmoidOnlyAndLogits) {
  const std::vector<double> shares = {middle_share(57, 16, 3),
                                      middle_share(42, 16, 2),
                                      size_share(14, 62),
                                      size_share(24, 45),
                                      0.9,
                                      0.8,
                                      0.1};
  const Network network = fake_network(kSide, kSide, {{"output", {1, 3 * kCells, 7}}});
  EXPECT_EQ(family_of(network), "yolov5");
  Filler sigmoids({1, 3 * kCells, 7}, 0.01F), logits({1, 3 * kCells, 7}, -5);
  for (std::size_t c = 0; c < shares.size(); ++c) {
    sigmoids.at(0, kRow, c) = static_cast<float>(shares[c]);
    logits.at(0, kRow, c) = logit(shares[c]);
  }
  for (const Filler& output : {sigmoids, logits}) {
    const Findings findings = found(network, {output.tensor});
    ASSERT_EQ(findings.objects.size(), 1U);
    expect_object(findings.objects[0], 0, 0.72, kBox);
  }
}

// All rows on their own cells.
Filler yolov5_pixels(std::int64_t columns) {
  Filler output({1, 3 * kCells, columns});
  std::int64_t i = 0;
  for (const int stride : {8, 16, 32}) {
    for (int a = 0; a < 3; ++a) {
      for (int y = 0; y < kSide / stride; ++y) {
        for (int x = 0; x < kSide / stride; ++x)
          output.set({(x + 0.5) * stride, (y + 0.5) * stride, 9, 9}, 0, i++, 0);
      }
    }
  }
  return output;
}

TEST(Yolov5, DecodedInTheGraph) {
  Filler output = yolov5_pixels(7);
  output.set({57, 42, 14, 24, 0.9, 0.1, 0.8}, 0, kRow, 0);
  const Findings findings =
      found(fake_network(kSide, kSide, {{"output", {1, 3 * kCells, 7}}}), {output.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 1, 0.72, kBox);
}

TEST(Yolov5, KeyPointsBehindTheObjectness) {
  Filler output = yolov5_pixels(5 + 4 + 2);
  for (std::int64_t i = 0; i < 3 * kCells; ++i) output.set({20, 30, 40, -5}, 0, i, 5);
  output.set({57, 42, 14, 24, 0.9, 51, 31, 62, 53, 0.1, 0.8}, 0, kRow, 0);
  const Findings findings =
      found(fake_network(kSide, kSide, {{"output", {1, 3 * kCells, 11}}}), {output.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 1, 0.72, kBox);
  ASSERT_EQ(findings.objects[0].points.size(), 2U);
  EXPECT_NEAR(findings.objects[0].points[1].at.x, 62, 1e-4);
  EXPECT_NEAR(findings.objects[0].points[1].at.y, 53, 1e-4);
}

TEST(Yolov5, Segment) {
  Filler output = yolov5_pixels(7 + 2);
  output.set({57, 42, 14, 24, 0.9, 0.1, 0.8, 1, -1}, 0, kRow, 0);
  Filler prototypes({1, 2, 16, 16}, 1);
  for (int i = 0; i < 256; ++i) prototypes.at(0, 1, i / 16, i % 16) = i / 16 < 10 ? 0.0F : 3.0F;
  const Network network =
      fake_network(kSide, kSide, {{"output0", {1, 3 * kCells, 9}}, {"output1", {1, 2, 16, 16}}});
  EXPECT_EQ(family_of(network), "yolov5-segment");
  const Findings findings = found(network, {output.tensor, prototypes.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 1, 0.72, kBox);
  const Mask& mask = findings.objects[0].mask.value();
  EXPECT_TRUE(mask.inside.front());
  EXPECT_FALSE(mask.inside.back());
}

TEST(YoloMaps, Yolov5WithoutItsLastLayer) {
  std::vector<Tensor> outputs;
  std::vector<FakeOutput> shapes;
  for (const int stride : {8, 16, 32}) {
    const int n = kSide / stride;
    Filler map({1, 3, n, n, 7}, -9);
    if (stride == 16) {
      map.set({logit(middle_share(57, 16, 3)), logit(middle_share(42, 16, 2)),
               logit(size_share(14, 62)), logit(size_share(24, 45)), logit(0.9), logit(0.8)},
              0, 1, 2, 3, 0);
    }
    outputs.push_back(map.tensor);
    shapes.push_back({"map" + std::to_string(stride), map.tensor.shape()});
  }
  const Network network = fake_network(kSide, kSide, shapes);
  EXPECT_EQ(family_of(network), "yolov5-maps");
  EXPECT_THAT(recognise_head(network, "")->note, HasSubstr("anchors"));
  const Findings findings = found(network, outputs);
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 0, 0.72, kBox);
}

// [1,21,h,w] for two classes; the values of the anchor 1 in cell (3,2) of stride 16.
struct ChannelMaps {
  std::vector<Tensor> outputs;
  Network network;
};
ChannelMaps channel_maps(const std::vector<double>& values, const std::vector<int>& strides) {
  ChannelMaps maps;
  std::vector<FakeOutput> shapes;
  for (const int stride : strides) {
    const int n = kSide / stride;
    Filler map({1, 21, n, n}, -9);
    for (std::size_t c = 0; c < values.size() && stride == 16; ++c)
      map.at(0, 7 + c, 2, 3) = static_cast<float>(values[c]);
    maps.outputs.push_back(map.tensor);
    shapes.push_back({"map" + std::to_string(stride), map.tensor.shape()});
  }
  maps.network = fake_network(kSide, kSide, shapes);
  return maps;
}

TEST(YoloMaps, LogitsOfAnUnknownFormulaAreAnError) {
  const ChannelMaps maps = channel_maps({0, 0, 0, 0, 3, 3, -3}, {8, 16, 32});
  const std::optional<Head> head = recognise_head(maps.network, "");
  ASSERT_TRUE(head);
  const Result<Findings> findings = decode(*head, maps.network, maps.outputs, Image(kSide, kSide));
  ASSERT_FALSE(findings.ok());
  EXPECT_THAT(findings.status().message(), HasSubstr("--head"));
}

TEST(YoloMaps, FormulasAndAnchorsByName) {
  const auto v3 = [](double width, double height, double stretch = 1) {
    const auto middle = [&](double share) { return logit((share - 0.5) / stretch + 0.5); };
    return std::vector<double>{middle(57 / 16.0 - 3),
                               middle(42 / 16.0 - 2),
                               std::log(14 / width),
                               std::log(24 / height),
                               logit(0.9),
                               logit(0.1),
                               logit(0.8)};
  };
  const auto v5 = [](double width, double height) {
    return std::vector<double>{logit(middle_share(57, 16, 3)),
                               logit(middle_share(42, 16, 2)),
                               logit(size_share(14, width)),
                               logit(size_share(24, height)),
                               logit(0.9),
                               logit(0.1),
                               logit(0.8)};
  };
  const struct {
    const char* head;
    std::vector<double> values;
    std::vector<int> strides;
  } cases[] = {{"yolov3", v3(62, 45), {8, 16, 32}},
               {"yolov3", v3(23, 27), {16, 32}},
               {"yolov4", v3(76, 55, 1.1), {8, 16, 32}},
               {"yolov7", v5(76, 55), {8, 16, 32}},
               {"yolov5-maps", v5(62, 45), {8, 16, 32}}};
  for (const auto& [head, values, strides] : cases) {
    const ChannelMaps maps = channel_maps(values, strides);
    const Findings findings = found(maps.network, maps.outputs, head);
    ASSERT_EQ(findings.objects.size(), 1U) << head;
    expect_object(findings.objects[0], 1, 0.72, kBox);
  }
}

TEST(YoloMaps, AnchorsOfTheMetadataCount) {
  ChannelMaps maps = channel_maps(
      {logit(middle_share(57, 16, 3)), logit(middle_share(42, 16, 2)), logit(size_share(14, 20)),
       logit(size_share(24, 21)), logit(0.9), logit(0.1), logit(0.8)},
      {8, 16, 32});
  maps.network.model.metadata["anchors"] = "[1,2, 3,4, 5,6, 7,8, 20,21, 9,9, 1,1, 2,2, 3,3]";
  const Findings findings = found(maps.network, maps.outputs, "yolov5-maps");
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 1, 0.72, kBox);
}

TEST(YoloFastest, LogitsOfSharedClasses) {
  std::vector<Tensor> outputs;
  std::vector<FakeOutput> shapes;
  for (const int stride : {16, 32}) {
    const int n = kSide / stride;
    Filler map({1, n, n, 95}, -9);
    if (stride == 16) {
      map.set({logit(middle_share(57, 16, 3)), logit(middle_share(42, 16, 2)),
               logit(size_share(14, 37.88)), logit(size_share(24, 51.48))},
              0, 2, 3, 4);
      map.at(0, 2, 3, 13) = logit(0.9);
      map.at(0, 2, 3, 15 + 7) = 20;
    }
    outputs.push_back(map.tensor);
    shapes.push_back({std::to_string(stride), map.tensor.shape()});
  }
  const Network network = fake_network(kSide, kSide, shapes);
  EXPECT_EQ(family_of(network), "yolo-fastest");
  const Findings findings = found(network, outputs);
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 7, 0.9, kBox);
}

TEST(Nanodet, DistancesAreMeansOfBins) {
  for (const bool plus : {false, true}) {
    const std::int64_t cells = plus ? kCells + 1 : kCells;
    Filler output({1, cells, 112});
    // Sides of 1, 1, 0.5 and 1 strides of 16: bin 1, bin 1, half 0 and half 1, half 0 and half 2.
    output.at(0, kCell, 42) = 0.7F;
    for (const std::int64_t bin : {80 + 1, 88 + 1, 96 + 0, 96 + 1, 104 + 0, 104 + 2})
      output.at(0, kCell, bin) = 100;
    const Network network = fake_network(kSide, kSide, {{"output", {1, cells, 112}}});
    EXPECT_EQ(family_of(network), "nanodet");
    const Findings findings = found(network, {output.tensor});
    ASSERT_EQ(findings.objects.size(), 1U);
    // From the middle (56,40) of the cell, or in the fourth map's company from its corner (48,32).
    expect_object(findings.objects[0], 42, 0.7, plus ? Box{32, 16, 56, 48} : Box{40, 24, 64, 56});
  }
}

}  // namespace
}  // namespace mini_infer::tools
