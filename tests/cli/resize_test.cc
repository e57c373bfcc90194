#include "tools/image/resize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "encode.h"

namespace mini_infer::tools {
namespace {

// The definition: a triangle around the centre, as wide as a target pixel, in double precision
// without rounding in between.
double reference(const Image& image, int width, int height, int x, int y, int channel) {
  const double sx = double(image.width) / width, sy = double(image.height) / height;
  const double rx = std::max(sx, 1.0), ry = std::max(sy, 1.0);
  double sum = 0, weights = 0;
  for (int j = 0; j < image.height; ++j) {
    for (int i = 0; i < image.width; ++i) {
      const double wx = 1 - std::abs((i + 0.5 - (x + 0.5) * sx) / rx);
      const double wy = 1 - std::abs((j + 0.5 - (y + 0.5) * sy) / ry);
      if (wx <= 0 || wy <= 0) continue;
      sum += wx * wy * image.at(i, j)[channel];
      weights += wx * wy;
    }
  }
  return sum / weights;
}

TEST(Resize, FollowsTheDefinition) {
  Image image = gradient(23, 17);
  for (std::size_t i = 0; i < image.pixels.size(); i += 5) image.pixels[i] ^= 0x55;
  for (const auto& [w, h] : {std::pair(23, 17), {46, 34}, {11, 5}, {7, 40}, {1, 1}, {50, 3}}) {
    const Image out = resize(image, w, h);
    ASSERT_EQ(out.width, w);
    ASSERT_EQ(out.height, h);
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        for (int c = 0; c < 3; ++c) {
          // Two roundings to 8 bits.
          ASSERT_NEAR(out.at(x, y)[c], reference(image, w, h, x, y, c), 1.01)
              << w << 'x' << h << " at " << x << ',' << y;
        }
      }
    }
  }
}

TEST(Resize, SameSizeIsTheSamePicture) {
  const Image image = gradient(9, 5);
  EXPECT_EQ(resize(image, 9, 5).pixels, image.pixels);
}

TEST(Resize, LetterboxKeepsProportionsOnGrey) {
  Image white(40, 20);
  std::fill(white.pixels.begin(), white.pixels.end(), 255);
  const Image out = fit(white, 30, 30, Fit::kLetterbox);  // 30 x 15 in the middle
  EXPECT_EQ(out.at(15, 6)[0], 114);
  EXPECT_EQ(out.at(15, 7)[0], 255);
  EXPECT_EQ(out.at(15, 21)[0], 255);
  EXPECT_EQ(out.at(15, 22)[0], 114);
}

TEST(Resize, CornerLeavesGreyAtTheRightAndBelow) {
  Image white(40, 20);
  std::fill(white.pixels.begin(), white.pixels.end(), 255);
  const Image out = fit(white, 30, 30, Fit::kCorner);  // 30 x 15 at the top
  EXPECT_EQ(out.at(0, 0)[0], 255);
  EXPECT_EQ(out.at(29, 14)[0], 255);
  EXPECT_EQ(out.at(0, 15)[0], 114);
}

// Both corners of the part of the picture that is used are found again, whatever was rounded.
TEST(Resize, PlacementLeadsBackExactly) {
  for (const Fit how : {Fit::kStretch, Fit::kLetterbox, Fit::kCorner}) {
    const Placement p = place(1077, 613, 416, 320, how);
    const auto [left, top, width, height] = p.target;
    EXPECT_EQ(p.x_in_source(left), 0);
    EXPECT_EQ(p.y_in_source(top), 0);
    EXPECT_EQ(p.x_in_source(left + width), 1077);
    EXPECT_EQ(p.y_in_source(top + height), 613);
  }
  const Placement letterbox = place(1077, 613, 416, 320, Fit::kLetterbox);
  EXPECT_EQ(letterbox.target.height, 237);  // 613 * 416 / 1077 = 236.8
  EXPECT_EQ(letterbox.target.top, 41);
  const Placement crop = place(400, 200, 50, 50, Fit::kCrop);
  EXPECT_EQ(crop.x_in_source(0), 100);
  EXPECT_EQ(crop.x_in_source(50), 300);
  EXPECT_EQ(crop.y_in_source(25), 100);
}

TEST(Resize, CropTakesTheCentre) {
  Image image(40, 20);
  for (int y = 0; y < 20; ++y) {
    for (int x = 10; x < 30; ++x) image.at(x, y)[2] = 200;
  }
  const Image out = fit(image, 10, 10, Fit::kCrop);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(out.at(i, i)[2], 200);
}

TEST(Resize, ExtremeProportionsNeedLittleMemory) {
  const Image line(1, 500000);
  EXPECT_EQ(resize(line, 1000, 1).width, 1000);
  EXPECT_EQ(fit(line, 200, 200, Fit::kCrop).height, 200);
  EXPECT_EQ(fit(line, 200, 200, Fit::kLetterbox).height, 200);
}

}  // namespace
}  // namespace mini_infer::tools
