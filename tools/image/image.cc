#include "tools/image/image.h"

#include <algorithm>
#include <array>

#include "tools/common.h"

namespace mini_infer::tools {
namespace {

bool starts_with(std::span<const std::byte> file, std::span<const unsigned char> magic) {
  return file.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), file.begin(),
                    [](unsigned char a, std::byte b) { return std::byte{a} == b; });
}
constexpr std::array<unsigned char, 3> kJpeg = {0xff, 0xd8, 0xff};
constexpr std::array<unsigned char, 8> kPng = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

}  // namespace

Status check_image_size(std::int64_t width, std::int64_t height) {
  constexpr std::int64_t kMaxSide = std::int64_t{1} << 30;
  if (width > 0 && height > 0 && width <= kMaxSide && height <= kMaxSide &&
      width * height <= kMaxImagePixels) {
    return ok();
  }
  return {Code::kInvalidArgument,
          format("a picture of %lld x %lld pixels; at most %lld million pixels are read",
                 static_cast<long long>(width), static_cast<long long>(height),
                 static_cast<long long>(kMaxImagePixels / 1000000))};
}

bool is_image(std::span<const std::byte> file) {
  return starts_with(file, kJpeg) || starts_with(file, kPng);
}

Result<Image> decode_image(std::span<const std::byte> file) {
  if (starts_with(file, kJpeg)) return decode_jpeg(file);
  if (starts_with(file, kPng)) return decode_png(file);
  return Status(Code::kInvalidArgument,
                file.empty() ? "the file is empty" : "neither a JPEG nor a PNG file");
}

Result<Image> read_image(const std::string& path) {
  MINI_TRY_ASSIGN(const std::vector<std::byte> bytes, read_bytes(path));
  Result<Image> image = decode_image(bytes);
  if (!image.ok()) return image.status().at("cannot read picture '" + path + "'");
  return image;
}

}  // namespace mini_infer::tools
