#include "kernels/resize/taps.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace mini_infer {
namespace {

template <class E>
using Names = std::map<std::string, E, std::less<>>;

template <class E>
Result<E> named(const Names<E>& names, const std::string& name, std::string_view attribute) {
  const auto found = names.find(name);
  if (found != names.end()) return found->second;
  return not_implemented(attribute, " '", name, "'");
}

// Input coordinate of output index `o`. In float, as exporters and other runtimes reckon it: what
// is rounded to an index must round alike.
float coordinate(const ResizeRule& rule, const ResizeAxis& axis, float o) {
  const auto in = static_cast<float>(axis.in), out = static_cast<float>(axis.out);
  // The output extent before it was rounded down to a number of elements.
  const float length = axis.scale * in;
  switch (rule.coordinates) {
    case Coordinates::kHalfPixel:
      return (o + 0.5f) / axis.scale - 0.5f;
    case Coordinates::kHalfPixelSymmetric:
      return in / 2 * (1 - out / length) + (o + 0.5f) / axis.scale - 0.5f;
    case Coordinates::kPytorchHalfPixel:
      return axis.out > 1 ? (o + 0.5f) / axis.scale - 0.5f : 0.f;
    case Coordinates::kAlignCorners:
      return axis.out == 1 || length == 1 ? 0.f : o * (in - 1) / (length - 1);
    case Coordinates::kAsymmetric:
      return o / axis.scale;
    case Coordinates::kTfHalfPixelForNn:
      return (o + 0.5f) / axis.scale;
    case Coordinates::kTfCropAndResize:
      if (axis.out == 1) return 0.5f * (axis.roi_start + axis.roi_end) * (in - 1);
      return axis.roi_start * (in - 1) + o * (axis.roi_end - axis.roi_start) * (in - 1) / (out - 1);
  }
  return o;
}

float nearest_index(const ResizeRule& rule, const ResizeAxis& axis, float x) {
  switch (rule.nearest) {
    case NearestMode::kRoundPreferFloor:
      return std::ceil(x - 0.5f);
    case NearestMode::kRoundPreferCeil:
      return std::floor(x + 0.5f);
    case NearestMode::kFloor:
      return std::floor(x);
    case NearestMode::kCeil:
      return std::ceil(x);
    case NearestMode::kFloorOrCeil:
      return axis.scale < 1 ? std::ceil(x) : std::floor(x);
  }
  return x;
}

// Keys' cubic kernel.
double cubic(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

// The window of a filter: taps base + first, ..., base + first + count - 1, where the coordinate is
// base + ratio with 0 < ratio <= 1, and `scale` < 1 widens the filter for antialiasing.
struct Window {
  double scale = 1;
  std::int64_t first = 0;
  int count = 1;
};
Window window_of(const ResizeRule& rule, const ResizeAxis& axis) {
  Window w;
  if (rule.antialias) w.scale = std::min(1.0, static_cast<double>(axis.scale));
  const double support = rule.mode == ResizeMode::kCubic ? 2 : 1;
  w.first = static_cast<std::int64_t>(std::floor(-support / w.scale)) + 1;
  w.count = static_cast<int>(2 - 2 * w.first);
  return w;
}

double filter(const ResizeRule& rule, double x) {
  if (rule.mode == ResizeMode::kCubic) return cubic(x, static_cast<double>(rule.cubic_a));
  return std::max(0.0, 1 - std::abs(x));
}

void set_nearest(Taps& taps, const ResizeRule& rule, const ResizeAxis& axis, std::int64_t o,
                 float x) {
  const float last = static_cast<float>(axis.in - 1);
  const float index = std::clamp(nearest_index(rule, axis, x), 0.f, last);
  taps.index[static_cast<std::size_t>(o)] = static_cast<std::int32_t>(index);
  taps.weight[static_cast<std::size_t>(o)] = 1.f;
}

void set_filter(Taps& taps, const ResizeRule& rule, const ResizeAxis& axis, const Window& window,
                std::int64_t o, float x) {
  const double base = std::ceil(static_cast<double>(x)) - 1;
  const double ratio = static_cast<double>(x) - base;
  const auto tap = [&](int t) {
    const std::int64_t i = static_cast<std::int64_t>(base) + window.first + t;
    const bool left_out = rule.exclude_outside && (i < 0 || i >= axis.in);
    const double distance = static_cast<double>(window.first + t) - ratio;
    return left_out ? 0 : filter(rule, distance * window.scale);
  };
  double sum = 0;
  for (int t = 0; t < window.count; ++t) sum += tap(t);
  for (int t = 0; t < window.count; ++t) {
    const std::int64_t i = static_cast<std::int64_t>(base) + window.first + t;
    const auto at = static_cast<std::size_t>(t * taps.out + o);
    taps.index[at] = static_cast<std::int32_t>(std::clamp<std::int64_t>(i, 0, axis.in - 1));
    taps.weight[at] = static_cast<float>(sum != 0 ? tap(t) / sum : 0);
  }
}

}  // namespace

Result<ResizeRule> resize_rule(const AttributeReader& c) {
  static const Names<ResizeMode> modes = {{"nearest", ResizeMode::kNearest},
                                          {"linear", ResizeMode::kLinear},
                                          {"bilinear", ResizeMode::kLinear},
                                          {"cubic", ResizeMode::kCubic}};
  static const Names<Coordinates> coordinates = {
      {"half_pixel", Coordinates::kHalfPixel},
      {"half_pixel_symmetric", Coordinates::kHalfPixelSymmetric},
      {"pytorch_half_pixel", Coordinates::kPytorchHalfPixel},
      {"align_corners", Coordinates::kAlignCorners},
      {"asymmetric", Coordinates::kAsymmetric},
      {"tf_half_pixel_for_nn", Coordinates::kTfHalfPixelForNn},
      {"tf_crop_and_resize", Coordinates::kTfCropAndResize}};
  static const Names<NearestMode> nearest = {{"round_prefer_floor", NearestMode::kRoundPreferFloor},
                                             {"round_prefer_ceil", NearestMode::kRoundPreferCeil},
                                             {"floor", NearestMode::kFloor},
                                             {"ceil", NearestMode::kCeil}};
  ResizeRule rule;
  MINI_TRY_ASSIGN(rule.mode, named(modes, c.string("mode", "nearest"), "mode"));
  if (c.node().op_type == "Upsample") return rule;
  if (c.node().opset < 11) {
    rule.nearest = NearestMode::kFloorOrCeil;
    return rule;
  }
  MINI_TRY_ASSIGN(rule.coordinates,
                  named(coordinates, c.string("coordinate_transformation_mode", "half_pixel"),
                        "coordinate_transformation_mode"));
  MINI_TRY_ASSIGN(rule.nearest,
                  named(nearest, c.string("nearest_mode", "round_prefer_floor"), "nearest_mode"));
  rule.cubic_a = c.number("cubic_coeff_a", -0.75f);
  rule.exclude_outside = c.integer("exclude_outside", 0) != 0;
  rule.antialias = c.integer("antialias", 0) != 0 && rule.mode != ResizeMode::kNearest;
  rule.extrapolation = c.number("extrapolation_value", 0.f);
  return rule;
}

Result<Taps> make_taps(const ResizeRule& rule, const ResizeAxis& axis) {
  constexpr double kMostTaps = 1e8;
  const bool is_nearest = rule.mode == ResizeMode::kNearest;
  const Window window = is_nearest ? Window{} : window_of(rule, axis);
  if (axis.in < 1 || axis.in > INT32_MAX ||
      static_cast<double>(window.count) * static_cast<double>(axis.out) > kMostTaps) {
    return invalid_model("an axis of extent ", axis.in, " cannot be resized to ", axis.out);
  }
  Taps taps{.out = axis.out, .count = window.count};
  const auto entries = static_cast<std::size_t>(axis.out * window.count);
  taps.index.resize(entries);
  taps.weight.resize(entries);
  for (std::int64_t o = 0; o < axis.out; ++o) {
    const float x = coordinate(rule, axis, static_cast<float>(o));
    if (!(std::abs(x) < 1e9f)) {
      return invalid_model("output index ", o, " lies at the input coordinate ", x);
    }
    if (rule.coordinates == Coordinates::kTfCropAndResize &&
        (x < 0 || x > static_cast<float>(axis.in - 1))) {
      taps.outside.resize(static_cast<std::size_t>(axis.out), 0);
      taps.outside[static_cast<std::size_t>(o)] = 1;
    }
    if (is_nearest) {
      set_nearest(taps, rule, axis, o, x);
    } else {
      set_filter(taps, rule, axis, window, o, x);
    }
  }
  return taps;
}

}  // namespace mini_infer
