// Pictures into files, and what is drawn on them.
#include "tools/image/draw.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "encode.h"
#include "tools/common.h"
#include "tools/image/encode.h"
#include "tools/image/font.h"

namespace mini_infer::tools {
namespace {

Rgb pixel(const Image& image, int x, int y) {
  const std::uint8_t* p = image.at(x, y);
  return {p[0], p[1], p[2]};
}
constexpr Rgb kBlack = {0, 0, 0};
constexpr Rgb kRed = {255, 0, 0};

int count(const Image& image, Rgb color) {
  int n = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) n += pixel(image, x, y) == color ? 1 : 0;
  }
  return n;
}

TEST(Encode, PngComesBackExactlyAndJpegClosely) {
  const Image image = gradient(61, 47);
  const auto png = to_png(image);
  ASSERT_TRUE(png.ok()) << png.status().message();
  EXPECT_EQ(decode_image(*png)->pixels, image.pixels);
  const auto jpeg = to_jpeg(image);
  ASSERT_TRUE(jpeg.ok()) << jpeg.status().message();
  const Result<Image> decoded = decode_image(*jpeg);
  ASSERT_EQ(decoded->pixels.size(), image.pixels.size());
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    EXPECT_NEAR(decoded->pixels[i], image.pixels[i], 8) << i;
}

TEST(Encode, TheNameSaysTheFormat) {
  const std::string folder = testing::TempDir();
  for (const char* name : {"a.png", "a.JPG", "a.jpeg"}) {
    ASSERT_TRUE(write_image(folder + name, gradient(8, 8)).ok()) << name;
    EXPECT_TRUE(read_image(folder + name).ok()) << name;
  }
  const auto first = [&](const char* name) { return read_bytes(folder + name)->front(); };
  EXPECT_EQ(first("a.png"), std::byte{0x89});
  EXPECT_EQ(first("a.JPG"), std::byte{0xff});
  const Status gif = write_image(folder + "a.gif", gradient(8, 8));
  EXPECT_THAT(gif.message(), testing::HasSubstr("written as .png, .jpg or .jpeg"));
  EXPECT_FALSE(write_image("/nowhere/a.png", gradient(8, 8)).ok());
}

TEST(Encode, TooWideForJpeg) {
  const auto jpeg = to_jpeg(Image(70000, 1));
  ASSERT_FALSE(jpeg.ok());
  EXPECT_THAT(jpeg.status().message(), testing::HasSubstr("cannot be made a JPEG"));
}

TEST(Draw, RectanglesAreExactAndClipped) {
  Image image(20, 10);
  fill_rect(image, {2, 3}, {5, 7}, kRed);
  EXPECT_EQ(count(image, kRed), 3 * 4);
  EXPECT_EQ(pixel(image, 2, 3), kRed);
  EXPECT_EQ(pixel(image, 5, 7), kBlack);
  fill_rect(image, {-1e30, -5}, {1e30, 1e30}, kRed);
  EXPECT_EQ(count(image, kRed), 200);
}

TEST(Draw, LinesReachTheirEnds) {
  Image image(30, 30);
  draw_line(image, {5.5, 5.5}, {20.5, 10.5}, 1, kRed);
  EXPECT_EQ(pixel(image, 5, 5), kRed);
  EXPECT_EQ(pixel(image, 20, 10), kRed);
  EXPECT_EQ(pixel(image, 5, 10), kBlack);
  EXPECT_EQ(count(image, kRed), 16);
}

TEST(Draw, FarEndsAreClippedInTheRightPlace) {
  Image image(30, 30);
  draw_line(image, {-1e9, -1e9}, {1e9, 1e9}, 1, kRed);  // the diagonal
  for (int i = 0; i < 30; ++i) EXPECT_EQ(pixel(image, i, i), kRed) << i;
  Image missed(30, 30);
  draw_line(missed, {-1e9, 40}, {1e9, 40}, 3, kRed);
  EXPECT_EQ(count(missed, kBlack), 900);
}

TEST(Draw, WhatIsNoNumberDrawsNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  Image image(30, 30);
  draw_line(image, {nan, 1}, {5, 5}, 1, kRed);
  draw_line(image, {0, 0}, {infinity, 5}, 1, kRed);
  draw_disc(image, {nan, 3}, 4, kRed);
  draw_label(image, {nan, 3}, "text", 1, kRed);
  EXPECT_EQ(count(image, kBlack), 900);
}

