// JPEG through libjpeg. Its errors leave by longjmp, caught in attempt(): no frame between has
// anything to destroy.
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>

// clang-format off: jpeglib.h needs size_t and FILE, jerror.h needs jpeglib.h
#include <jerror.h>
#include <jpeglib.h>
// clang-format on

#include "tools/common.h"
#include "tools/image/image.h"

namespace mini_infer::tools {
namespace {

// A progressive file may hold any number of scans, each as expensive as a whole picture.
constexpr int kMaxScans = 500;

struct Decoder {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];

  Decoder();
  ~Decoder() { jpeg_destroy_decompress(&info); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  Status error() const { return {Code::kInvalidArgument, std::string("broken JPEG: ") + message}; }
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* decoder = static_cast<Decoder*>(info->client_data);
  info->err->format_message(info, decoder->message);
  std::longjmp(decoder->jump, 1);
}

void on_message(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) on_error(info);
}

void on_progress(j_common_ptr info) {
  auto* decoder = static_cast<Decoder*>(info->client_data);
  if (decoder->info.input_scan_number <= kMaxScans) return;
  std::snprintf(decoder->message, sizeof decoder->message, "more than %d scans", kMaxScans);
  std::longjmp(decoder->jump, 1);
}

Decoder::Decoder() {
  std::memset(&info, 0, sizeof info);
  std::memset(&progress, 0, sizeof progress);
  message[0] = '\0';
  info.err = jpeg_std_error(&errors);
  errors.error_exit = on_error;
  errors.emit_message = on_message;
  info.client_data = this;
  progress.progress_monitor = on_progress;
}

// Runs `step`, which calls libjpeg; false when libjpeg gave up.
template <class Step>
bool attempt(Decoder& decoder, const Step& step) {
  if (setjmp(decoder.jump) != 0) return false;
  step();
  return true;
}

int orientation_of(const jpeg_decompress_struct& info) {
  for (auto* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker != JPEG_APP0 + 1) continue;
    const int orientation = exif_orientation({marker->data, marker->data_length});
    if (orientation != 1) return orientation;
  }
  return 1;
}

// libjpeg makes no RGB of these. Adobe's programs store them inverted.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb, int width, bool inverted) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    for (int c = 0; c < 3; ++c) {
      const int ink = inverted ? 255 - cmyk[c] : cmyk[c];
      const int black = inverted ? 255 - cmyk[3] : cmyk[3];
      rgb[c] = static_cast<std::uint8_t>((255 - ink) * (255 - black) / 255);
    }
  }
}

}  // namespace

Result<Image> decode_jpeg(std::span<const std::byte> file) {
  Decoder decoder;
  jpeg_decompress_struct& info = decoder.info;
  const bool header = attempt(decoder, [&] {
    jpeg_create_decompress(&info);
    info.client_data = &decoder;
    info.progress = &decoder.progress;
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(file.data()),
                 static_cast<unsigned long>(file.size()));  // NOLINT: libjpeg's type
    jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&info, TRUE);
  });
  if (!header) return decoder.error();
  MINI_TRY(check_image_size(info.image_width, info.image_height));

  const int orientation = orientation_of(info);
  const bool cmyk = info.num_components == 4;
  Image image(static_cast<int>(info.image_width), static_cast<int>(info.image_height));
  std::vector<std::uint8_t> cmyk_row(cmyk ? std::size_t{info.image_width} * 4 : 0);
  const bool body = attempt(decoder, [&] {
    info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      std::uint8_t* const rgb = image.at(0, static_cast<int>(info.output_scanline));
      JSAMPROW row = cmyk ? cmyk_row.data() : rgb;
      jpeg_read_scanlines(&info, &row, 1);
      if (cmyk) cmyk_to_rgb(row, rgb, image.width, info.saw_Adobe_marker != 0);
    }
    jpeg_finish_decompress(&info);
  });
  if (!body) return decoder.error();
  return turn_upright(std::move(image), orientation);
}

}  // namespace mini_infer::tools
