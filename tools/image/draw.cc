#include "tools/image/draw.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "tools/image/font.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

constexpr Rgb kEdge = {20, 20, 20};

// The whole number at or above `value` within 0 .. limit.
int clipped(double value, int limit) {
  return static_cast<int>(std::clamp(std::ceil(value), 0.0, static_cast<double>(limit)));
}

void set_pixel(Image& image, int x, int y, Rgb color) {
  std::uint8_t* pixel = image.at(x, y);
  pixel[0] = color.r;
  pixel[1] = color.g;
  pixel[2] = color.b;
}

// Colours every pixel of the box from..to whose centre passes `inside`.
template <class Inside>
void paint(Image& image, Point from, Point to, Rgb color, const Inside& inside) {
  if (!(std::isfinite(from.x + from.y + to.x + to.y))) return;
  const int right = clipped(to.x - 0.5, image.width), bottom = clipped(to.y - 0.5, image.height);
  for (int y = clipped(from.y - 0.5, image.height); y < bottom; ++y) {
    for (int x = clipped(from.x - 0.5, image.width); x < right; ++x) {
      if (inside(x + 0.5, y + 0.5)) set_pixel(image, x, y, color);
    }
  }
}

// Liang and Barsky: false when the line misses the box that is `margin` larger than the picture;
// otherwise its ends are moved onto that box, which bounds the work for ends far outside.
bool clip_line(const Image& image, double margin, Point& from, Point& to) {
  const Point d = {to.x - from.x, to.y - from.y};
  double enter = 0, leave = 1;
  const auto side = [&](double step, double room) {  // where from + t * d crosses one side
    if (step == 0) return room >= 0;
    if (step < 0) {
      enter = std::max(enter, room / step);
    } else {
      leave = std::min(leave, room / step);
    }
    return true;
  };
  const bool meets = side(-d.x, from.x + margin) && side(d.x, image.width + margin - from.x) &&
                     side(-d.y, from.y + margin) && side(d.y, image.height + margin - from.y);
  if (!meets || enter > leave) return false;
  const Point start = from;
  from = {start.x + enter * d.x, start.y + enter * d.y};
  to = {start.x + leave * d.x, start.y + leave * d.y};
  return true;
}

}  // namespace

Rgb palette(std::size_t index) {
  // Hues a golden section apart; every other one a little darker.
  const double hue = std::fmod(static_cast<double>(index % 4096) * 0.6180339887 + 0.33, 1.0) * 6;
  const double value = index % 2 == 0 ? 255 : 225;
  const auto channel = [&](double shift) {
    const double k = std::fmod(shift + hue, 6.0);
    constexpr double kSaturation = 0.85;
    const double share = 1 - kSaturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    return static_cast<std::uint8_t>(std::lround(value * share));
  };
  return {channel(5), channel(3), channel(1)};
}

Rgb ink_on(Rgb background) {
  const double luma = 0.299 * background.r + 0.587 * background.g + 0.114 * background.b;
  return luma > 128 ? Rgb{0, 0, 0} : Rgb{255, 255, 255};
}

int drawing_scale(const Image& image) {
  constexpr double kPixelsPerStep = 400;
  return std::max(
      1, static_cast<int>(std::lround(std::sqrt(static_cast<double>(image.width) * image.height) /
                                      kPixelsPerStep)));
}

void fill_rect(Image& image, Point from, Point to, Rgb color) {
  paint(image, from, to, color, [](double, double) { return true; });
}

void draw_disc(Image& image, Point center, double radius, Rgb color) {
  paint(image, {center.x - radius, center.y - radius}, {center.x + radius, center.y + radius},
        color,
        [&](double x, double y) { return std::hypot(x - center.x, y - center.y) <= radius; });
}

void draw_line(Image& image, Point from, Point to, double thickness, Rgb color) {
  if (!(std::isfinite(from.x + from.y + to.x + to.y))) return;
  const double half = thickness / 2;
  if (!clip_line(image, half + 1, from, to)) return;
  // Dots of the line's thickness, a pixel apart: a square each, so that corners are sharp.
  const double length = std::max(std::abs(to.x - from.x), std::abs(to.y - from.y));
  const int steps = static_cast<int>(std::ceil(length));
  for (int i = 0; i <= steps; ++i) {
    const double t = steps == 0 ? 0 : static_cast<double>(i) / steps;
    const Point at = {from.x + t * (to.x - from.x), from.y + t * (to.y - from.y)};
    fill_rect(image, {at.x - half, at.y - half}, {at.x + half, at.y + half}, color);
  }
}

void draw_polygon(Image& image, std::span<const Point> corners, double thickness, Rgb color) {
  for (const bool edge : {true, false}) {
    for (std::size_t i = 0; i < corners.size(); ++i) {
      draw_line(image, corners[i], corners[(i + 1) % corners.size()],
                edge ? thickness + 2 : thickness, edge ? kEdge : color);
    }
  }
}

int text_width(std::string_view text, int scale) {
  return static_cast<int>(from_utf8(text).size()) * (kGlyphWidth + 1) * scale;
}

int text_height(int scale) { return kGlyphHeight * scale; }

void draw_label(Image& image, Point at, std::string_view text, int scale, Rgb background) {
  if (!std::isfinite(at.x + at.y)) return;
  const int pad = 2 * scale;
  const int width = text_width(text, scale) + 2 * pad - scale;
  const int height = text_height(scale) + pad + scale;
  const int left =
      std::max(0, std::min(static_cast<int>(std::clamp(at.x, 0.0, 1e9)), image.width - width));
  const int top = std::max(
      0, std::min(static_cast<int>(std::clamp(at.y, 0.0, 1e9)) - height, image.height - height));
  fill_rect(image, {left + 0.0, top + 0.0}, {left + width + 0.0, top + height + 0.0}, background);
  const Rgb ink = ink_on(background);
  int x = left + pad;
  for (const char32_t character : from_utf8(text)) {
    for (int row = 0; row < kGlyphHeight; ++row) {
      for (int column = 0; column < kGlyphWidth; ++column) {
        if (!glyph_pixel(character, column, row)) continue;
        const Point corner = {x + static_cast<double>(column * scale),
                              top + pad + static_cast<double>(row * scale)};
        fill_rect(image, corner, {corner.x + scale, corner.y + scale}, ink);
      }
    }
    x += (kGlyphWidth + 1) * scale;
  }
}

void blend_pixel(Image& image, int x, int y, Rgb color, double opacity) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return;
  const std::uint8_t mix[3] = {color.r, color.g, color.b};
  std::uint8_t* pixel = image.at(x, y);
  for (int c = 0; c < 3; ++c) {
    pixel[c] = static_cast<std::uint8_t>(
        std::lround(pixel[c] + opacity * (static_cast<double>(mix[c]) - pixel[c])));
  }
}

}  // namespace mini_infer::tools
