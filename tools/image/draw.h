// Drawing on pictures. Everything is clipped to the picture; coordinates that are no numbers draw
// nothing.
#pragma once

#include <span>
#include <string_view>

#include "tools/image/image.h"

namespace mini_infer::tools {

struct Rgb {
  std::uint8_t r = 0, g = 0, b = 0;
  friend bool operator==(const Rgb&, const Rgb&) = default;
};
// In pixels; (0,0) is the top left corner of the top left pixel.
struct Point {
  double x = 0, y = 0;
};

// A bright colour for each index; neighbours differ much.
Rgb palette(std::size_t index);
// Black or white: what can be read on `background`.
Rgb ink_on(Rgb background);
// Thickness of lines and size of letters for a picture of this size: 1 for 320 pixels, 2 for 800.
int drawing_scale(const Image& image);

void fill_rect(Image& image, Point from, Point to, Rgb color);
void draw_line(Image& image, Point from, Point to, double thickness, Rgb color);
void draw_disc(Image& image, Point center, double radius, Rgb color);
// A closed line in `color` with a dark edge on both sides, visible on any background.
void draw_polygon(Image& image, std::span<const Point> corners, double thickness, Rgb color);

// Pixels that `text` takes.
int text_width(std::string_view text, int scale);
int text_height(int scale);
// One line, in black or white on a filled box of `background`. The lower left corner of the box is
// at `at`; it is moved to lie in the picture.
void draw_label(Image& image, Point at, std::string_view text, int scale, Rgb background);

// Mixes `color` into one pixel: 0 leaves it, 1 replaces it.
void blend_pixel(Image& image, int x, int y, Rgb color, double opacity);

}  // namespace mini_infer::tools
