// From a picture to the tensor that a model wants.
#pragma once

#include <mini_infer/session.h>

#include <optional>
#include <string>
#include <vector>

#include "tools/image/resize.h"

namespace mini_infer::tools {

enum class Color { kRgb, kBgr, kGray };
enum class Layout { kNchw, kNhwc };

// What the command line says about pictures; empty fields are filled in by the preset, the model's
// input and the defaults.
struct PixelOptions {
  std::string preset;
  std::vector<double> scale, mean, std;  // one value, or one for each channel in the model's order
  std::optional<Color> color;
  std::optional<Layout> layout;
  std::optional<Fit> fit;
  // For inputs that leave width and height open: the side of a square; 0 for the picture's own
  // sides, of which the longer one is at most `most_side` (0: any).
  int open_side = 0;
  int most_side = 0;
};

// x[c] = (pixel[c] * scale[c] - mean[c]) / std[c]
struct Normalization {
  std::vector<double> scale, mean, std;  // channels values each
};

// One input as a picture: everything known.
struct PictureInput {
  std::string name;
  DType dtype = DType::kFloat32;
  Layout layout = Layout::kNchw;
  Color color = Color::kRgb;
  Fit fit = Fit::kStretch;
  int channels = 3;
  int width = 0;
  int height = 0;
  bool batched = true;  // rank 4 with a leading 1, or rank 3
  Normalization normalization;

  Shape shape() const;
};

// The names that --preset takes.
std::vector<std::string> preset_names();

// True when `input` can take a picture: rank 3 or 4, 1 or 3 channels, a type of numbers that pixels
// fit in.
bool takes_pictures(const ValueInfo& input, const std::optional<Layout>& layout);

// Decides how `image` becomes `input`. `shape` overrides the declared one where --shape gave it.
// Where width and height are open and `options` name no size, the picture's own are taken, rounded
// down to multiples of 32 that most networks need.
Result<PictureInput> plan_picture(const ValueInfo& input, const std::optional<Shape>& shape,
                                  const PixelOptions& options, const Image& image);
// What the user left open is filled in by what a family of networks is known to expect. Whoever
// says anything about numbers (--preset, --scale, --mean, --std) says all about them.
PixelOptions with_defaults(PixelOptions user, const PixelOptions& family);
// How `image` lies in the input's picture.
Placement placement_of(const PictureInput& input, const Image& image);
Result<Tensor> make_tensor(const Image& image, const PictureInput& input);

}  // namespace mini_infer::tools
