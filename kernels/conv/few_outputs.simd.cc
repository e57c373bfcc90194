// Direct convolution to a few output channels: a vector of input channels of a pixel meets a vector
// of weights for each output, and lanes are summed at the end.
#include <utility>

#include "kernels/conv/direct.simd.h"
#include "kernels/conv/tile.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

constexpr int kAccumulators = kRegisters == 32 ? 24 : 12;
template <int kOutputs>
constexpr int kMostPixels = kAccumulators / kOutputs < 8 ? kAccumulators / kOutputs : 8;

struct FewPlace {
  const float* source;
  const ChannelConstants* constants;
  const float* residual;
  float* output;
};

// acc[output][pixel] += source[pixel] * weights[output], for one tap and the first `lanes` channels
// of a block; the others may hold NaN.
template <int kOutputs, int kPixels, bool kPartial>
MINI_INLINE void multiply_add_lanes(const float* source, int lanes, const float* weights,
                                    Vec (&acc)[kOutputs][kPixels]) {
  Vec w[kOutputs];
#pragma GCC unroll 4
  for (int j = 0; j < kOutputs; ++j) w[j] = load(weights + j * kLanes);
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) {
    const Vec x = kPartial ? load(source + i * kLanes, lanes) : load(source + i * kLanes);
#pragma GCC unroll 4
    for (int j = 0; j < kOutputs; ++j) acc[j][i] = fma(x, w[j], acc[j][i]);
  }
}

template <int kOutputs, int kPixels>
[[gnu::noinline]] void few_tile(const DirectBlock& b, const FewPlace& at) {
  Vec acc[kOutputs][kPixels];
#pragma GCC unroll 4
  for (int j = 0; j < kOutputs; ++j) {
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) acc[j][i] = zero();
  }
  const float* plane = at.source;
  const float* weights = b.weights;
  int left = b.channels;
  for (; left >= kLanes; left -= kLanes, plane += b.source_plane) {
    for (int t = 0; t < b.tap_count; ++t, weights += kOutputs * kLanes) {
      multiply_add_lanes<kOutputs, kPixels, false>(plane + b.taps[t], kLanes, weights, acc);
    }
  }
  if (left > 0) {
    for (int t = 0; t < b.tap_count; ++t, weights += kOutputs * kLanes) {
      multiply_add_lanes<kOutputs, kPixels, true>(plane + b.taps[t], left, weights, acc);
    }
  }
  alignas(64) float sums[kPixels][kLanes] = {};
#pragma GCC unroll 4
  for (int j = 0; j < kOutputs; ++j) {
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) sums[i][j] = reduce_add(acc[j][i]);
  }
  const Vec bias = load(at.constants->bias);
  Vec y[kPixels];
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) y[i] = load(sums[i]) + bias;
  finish(b.epilogue, load(at.constants->slopes), y, at.residual, at.output, b.output_step);
}

template <int kOutputs>
struct FewTiles {
  using Fn = void(const DirectBlock&, const FewPlace&);
  Fn* fn[kMostPixels<kOutputs> + 1] = {};
  template <int... kPixels>
  constexpr explicit FewTiles(std::integer_sequence<int, kPixels...>)
      : fn{nullptr, &few_tile<kOutputs, kPixels + 1>...} {}
  constexpr FewTiles() : FewTiles(std::make_integer_sequence<int, kMostPixels<kOutputs>>()) {}
};

template <int kOutputs>
void run_few(const DirectBlock& b) {
  constexpr FewTiles<kOutputs> kTiles;
  ChannelConstants constants;
  gather_constants(b.epilogue, 0, kOutputs, constants);
  const Runs runs(b.width, kMostPixels<kOutputs>);
  for (int row = 0; row < b.rows; ++row) {
    const FewPlace start{b.source + row * b.source_row, &constants,
                         b.residual != nullptr ? b.residual + row * b.output_row : nullptr,
                         b.output + row * b.output_row};
    runs.for_each([&](int x, int count) {
      FewPlace at = start;
      at.source += x * kLanes;
      at.output += x * b.output_step;
      if (at.residual != nullptr) at.residual += x * b.output_step;
      kTiles.fn[count](b, at);
    });
    if (b.epilogue.kind == EpilogueKind::kOther) {
      finish_stored(b.epilogue, start.residual, start.output, 1, b.width, 0);
    }
  }
}

}  // namespace

void few_outputs_conv_f32(const DirectBlock& block) {
  switch (block.out_channels) {
    case 1:
      return run_few<1>(block);
    case 2:
      return run_few<2>(block);
    case 3:
      return run_few<3>(block);
    default:
      return run_few<kFewOutputs>(block);
  }
}

}  // namespace mini_infer::simd::MINI_ISA
