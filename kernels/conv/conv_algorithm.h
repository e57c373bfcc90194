// One way to compute a convolution on blocked activations, and what all of them share.
//
// Activations are NCHWc: [n][ceil(channels / c)][h][w][c] with c = isa_lanes(isa). Lanes past the
// last channel of the last block hold anything, NaN included: no algorithm lets them reach a real
// output, and none promises what it leaves there.
//
//   at prepare   if (const char* why = direct_conv_declines(shape, isa)) ...          // why not
//                auto conv = make_direct_conv(shape, isa);
//                conv->pack(w, packed, threads);      // packed: conv->packed_floats() floats,
//                64-byte aligned conv->scratch_bytes(threads);        // 64-byte aligned scratch
//                for run()
//   at run       conv->run(args);                     // noexcept, allocates nothing, may run
//   concurrently with other scratch
//
// The same input gives bit-equal output for every thread count: no reduction is ever split between
// threads.
#pragma once

#include <cstddef>
#include <memory>

#include "kernels/activation.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/simd/isa.h"

namespace mini_infer {

enum class ConvResidual : std::uint8_t { kNone, kBeforeActivation, kAfterActivation };

struct ConvArgs {
  const float* input = nullptr;    // NCHWc, or NCHW for algorithms that say so
  const float* weights = nullptr;  // as pack() wrote them
  const float* bias = nullptr;     // [oc] or null
  const float* scales = nullptr;   // [ic], factors of the input's channels where the shape has them
  // In the output's layout, or null. It may be the output itself when added before the activation.
  const float* residual = nullptr;
  ConvResidual residual_place = ConvResidual::kNone;
  ActivationParams activation;
  const float* slope = nullptr;  // [oc]: y = x < 0 ? slope * x : x instead of `activation`
  float* output = nullptr;       // NCHWc
  std::byte* scratch = nullptr;  // scratch_bytes(threads) bytes, 64-byte aligned
  int threads = 1;
};

// How run() divides the output: `blocks` of pixels, each in `chunks` of channels. These units are
// of nearly equal size, and threads take equal numbers of them.
struct ConvSplit {
  std::int64_t blocks = 1, chunks = 1;
  std::int64_t units() const { return blocks * chunks; }
  // Work of the busiest thread, 1 where all have the same.
  double load(int threads) const {
    const std::int64_t most = (units() + threads - 1) / threads;
    return static_cast<double>(most * threads) / static_cast<double>(units());
  }
};

class ConvAlgorithm {
 public:
  virtual ~ConvAlgorithm() = default;
  // "direct", "winograd4x3", ...: lives as long as the program.
  virtual const char* name() const noexcept = 0;
  // Size of the packed weights.
  virtual std::size_t packed_floats() const noexcept = 0;
  // w: [oc][ic/groups][kh][kw], dense.
  virtual void pack(const float* w, float* packed, int threads) const noexcept = 0;
  virtual std::size_t scratch_bytes(int threads) const noexcept = 0;
  virtual ConvSplit split(int threads) const noexcept = 0;
  virtual void run(const ConvArgs& args) const noexcept = 0;
};

// Direct convolution of NCHWc, any kernel, stride, dilation and padding, with one group or with
// groups of whole channel blocks. 1x1 kernels are matrix products over all pixels.
const char* direct_conv_declines(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_direct_conv(const ConvShape& shape, Isa isa);

// 1x1 convolution of NCHWc by one level of Strassen's algorithm: 7 products of half the pixels, half
// the input and half the output channels instead of 8, about 1.5 times the rounding error of a
// direct one in norm, 1.75 times its weights. Any stride; no border, one group, even numbers of
// channel blocks.
const char* strassen_conv_declines(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_strassen_conv(const ConvShape& shape, Isa isa);

// Direct convolution that reads plain NCHW and writes NCHWc: the first layer of an image network.
// Any kernel, stride, dilation, padding; one group.
const char* stem_conv_declines(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_stem_conv(const ConvShape& shape, Isa isa);

// The same by Winograd's F(4x4, 3x3) on the input halved on both axes: 5x5 and 6x6 with stride 2, even
// padding, at most 4 channels.
const char* stem_winograd_conv_declines(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_stem_winograd_conv(const ConvShape& shape, Isa isa);

// One filter per channel, NCHWc. Any kernel, stride, dilation and padding.
const char* depthwise_conv_declines(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_depthwise_conv(const ConvShape& shape, Isa isa);

// The same by Winograd's F(2, 3) along rows: 1.5 times fewer multiplications, but more additions, so
// it pays where a CPU has units of their own for those. 3x3, stride 1, no dilation.
const char* depthwise_winograd_conv_declines(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_depthwise_winograd_conv(const ConvShape& shape, Isa isa);

// Winograd F(4x4, 3x3) and F(2x2, 3x3) of NCHWc: 4 and 2.25 times fewer multiplications than a
// direct 3x3 convolution with stride 1, 1.78 and 1.44 times fewer than one with stride 2, and about
// 2 times its rounding error, or none more. F(4,3) along one axis for kernels of one row or column:
// 2 times (1.33 with stride 2) fewer. With stride 1 any dilation, and other kernels in parts of 3x3,
// 1x3 or 3x1. Any padding; one group, or groups that are whole channel blocks or narrow. Takes depth
// (NCDHWc), with any stride, dilation and padding there.
const char* winograd4_conv_declines(const ConvShape& shape, Isa isa);
const char* winograd2_conv_declines(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_winograd4_conv(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_winograd2_conv(const ConvShape& shape, Isa isa);
// Winograd F(2x2, 5x5): 2.78 times fewer multiplications than a direct 5x5 convolution with stride
// 1, with less error than F(4x4, 3x3).
const char* winograd5_conv_declines(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_winograd5_conv(const ConvShape& shape, Isa isa);

// Transposed convolution of NCHWc: every output of one remainder modulo the stride is a direct
// convolution with the taps that meet it. Here w is [ic][oc/groups][kh][kw], pads are those of the
// transposed convolution, and oh and ow are given. One group, groups of whole channel blocks, or
// one filter for each channel.
const char* transposed_conv_declines(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_transposed_conv(const ConvShape& shape, Isa isa);

}  // namespace mini_infer