TEST(Draw, DiscsAreRound) {
  Image image(40, 40);
  draw_disc(image, {20, 20}, 10, kRed);
  EXPECT_NEAR(count(image, kRed), 314, 12);
  EXPECT_EQ(pixel(image, 20, 10), kRed);
  EXPECT_EQ(pixel(image, 12, 12), kBlack);
}

TEST(Draw, OutlinesShowOnTheirOwnColor) {
  Image image(40, 40);
  fill_rect(image, {0, 0}, {40, 40}, kRed);
  const std::array<Point, 4> corners = {Point{10, 10}, {30, 10}, {30, 30}, {10, 30}};
  draw_polygon(image, corners, 2, kRed);
  EXPECT_EQ(pixel(image, 10, 20), kRed);  // the line itself
  EXPECT_NE(pixel(image, 8, 20), kRed);   // and its dark edges
  EXPECT_NE(pixel(image, 11, 20), kRed);
  EXPECT_EQ(pixel(image, 20, 20), kRed);
}

TEST(Draw, LabelsLieInThePictureAndCanBeRead) {
  for (const Point at : {Point{50, 30}, {-5, -5}, {199, 99}, {150, 2}}) {
    Image image(200, 100);
    draw_label(image, at, "person 93%", 1, {250, 250, 0});
    const int width = text_width("person 93%", 1) + 3, height = text_height(1) + 3;
    EXPECT_EQ(count(image, {250, 250, 0}) + count(image, kBlack), 200 * 100);
    EXPECT_GT(count(image, {250, 250, 0}), width * height / 2) << at.x;
    EXPECT_GT(200 * 100 - width * height + 150, count(image, kBlack)) << at.x;
    EXPECT_LT(200 * 100 - width * height, count(image, kBlack)) << "nothing is written";
  }
  Image tiny(4, 3);
  draw_label(tiny, {1, 1}, "longer than the picture", 3, kRed);
  EXPECT_EQ(tiny.pixels.size(), 36U);
}

TEST(Draw, InkContrasts) {
  EXPECT_EQ(ink_on({250, 250, 0}), kBlack);
  EXPECT_EQ(ink_on({60, 20, 160}), (Rgb{255, 255, 255}));
}

TEST(Draw, PaletteIsBrightAndNeighboursDiffer) {
  for (std::size_t i = 0; i < 200; ++i) {
    const Rgb a = palette(i), b = palette(i + 1);
    EXPECT_GE(std::max({a.r, a.g, a.b}), 200);
    EXPECT_GT(std::abs(a.r - b.r) + std::abs(a.g - b.g) + std::abs(a.b - b.b), 100) << i;
  }
}

TEST(Draw, BlendMixes) {
  Image image(2, 1);
  blend_pixel(image, 1, 0, {200, 100, 50}, 0.5);
  EXPECT_EQ(pixel(image, 1, 0), (Rgb{100, 50, 25}));
  blend_pixel(image, 2, 0, kRed, 1);  // outside
  EXPECT_EQ(pixel(image, 0, 0), kBlack);
}

std::string glyph(char32_t character) {
  std::string text;
  for (int y = 0; y < kGlyphHeight; ++y) {
    for (int x = 0; x < kGlyphWidth; ++x) text += glyph_pixel(character, x, y) ? '#' : '.';
  }
  return text;
}

TEST(Font, EveryCharacterIsDrawnAndDistinct) {
  std::set<std::string> glyphs;
  for (char32_t c = ' '; c <= '~'; ++c) {
    EXPECT_TRUE(glyphs.insert(glyph(c)).second) << static_cast<char>(c);
    EXPECT_EQ(glyph(c).find('#') == std::string::npos, c == ' ');
  }
  EXPECT_EQ(glyph(U'ä'), glyph(U'日'));  // an empty box
  EXPECT_FALSE(glyphs.contains(glyph(U'日')));
  EXPECT_FALSE(glyph_pixel('A', -1, 0));
  EXPECT_FALSE(glyph_pixel('A', 0, kGlyphHeight));
}

}  // namespace
}  // namespace mini_infer::tools
