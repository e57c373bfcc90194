// Pictures out of pictures: style transfer, light, super resolution; and depth, shown as grey.
#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/tasks/boxes.h"
#include "tools/tasks/dense.h"
#include "tools/tasks/families.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

// A number of the output as a pixel's: what turned pixels into the input's numbers, backwards.
double to_pixel(double value, const Normalization& n, std::size_t c) {
  const double pixel = (value * n.std[c] + n.mean[c]) / n.scale[c];
  return std::isfinite(pixel) ? pixel : 0;
}

Image picture_from(const std::vector<double>& values, const Planes& planes,
                   const PictureInput& input) {
  Image image(planes.width, planes.height);
  const auto channels = static_cast<std::size_t>(planes.channels);
  const std::size_t pixels = image.pixels.size() / 3;
  for (std::size_t i = 0; i < pixels; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const std::size_t from = channels == 1 ? 0 : input.color == Color::kBgr ? 2 - c : c;
      const double value = values[planes.channels_last ? i * channels + from : from * pixels + i];
      const std::size_t as = std::min(from, input.normalization.scale.size() - 1);
      image.pixels[i * 3 + c] = to_byte(to_pixel(value, input.normalization, as));
    }
  }
  return image;
}

// The luma of `bright` with the colours of `colored`, both of one size: their difference in luma is
// added to all three channels, which leaves chroma (ITU-R BT.601) as it is.
void set_luma(Image& colored, const Image& bright) {
  const auto luma = [](const std::uint8_t* p) {
    return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
  };
  for (std::size_t i = 0; i < colored.pixels.size(); i += 3) {
    const double more = luma(&bright.pixels[i]) - luma(&colored.pixels[i]);
    for (std::size_t c = 0; c < 3; ++c)
      colored.pixels[i + c] = to_byte(colored.pixels[i + c] + more);
  }
}

// The part that shows the picture, with its proportions: the longer side stays as the network made
// it.
Image in_proportion(const Image& made, const Decoding& decoding) {
  const auto& [source, target] = decoding.placement;
  const double fx = static_cast<double>(made.width) / decoding.input.width;
  const double fy = static_cast<double>(made.height) / decoding.input.height;
  Placement::Area area{static_cast<int>(target.left * fx), static_cast<int>(target.top * fy),
                       std::max(1, static_cast<int>(target.width * fx)),
                       std::max(1, static_cast<int>(target.height * fy))};
  const double longer = std::max(area.width, area.height);
  const double factor = longer / std::max(source.width, source.height);
  const int width = std::max(1, static_cast<int>(std::lround(source.width * factor)));
  const int height = std::max(1, static_cast<int>(std::lround(source.height * factor)));
  return resize(crop(made, area), width, height);
}

Result<Planes> planes_in(const std::vector<Tensor>& outputs, const Decoding& decoding) {
  const auto planes =
      planes_of(extents_of(outputs[0]), decoding.input.width, decoding.input.height);
  const bool fits = planes && (planes->channels == 1 || planes->channels == 3) &&
                    std::int64_t{planes->width} * planes->height <= kMaxImagePixels;
  if (fits) return *planes;
  return Status(Code::kInvalidModel, "an output has shape " + outputs[0].shape().str() +
                                         "; a picture of 1 or 3 channels was expected");
}

Result<Findings> decode_picture(const std::vector<Tensor>& outputs, const Decoding& decoding) {
  MINI_TRY_ASSIGN(const Planes planes, planes_in(outputs, decoding));
  const Image made = picture_from(as_doubles(outputs[0]), planes, decoding.input);
  Findings findings{.picture = in_proportion(made, decoding)};
  if (planes.channels == 1 && decoding.input.channels == 1) {
    const Placement::Area& source = decoding.placement.source;
    Image colored =
        resize(crop(decoding.image, source), findings.picture->width, findings.picture->height);
    set_luma(colored, *findings.picture);
    findings.picture = std::move(colored);
  }
  return findings;
}

// Near is bright where the network gives inverse depth, as MiDaS and its followers do.
Result<Findings> decode_depth(const std::vector<Tensor>& outputs, const Decoding& decoding) {
  MINI_TRY_ASSIGN(const Field field, single_field(outputs[0]));
  double low = INFINITY, high = -INFINITY;
  for (const double value : field.values) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  Image made(field.width, field.height);
  const double scale = high > low ? 255 / (high - low) : 0;
  for (std::size_t i = 0; i < field.values.size(); ++i) {
    const double value = std::isfinite(field.values[i]) ? (field.values[i] - low) * scale : 0;
    std::fill_n(&made.pixels[i * 3], 3, to_byte(value));
  }
  const Image part = in_proportion(made, decoding);
  return Findings{.picture = resize(part, decoding.image.width, decoding.image.height)};
}

bool says(const Network& network, const std::string& word) {
  return network.outputs[0].name.find(word) != std::string::npos;
}

// Style transfer, told by the normalisation that it lives from, is trained on pixels of 0 to 255,
// everything else on 0 to 1.
bool is_style_transfer(const Network& network) {
  const auto& counts = network.model.op_counts;
  return counts.contains("InstanceNormalization") || counts.contains("GroupNormalization");
}

}  // namespace

std::optional<Head> recognise_picture(const Network& network) {
  if (network.outputs.size() != 1) return {};
  const auto planes = planes_of(network.outputs[0], network);
  const bool asked = network.named || network.asked == Task::kImage;
  if (!planes || planes->width < network.width) return {};
  // One channel out of three is a mask, a depth, text, ...: only who asks gets a picture.
  const bool sure = planes->channels == network.channels;
  const bool possible = asked && (planes->channels == 1 || planes->channels == 3);
  if (!(sure || possible) || says(network, "depth")) return {};
  Head head{.task = Task::kImage};
  const double scale = network.channels == 3 && is_style_transfer(network) ? 1 : 1.0 / 255;
  head.pixels = {
      .scale = {scale}, .mean = {0}, .std = {1}, .fit = Fit::kStretch, .most_side = 1024};
  head.decode = decode_picture;
  return head;
}

std::optional<Head> recognise_depth(const Network& network) {
  if (network.channels != 3 || !is_single_map(network)) return {};
  if (!(network.named || network.asked == Task::kDepth || says(network, "depth"))) return {};
  Head head{.task = Task::kDepth, .pixels = {.preset = "imagenet", .fit = Fit::kStretch}};
  head.pixels.open_side = 518;
  head.decode = decode_depth;
  return head;
}

}  // namespace mini_infer::tools
