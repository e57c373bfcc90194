// Depthwise convolution of NCHWc, see conv_algorithm.h. Channel blocks are independent: work is
// (image, channel block, rows), and the input is read where it is, with border columns tested in
// the runs that touch them only.
#include <algorithm>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_driver.h"
#include "kernels/conv/depthwise.simd.h"
#include "kernels/kernel_context.h"

namespace mini_infer {
namespace {

class DepthwiseConv final : public ConvAlgorithm {
 public:
  DepthwiseConv(const ConvShape& shape, Isa isa)
      : s_(shape),
        lanes_(isa_lanes(isa)),
        blocks_(ceil_div(shape.oc, lanes_)),
        kernel_(simd::depthwise_conv_f32.get(isa)) {}

  const char* name() const noexcept override { return "conv/depthwise"; }
  // [blocks][kh][kw][c]
  std::size_t packed_floats() const noexcept override {
    return static_cast<std::size_t>(blocks_ * s_.kh * s_.kw * lanes_);
  }
  void pack(const float* w, float* packed, int /*threads*/) const noexcept override {
    const std::int64_t taps = s_.kh * s_.kw;
    for (std::int64_t block = 0; block < blocks_; ++block) {
      for (std::int64_t t = 0; t < taps; ++t) {
        for (std::int64_t lane = 0; lane < lanes_; ++lane) {
          const std::int64_t channel = block * lanes_ + lane;
          *packed++ = channel < s_.oc ? w[channel * taps + t] : 0.f;
        }
      }
    }
  }
  std::size_t scratch_bytes(int /*threads*/) const noexcept override { return 0; }

  ConvSplit split(int threads) const noexcept override {
    return {s_.n * row_chunks(threads), blocks_};
  }

  void run(const ConvArgs& args) const noexcept override {
    // [image][rows][block of channels]: a thread has some rows of all channels, as it has in the
    // convolutions before and after, whose outputs then need not come from another core.
    const std::int64_t units = split(args.threads).units(), chunks = units / (s_.n * blocks_);
    const DepthwiseRows layer = rows_of_layer(args);
    parallel_for(
        args.threads, units, conv_macs(s_) / static_cast<double>(units), [&](Range range, int) {
          for (std::int64_t u = range.begin; u < range.end;) {
            const std::int64_t rows = u / blocks_, first = u % blocks_;
            const Span blocks{first, std::min(blocks_, first + range.end - u)};
            run_rows(args, layer, rows / chunks, chunk_of(s_.oh, rows % chunks, chunks), blocks);
            u += blocks.count();
          }
        });
  }

 private:
  std::int64_t row_chunks(int threads) const {
    constexpr std::int64_t kLeastRows = 4;
    const std::int64_t most = std::max<std::int64_t>(1, s_.oh / kLeastRows);
    if (threads > 1 && s_.n % threads != 0 && most >= threads) return threads;
    return panel_chunks(s_.n * blocks_, most, threads);
  }

  DepthwiseRows rows_of_layer(const ConvArgs& args) const {
    DepthwiseRows r{};
    r.ih = static_cast<int>(s_.ih);
    r.iw = static_cast<int>(s_.iw);
    r.ow = static_cast<int>(s_.ow);
    r.kh = static_cast<int>(s_.kh);
    r.kw = static_cast<int>(s_.kw);
    r.stride_h = static_cast<int>(s_.stride_h);
    r.stride_w = static_cast<int>(s_.stride_w);
    r.dilation_h = static_cast<int>(s_.dilation_h);
    r.dilation_w = static_cast<int>(s_.dilation_w);
    r.pad_top = static_cast<int>(s_.pad_top);
    r.pad_left = static_cast<int>(s_.pad_left);
    r.inwards = args.threads > 1;
    r.epilogue = make_epilogue(args, 0);
    return r;
  }

  void run_rows(const ConvArgs& args, DepthwiseRows r, std::int64_t image, Span rows,
                Span blocks) const {
    r.first_row = static_cast<int>(rows.first);
    r.rows = static_cast<int>(rows.count());
    for (std::int64_t block = blocks.first; block < blocks.last; ++block) {
      const std::int64_t map = image * blocks_ + block, out = map * s_.oh * s_.ow * lanes_;
      r.input = args.input + map * s_.ih * s_.iw * lanes_;
      r.weights = args.weights + block * s_.kh * s_.kw * lanes_;
      r.residual = args.residual == nullptr ? nullptr : args.residual + out;
      r.output = args.output + out;
      r.first_channel = static_cast<int>(block * lanes_);
      r.channels = static_cast<int>(std::min<std::int64_t>(lanes_, s_.oc - block * lanes_));
      kernel_(r);
    }
  }

  ConvShape s_;
  int lanes_;
  std::int64_t blocks_;
  simd::depthwise_conv_f32_fn* kernel_;
};

}  // namespace

const char* depthwise_conv_declines(const ConvShape& s, Isa /*isa*/) {
  if (s.border != Border::kZero) return "the border is not zero";
  return s.groups == s.ic && s.groups == s.oc ? nullptr : "not one filter for each channel";
}

std::unique_ptr<ConvAlgorithm> make_depthwise_conv(const ConvShape& shape, Isa isa) {
  return std::make_unique<DepthwiseConv>(shape, isa);
}

}  // namespace mini_infer
