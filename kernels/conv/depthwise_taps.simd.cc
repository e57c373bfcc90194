#include <utility>

#include "kernels/conv/direct.simd.h"
#include "kernels/conv/tile.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// Accumulators that hide the latency of multiply-adds.
constexpr int kMostPixels = 8;

using RunFn = void(const DirectBlock& b, const ChannelConstants& constants, const float* source,
                   std::ptrdiff_t out);

// kPixels outputs of a row, the first at `out` floats from the block's.
template <int kPixels>
void run_pixels(const DirectBlock& b, const ChannelConstants& constants, const float* source,
                std::ptrdiff_t out) {
  Vec acc[kPixels];
  const Vec bias = load(constants.bias);
  MINI_UNROLL
  for (int i = 0; i < kPixels; ++i) acc[i] = bias;
  const float* weights = b.weights;
  for (int t = 0; t < b.tap_count; ++t, weights += kLanes) {
    const Vec w = load(weights);
    MINI_UNROLL
    for (int i = 0; i < kPixels; ++i)
      acc[i] = fma(load(source + b.taps[t] + i * kLanes), w, acc[i]);
  }
  finish(b.epilogue, load(constants.slopes), acc,
         b.residual != nullptr ? b.residual + out : nullptr, b.output + out, b.output_step);
  if (b.epilogue.kind != EpilogueKind::kOther) return;
  for (int i = 0; i < kPixels; ++i) {
    const std::ptrdiff_t at = out + i * b.output_step;
    finish_stored(b.epilogue, b.residual != nullptr ? b.residual + at : nullptr, b.output + at, 1,
                  1, 0);
  }
}

struct RunTable {
  RunFn* fn[kMostPixels + 1] = {};
  template <int... kPixels>
  constexpr explicit RunTable(std::integer_sequence<int, kPixels...>)
      : fn{nullptr, &run_pixels<kPixels + 1>...} {}
  constexpr RunTable() : RunTable(std::make_integer_sequence<int, kMostPixels>()) {}
};

}  // namespace

void depthwise_taps_f32(const DirectBlock& b) {
  constexpr RunTable kTable;
  ChannelConstants constants;
  gather_constants(b.epilogue, 0, b.out_channels, constants);
  const Runs runs(b.width, kMostPixels);
  for (int row = 0; row < b.rows; ++row) {
    runs.for_each([&](int x, int count) {
      kTable.fn[count](b, constants, b.source + row * b.source_row + std::ptrdiff_t{x} * kLanes,
                       row * b.output_row + x * b.output_step);
    });
  }
}

}  // namespace mini_infer::simd::MINI_ISA
