#include "tests/conv_kernels/conv_reference.h"

#include <mini_infer/tensor.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "kernels/conv/direct.simd.h"

namespace mini_infer::conv_test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Aligned floats.
Tensor floats(std::size_t count, float value) {
  Tensor t(DType::kFloat32, Shape{static_cast<std::int64_t>(count)});
  std::fill_n(t.mutable_data<float>(), count, value);
  return t;
}

Tensor floats(const std::vector<float>& values) {
  Tensor t = floats(values.size(), 0.f);
  std::copy(values.begin(), values.end(), t.mutable_data<float>());
  return t;
}

double activate(const Problem& p, std::int64_t channel, double x) {
  const double alpha = p.activation.alpha, beta = p.activation.beta;
  if (!p.slope.empty()) return x < 0 ? x * p.slope[static_cast<std::size_t>(channel)] : x;
  switch (p.activation.kind) {
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kClip:
      return std::min(std::max(x, alpha), beta);
    case Activation::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case Activation::kHardSwish:
      return x * std::clamp(alpha * x + beta, 0.0, 1.0);
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    default:
      return x;
  }
}

// Elements of one channel.
std::int64_t in_plane(const ConvShape& s) { return s.depth.in * s.ih * s.iw; }
std::int64_t out_plane(const ConvShape& s) { return s.depth.out * s.oh * s.ow; }

// Ends the next output, of channel o.
void append_end(const Problem& p, std::int64_t o, double sum, double magnitude, Reference& out) {
  const double residual = p.residual.empty() ? 0 : p.residual[out.y.size()];
  const bool before = p.residual_place == ConvResidual::kBeforeActivation;
  out.y.push_back(before ? activate(p, o, sum + residual) : activate(p, o, sum) + residual);
  out.magnitude.push_back(magnitude + std::abs(residual));
}

}  // namespace

Problem make_problem(const ConvShape& s, const ProblemOptions& o) {
  std::mt19937 random(o.seed);
  std::normal_distribution<float> normal(0.f, 1.f);
  const auto fill = [&](std::int64_t count, float scale) {
    std::vector<float> v(static_cast<std::size_t>(count));
    for (float& x : v) x = scale * normal(random);
    return v;
  };
  const std::int64_t taps = s.ic / s.groups * s.depth.kernel * s.kh * s.kw;
  Problem p;
  p.shape = s;
  p.x = fill(s.n * s.ic * in_plane(s), 1.f);
  p.w = fill(s.oc * taps, std::sqrt(2.f / static_cast<float>(taps)));
  if (o.with_bias) p.bias = fill(s.oc, 0.5f);
  if (o.residual_place != ConvResidual::kNone) p.residual = fill(s.n * s.oc * out_plane(s), 1.f);
  if (o.with_slope) p.slope = fill(s.oc, 0.25f);
  p.residual_place = o.residual_place;
  p.activation = o.activation;
  return p;
}

// Step by step: a mirror turns the way round, an edge keeps it from going on.
static std::int64_t through_border(Border border, std::int64_t to, std::int64_t extent) {
  if (border == Border::kZero) return to;
  std::int64_t at = 0, way = to < 0 ? -1 : 1;
  for (std::int64_t step = 0; step < std::abs(to); ++step) {
    const bool outside = at + way < 0 || at + way >= extent;
    if (outside && border == Border::kEdge) continue;
    if (outside) way = -way;
    at += way;
  }
  return at;
}

// Adds what one input channel gives the output (oz, oy, ox): x and w are of that channel.
static void add_channel(const ConvShape& s, const float* x, const float* w, std::int64_t oz,
                        std::int64_t oy, std::int64_t ox, double& sum, double& magnitude) {
  for (std::int64_t kz = 0; kz < s.depth.kernel; ++kz) {
    const std::int64_t iz = oz * s.depth.stride - s.depth.pad_front + kz * s.depth.dilation;
    for (std::int64_t tap = 0; tap < s.kh * s.kw; ++tap) {
      const std::int64_t ky = tap / s.kw, kx = tap % s.kw;
      const std::int64_t iy =
          through_border(s.border, oy * s.stride_h - s.pad_top + ky * s.dilation_h, s.ih);
      const std::int64_t ix =
          through_border(s.border, ox * s.stride_w - s.pad_left + kx * s.dilation_w, s.iw);
      if (iz < 0 || iz >= s.depth.in || iy < 0 || iy >= s.ih || ix < 0 || ix >= s.iw) continue;
      const double term = static_cast<double>(x[(iz * s.ih + iy) * s.iw + ix]) *
                          static_cast<double>(w[kz * s.kh * s.kw + tap]);
      sum += term;
      magnitude += std::abs(term);
    }
  }
}

Reference reference_conv(const Problem& p) {
  const ConvShape& s = p.shape;
  const std::int64_t ic = s.ic / s.groups, oc = s.oc / s.groups;
  const std::int64_t taps = s.depth.kernel * s.kh * s.kw;
  Reference out;
  for (std::int64_t row = 0; row < s.n * s.oc; ++row) {
    const std::int64_t n = row / s.oc, o = row % s.oc;
    for (std::int64_t at = 0; at < out_plane(s); ++at) {
      double sum = p.bias.empty() ? 0 : p.bias[static_cast<std::size_t>(o)];
      double magnitude = std::abs(sum);
      for (std::int64_t c = 0; c < ic; ++c) {
        add_channel(s, p.x.data() + (n * s.ic + o / oc * ic + c) * in_plane(s),
                    p.w.data() + (o * ic + c) * taps, at / (s.oh * s.ow), at / s.ow % s.oh,
                    at % s.ow, sum, magnitude);
      }
      append_end(p, o, sum, magnitude, out);
    }
  }
  return out;
}

