// Heads with a value at each pixel, points, vectors, and text.
#include <array>
#include <cstring>

#include "heads.h"
#include "tools/tasks/regions.h"
#include "tools/tasks/report.h"

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;

Network asked(Network network, Task task) {
  network.asked = task;
  return network;
}

TEST(Segmentation, ScoresInBothOrdersOfAxes) {
  for (const bool channels_last : {false, true}) {
    const Shape shape = channels_last ? Shape{1, 40, 60, 4} : Shape{1, 4, 40, 60};
    Filler output(shape);
    for (int y = 0; y < 40; ++y) {
      for (int x = 0; x < 60; ++x) {
        const int cls = x < 30 ? 0 : y < 20 ? 2 : 3;
        (channels_last ? output.at(0, y, x, cls) : output.at(0, cls, y, x)) = 5;
      }
    }
    Network network = fake_network(60, 40, {{"out", shape}});
    network.layout = channels_last ? Layout::kNhwc : Layout::kNchw;
    EXPECT_EQ(family_of(network), "segmentation");
    const Result<Findings> findings =
        decode(*recognise_head(network, ""), network, {output.tensor}, Image(120, 80));
    ASSERT_TRUE(findings.ok()) << findings.status().message();
    const ClassMap& map = findings->class_map.value();
    EXPECT_EQ(map.width, 120);
    const auto at = [&](int x, int y) {
      return map.classes[static_cast<std::size_t>(y * 120 + x)];
    };
    EXPECT_EQ(at(10, 10), 0);
    EXPECT_EQ(at(59, 79), 0);
    EXPECT_EQ(at(60, 0), 2);
    EXPECT_EQ(at(119, 39), 2);
    EXPECT_EQ(at(119, 40), 3);
  }
}

TEST(Segmentation, LargePicturesOfManyClassesStayQuick) {
  Filler output({1, 300, 8, 8});
  for (int i = 0; i < 64; ++i) output.at(0, 200 + i % 8, i / 8, i % 8) = 1;
  const Network network = asked(fake_network(64, 64, {{"out", {1, 300, 8, 8}}}), Task::kSegment);
  const Result<Findings> findings =
      decode(*recognise_head(network, ""), network, {output.tensor}, Image(4000, 4000));
  ASSERT_TRUE(findings.ok());
  const std::vector<std::uint16_t>& classes = findings->class_map->classes;
  EXPECT_EQ(classes.front(), 200);
  EXPECT_EQ(classes[2000], 204);
  EXPECT_EQ(classes.back(), 207);
}

TEST(Segmentation, GivesNoBoxes) {
  const Network network = fake_network(64, 64, {{"out", {1, 19, 64, 64}}});
  EXPECT_EQ(family_of(network), "segmentation");
  EXPECT_EQ(family_of(asked(network, Task::kDetect)), "");
  EXPECT_THAT(unknown_head(asked(network, Task::kDetect), "").message(),
              testing::Not(HasSubstr("segmentation")));
}

TEST(Segmentation, CoarseMapsAndMasksOnlyWhenAsked) {
  const Network coarse = fake_network(64, 64, {{"out", {1, 19, 16, 16}}});
  EXPECT_EQ(family_of(coarse), "");
  EXPECT_EQ(family_of(asked(coarse, Task::kSegment)), "segmentation");
  const Network one = fake_network(64, 64, {{"out", {1, 1, 64, 64}}});
  EXPECT_EQ(family_of(one), "");
  EXPECT_EQ(family_of(asked(one, Task::kSegment)), "mask");
  EXPECT_EQ(family_of(asked(one, Task::kDepth)), "depth");
  EXPECT_EQ(family_of(asked(one, Task::kDetect)), "text");
  EXPECT_EQ(family_of(asked(one, Task::kImage)), "picture");
  EXPECT_EQ(family_of(fake_network(64, 64, {{"predicted_depth", {1, 64, 64}}})), "depth");
}

