#include "tools/pixel_metadata.h"

namespace mini_infer::tools {
namespace {

// x = (pixel * scale - mean) / std of a byte.
struct Range {
  double scale, mean, std;
};

const std::map<std::string, Range>& ranges() {
  constexpr double kByte = 1.0 / 255;
  static const std::map<std::string, Range> all = {
      {"NominalRange_0_255", {1, 0, 1}},
      {"Normalized_0_1", {kByte, 0, 1}},
      {"Normalized_1_1", {kByte, 0.5, 0.5}},
      {"NominalRange_16_235", {(235 - 16) * kByte, -16, 1}},
  };
  return all;
}

const std::map<std::string, Color>& colors() {
  static const std::map<std::string, Color> all = {
      {"Rgb8", Color::kRgb}, {"Bgr8", Color::kBgr}, {"Gray8", Color::kGray}};
  return all;
}

// The value of `key` where it is one of `known`; it is added to `used`.
template <class T>
const T* entry(const std::map<std::string, std::string>& metadata, const std::string& key,
               const std::map<std::string, T>& known, std::string& used) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return nullptr;
  const auto value = known.find(found->second);
  if (value == known.end()) return nullptr;
  used += (used.empty() ? "" : ", ") + key + ' ' + found->second;
  return &value->second;
}

}  // namespace

std::string use_metadata(const std::map<std::string, std::string>& metadata,
                         PixelOptions& options) {
  std::string used;
  if (!options.preset.empty()) return used;
  const bool numbers = !options.scale.empty() || !options.mean.empty() || !options.std.empty();
  if (const auto preset = metadata.find("mini_infer.preset"); preset != metadata.end()) {
    options.preset = preset->second;
    return "mini_infer.preset " + preset->second;
  }
  if (!numbers) {
    if (const Range* range = entry(metadata, "Image.NominalPixelRange", ranges(), used)) {
      options.scale = {range->scale};
      options.mean = {range->mean};
      options.std = {range->std};
    }
  }
  if (!options.color) {
    if (const Color* color = entry(metadata, "Image.BitmapPixelFormat", colors(), used)) {
      options.color = *color;
    }
  }
  return used;
}

}  // namespace mini_infer::tools
