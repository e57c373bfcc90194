// How one axis is resampled: for each output index, which input indices with which weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/op.h"

namespace mini_infer {

enum class ResizeMode { kNearest, kLinear, kCubic };
enum class Coordinates {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfHalfPixelForNn,
  kTfCropAndResize,
};
enum class NearestMode {
  kRoundPreferFloor,
  kRoundPreferCeil,
  kFloor,
  kCeil,
  kFloorOrCeil,  // of opset 10: ceil where the axis shrinks, else floor
};

// What the axes of one node have in common.
struct ResizeRule {
  ResizeMode mode = ResizeMode::kNearest;
  Coordinates coordinates = Coordinates::kAsymmetric;
  NearestMode nearest = NearestMode::kFloor;
  float cubic_a = -0.75f;
  bool exclude_outside = false;
  bool antialias = false;
  float extrapolation = 0.f;
};
Result<ResizeRule> resize_rule(const AttributeReader& c);

// One axis of a problem.
struct ResizeAxis {
  std::int64_t in = 1, out = 1;
  float scale = 1.f;
  float roi_start = 0.f, roi_end = 1.f;  // for tf_crop_and_resize
  bool crops = false;                    // the region of interest is not the whole axis

  bool identity() const { return in == out && scale == 1.f && !crops; }
};

// y[o] = sum over t < count of weight[t * out + o] * x[index[t * out + o]].
struct Taps {
  std::int64_t out = 0;
  int count = 0;
  std::vector<std::int32_t> index;
  std::vector<float> weight;
  // Where the coordinate lies outside and the output is the extrapolation value; empty when none
  // does.
  std::vector<std::uint8_t> outside;
};
Result<Taps> make_taps(const ResizeRule& rule, const ResizeAxis& axis);

}  // namespace mini_infer
