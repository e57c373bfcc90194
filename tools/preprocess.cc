#include "tools/preprocess.h"

#include <algorithm>
#include <numeric>

#include "tools/common.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

struct Preset {
  const char* name;
  double scale;
  std::vector<double> mean, std;  // for R, G, B
  Color color;
};

const std::vector<Preset>& presets() {
  constexpr double kByte = 1.0 / 255;
  static const std::vector<Preset> all = {
      {"imagenet", kByte, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, Color::kRgb},
      {"caffe", 1, {123, 117, 104}, {1, 1, 1}, Color::kBgr},
      {"raw", 1, {0, 0, 0}, {1, 1, 1}, Color::kRgb},
      {"pm1", kByte, {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}, Color::kRgb},
      {"unit", kByte, {0, 0, 0}, {1, 1, 1}, Color::kRgb},
  };
  return all;
}

Result<Preset> find_preset(const std::string& name) {
  for (const Preset& preset : presets()) {
    if (preset.name == name) return preset;
  }
  std::string known;
  for (const Preset& preset : presets())
    known += std::string(known.empty() ? "" : ", ") + preset.name;
  return Status(Code::kInvalidArgument,
                format("unknown preset '%s'; there are %s", name.c_str(), known.c_str()));
}

// Values for R, G, B in the order of the model's channels.
std::vector<double> for_color(std::vector<double> rgb, Color color, std::size_t channels) {
  if (color == Color::kGray || channels == 1) {
    return std::vector<double>(channels, std::accumulate(rgb.begin(), rgb.end(), 0.0) / 3);
  }
  if (color == Color::kBgr) std::reverse(rgb.begin(), rgb.end());
  return rgb;
}

Status override_with(const std::vector<double>& given, const char* option,
                     std::vector<double>& values) {
  if (given.empty()) return ok();
  if (given.size() != 1 && given.size() != values.size()) {
    return {Code::kInvalidArgument,
            format("%s has %zu values; the model's picture has %zu channels, so give 1 or %zu",
                   option, given.size(), values.size(), values.size())};
  }
  for (std::size_t c = 0; c < values.size(); ++c) values[c] = given[given.size() == 1 ? 0 : c];
  return ok();
}

bool is_picture_type(DType dtype) {
  return is_float(dtype) || dtype == DType::kUInt8 || dtype == DType::kInt8 ||
         dtype == DType::kInt32 || dtype == DType::kUInt16;
}

// Where the axes of a picture are in a shape of this rank.
struct Axes {
  std::size_t channel, height, width;
};
Axes axes_of(Layout layout, std::size_t rank) {
  const std::size_t first = rank - 3;  // 1 behind a batch, else 0
  return layout == Layout::kNchw ? Axes{first, first + 1, first + 2}
                                 : Axes{first + 2, first, first + 1};
}

std::vector<std::int64_t> extents(const ValueInfo& input, const std::optional<Shape>& shape) {
  if (shape) return shape->dims();
  std::vector<std::int64_t> dims;
  if (input.dims) {
    for (const DimInfo& dim : *input.dims) dims.push_back(dim.value);
  }
  return dims;
}

bool channels_fit(std::int64_t extent) { return extent == 1 || extent == 3; }

std::optional<Layout> find_layout(const std::vector<std::int64_t>& dims) {
  if (dims.size() != 3 && dims.size() != 4) return {};
  if (channels_fit(dims[dims.size() - 3])) return Layout::kNchw;
  if (channels_fit(dims.back())) return Layout::kNhwc;
  if (dims[dims.size() - 3] < 0) return Layout::kNchw;
  return {};
}

struct Size {
  std::int64_t width, height;
};
// For an input that leaves both open.
Size open_size(const PixelOptions& options, const Image& image) {
  if (options.open_side > 0) return {options.open_side, options.open_side};
  const int longer = std::max(image.width, image.height);
  const bool shrink = options.most_side > 0 && longer > options.most_side;
  const double factor = shrink ? static_cast<double>(options.most_side) / longer : 1;
  const auto extent = [&](int own) -> std::int64_t {
    const int side = std::max(1, static_cast<int>(own * factor));
    return side < 32 ? side : side / 32 * 32;
  };
  return {extent(image.width), extent(image.height)};
}

Status set_normalization(const PixelOptions& options, PictureInput& picture) {
  const bool integers = !is_float(picture.dtype);
  const std::string name = !options.preset.empty() ? options.preset : integers ? "raw" : "unit";
  MINI_TRY_ASSIGN(const Preset preset, find_preset(name));
  const auto channels = static_cast<std::size_t>(picture.channels);
  picture.color = options.color.value_or(channels == 1 ? Color::kGray : preset.color);
  if (channels == 1 && picture.color != Color::kGray) {
    return {Code::kInvalidArgument,
            format("input '%s' has one channel; it takes --color gray only", picture.name.c_str())};
  }
  Normalization& n = picture.normalization;
  n.scale.assign(channels, preset.scale);
  n.mean = for_color(preset.mean, picture.color, channels);
  n.std = for_color(preset.std, picture.color, channels);
  MINI_TRY(override_with(options.scale, "--scale", n.scale));
  MINI_TRY(override_with(options.mean, "--mean", n.mean));
  MINI_TRY(override_with(options.std, "--std", n.std));
  if (std::find(n.std.begin(), n.std.end(), 0.0) != n.std.end()) {
    return {Code::kInvalidArgument, "--std is 0; pixels are divided by it"};
  }
  return ok();
}

