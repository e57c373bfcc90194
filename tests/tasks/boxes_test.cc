// Heads with priors, finished boxes, and what all decoders of boxes share.
#include "tools/tasks/boxes.h"

#include <set>

#include "heads.h"

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;

Object object(double score, const Box& box, std::size_t cls = 0) {
  return {.cls = cls, .score = score, .box = box};
}

TEST(Boxes, SuppressionKeepsTheBestOfEachClass) {
  const Box a{0, 0, 10, 10}, b{1, 0, 11, 10}, c{6, 0, 16, 10};  // IoU of a and b: 9/11
  const std::vector<Object> kept =
      best_objects({object(0.5, a), object(0.9, b), object(0.4, a, 1), object(0.6, c)}, 0.5);
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].score, 0.9);
  EXPECT_EQ(kept[1].score, 0.6);
  EXPECT_EQ(kept[2].cls, 1U);
  EXPECT_NEAR(iou(a, b), 9.0 / 11, 1e-12);
  EXPECT_EQ(iou(a, {20, 20, 30, 30}), 0);
  EXPECT_EQ(best_objects({object(0.5, a), object(0.9, b)}, 0.85).size(), 2U);
}

TEST(Boxes, ManyCandidatesAreBounded) {
  std::vector<Object> many;
  for (int i = 0; i < 100000; ++i) many.push_back(object(0.5, {i * 2.0, 0, i * 2.0 + 1, 1}));
  EXPECT_EQ(best_objects(many, 0.5).size(), kMaxObjects);
}

TEST(Boxes, MapBackThroughTheLetterboxIsExact) {
  const Image image(1077, 613);
  const Placement placement = place(1077, 613, 416, 416, Fit::kLetterbox);
  const double sx = 416.0 / 1077, sy = 237.0 / 613;  // 236.8 rows, rounded
  ASSERT_EQ(placement.target.top, 89);
  const Box own{100, 50, 700.5, 433};
  Findings findings{.objects = {object(1, {own.left * sx, own.top * sy + 89, own.right * sx,
                                           own.bottom * sy + 89})}};
  findings.objects[0].points = {{{own.left * sx, own.top * sy + 89}, 1}};
  findings.objects.push_back(object(1, {-50, 100, 500, 150}));  // over both edges
  findings.objects.push_back(object(1, {10, 0, 20, 60}));       // all on the grey
  findings.objects.push_back(object(1, {NAN, 0, 20, 60}));
  map_back(findings, placement, image);
  ASSERT_EQ(findings.objects.size(), 2U);
  const Box& box = findings.objects[0].box;
  EXPECT_NEAR(box.left, own.left, 1e-9);
  EXPECT_NEAR(box.top, own.top, 1e-9);
  EXPECT_NEAR(box.right, own.right, 1e-9);
  EXPECT_NEAR(box.bottom, own.bottom, 1e-9);
  EXPECT_NEAR(findings.objects[0].points[0].at.y, own.top, 1e-9);
  EXPECT_EQ(findings.objects[1].box.left, 0);
  EXPECT_EQ(findings.objects[1].box.right, 1077);
}

