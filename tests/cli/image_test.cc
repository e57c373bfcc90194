#include "tools/image/image.h"

#include <gmock/gmock.h>
#include <png.h>

#include <cstring>
#include <random>

#include "encode.h"

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;

// The largest difference of any channel of any pixel; 255 for different sizes.
int farthest(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height) return 255;
  int most = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    most = std::max(most, std::abs(a.pixels[i] - b.pixels[i]));
  return most;
}

TEST(Image, PngIsExact) {
  const Image image = gradient(37, 23);
  const Result<Image> decoded = decode_image(encode_png(image));
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(farthest(*decoded, image), 0);
}

TEST(Image, PngTransparencyIsDropped) {
  const Result<Image> decoded =
      decode_image(encode_png({10, 20, 30, 0, 40, 50, 60, 128}, 2, 1, PNG_FORMAT_RGBA));
  ASSERT_TRUE(decoded.ok());
  EXPECT_THAT(decoded->pixels, testing::ElementsAre(10, 20, 30, 40, 50, 60));
}

TEST(Image, GreyPngHasThreeEqualChannels) {
  const Result<Image> decoded = decode_image(encode_png({0, 77, 255}, 3, 1, PNG_FORMAT_GRAY));
  ASSERT_TRUE(decoded.ok());
  EXPECT_THAT(decoded->pixels, testing::ElementsAre(0, 0, 0, 77, 77, 77, 255, 255, 255));
}

TEST(Image, JpegIsClose) {
  const Image image = gradient(64, 48);
  for (const bool progressive : {false, true}) {
    const Result<Image> decoded = decode_image(encode_jpeg(image, {.progressive = progressive}));
    ASSERT_TRUE(decoded.ok()) << decoded.status().message();
    EXPECT_LE(farthest(*decoded, image), 12);
  }
}

TEST(Image, GreyAndCmykJpeg) {
  const std::vector<std::uint8_t> grey(16 * 16, 90);
  const Result<Image> decoded = decode_image(encode_jpeg(grey, 16, 16, {.components = 1}));
  ASSERT_TRUE(decoded.ok());
  EXPECT_NEAR(decoded->at(5, 5)[0], 90, 2);
  EXPECT_EQ(decoded->at(5, 5)[0], decoded->at(5, 5)[2]);

  // Adobe's inverted inks: full cyan and half black leave half green and half blue.
  std::vector<std::uint8_t> cmyk;
  for (int i = 0; i < 16 * 16; ++i) cmyk.insert(cmyk.end(), {0, 255, 255, 128});
  const Result<Image> inks = decode_image(encode_jpeg(cmyk, 16, 16, {.components = 4}));
  ASSERT_TRUE(inks.ok()) << inks.status().message();
  EXPECT_NEAR(inks->at(5, 5)[0], 0, 3);
  EXPECT_NEAR(inks->at(5, 5)[1], 128, 3);
  EXPECT_NEAR(inks->at(5, 5)[2], 128, 3);
}

// Where the pixel at the top left of the upright picture is stored, for each orientation.
TEST(Image, ExifOrientationTurnsThePicture) {
  Image upright(24, 16);  // blocks: white white black / grey black black
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 24; ++x) {
      const int value = y < 8 ? (x < 16 ? 255 : 0) : (x < 8 ? 128 : 0);
      std::memset(upright.at(x, y), value, 3);
    }
  }
  for (int orientation = 1; orientation <= 8; ++orientation) {
    // Turning by the inverse gives what a camera would have stored.
    constexpr int kInverse[] = {0, 1, 2, 3, 4, 5, 8, 7, 6};
    const Image stored = turn_upright(upright, kInverse[orientation]);
    const Result<Image> decoded = decode_image(encode_jpeg(stored, {.orientation = orientation}));
    ASSERT_TRUE(decoded.ok());
    EXPECT_LE(farthest(*decoded, upright), 10) << "orientation " << orientation;
  }
  // 6 is a quarter turn clockwise: the bottom left pixel of what is stored comes to the top left.
  Image two(1, 2);
  two.at(0, 1)[1] = 9;
  EXPECT_EQ(turn_upright(two, 6).at(0, 0)[1], 9);
}

TEST(Image, BrokenExifIsNoOrientation) {
  const std::vector<std::uint8_t> far = {'E', 'x', 'i', 'f',  0,    0,    'M',
                                         'M', 0,   42,  0xff, 0xff, 0xff, 0xff};
  EXPECT_EQ(exif_orientation(far), 1);
  EXPECT_EQ(exif_orientation({}), 1);
}

void expect_refused(const Bytes& file, const char* reason) {
  const Result<Image> image = decode_image(file);
  ASSERT_FALSE(image.ok());
  EXPECT_THAT(image.status().message(), HasSubstr(reason));
}

TEST(Image, WhatIsNoPicture) {
  expect_refused({}, "empty");
  expect_refused(Bytes(100, std::byte{'x'}), "neither a JPEG nor a PNG");
  const Result<Image> missing = read_image("/nowhere/cat.jpg");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.status().message(), HasSubstr("'/nowhere/cat.jpg': No such file"));
}

TEST(Image, TruncatedFilesAreRefused) {
  const Image image = gradient(40, 40);
  for (const Bytes& file :
       {encode_png(image), encode_jpeg(image), encode_jpeg(image, {.progressive = true})}) {
    for (std::size_t size = 0; size + 20 < file.size(); size += 7) {
      EXPECT_FALSE(
          decode_image(Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size))).ok())
          << size;
    }
  }
}

TEST(Image, FlippedBitsNeverCrash) {
  const Image image = gradient(40, 40);
  std::mt19937 random(1);
  for (const Bytes& file :
       {encode_png(image), encode_jpeg(image), encode_jpeg(image, {.progressive = true})}) {
    for (int i = 0; i < 300; ++i) {
      Bytes broken = file;
      for (int k = 0; k < 3; ++k)
        broken[random() % broken.size()] ^= std::byte{1} << static_cast<int>(random() % 8);
      const Result<Image> decoded = decode_image(broken);
      if (decoded.ok()) {
        EXPECT_EQ(decoded->pixels.size(),
                  std::size_t(decoded->width) * std::size_t(decoded->height) * 3);
      } else {
        EXPECT_FALSE(decoded.status().message().empty());
      }
    }
  }
}

TEST(Image, ClaimsOfHugeSizesAreRefused) {
  Bytes jpeg = encode_jpeg(gradient(16, 16));
  for (std::size_t i = 0; i + 8 < jpeg.size(); ++i) {
    // The frame header: ff c0, length, precision, height, width.
    if (jpeg[i] != std::byte{0xff} || jpeg[i + 1] != std::byte{0xc0}) continue;
    for (const std::size_t k : {5, 6, 7, 8})
      jpeg[i + k] = k % 2 == 1 ? std::byte{0xff} : std::byte{0};
  }
  expect_refused(jpeg, "65280 x 65280");
  EXPECT_FALSE(check_image_size(std::int64_t{1} << 40, std::int64_t{1} << 40).ok());
  EXPECT_FALSE(check_image_size(0, 5).ok());
  EXPECT_TRUE(check_image_size(4000, 3000).ok());
}

}  // namespace
}  // namespace mini_infer::tools
