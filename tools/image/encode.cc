#include "tools/image/encode.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "tools/common.h"

namespace mini_infer::tools {
namespace {

std::string ending(const std::string& path) {
  std::string text = std::filesystem::path(path).extension().string();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_jpeg_ending(const std::string& text) { return text == ".jpg" || text == ".jpeg"; }

}  // namespace

bool is_image_name(const std::string& path) {
  const std::string text = ending(path);
  return text == ".png" || is_jpeg_ending(text);
}

Status write_image(const std::string& path, const Image& image) {
  if (!is_image_name(path)) {
    return {Code::kInvalidArgument,
            "'" + path + "': pictures are written as .png, .jpg or .jpeg; name the file so"};
  }
  auto file = is_jpeg_ending(ending(path)) ? to_jpeg(image) : to_png(image);
  if (!file.ok()) return file.status().at("'" + path + "'");
  return write_bytes(path, file->data(), file->size());
}

}  // namespace mini_infer::tools