// The color of one pixel in the model's channel order.
void pick(const std::uint8_t* rgb, Color color, int channels, double* out) {
  for (int c = 0; c < channels; ++c) {
    switch (color) {
      case Color::kRgb:
        out[c] = rgb[c];
        break;
      case Color::kBgr:
        out[c] = rgb[2 - c];
        break;
      case Color::kGray:  // ITU-R BT.601 luma, as Pillow and OpenCV round it
        out[c] = (rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16;
        break;
    }
  }
}

}  // namespace

Shape PictureInput::shape() const {
  Shape shape;
  if (batched) shape.push_back(1);
  if (layout == Layout::kNchw) shape.push_back(channels);
  shape.push_back(height);
  shape.push_back(width);
  if (layout == Layout::kNhwc) shape.push_back(channels);
  return shape;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.emplace_back(preset.name);
  return names;
}

bool takes_pictures(const ValueInfo& input, const std::optional<Layout>& layout) {
  if (!is_picture_type(input.dtype)) return false;
  const std::vector<std::int64_t> dims = extents(input, {});
  if (dims.size() != 3 && dims.size() != 4) return false;
  if (!layout) return find_layout(dims).has_value();
  const std::int64_t channels = dims[axes_of(*layout, dims.size()).channel];
  return channels < 0 || channels_fit(channels);
}

Result<PictureInput> plan_picture(const ValueInfo& input, const std::optional<Shape>& shape,
                                  const PixelOptions& options, const Image& image) {
  PictureInput picture{
      .name = input.name, .dtype = input.dtype, .fit = options.fit.value_or(Fit::kStretch)};
  const std::vector<std::int64_t> dims = extents(input, shape);
  const std::optional<Layout> layout = options.layout ? options.layout : find_layout(dims);
  if (!is_picture_type(input.dtype) || (dims.size() != 3 && dims.size() != 4) || !layout) {
    return Status(
        Code::kInvalidArgument,
        format("input '%s' is %s %s, which is no picture of 1 or 3 channels; pass its data with "
               "--input %s=FILE",
               input.name.c_str(), std::string(dtype_name(input.dtype)).c_str(),
               shape ? shape->str().c_str() : input.shape_str().c_str(), input.name.c_str()));
  }
  picture.layout = *layout;
  picture.batched = dims.size() == 4;
  const Axes axes = axes_of(picture.layout, dims.size());
  const std::int64_t channels = dims[axes.channel];
  if (channels >= 0 && !channels_fit(channels)) {
    return Status(Code::kInvalidArgument,
                  format("input '%s' has %lld channels in this layout; a picture has 1 or 3",
                         input.name.c_str(), static_cast<long long>(channels)));
  }
  if (picture.batched && dims[0] > 1) {
    return Status(Code::kInvalidArgument,
                  format("input '%s' takes %lld pictures at once; pass them as one .npy file with "
                         "--input %s=FILE",
                         input.name.c_str(), static_cast<long long>(dims[0]), input.name.c_str()));
  }
  const Size open = open_size(options, image);
  const std::int64_t width = dims[axes.width] < 0 ? open.width : dims[axes.width];
  const std::int64_t height = dims[axes.height] < 0 ? open.height : dims[axes.height];
  MINI_TRY(check_image_size(width, height).at("input '" + input.name + "'"));
  const bool gray = options.color == Color::kGray;
  picture.channels = static_cast<int>(channels > 0 ? channels : gray ? 1 : 3);
  picture.width = static_cast<int>(width);
  picture.height = static_cast<int>(height);
  MINI_TRY(set_normalization(options, picture));
  return picture;
}

PixelOptions with_defaults(PixelOptions user, const PixelOptions& family) {
  const bool says_numbers =
      !user.preset.empty() || !user.scale.empty() || !user.mean.empty() || !user.std.empty();
  if (!says_numbers) {
    user.preset = family.preset;
    user.scale = family.scale;
    user.mean = family.mean;
    user.std = family.std;
  }
  // A preset of the user's brings its own order of colours.
  if (!user.color && (!says_numbers || user.preset.empty())) user.color = family.color;
  if (!user.layout) user.layout = family.layout;
  if (!user.fit) user.fit = family.fit;
  user.open_side = family.open_side;
  user.most_side = family.most_side;
  return user;
}

Placement placement_of(const PictureInput& input, const Image& image) {
  return place(image.width, image.height, input.width, input.height, input.fit);
}

Result<Tensor> make_tensor(const Image& image, const PictureInput& input) {
  const Image sized = fit(image, input.width, input.height, input.fit);
  const auto pixels =
      static_cast<std::size_t>(input.width) * static_cast<std::size_t>(input.height);
  const auto channels = static_cast<std::size_t>(input.channels);
  const Normalization& n = input.normalization;
  const bool planes = input.layout == Layout::kNchw;
  std::vector<double> values(pixels * channels);
  for (std::size_t i = 0; i < pixels; ++i) {
    double color[3];
    pick(sized.pixels.data() + i * 3, input.color, input.channels, color);
    for (std::size_t c = 0; c < channels; ++c) {
      values[planes ? c * pixels + i : i * channels + c] =
          (color[c] * n.scale[c] - n.mean[c]) / n.std[c];
    }
  }
  MINI_TRY_ASSIGN(Tensor tensor, Tensor::allocate(input.dtype, input.shape()));
  MINI_TRY(set_all(tensor, values));
  return tensor;
}

}  // namespace mini_infer::tools
