// A stem of stride 2 by Winograd's F(4, 3), see conv_algorithm.h: its input, halved on both axes,
// has four times the channels, [n][4 ic][ceil(ih / 2)][ceil(iw / 2)] with channel
// 4 c + 2 (row % 2) + column % 2, and a kernel of 5x5 or 6x6 is a 3x3 one of stride 1 there.
#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_cost.h"
#include "kernels/conv/conv_driver.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kMostChannels = 4, kTaps = 3;

// Of the halved input, the rows (or columns) that some output reads, and the padding behind them.
struct Halved {
  std::int64_t extent, pad_begin, pad_end;
  Halved(std::int64_t in, std::int64_t out, std::int64_t pad) : pad_begin(pad / 2) {
    const std::int64_t reach = out - 1 + kTaps - pad_begin;
    extent = std::min(ceil_div(in, 2), reach);
    pad_end = reach - extent;
  }
};

ConvShape halved_shape(const ConvShape& s) {
  const Halved rows(s.ih, s.oh, s.pad_top), columns(s.iw, s.ow, s.pad_left);
  return {.n = s.n,
          .ic = 4 * s.ic,
          .ih = rows.extent,
          .iw = columns.extent,
          .oc = s.oc,
          .oh = s.oh,
          .ow = s.ow,
          .kh = kTaps,
          .kw = kTaps,
          .pad_top = rows.pad_begin,
          .pad_left = columns.pad_begin,
          .pad_bottom = rows.pad_end,
          .pad_right = columns.pad_end};
}

// Scratch: [the halved input, NCHWc][Winograd's]
class StemWinograd final : public ConvAlgorithm {
 public:
  StemWinograd(const ConvShape& shape, Isa isa)
      : s_(shape),
        halved_(halved_shape(shape)),
        lanes_(isa_lanes(isa)),
        conv_(make_winograd4_conv(halved_, isa)) {}

  const char* name() const noexcept override { return "conv/stem_winograd"; }
  std::size_t packed_floats() const noexcept override { return conv_->packed_floats(); }
  std::size_t scratch_bytes(int threads) const noexcept override {
    return map_bytes() + conv_->scratch_bytes(threads);
  }
  ConvSplit split(int threads) const noexcept override { return conv_->split(threads); }

  void pack(const float* w, float* packed, int threads) const noexcept override {
    std::vector<float> halved(static_cast<std::size_t>(s_.oc * halved_.ic * kTaps * kTaps), 0.f);
    for (std::int64_t filter = 0; filter < s_.oc * s_.ic; ++filter) {
      for (std::int64_t y = 0; y < s_.kh; ++y) {
        for (std::int64_t x = 0; x < s_.kw; ++x, ++w) {
          const std::int64_t channel = 4 * filter + 2 * (y % 2) + x % 2;
          halved[static_cast<std::size_t>((channel * kTaps + y / 2) * kTaps + x / 2)] = *w;
        }
      }
    }
    conv_->pack(halved.data(), packed, threads);
  }

  void run(const ConvArgs& args) const noexcept override {
    ConvArgs own = args;
    float* const map = reinterpret_cast<float*>(args.scratch);
    const auto work = static_cast<double>(halved_.iw * halved_.ic);
    parallel_for(args.threads, s_.n * halved_.ih, work, [&](Range rows, int /*thread*/) {
      for (std::int64_t row = rows.begin; row < rows.end; ++row)
        halve_row(args.input, row / halved_.ih, row % halved_.ih, map);
    });
    own.input = map;
    own.scratch = args.scratch + map_bytes();
    conv_->run(own);
  }

 private:
  std::int64_t blocks() const { return ceil_div(halved_.ic, lanes_); }
  std::size_t map_bytes() const {
    return static_cast<std::size_t>(s_.n * blocks() * halved_.ih * halved_.iw * lanes_) *
           sizeof(float);
  }

  void halve_row(const float* input, std::int64_t image, std::int64_t y, float* map) const {
    for (std::int64_t channel = 0; channel < halved_.ic; channel += 2) {
      const std::int64_t c = channel / 4, iy = 2 * y + channel / 2 % 2;
      const std::int64_t block = image * blocks() + channel / lanes_;
      float* const to = map + (block * halved_.ih + y) * halved_.iw * lanes_ + channel % lanes_;
      halve(input + ((image * s_.ic + c) * s_.ih + iy) * s_.iw, iy < s_.ih, to);
    }
  }
  // Pairs of a row, the last of which may reach beyond it; zeros for a row that is not there.
  void halve(const float* row, bool there, float* to) const {
    constexpr std::size_t kPair = 2 * sizeof(float);
    const std::int64_t pairs = there ? std::min(halved_.iw, s_.iw / 2) : 0;
    for (std::int64_t x = 0; x < pairs; ++x) std::memcpy(to + x * lanes_, row + 2 * x, kPair);
    for (std::int64_t x = pairs; x < halved_.iw; ++x) {
      to[x * lanes_] = there && 2 * x < s_.iw ? row[2 * x] : 0.f;
      to[x * lanes_ + 1] = 0.f;
    }
  }

  ConvShape s_, halved_;
  int lanes_;
  std::unique_ptr<ConvAlgorithm> conv_;
};

}  // namespace

const char* stem_winograd_conv_declines(const ConvShape& s, Isa isa) {
  const auto halves = [](std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
                         std::int64_t pad) {
    return (kernel == 2 * kTaps || kernel == 2 * kTaps - 1) && stride == 2 && dilation == 1 &&
           pad % 2 == 0;
  };
  if (!halves(s.kh, s.stride_h, s.dilation_h, s.pad_top) ||
      !halves(s.kw, s.stride_w, s.dilation_w, s.pad_left)) {
    return "it is not 5x5 or 6x6 with stride 2, no dilation and even padding";
  }
  if (s.groups != 1 || s.ic > kMostChannels) return "it has groups or many channels";
  if (s.border != Border::kZero) return "its border is not zero";
  const ConvShape halved = halved_shape(s);
  if (halved.ih < 1 || halved.iw < 1) return "it reads padding only";
  return winograd4_conv_declines(halved, isa);
}

std::unique_ptr<ConvAlgorithm> make_stem_winograd_conv(const ConvShape& shape, Isa isa) {
  return std::make_unique<StemWinograd>(shape, isa);
}

double stem_winograd_conv_cost(const ConvShape& s, Isa isa) {
  constexpr double kFloat = 18;  // of the halved input, written and read again
  const ConvShape halved = halved_shape(s);
  const double floats = static_cast<double>(s.n * halved.ih * halved.iw) *
                        static_cast<double>(ceil_div(halved.ic, isa_lanes(isa)) * isa_lanes(isa));
  return kFloat * floats + winograd_conv_cost(halved, 4, kTaps, isa);
}

}  // namespace mini_infer