Reference reference_transposed_conv(const Problem& p) {
  const ConvShape& s = p.shape;
  const std::int64_t ic = s.ic / s.groups, oc = s.oc / s.groups, plane = s.oh * s.ow;
  std::vector<double> sums(static_cast<std::size_t>(s.n * s.oc * plane), 0), magnitudes = sums;
  // Every input element adds to the outputs that its taps reach.
  for (std::int64_t i = 0; i < s.n * s.ic * s.ih * s.iw; ++i) {
    const std::int64_t ix = i % s.iw, iy = i / s.iw % s.ih, c = i / (s.iw * s.ih) % s.ic;
    const std::int64_t image = i / (s.iw * s.ih * s.ic), group = c / ic;
    for (std::int64_t w = 0; w < oc * s.kh * s.kw; ++w) {
      const std::int64_t o = w / (s.kh * s.kw), ky = w / s.kw % s.kh, kx = w % s.kw;
      const std::int64_t oy = iy * s.stride_h + ky * s.dilation_h - s.pad_top;
      const std::int64_t ox = ix * s.stride_w + kx * s.dilation_w - s.pad_left;
      if (oy < 0 || oy >= s.oh || ox < 0 || ox >= s.ow) continue;
      const auto at =
          static_cast<std::size_t>((image * s.oc + group * oc + o) * plane + oy * s.ow + ox);
      const double term =
          static_cast<double>(p.x[static_cast<std::size_t>(i)]) *
          static_cast<double>(p.w[static_cast<std::size_t>(c * oc * s.kh * s.kw + w)]);
      sums[at] += term;
      magnitudes[at] += std::abs(term);
    }
  }
  Reference out;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const std::int64_t o = static_cast<std::int64_t>(i) / plane % s.oc;
    const double bias = p.bias.empty() ? 0 : p.bias[static_cast<std::size_t>(o)];
    append_end(p, o, sums[i] + bias, magnitudes[i] + std::abs(bias), out);
  }
  return out;
}

std::vector<float> to_blocked(const std::vector<float>& x, std::int64_t n, std::int64_t c,
                              std::int64_t hw, int lanes) {
  const std::int64_t blocks = (c + lanes - 1) / lanes;
  std::vector<float> y(static_cast<std::size_t>(n * blocks * hw * lanes), kNan);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t k = 0; k < c; ++k) {
      for (std::int64_t p = 0; p < hw; ++p) {
        y[static_cast<std::size_t>(((i * blocks + k / lanes) * hw + p) * lanes + k % lanes)] =
            x[static_cast<std::size_t>((i * c + k) * hw + p)];
      }
    }
  }
  return y;
}

std::vector<float> from_blocked(const float* x, std::int64_t n, std::int64_t c, std::int64_t hw,
                                int lanes) {
  const std::int64_t blocks = (c + lanes - 1) / lanes;
  std::vector<float> y;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t k = 0; k < c; ++k) {
      for (std::int64_t p = 0; p < hw; ++p)
        y.push_back(x[((i * blocks + k / lanes) * hw + p) * lanes + k % lanes]);
    }
  }
  return y;
}

std::vector<float> run_conv(const ConvAlgorithm& conv, const Problem& p, Isa isa, int threads,
                            InputLayout layout) {
  const ConvShape& s = p.shape;
  const int lanes = isa_lanes(isa);
  const Tensor x =
      floats(layout == InputLayout::kPlain ? p.x : to_blocked(p.x, s.n, s.ic, in_plane(s), lanes));
  Tensor w = floats(conv.packed_floats(), kNan);
  conv.pack(p.w.data(), w.mutable_data<float>(), 2);
  const std::int64_t blocks = (s.oc + lanes - 1) / lanes;
  const std::size_t guard = 16;  // floats that must stay NaN
  const auto size = static_cast<std::size_t>(s.n * blocks * out_plane(s) * lanes);
  Tensor y = floats(size + guard, kNan);
  const Tensor residual =
      floats(p.residual.empty() ? std::vector<float>()
                                : to_blocked(p.residual, s.n, s.oc, out_plane(s), lanes));
  Tensor scratch = floats(conv.scratch_bytes(threads) / sizeof(float) + guard, kNan);
  ConvArgs args;
  args.input = x.data<float>();
  args.weights = w.data<float>();
  args.bias = p.bias.empty() ? nullptr : p.bias.data();
  args.residual = p.residual.empty() ? nullptr : residual.data<float>();
  args.residual_place = p.residual_place;
  if (p.residual_place == ConvResidual::kBeforeActivation && threads > 1) {
    std::copy_n(residual.data<float>(), size, y.mutable_data<float>());
    args.residual = y.data<float>();
  }
  args.activation = p.activation;
  args.slope = p.slope.empty() ? nullptr : p.slope.data();
  args.output = y.mutable_data<float>();
  args.scratch = static_cast<std::byte*>(scratch.mutable_data());
  args.threads = threads;
  conv.run(args);
  std::vector<float> plain = from_blocked(y.data<float>(), s.n, s.oc, out_plane(s), lanes);
  for (std::size_t i = 0; i < guard; ++i) {
    const bool written =
        !std::isnan(y.data<float>()[size + i]) ||
        !std::isnan(scratch.data<float>()[conv.scratch_bytes(threads) / sizeof(float) + i]);
    if (written) plain.clear();  // past its end
  }
  return plain;
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    const Isa isa = static_cast<Isa>(i);
    const auto same = [&](Isa other) {
      return simd::direct_conv_f32.get(isa) == simd::direct_conv_f32.get(other);
    };
    if (isa_supported(isa) && std::none_of(isas.begin(), isas.end(), same)) isas.push_back(isa);
  }
  return isas;
}

}  // namespace mini_infer::conv_test