TEST(Segmentation, MaskOfOneClassAndIndices) {
  Filler logits({1, 1, 32, 32}, -4);
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 32; ++x) logits.at(0, 0, y, x) = 4;
  }
  const Network one = asked(fake_network(32, 32, {{"out", {1, 1, 32, 32}}}), Task::kSegment);
  const Findings mask = found(one, {logits.tensor});
  EXPECT_EQ(mask.class_map->classes[0], 1);
  EXPECT_EQ(mask.class_map->classes[1023], 0);
  std::vector<std::int64_t> indices(1024, 7);
  indices[0] = 1000000;
  const Network many =
      asked(fake_network(32, 32, {{"out", {1, 32, 32}, DType::kInt64}}), Task::kSegment);
  const Findings classes = found(many, {Tensor::from<std::int64_t>({1, 32, 32}, indices)});
  EXPECT_EQ(classes.class_map->classes[5], 7);
  EXPECT_THAT(print_findings(classes, {}), HasSubstr("99.9 %  class 7"));
}

TEST(Picture, ComesBackThroughTheInputsNumbers) {
  Filler output({1, 3, 20, 20}, 0.5F);
  for (int i = 0; i < 400; ++i) output.at(0, 0, i / 20, i % 20) = 2;  // too much red
  output.at(0, 1, 0, 0) = NAN;
  const Network network = fake_network(20, 20, {{"out", {1, 3, 20, 20}}});
  EXPECT_EQ(family_of(network), "picture");
  const Findings findings = found(network, {output.tensor});
  ASSERT_TRUE(findings.picture);
  const std::uint8_t* pixel = findings.picture->at(10, 10);
  EXPECT_EQ(pixel[0], 255);
  EXPECT_EQ(pixel[1], 128);
  EXPECT_EQ(findings.picture->at(0, 0)[1], 0);
}

TEST(Picture, StyleTransferIsToldByItsNormalisation) {
  Network network = fake_network(20, 20, {{"out", {1, 3, 20, 20}}});
  EXPECT_NEAR(recognise_head(network, "")->pixels.scale[0], 1.0 / 255, 1e-9);
  network.model.op_counts["InstanceNormalization"] = 3;
  EXPECT_EQ(recognise_head(network, "")->pixels.scale[0], 1);
}

TEST(Picture, LumaIsReplacedAndColourKept) {
  Network network = fake_network(10, 10, {{"out", {1, 1, 20, 20}}});
  network.channels = 1;
  Filler output({1, 1, 20, 20}, 100 / 255.0F);
  Image image(20, 10);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    const std::uint8_t color[] = {120, 60, 90};
    std::memcpy(&image.pixels[i], color, 3);
  }
  const Result<Findings> findings =
      decode(*recognise_head(network, ""), network, {output.tensor}, image);
  ASSERT_TRUE(findings.ok());
  const Image& picture = findings->picture.value();
  EXPECT_EQ(picture.width, 20);
  EXPECT_EQ(picture.height, 10) << "the proportions of the picture";
  const std::uint8_t* p = picture.at(7, 7);
  EXPECT_NEAR(0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2], 100, 1);
  EXPECT_EQ(p[0] - p[1], 60);
  EXPECT_EQ(p[2] - p[1], 30);
}

TEST(Depth, SpreadsOverAllGreys) {
  Filler output({1, 20, 20}, 3);
  output.at(0, 0, 0) = -7;
  output.at(0, 19, 19) = 13;
  const Network network = fake_network(20, 20, {{"depth", {1, 20, 20}}});
  const Findings findings = found(network, {output.tensor});
  EXPECT_EQ(findings.picture->at(0, 0)[0], 0);
  EXPECT_EQ(findings.picture->at(19, 19)[2], 255);
  EXPECT_EQ(findings.picture->at(10, 10)[1], 128);
}

// A rectangle of 60x20 around (70,50), turned by `degrees`.
Filler text_map(double degrees) {
  Filler map({1, 1, 96, 128});
  const double angle = degrees / 180 * M_PI;
  for (int y = 0; y < 96; ++y) {
    for (int x = 0; x < 128; ++x) {
      const double dx = x + 0.5 - 70, dy = y + 0.5 - 50;
      const double along = dx * std::cos(angle) + dy * std::sin(angle);
      const double across = dy * std::cos(angle) - dx * std::sin(angle);
      if (std::abs(along) <= 30 && std::abs(across) <= 10) map.at(0, 0, y, x) = 0.9F;
    }
  }
  return map;
}