TEST(Boxes, RowsEitherWay) {
  const Tensor tensor = Tensor::from<float>({1, 2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(rows_of(tensor, 2)->at(1, 0), 4);
  EXPECT_EQ(rows_of(tensor, 3)->at(1, 0), 2);
  EXPECT_EQ(rows_of(tensor, 3)->at(0, 1), 4);
  EXPECT_THAT(rows_of(tensor, 4).status().message(), HasSubstr("4 rows were expected"));
  EXPECT_THAT(rows_of(tensor, 2, 5).status().message(), HasSubstr("of 5 values"));
  EXPECT_EQ(rows_of(Tensor::from<float>({4, 1}, {1, 2, 3, 4}), 4)->columns, 1U);
  EXPECT_FALSE(rows_of(Tensor(DType::kFloat32, {0, 6}), 0).ok());
}

TEST(Ultraface, SharesAndPriors) {
  // 32x32: 16, 4, 1 and 1 cells with 3, 2, 2 and 3 priors.
  constexpr std::int64_t kPriors = 16 * 3 + 4 * 2 + 2 + 3;
  const Network network = fake_network(32, 32, {{"scores", {1, 600, 2}}, {"boxes", {1, 600, 4}}});
  EXPECT_EQ(family_of(network), "ultraface");
  Filler scores({1, 600, 2}), boxes({1, 600, 4});
  for (int i = 0; i < 600; ++i) {
    scores.set({1, 0}, 0, i, 0);
    boxes.set({0.1, 0.1, 0.2, 0.2}, 0, i, 0);
  }
  scores.set({0.1, 0.9}, 0, 77, 0);
  boxes.set({0.25, 0.5, 0.75, 1}, 0, 77, 0);
  const Findings shares = found(network, {scores.tensor, boxes.tensor});
  ASSERT_EQ(shares.objects.size(), 1U);
  expect_object(shares.objects[0], 0, 0.9, {8, 16, 24, 32});
  // Corrections of priors, of another number than there are: no boxes rather than wrong ones.
  for (int i = 0; i < 600; ++i) boxes.set({-3, 3, -3, 2}, 0, i, 0);
  const Result<Findings> wrong =
      decode(*recognise_head(network, ""), network, {scores.tensor, boxes.tensor}, Image(32, 32));
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.status().message(), HasSubstr("priors that the model does not hold"));
  EXPECT_EQ(kPriors, 61);
}

TEST(Ultraface, CorrectionsOfPriors) {
  // 96x64: 12x8, 6x4, 3x2 and 2x1 cells.
  constexpr std::int64_t kPriors = 96 * 3 + 24 * 2 + 6 * 2 + 2 * 3;
  constexpr std::int64_t kScale = 2;  // 192x128 has enough rows to be no transformer's
  constexpr std::int64_t kCount = 384 * 3 + 96 * 2 + 24 * 2 + 6 * 3;
  static_assert(kPriors < kCount && kScale == 2);
  const Network network =
      fake_network(192, 128, {{"scores", {1, kCount, 2}}, {"boxes", {1, kCount, 4}}});
  Filler scores({1, kCount, 2}), boxes({1, kCount, 4}, -2);
  for (int i = 0; i < kCount; ++i) scores.set({1, 0}, 0, i, 0);
  // The second prior (48) of cell (5,3) in the map of stride 16 (12 columns), middle (88,56).
  const std::int64_t row = 384 * 3 + (3 * 12 + 5) * 2 + 1;
  scores.set({0.1, 0.9}, 0, row, 0);
  boxes.set({1, -0.5, std::log(0.5) / 0.2, std::log(0.75) / 0.2}, 0, row, 0);
  const Findings findings = found(network, {scores.tensor, boxes.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  // Middle (88 + 4.8, 56 - 2.4), size 24x36.
  expect_object(findings.objects[0], 0, 0.9, {80.8, 35.6, 104.8, 71.6});
}

TEST(Ssd, ClassesBehindTheBackground) {
  const Network network =
      fake_network(300, 300, {{"boxes", {1, 600, 4}}, {"scores", {1, 600, 21}}});
  EXPECT_EQ(family_of(network), "ssd");
  Filler scores({1, 600, 21}), boxes({1, 600, 4});
  for (int i = 0; i < 600; ++i) boxes.set({0.1, 0.1, 0.2, 0.2}, 0, i, 0);
  scores.at(0, 5, 12) = 0.8F;
  scores.at(0, 6, 0) = 0.99F;
  boxes.set({0.25, 0.5, 0.75, 1}, 0, 5, 0);
  const Findings findings = found(network, {boxes.tensor, scores.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 11, 0.8, {75, 150, 225, 300});
}

TEST(Retinaface, PriorsPointsAndLogits) {
  constexpr std::int64_t kCount = 2 * (64 + 16 + 4);
  const Network network =
      fake_network(64, 64, {{"a", {1, kCount, 4}}, {"b", {1, kCount, 2}}, {"c", {1, kCount, 10}}});
  EXPECT_EQ(family_of(network), "retinaface");
  Filler boxes({1, kCount, 4}), scores({1, kCount, 2}), points({1, kCount, 10});
  for (int i = 0; i < kCount; ++i) scores.set({5, -5}, 0, i, 0);
  // The first prior (16) of the cell (3,2) of stride 8: middle (28,20).
  const std::int64_t row = 2 * (2 * 8 + 3);
  scores.set({-1, -1 + std::log(4.0)}, 0, row, 0);  // odds 4 to 1
  boxes.set({1, 2, std::log(2.0) / 0.2, 0}, 0, row, 0);
  points.set({-5, 0, 5, 0, 0, 0, -5, 5, 5, 5}, 0, row, 0);
  const Findings findings = found(network, {boxes.tensor, scores.tensor, points.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 0, 0.8, {13.6, 15.2, 45.6, 31.2});
  EXPECT_NEAR(findings.objects[0].points[4].at.x, 36, 1e-4);
  EXPECT_NEAR(findings.objects[0].points[4].at.y, 28, 1e-4);
}

TEST(Yunet, OverlapAndScoreCountAlike) {
  // 64x64: 8, 4, 2 and 1 cells a side.
  constexpr std::int64_t kCount = 64 * 3 + 16 * 2 + 4 * 2 + 3;
  const Network network =
      fake_network(64, 64, {{"loc", {kCount, 14}}, {"conf", {kCount, 2}}, {"iou", {kCount, 1}}});
  EXPECT_EQ(family_of(network), "yunet");
  Filler boxes({kCount, 14}), scores({kCount, 2}), overlaps({kCount, 1});
  const std::int64_t row = 64 * 3 + (2 * 4 + 1) * 2;  // 32 pixels around (24,40)
  scores.set({0.1, 0.9}, row, 0);
  overlaps.at(row, 0) = 0.9F;
  boxes.set({0, 0, 0, 0, 5, -5}, row, 0);
  scores.set({0.1, 0.9}, row + 4, 0);
  overlaps.at(row + 4, 0) = 0.1F;  // 0.3 in all
  const Findings findings = found(network, {boxes.tensor, scores.tensor, overlaps.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 0, 0.9, {8, 24, 40, 56});
  EXPECT_NEAR(findings.objects[0].points[0].at.x, 40, 1e-4);
  EXPECT_NEAR(findings.objects[0].points[0].at.y, 24, 1e-4);
}

TEST(Yunet, MapsOfLaterYears) {
  std::vector<FakeOutput> shapes;
  std::vector<Tensor> outputs;
  for (const auto& [name, columns] :
       {std::pair("cls", 1), std::pair("obj", 1), std::pair("bbox", 4), std::pair("kps", 10)}) {
    for (const int stride : {8, 16, 32}) {
      Filler output({1, 64 * 64 / stride / stride, columns});
      if (stride == 16) {
        const int row = 2 * 4 + 1;
        if (columns == 1) output.at(0, row, 0) = 0.81F;
        if (columns == 4) output.set({0.5, 0.25, std::log(2.0), 0}, 0, row, 0);
        if (columns == 10) output.set({1, 2}, 0, row, 0);
      }
      outputs.push_back(output.tensor);
      shapes.push_back({name + ('_' + std::to_string(stride)), output.tensor.shape()});
    }
  }
  const Network network = fake_network(64, 64, shapes);
  EXPECT_EQ(family_of(network), "yunet-2022");
  const Findings findings = found(network, outputs);
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 0, 0.81, {8, 28, 40, 44});  // middle (24,36), 32x16
  EXPECT_NEAR(findings.objects[0].points[0].at.x, 32, 1e-4);
  EXPECT_NEAR(findings.objects[0].points[0].at.y, 64, 1e-4);
}

TEST(FaceCentres, PeaksWithTheirRadius) {
  const Network network =
      fake_network(80, 40, {{"output", {1, 2, 10, 20}}, {"maxpool", {1, 2, 10, 20}}});
  EXPECT_EQ(family_of(network), "face-centres");
  Filler maps({1, 2, 10, 20}), peaks({1, 2, 10, 20}, 0.9F);
  maps.at(0, 0, 5, 10) = 0.9F;
  maps.at(0, 0, 5, 11) = 0.8F;  // beside the peak
  maps.at(0, 1, 5, 10) = 0.25F;
  const Findings findings = found(network, {maps.tensor, peaks.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 0, 0.9, {30, 15, 50, 25});
}

TEST(Scrfd, DistancesFromTheCell) {
  std::vector<FakeOutput> shapes;
  std::vector<Tensor> outputs;
  for (const int columns : {1, 4, 10}) {
    for (const int stride : {8, 16, 32}) {
      Filler output({2 * 64 * 64 / stride / stride, columns});
      const int row = 2 * (2 * 4 + 1) + 1;
      if (stride == 16 && columns == 1) output.at(row, 0) = 0.7F;
      if (stride == 16 && columns == 4) output.set({0.5, 1, 1.5, 0.25}, row, 0);
      if (stride == 16 && columns == 10) output.set({-0.5, 0.5}, row, 0);
      outputs.push_back(output.tensor);
      shapes.push_back({std::to_string(shapes.size()), output.tensor.shape()});
    }
  }
  const Network network = fake_network(64, 64, shapes);
  EXPECT_EQ(family_of(network), "scrfd");
  const Findings findings = found(network, outputs);
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 0, 0.7, {8, 16, 40, 36});  // from (16,32)
  EXPECT_NEAR(findings.objects[0].points[0].at.x, 8, 1e-4);
  EXPECT_NEAR(findings.objects[0].points[0].at.y, 40, 1e-4);
}

TEST(EndToEnd, Yolov10KeepsWhatOverlaps) {
  Filler output({1, 300, 6});
  output.set({10, 20, 30, 40, 0.9, 2}, 0, 0, 0);
  output.set({10, 20, 30, 40, 0.5, 2}, 0, 1, 0);
  const Network network = fake_network(640, 640, {{"output0", {1, 300, 6}}});
  EXPECT_EQ(family_of(network), "yolov10");
  const Findings findings = found(network, {output.tensor});
  ASSERT_EQ(findings.objects.size(), 2U);
  expect_object(findings.objects[0], 2, 0.9, {10, 20, 30, 40});
  output.at(0, 7, 5) = 0.5F;  // no class
  const Result<Findings> wrong =
      decode(*recognise_head(network, ""), network, {output.tensor}, Image(640, 640));
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.status().message(), HasSubstr("row 7 has score 0 and class 0.5"));
}

TEST(EndToEnd, Yolov7WithItsSuppression) {
  Filler output({2, 7});
  output.set({0, 10, 20, 30, 40, 2, 0.9}, 0, 0);
  const Network network = fake_network(640, 640, {{"output", {-1, 7}}});
  EXPECT_EQ(family_of(network), "yolov7-nms");
  const Findings findings = found(network, {output.tensor});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 2, 0.9, {10, 20, 30, 40});
  EXPECT_TRUE(found(network, {Tensor(DType::kFloat32, {0, 7})}).objects.empty());
}

TEST(EndToEnd, OutputsOfNonMaxSuppressionByName) {
  const Network torch = fake_network(
      200, 100, {{"boxes", {-1, 4}}, {"labels", {-1}, DType::kInt64}, {"scores", {-1}}});
  EXPECT_EQ(family_of(torch), "nms");
  const Findings pixels =
      found(torch, {Tensor::from<float>({1, 4}, {10, 20, 30, 40}),
                    Tensor::from<std::int64_t>({1}, {3}), Tensor::from<float>({1}, {0.75F})});
  ASSERT_EQ(pixels.objects.size(), 1U);
  expect_object(pixels.objects[0], 3, 0.75, {10, 20, 30, 40});

  const Network tensorflow = fake_network(200, 100,
                                          {{"detection_boxes:0", {1, 2, 4}},
                                           {"detection_classes:0", {1, 2}},
                                           {"detection_scores:0", {1, 2}},
                                           {"num_detections:0", {1}}});
  const Findings shares = found(
      tensorflow, {Tensor::from<float>({1, 2, 4}, {0.2F, 0.1F, 0.4F, 0.3F, 0, 0, 1, 1}),
                   Tensor::from<float>({1, 2}, {3, 5}), Tensor::from<float>({1, 2}, {0.75F, 0.75F}),
                   Tensor::from<float>({1}, {1})});
  ASSERT_EQ(shares.objects.size(), 1U) << "the second lies behind their number";
  expect_object(shares.objects[0], 3, 0.75, {20, 20, 60, 40});
}

TEST(EndToEnd, IndicesOfNonMaxSuppression) {
  const Network network = fake_network(
      200, 100, {{"boxes", {1, 5, 4}}, {"scores", {1, 3, 5}}, {"indices", {-1, 3}, DType::kInt64}});
  EXPECT_EQ(family_of(network), "nms-indices");
  Filler boxes({1, 5, 4}), scores({1, 3, 5});
  boxes.set({40, 30, 20, 10}, 0, 3, 0);  // any two opposite corners
  scores.at(0, 2, 3) = 0.75F;
  const Findings findings =
      found(network, {boxes.tensor, scores.tensor, Tensor::from<std::int64_t>({1, 3}, {0, 2, 3})});
  ASSERT_EQ(findings.objects.size(), 1U);
  expect_object(findings.objects[0], 2, 0.75, {10, 20, 30, 40});
  const Result<Findings> wrong =
      decode(*recognise_head(network, ""), network,
             {boxes.tensor, scores.tensor, Tensor::from<std::int64_t>({1, 3}, {0, 2, 5})},
             Image(200, 100));
  EXPECT_THAT(wrong.status().message(), HasSubstr("box 5 of class 2 does not exist"));
}

TEST(EndToEnd, Transformers) {
  const auto run = [](std::int64_t classes, float top) {
    const Network network =
        fake_network(200, 100, {{"logits", {1, 100, classes}}, {"pred_boxes", {1, 100, 4}}});
    EXPECT_EQ(family_of(network), "detr");
    Filler logits({1, 100, classes}, -10), boxes({1, 100, 4});
    for (int i = 0; i < 100; ++i) logits.at(0, i, classes - 1) = classes == 92 ? 10 : -10;
    logits.at(0, 4, classes - 1) = -10;
    logits.at(0, 4, 17) = top;
    boxes.set({0.5, 0.5, 0.2, 0.4}, 0, 4, 0);
    return found(network, {logits.tensor, boxes.tensor});
  };
  const Findings detr = run(92, 10);  // softmax with "no object"
  ASSERT_EQ(detr.objects.size(), 1U);
  expect_object(detr.objects[0], 17, 1, {80, 30, 120, 70});
  const Findings later = run(80, logit(0.75));
  ASSERT_EQ(later.objects.size(), 1U);
  expect_object(later.objects[0], 17, 0.75, {80, 30, 120, 70});
}

TEST(UnknownHead, SaysShapesAndWhatWouldBeNeeded) {
  Network network = fake_network(320, 320, {{"out", {1, 84, 2099}}});
  network.asked = Task::kDetect;
  EXPECT_FALSE(recognise_head(network, ""));
  const std::string message = unknown_head(network, "").message();
  EXPECT_THAT(message, HasSubstr("320x320"));
  EXPECT_THAT(message, HasSubstr("out (float32 [1,84,2099])"));
  EXPECT_THAT(message, HasSubstr("--task none"));
  EXPECT_THAT(message, HasSubstr("yolov8"));
  EXPECT_THAT(unknown_head(network, "yunet").message(), Not(HasSubstr("yolov8")));
}

TEST(UnknownHead, FeaturesAreNotTakenForAnything) {
  for (const Shape& shape : std::vector<Shape>{{1, 48, 40, 40},
                                               {1, 10, 10},
                                               {1, 512},
                                               {1, 77, 768},
                                               {2, 6, 2100},
                                               {1, 3, 80, 80},
                                               {1, 1000},
                                               {}}) {
    EXPECT_EQ(family_of(fake_network(320, 320, {{"out", shape}})), "") << shape.str();
  }
  EXPECT_EQ(family_of(fake_network(320, 320, {{"out", {1, 84, 2100}, DType::kInt32}})), "");
}

// Every family in the list has a name of its own, and is asked with any shapes without a crash.
TEST(Families, BearAnything) {
  std::set<std::string> names;
  for (const Family& family : families()) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
    for (const Shape& shape : std::vector<Shape>{{},
                                                 {0},
                                                 {1, 0, 0},
                                                 {-1, -1, -1},
                                                 {0, 4},
                                                 {1, 1, 1, 1, 1},
                                                 {std::int64_t{1} << 40, 4},
                                                 {1, std::int64_t{1} << 62, 4}}) {
      for (const std::size_t count : {1, 2, 3, 6, 9}) {
        const std::vector<FakeOutput> outputs(count, {"out", shape});
        Network network = fake_network(64, 64, outputs);
        network.asked = family.task;
        network.named = true;
        family.recognise(network);
      }
    }
    Network none = fake_network(64, 64, {});
    none.named = true;
    EXPECT_FALSE(family.recognise(none)) << family.name;
  }
}

}  // namespace
}  // namespace mini_infer::tools
