// Pictures as they come out of files.
#pragma once

#include <mini_infer/status.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mini_infer::tools {

// 8-bit RGB, upright. pixels: [height][width][3]
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  Image() = default;
  Image(int w, int h)
      : width(w),
        height(h),
        pixels(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3) {}
  const std::uint8_t* at(int x, int y) const {
    return pixels.data() + (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                            static_cast<std::size_t>(x)) *
                               3;
  }
  std::uint8_t* at(int x, int y) {
    return const_cast<std::uint8_t*>(std::as_const(*this).at(x, y));
  }
};

// Larger pictures are refused: a file of a few KB can claim to be 65535 x 65535.
inline constexpr std::int64_t kMaxImagePixels = std::int64_t{64} << 20;
// kInvalidArgument unless both are positive and their product is at most kMaxImagePixels.
Status check_image_size(std::int64_t width, std::int64_t height);

// JPEG or PNG, told apart by the first bytes. A JPEG is turned upright as its EXIF data says;
// transparency is dropped.
bool is_image(std::span<const std::byte> file);
Result<Image> decode_image(std::span<const std::byte> file);
Result<Image> read_image(const std::string& path);

Result<Image> decode_jpeg(std::span<const std::byte> file);
Result<Image> decode_png(std::span<const std::byte> file);

// The orientation (1 to 8) that the payload of an APP1 segment holds, 1 when it holds none or is
// broken.
int exif_orientation(std::span<const std::uint8_t> app1);
// The upright picture for an EXIF orientation.
Image turn_upright(Image image, int orientation);

}  // namespace mini_infer::tools
