// The one field of EXIF that matters here: how the camera was held.
#include <cstring>
#include <utility>

#include "tools/image/image.h"

namespace mini_infer::tools {
namespace {

// A TIFF structure: numbers in either byte order at offsets that may point anywhere.
class Tiff {
 public:
  Tiff(std::span<const std::uint8_t> bytes, bool big_endian)
      : bytes_(bytes), big_endian_(big_endian) {}

  // The unsigned number of `count` bytes at `offset`; 0 when it lies outside.
  std::uint32_t number(std::size_t offset, std::size_t count) const {
    if (offset > bytes_.size() || count > bytes_.size() - offset) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = big_endian_ ? i : count - 1 - i;
      value = value << 8 | bytes_[offset + at];
    }
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool big_endian_;
};

}  // namespace

int exif_orientation(std::span<const std::uint8_t> app1) {
  constexpr std::size_t kHeader = 6;  // "Exif\0\0"
  if (app1.size() < kHeader + 8 || std::memcmp(app1.data(), "Exif\0", kHeader) != 0) return 1;
  const auto bytes = app1.subspan(kHeader);
  const bool big_endian = bytes[0] == 'M';
  const Tiff tiff(bytes, big_endian);
  const std::size_t directory = tiff.number(4, 4);
  const std::uint32_t entries = tiff.number(directory, 2);
  for (std::uint32_t i = 0; i < entries; ++i) {
    constexpr std::size_t kEntrySize = 12;  // tag, type, count, value
    constexpr std::uint32_t kOrientationTag = 0x0112;
    const std::size_t entry = directory + 2 + i * kEntrySize;
    if (tiff.number(entry, 2) != kOrientationTag) continue;
    const std::uint32_t value = tiff.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image turn_upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  // 2: mirrored; 3: upside down; 4: both; 5 to 8: the same with rows and columns exchanged.
  const bool exchange = orientation >= 5;
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int w = image.width, h = image.height;
  Image out(exchange ? h : w, exchange ? w : h);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const int sx = exchange ? y : x, sy = exchange ? x : y;
      std::memcpy(out.at(x, y), image.at(flip_x ? w - 1 - sx : sx, flip_y ? h - 1 - sy : sy), 3);
    }
  }
  return out;
}

}  // namespace mini_infer::tools