TEST(Text, SlantedBoxesAreGrown) {
  const Network network = asked(fake_network(128, 96, {{"out", {1, 1, 96, 128}}}), Task::kDetect);
  // 1.5 * 60 * 20 / 160 = 11.25 pixels on each side: 82.5 x 42.5.
  const Findings level = found(network, {text_map(0).tensor});
  ASSERT_EQ(level.objects.size(), 1U);
  expect_object(level.objects[0], 0, 0.9, {28.75, 28.75, 111.25, 71.25});
  const Findings slanted = found(network, {text_map(25).tensor});
  ASSERT_EQ(slanted.objects.size(), 1U);
  const std::vector<Point>& o = slanted.objects[0].outline;
  ASSERT_EQ(o.size(), 4U);
  EXPECT_NEAR(std::hypot(o[1].x - o[0].x, o[1].y - o[0].y), 82.5, 4);
  EXPECT_NEAR(std::hypot(o[2].x - o[1].x, o[2].y - o[1].y), 42.5, 4);
  EXPECT_NEAR(std::atan2(o[1].y - o[0].y, o[1].x - o[0].x) / M_PI * 180, 25, 3);
}

TEST(Text, SpecksAndUnsureRegionsAreLeftOut) {
  const Network network = asked(fake_network(128, 96, {{"out", {1, 1, 96, 128}}}), Task::kDetect);
  Filler map({1, 1, 96, 128});
  map.at(0, 0, 5, 5) = 1;
  for (int i = 0; i < 400; ++i) map.at(0, 0, 40 + i / 20, 40 + i % 20) = 0.5F;
  EXPECT_TRUE(found(network, {map.tensor}).objects.empty());
  map.at(0, 0, 0, 0) = 7;
  const Result<Findings> wrong =
      decode(*recognise_head(network, ""), network, {map.tensor}, Image(128, 96));
  EXPECT_THAT(wrong.status().message(), HasSubstr("holds 7"));
}

TEST(Regions, HangTogetherOverCorners) {
  Field map{5, 4, std::vector<double>(20)};
  for (const std::size_t i : {0, 6, 12, 4, 9}) map.values[i] = 1;
  const std::vector<Region> regions = regions_above(map, 0.5);
  ASSERT_EQ(regions.size(), 2U);
  EXPECT_EQ(regions[0].pixels.size(), 3U);
  const SlantedBox column = smallest_box(regions[1], 5);
  EXPECT_NEAR(column.width * column.height, 2, 1e-9);
  EXPECT_NEAR(column.middle.x, 4.5, 1e-9);
  EXPECT_NEAR(column.middle.y, 1, 1e-9);
}

