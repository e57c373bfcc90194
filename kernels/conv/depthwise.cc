// Depthwise convolution of NCHWc, see conv_algorithm.h. Channel blocks are independent: work is
// (image, channel block, rows), and the input is read where it is, with border columns tested in
// the runs that touch them only.
#include "kernels/conv/depthwise.h"

#include <algorithm>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_cost.h"
#include "kernels/conv/conv_driver.h"
#include "kernels/kernel_context.h"

namespace mini_infer {
namespace {

void pack_direct(const ConvShape& s, const float* w, float* packed, int lanes) {
  for (std::int64_t t = 0; t < s.kh * s.kw; ++t) packed[t * lanes] = w[t];
}

// See depthwise_winograd.simd.cc.
void pack_winograd(const ConvShape& s, const float* w, float* packed, int lanes) {
  const auto put = [&](double value) {
    *packed = static_cast<float>(value);
    packed += lanes;
  };
  for (std::int64_t ky = 0; ky < s.kh; ++ky, w += s.kw) {
    const double a = w[0], b = w[1], c = w[2];
    put(a);
    put((a + b + c) / 2);
    put((a - b + c) / 2);
    put(c);
  }
}

class DepthwiseConv final : public ConvAlgorithm {
 public:
  DepthwiseConv(const DepthwiseMethod& method, const ConvShape& shape, Isa isa)
      : method_(method), s_(shape), lanes_(isa_lanes(isa)), blocks_(ceil_div(shape.oc, lanes_)) {}

  const char* name() const noexcept override { return method_.name; }
  // [blocks][filter], zero for channels past the last.
  std::size_t packed_floats() const noexcept override {
    return static_cast<std::size_t>(blocks_ * method_.filter);
  }
  void pack(const float* w, float* packed, int /*threads*/) const noexcept override {
    std::fill_n(packed, packed_floats(), 0.f);
    for (std::int64_t channel = 0; channel < s_.oc; ++channel, w += s_.kh * s_.kw) {
      method_.pack(s_, w, packed + channel / lanes_ * method_.filter + channel % lanes_, lanes_);
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
    DepthwiseRows layer = depthwise_rows(s_);
    layer.inwards = args.threads > 1;
    layer.epilogue = make_epilogue(args, 0);
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

  void run_rows(const ConvArgs& args, DepthwiseRows r, std::int64_t image, Span rows,
                Span blocks) const {
    r.first_row = static_cast<int>(rows.first);
    r.rows = static_cast<int>(rows.count());
    for (std::int64_t block = blocks.first; block < blocks.last; ++block) {
      const std::int64_t map = image * blocks_ + block, out = map * s_.oh * s_.ow * lanes_;
      r.input = args.input + map * s_.ih * s_.iw * lanes_;
      r.weights = args.weights + block * method_.filter;
      if (block + kFiltersAhead < blocks_) fetch(r.weights + kFiltersAhead * method_.filter);
      r.residual = args.residual == nullptr ? nullptr : args.residual + out;
      r.output = args.output + out;
      r.first_channel = static_cast<int>(block * lanes_);
      r.channels = static_cast<int>(std::min<std::int64_t>(lanes_, s_.oc - block * lanes_));
      method_.kernel(r);
    }
  }

  // On small maps a filter is needed sooner than the hardware brings it.
  static constexpr std::int64_t kFiltersAhead = 2;
  void fetch(const float* filter) const {
    constexpr std::int64_t kLine = 16;
    for (std::int64_t i = 0; i < method_.filter; i += kLine) __builtin_prefetch(filter + i);
  }

  DepthwiseMethod method_;
  ConvShape s_;
  int lanes_;
  std::int64_t blocks_;
};

}  // namespace

DepthwiseMethod depthwise_direct(const ConvShape& s, Isa isa) {
  return {.name = "conv/depthwise",
          .isa = isa,
          .filter = s.kh * s.kw * isa_lanes(isa),
          .kernel = simd::depthwise_conv_f32.get(isa),
          .pack = pack_direct};
}

DepthwiseMethod depthwise_winograd(const ConvShape& s, Isa isa) {
  return {.name = "conv/depthwise_winograd",
          .isa = isa,
          .filter = s.kh * kDepthwiseWinogradProducts * isa_lanes(isa),
          .kernel = simd::depthwise_winograd_f32.get(isa),
          .pack = pack_winograd};
}

DepthwiseMethod depthwise_method(const ConvShape& s, Isa isa) {
  const bool winograd = depthwise_winograd_conv_declines(s, isa) == nullptr &&
                        depthwise_winograd_conv_cost(s, isa) < depthwise_conv_cost(s, isa);
  return winograd ? depthwise_winograd(s, isa) : depthwise_direct(s, isa);
}

std::unique_ptr<ConvAlgorithm> make_depthwise_with(const DepthwiseMethod& method,
                                                   const ConvShape& shape, Isa isa) {
  return std::make_unique<DepthwiseConv>(method, shape, isa);
}

DepthwiseRows depthwise_rows(const ConvShape& s) {
  DepthwiseRows r{};
  r.ih = static_cast<int>(s.ih);
  r.iw = static_cast<int>(s.iw);
  r.ow = static_cast<int>(s.ow);
  r.kh = static_cast<int>(s.kh);
  r.kw = static_cast<int>(s.kw);
  r.stride_h = static_cast<int>(s.stride_h);
  r.stride_w = static_cast<int>(s.stride_w);
  r.dilation_h = static_cast<int>(s.dilation_h);
  r.dilation_w = static_cast<int>(s.dilation_w);
  r.pad_top = static_cast<int>(s.pad_top);
  r.pad_left = static_cast<int>(s.pad_left);
  return r;
}

const char* depthwise_conv_declines(const ConvShape& s, Isa /*isa*/) {
  if (s.border != Border::kZero) return "the border is not zero";
  return s.groups == s.ic && s.groups == s.oc ? nullptr : "not one filter for each channel";
}

std::unique_ptr<ConvAlgorithm> make_depthwise_conv(const ConvShape& shape, Isa isa) {
  return make_depthwise_with(depthwise_direct(shape, isa), shape, isa);
}

const char* depthwise_winograd_conv_declines(const ConvShape& s, Isa isa) {
  if (const char* why = depthwise_conv_declines(s, isa)) return why;
  if (s.kh != 3 || s.kw != 3) return "the kernel is not 3x3";
  if (s.stride_h != 1 || s.stride_w != 1) return "it has a stride";
  if (s.dilation_h != 1 || s.dilation_w != 1) return "it is dilated";
  return nullptr;
}

std::unique_ptr<ConvAlgorithm> make_depthwise_winograd_conv(const ConvShape& shape, Isa isa) {
  return make_depthwise_with(depthwise_winograd(shape, isa), shape, isa);
}

}  // namespace mini_infer
