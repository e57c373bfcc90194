// PNG through libpng's simplified interface, which reports errors by return value.
#include <png.h>

#include <cstring>

#include "tools/image/image.h"

namespace mini_infer::tools {
namespace {

struct PngImage : png_image {
  PngImage() {
    std::memset(static_cast<png_image*>(this), 0, sizeof(png_image));
    version = PNG_IMAGE_VERSION;
  }
  ~PngImage() { png_image_free(this); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
  Status error() const { return {Code::kInvalidArgument, std::string("broken PNG: ") + message}; }
};

}  // namespace

Result<Image> decode_png(std::span<const std::byte> file) {
  PngImage png;
  if (png_image_begin_read_from_memory(&png, file.data(), file.size()) == 0) return png.error();
  MINI_TRY(check_image_size(png.width, png.height));
  // Four channels, so that libpng mixes no background into the colours.
  png.format = PNG_FORMAT_RGBA;
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  std::vector<std::uint8_t> rgba(PNG_IMAGE_SIZE(png));
  if (png_image_finish_read(&png, nullptr, rgba.data(), 0, nullptr) == 0) return png.error();

  Image image(static_cast<int>(png.width), static_cast<int>(png.height));
  for (std::size_t i = 0; i < rgba.size() / 4; ++i) {
    std::memcpy(image.pixels.data() + i * 3, rgba.data() + i * 4, 3);
  }
  return image;
}

}  // namespace mini_infer::tools
