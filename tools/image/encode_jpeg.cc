// JPEG through libjpeg. Its errors leave by longjmp, caught in encode(): no frame between has
// anything to destroy.
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// clang-format off: jpeglib.h needs size_t and FILE
#include <jpeglib.h>
// clang-format on

#include "tools/image/encode.h"

namespace mini_infer::tools {
namespace {

struct Encoder {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  unsigned char* data = nullptr;
  unsigned long size = 0;  // NOLINT: libjpeg's type

  Encoder();
  ~Encoder() {
    jpeg_destroy_compress(&info);
    std::free(data);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* encoder = static_cast<Encoder*>(info->client_data);
  info->err->format_message(info, encoder->message);
  std::longjmp(encoder->jump, 1);
}

Encoder::Encoder() {
  std::memset(&info, 0, sizeof info);
  message[0] = '\0';
  info.err = jpeg_std_error(&errors);
  errors.error_exit = on_error;
  info.client_data = this;
}

// False when libjpeg gave up.
bool encode(Encoder& encoder, const Image& image) {
  constexpr int kQuality = 92;
  jpeg_compress_struct& info = encoder.info;
  if (setjmp(encoder.jump) != 0) return false;
  jpeg_create_compress(&info);
  info.client_data = &encoder;
  jpeg_mem_dest(&info, &encoder.data, &encoder.size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, kQuality, TRUE);
  info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(image.at(0, static_cast<int>(info.next_scanline)));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  return true;
}

}  // namespace

Result<std::vector<std::byte>> to_jpeg(const Image& image) {
  Encoder encoder;
  if (!encode(encoder, image)) {
    return Status(Code::kInvalidArgument,
                  std::string("the picture cannot be made a JPEG: ") + encoder.message);
  }
  const auto* begin = reinterpret_cast<const std::byte*>(encoder.data);
  return std::vector<std::byte>(begin, begin + encoder.size);
}

}  // namespace mini_infer::tools
