#include "encode.h"

#include <png.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

// clang-format off: jpeglib.h needs size_t and FILE
#include <jpeglib.h>
// clang-format on

namespace mini_infer::tools {
namespace {

// A TIFF structure, little-endian, whose one entry is the orientation.
std::vector<std::uint8_t> exif_segment(int orientation) {
  const auto value = static_cast<std::uint8_t>(orientation);
  return {'E',  'x', 'i', 'f', 0, 0, 'I', 'I', 42,    0, 8, 0, 0, 0, 1, 0,
          0x12, 1,   3,   0,   1, 0, 0,   0,   value, 0, 0, 0, 0, 0, 0, 0};
}

}  // namespace

Image gradient(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.at(x, y)[0] = static_cast<std::uint8_t>(255 * x / width);
      image.at(x, y)[1] = static_cast<std::uint8_t>(255 * y / height);
      image.at(x, y)[2] = static_cast<std::uint8_t>(255 - 127 * (x + y) / (width + height));
    }
  }
  return image;
}

Bytes encode_png(const std::vector<std::uint8_t>& pixels, int width, int height, unsigned format) {
  png_image png;
  std::memset(&png, 0, sizeof png);
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = format;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  Bytes file(size);
  if (png_image_write_to_memory(&png, file.data(), &size, 0, pixels.data(), 0, nullptr) == 0)
    std::abort();
  file.resize(size);
  return file;
}

Bytes encode_png(const Image& image) {
  return encode_png(image.pixels, image.width, image.height, PNG_FORMAT_RGB);
}

Bytes encode_jpeg(const std::vector<std::uint8_t>& pixels, int width, int height,
                  const JpegOptions& options) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* data = nullptr;
  unsigned long size = 0;  // NOLINT: libjpeg's type
  jpeg_mem_dest(&info, &data, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = options.components;
  info.in_color_space = options.components == 1   ? JCS_GRAYSCALE
                        : options.components == 3 ? JCS_RGB
                                                  : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, options.quality, TRUE);
  if (options.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (options.orientation != 0) {
    const std::vector<std::uint8_t> exif = exif_segment(options.orientation);
    jpeg_write_marker(&info, JPEG_APP0 + 1, exif.data(), static_cast<unsigned>(exif.size()));
  }
  const std::size_t stride = static_cast<std::size_t>(width * options.components);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(pixels.data() + info.next_scanline * stride);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  Bytes file(begin, begin + size);
  std::free(data);
  return file;
}

Bytes encode_jpeg(const Image& image, const JpegOptions& options) {
  return encode_jpeg(image.pixels, image.width, image.height, options);
}

}  // namespace mini_infer::tools
