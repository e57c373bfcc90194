#include "tools/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mini_infer::tools {
namespace {

// The source pixels first .. first + weights.size() - 1 of a target pixel. Weights are fixed-point
// and sum up to about 1 << kFraction.
constexpr int kFraction = 22;
struct Taps {
  int first = 0;
  std::vector<std::int32_t> weights;
};

std::vector<Taps> make_taps(int source, int target) {
  const double scale = static_cast<double>(source) / target;
  const double radius = std::max(scale, 1.0);
  std::vector<Taps> all(static_cast<std::size_t>(target));
  for (int i = 0; i < target; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - radius + 0.5));
    const int last = std::min(source, static_cast<int>(center + radius + 0.5));
    std::vector<double> triangle;
    double sum = 0;
    for (int s = first; s < last; ++s) {
      triangle.push_back(std::max(0.0, 1 - std::abs((s + 0.5 - center) / radius)));
      sum += triangle.back();
    }
    Taps& taps = all[static_cast<std::size_t>(i)];
    taps.first = first;
    for (const double t : triangle) {
      taps.weights.push_back(static_cast<std::int32_t>(std::lround(t / sum * (1 << kFraction))));
    }
  }
  return all;
}

// The sum over taps of weight * p[step * tap], rounded.
std::uint8_t weigh(const Taps& taps, const std::uint8_t* p, std::size_t step) {
  std::int32_t sum = 1 << (kFraction - 1);
  for (const std::int32_t weight : taps.weights) {
    sum += weight * *p;
    p += step;
  }
  return static_cast<std::uint8_t>(std::clamp(sum >> kFraction, 0, 255));
}

Image resize_rows(const Image& image, int width) {
  const std::vector<Taps> taps = make_taps(image.width, width);
  Image out(width, image.height);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < width; ++x) {
      const Taps& t = taps[static_cast<std::size_t>(x)];
      for (int c = 0; c < 3; ++c) out.at(x, y)[c] = weigh(t, image.at(t.first, y) + c, 3);
    }
  }
  return out;
}

Image resize_columns(const Image& image, int height) {
  const std::vector<Taps> taps = make_taps(image.height, height);
  Image out(image.width, height);
  const std::size_t row = static_cast<std::size_t>(image.width) * 3;
  for (int y = 0; y < height; ++y) {
    const Taps& t = taps[static_cast<std::size_t>(y)];
    const std::uint8_t* source = image.at(0, t.first);
    std::uint8_t* target = out.at(0, y);
    for (std::size_t i = 0; i < row; ++i) target[i] = weigh(t, source + i, row);
  }
  return out;
}

// side * factor, rounded, within 1 .. limit
int scaled(int side, double factor, int limit) {
  return std::clamp(static_cast<int>(std::lround(side * factor)), 1, limit);
}

}  // namespace

Image resize(const Image& image, int width, int height) {
  // Rows first, unless what lies between the two steps would be huge.
  if (std::int64_t{width} * image.height > kMaxImagePixels) {
    return resize_rows(resize_columns(image, height), width);
  }
  const Image narrow = image.width == width ? image : resize_rows(image, width);
  return narrow.height == height ? narrow : resize_columns(narrow, height);
}

Image crop(const Image& image, const Placement::Area& area) {
  Image out(area.width, area.height);
  for (int y = 0; y < area.height; ++y) {
    std::memcpy(out.at(0, y), image.at(area.left, area.top + y),
                static_cast<std::size_t>(area.width) * 3);
  }
  return out;
}

Placement place(int image_width, int image_height, int width, int height, Fit how) {
  const double fx = static_cast<double>(width) / image_width;
  const double fy = static_cast<double>(height) / image_height;
  Placement placement = {{0, 0, image_width, image_height}, {0, 0, width, height}};
  if (how == Fit::kCrop) {
    const double factor = std::max(fx, fy);
    const int w = scaled(width, 1 / factor, image_width);
    const int h = scaled(height, 1 / factor, image_height);
    placement.source = {(image_width - w) / 2, (image_height - h) / 2, w, h};
  } else if (how != Fit::kStretch) {
    const double factor = std::min(fx, fy);
    const int w = scaled(image_width, factor, width);
    const int h = scaled(image_height, factor, height);
    const bool centred = how == Fit::kLetterbox;
    placement.target = {centred ? (width - w) / 2 : 0, centred ? (height - h) / 2 : 0, w, h};
  }
  return placement;
}

Image fit(const Image& image, int width, int height, Fit how) {
  const auto [source, target] = place(image.width, image.height, width, height, how);
  const bool whole = source.width == image.width && source.height == image.height;
  Image small = resize(whole ? image : crop(image, source), target.width, target.height);
  if (target.width == width && target.height == height) return small;
  constexpr std::uint8_t kGrey = 114;
  Image out(width, height);
  std::fill(out.pixels.begin(), out.pixels.end(), kGrey);
  for (int y = 0; y < small.height; ++y) {
    std::memcpy(out.at(target.left, target.top + y), small.at(0, y),
                static_cast<std::size_t>(small.width) * 3);
  }
  return out;
}

}  // namespace mini_infer::tools
