#include "tools/preprocess.h"

#include <gmock/gmock.h>

#include "tools/model_inputs.h"

namespace mini_infer::tools {
namespace {

using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;

ValueInfo input(DType dtype, std::vector<std::int64_t> dims) {
  ValueInfo info{.name = "x", .dtype = dtype, .dims = std::vector<DimInfo>()};
  for (const std::int64_t dim : dims) info.dims->push_back({dim, ""});
  return info;
}

Image one_pixel(std::uint8_t r, std::uint8_t g, std::uint8_t b) {
  Image image(1, 1);
  image.pixels = {r, g, b};
  return image;
}

Tensor prepared(const ValueInfo& info, const PixelOptions& options, const Image& image) {
  const Result<PictureInput> plan = plan_picture(info, {}, options, image);
  EXPECT_TRUE(plan.ok()) << plan.status().message();
  Result<Tensor> tensor = make_tensor(image, *plan);
  EXPECT_TRUE(tensor.ok()) << tensor.status().message();
  return *tensor;
}

std::vector<float> values(const PixelOptions& options) {
  const Tensor tensor =
      prepared(input(DType::kFloat32, {1, 3, 1, 1}), options, one_pixel(255, 51, 0));
  return {tensor.data<float>(), tensor.data<float>() + 3};
}

TEST(Preprocess, DefaultIsZeroToOne) {
  EXPECT_THAT(values({}), ElementsAre(1.0F, FloatNear(0.2F, 1e-6F), 0.0F));
}

TEST(Preprocess, Presets) {
  EXPECT_THAT(values({.preset = "raw"}), ElementsAre(255, 51, 0));
  EXPECT_THAT(values({.preset = "pm1"}), ElementsAre(1, FloatNear(-0.6F, 1e-6F), -1));
  EXPECT_THAT(values({.preset = "caffe"}), ElementsAre(0 - 104, 51 - 117, 255 - 123));
  EXPECT_THAT(
      values({.preset = "imagenet"}),
      ElementsAre(FloatNear((1 - 0.485F) / 0.229F, 1e-5F),
                  FloatNear((0.2F - 0.456F) / 0.224F, 1e-5F), FloatNear(-0.406F / 0.225F, 1e-5F)));
}

TEST(Preprocess, OptionsOverrideThePresetOneByOne) {
  EXPECT_THAT(values({.preset = "caffe", .mean = {0}}), ElementsAre(0, 51, 255));
  // The preset's mean follows the colours: R's stays R's.
  EXPECT_THAT(values({.preset = "caffe", .color = Color::kRgb}),
              ElementsAre(255 - 123, 51 - 117, 0 - 104));
  EXPECT_THAT(values({.scale = {1}, .mean = {5, 1, 0}, .std = {2, 5, 1}}), ElementsAre(125, 10, 0));
}

TEST(Preprocess, LayoutsAndTypes) {
  Image image(2, 1);
  image.pixels = {1, 2, 3, 4, 5, 6};
  const Tensor planes = prepared(input(DType::kUInt8, {1, 3, 1, 2}), {}, image);
  EXPECT_THAT(planes.values<std::uint8_t>(), ElementsAre(1, 4, 2, 5, 3, 6));
  const Tensor pixels =
      prepared(input(DType::kUInt8, {-1, 1, 2, 3}), {.layout = Layout::kNhwc}, image);
  EXPECT_THAT(pixels.values<std::uint8_t>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(pixels.shape(), Shape({1, 1, 2, 3}));
  const Tensor unbatched = prepared(input(DType::kUInt8, {-1, -1, 3}), {}, image);
  EXPECT_EQ(unbatched.shape(), Shape({1, 2, 3}));
  const Tensor half = prepared(input(DType::kFloat16, {1, 3, 1, 2}), {.preset = "raw"}, image);
  EXPECT_EQ(to_float(half.data<Float16>()[5]), 6.0F);
}

TEST(Preprocess, GreyModels) {
  const Tensor grey = prepared(input(DType::kUInt8, {1, 1, 1, 1}), {}, one_pixel(255, 0, 0));
  EXPECT_EQ(grey.data<std::uint8_t>()[0], 76);  // 0.299 of 255
  const Tensor three =
      prepared(input(DType::kUInt8, {1, 3, 1, 1}), {.color = Color::kGray}, one_pixel(0, 255, 0));
  EXPECT_THAT(three.values<std::uint8_t>(), ElementsAre(150, 150, 150));
}

TEST(Preprocess, OpenSizesComeFromThePicture) {
  const Result<PictureInput> plan =
      plan_picture(input(DType::kFloat32, {-1, 3, -1, -1}), {}, {}, Image(100, 70));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->shape(), Shape({1, 3, 64, 96}));
  const Result<PictureInput> given = plan_picture(input(DType::kFloat32, {-1, 3, -1, -1}),
                                                  Shape({1, 3, 20, 10}), {}, Image(100, 70));
  ASSERT_TRUE(given.ok());
  EXPECT_EQ(given->shape(), Shape({1, 3, 20, 10}));
}

TEST(Preprocess, WhatCannotBeAPicture) {
  const auto expect = [](const ValueInfo& info, const PixelOptions& options, const char* reason) {
    const Result<PictureInput> plan = plan_picture(info, {}, options, Image(8, 8));
    ASSERT_FALSE(plan.ok());
    EXPECT_THAT(plan.status().message(), HasSubstr(reason));
  };
  expect(input(DType::kFloat32, {1, 512}), {}, "no picture");
  expect(input(DType::kInt64, {1, 3, 8, 8}), {}, "no picture");
  expect(input(DType::kFloat32, {1, 96, 16, 16}), {}, "no picture");
  expect(input(DType::kFloat32, {4, 3, 8, 8}), {}, "4 pictures at once");
  expect(input(DType::kFloat32, {1, 3, 0, 8}), {}, "input 'x'");
  expect(input(DType::kFloat32, {1, 3, 8, 8}), {.mean = {1, 2}}, "--mean has 2 values");
  expect(input(DType::kFloat32, {1, 3, 8, 8}), {.std = {0}}, "--std is 0");
  expect(input(DType::kFloat32, {1, 3, 8, 8}), {.preset = "best"}, "unknown preset 'best'");
  expect(input(DType::kFloat32, {1, 1, 8, 8}), {.color = Color::kBgr}, "one channel");
}

TEST(ModelInputs, Shapes) {
  const std::vector<ValueInfo> inputs = {input(DType::kFloat32, {1, -1})};
  const Result<ShapeMap> named = parse_shapes({"x=2x5"}, inputs);
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->at("x"), Shape({2, 5}));
  EXPECT_EQ(parse_shapes({"7"}, inputs)->at("x"), Shape({7}));
  EXPECT_EQ(parse_shapes({"x="}, inputs)->at("x"), Shape({}));
  for (const char* wrong : {"y=1", "x=1x", "x=1x-2", "x=axb", "x=99999999999999999999"}) {
    EXPECT_FALSE(parse_shapes({wrong}, inputs).ok()) << wrong;
  }
  EXPECT_EQ(closed_shape(inputs[0], {}), Shape({1, 1}));
}

TEST(ModelInputs, SyntheticNumbersAreAFixedSequence) {
  const Result<Tensor> tensor = synthetic(DType::kFloat32, {3}, 1);
  ASSERT_TRUE(tensor.ok());
  // (1664525 + 1013904223) >> 8 = 3967065, / 2^23 - 1
  EXPECT_FLOAT_EQ(tensor->data<float>()[0], 3967065.0F / 8388608 - 1);
  EXPECT_EQ(synthetic(DType::kInt64, {}, 4)->data<std::int64_t>()[0], 1);
}

}  // namespace
}  // namespace mini_infer::tools