TEST(Landmarks, HandAndFace) {
  const Network hand =
      fake_network(224, 224, {{"a", {1, 63}}, {"b", {1, 1}}, {"c", {1, 1}}, {"d", {1, 63}}});
  EXPECT_EQ(family_of(hand), "hand");
  Filler points({1, 63}), metres({1, 63});
  points.set({10, 20, 0, 50, 80, 0}, 0, 0);
  const Tensor yes = Tensor::from<float>({1, 1}, {0.75F}),
               no = Tensor::from<float>({1, 1}, {0.25F});
  const Findings findings = found(hand, {points.tensor, yes, no, metres.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  EXPECT_EQ(findings.objects[0].score, 0.75);
  EXPECT_EQ(findings.objects[0].points[1].at.y, 80);
  EXPECT_EQ(findings.objects[0].box.right, 50);
  EXPECT_EQ(findings.bones.size(), 21U);
  EXPECT_TRUE(found(hand, {points.tensor, no, yes, metres.tensor}).objects.empty());

  const Network mesh = fake_network(192, 192, {{"p", {1, 1404, 1, 1}}, {"s", {1, 1, 1, 1}}});
  Filler face({1, 1404, 1, 1});
  face.at(0, 3, 0, 0) = 100;
  face.at(0, 4, 0, 0) = 60;
  const Findings faces = found(mesh, {face.tensor, Tensor::from<float>({1, 1, 1, 1}, {9})});
  ASSERT_EQ(faces.objects.size(), 1U);
  expect_object(faces.objects[0], 0, 1, {0, 0, 100, 60});
}

TEST(Landmarks, HeatMapsWithOffsets) {
  const Network network = fake_network(224, 224, {{"out", {1, 198, 28, 28}}});
  EXPECT_EQ(family_of(network), "face-heatmaps");
  Filler maps({1, 198, 28, 28});
  for (int i = 0; i < 198; ++i) {
    for (int k = 0; k < 784; ++k) maps.at(0, i, k / 28, k % 28) = i < 66 ? 0.0F : 0.5F;
  }
  for (int i = 0; i < 66; ++i) maps.at(0, i, 9, 18) = 0.8F;
  maps.at(0, 65, 20, 18) = 0.8F;
  maps.at(0, 65, 9, 18) = 0;
  maps.at(0, 132, 9, 18) = 1 / (1 + std::exp(-0.32F));  // 0.02 sides to the right
  const Findings findings = found(network, {maps.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  const KeyPoint& first = findings.objects[0].points[0];
  EXPECT_NEAR(first.at.x, 223 * (18 / 27.0 + 0.02), 1e-2);
  EXPECT_NEAR(first.at.y, 223 * 9 / 27.0, 1e-2);
  EXPECT_NEAR(first.score, 0.8, 1e-6);
}

TEST(Embedding, HasLengthOne) {
  const Network network = asked(fake_network(112, 112, {{"out", {1, 4}}}), Task::kEmbed);
  const Findings findings = found(network, {Tensor::from<float>({1, 4}, {3, 0, -4, 0})});
  EXPECT_THAT(findings.vector, testing::ElementsAre(0.6, 0, -0.8, 0));
  EXPECT_THAT(print_findings(findings, {}), HasSubstr("vector of 4"));
  const Result<Findings> zero = decode(*recognise_head(network, ""), network,
                                       {Tensor(DType::kFloat32, {1, 4})}, Image(112, 112));
  EXPECT_THAT(zero.status().message(), HasSubstr("no direction"));
}

TEST(Report, MasksAreRuns) {
  Findings findings{.objects = {{.cls = 1, .score = 0.5, .box = {2, 3, 6, 5}}}};
  findings.objects[0].mask = Mask{2, 3, 4, 2, {true, true, false, false, false, true, true, true}};
  Json json;
  add_findings(findings, {"a", "b"}, json);
  EXPECT_EQ(json["objects"][0]["label"], "b");
  EXPECT_EQ(json["objects"][0]["mask"]["runs"], Json({0, 2, 3, 3}));
  EXPECT_EQ(json["objects"][0]["mask"]["box"], Json({2, 3, 6, 5}));
  Json nothing;
  add_findings({}, {}, nothing);
  EXPECT_EQ(nothing["objects"], Json::array());
}

// Everything that can be drawn, at the edge and beyond.
TEST(Report, DrawsOnAnyPicture) {
  Findings findings{.bones = {{0, 1}}};
  Object object{.cls = 3, .score = 0.9, .box = {2, 2, 30, 20}};
  object.points = {{{5, 5}, 1}, {{-500, 1e9}, 1}, {{7, 7}, 0.1}};
  object.mask = Mask{2, 2, 28, 18, std::vector<bool>(28 * 18, true)};
  findings.objects.push_back(object);
  object.outline = {{1, 1}, {28, 4}, {26, 18}, {0, 15}};
  findings.objects.push_back(object);
  findings.class_map = ClassMap{32, 24, std::vector<std::uint16_t>(32 * 24, 2)};
  const Image drawn = draw_findings(Image(32, 24), findings, {"a", "b", "c", "a long name"});
  EXPECT_EQ(drawn.width, 32);
  EXPECT_NE(drawn.pixels, Image(32, 24).pixels);
}

}  // namespace
}  // namespace mini_infer::tools
