#include "kernels/conv/direct.simd.h"

#include <utility>

#include "kernels/conv/tile.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// What one tile needs beyond the block.
struct TilePlace {
  const float* source;
  const float* weights;  // the panel
  const ChannelConstants* constants;
  const float* residual;
  float* output;
};

using TileFn = void(const DirectBlock&, const TilePlace&);

[[gnu::noinline]] void finish_stored_tile(const DirectBlock& b, const TilePlace& at, int blocks,
                                          int rows, int pixels) {
  // Pixels that are not neighbours are ended one by one.
  const int runs = b.output_step == kLanes ? 1 : pixels;
  for (int j = 0; j < blocks; ++j) {
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < runs; ++i) {
        const std::ptrdiff_t offset = j * b.output_plane + r * b.output_row + i * b.output_step;
        finish_stored(b.epilogue, at.residual != nullptr ? at.residual + offset : nullptr,
                      at.output + offset, pixels / runs);
      }
    }
  }
}

template <int kStep, int kRows, int kPixels, int kBlocks>
[[gnu::noinline]] void tile(const DirectBlock& b, const TilePlace& at) {
  Vec acc[kBlocks][kRows][kPixels];
#pragma GCC unroll 4
  for (int j = 0; j < kBlocks; ++j) {
    const Vec bias = load(at.constants->bias + j * kLanes);
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int i = 0; i < kPixels; ++i) acc[j][r][i] = bias;
    }
  }
  const float* plane = at.source;
  const float* weights = at.weights;
  const std::ptrdiff_t* const taps_end = b.taps + b.tap_count;
  if constexpr (kStep != kLanes) {  // plain: one channel a tap
    for (const std::ptrdiff_t* tap = b.taps; tap != taps_end; ++tap, weights += kBlocks * kLanes) {
      multiply_add<kStep, kRows, kPixels, kBlocks>(plane + *tap, b.source_row, weights, acc);
    }
  } else {
    for (int left = b.channels; left > 0; left -= kLanes, plane += b.source_plane) {
      const int lanes = left < kLanes ? left : kLanes;
      for (const std::ptrdiff_t* tap = b.taps; tap != taps_end; ++tap) {
        const float* source = plane + *tap;
#pragma GCC unroll 2
        for (int k = 0; k < lanes; ++k, weights += kBlocks * kLanes) {
          prefetch_weights<kBlocks * kLanes>(weights);
          multiply_add<kStep, kRows, kPixels, kBlocks>(source + k, b.source_row, weights, acc);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < kBlocks; ++j) {
    const Vec slope = load(at.constants->slopes + j * kLanes);
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
      const std::ptrdiff_t offset = j * b.output_plane + r * b.output_row;
      const float* residual = at.residual != nullptr ? at.residual + offset : nullptr;
      finish(b.epilogue, slope, acc[j][r], residual, at.output + offset, b.output_step);
    }
  }
  if (b.epilogue.kind == EpilogueKind::kOther) finish_stored_tile(b, at, kBlocks, kRows, kPixels);
}

// Tiles of 1..kMost pixels.
template <int kStep, int kRows, int kBlocks, int kMost>
struct Tiles {
  TileFn* fn[kMost + 1] = {};
  template <int... kPixels>
  constexpr explicit Tiles(std::integer_sequence<int, kPixels...>)
      : fn{nullptr, &tile<kStep, kRows, kPixels + 1, kBlocks>...} {}
  constexpr Tiles() : Tiles(std::make_integer_sequence<int, kMost>()) {}
};

template <int kStep, int kRows, int kBlocks>
void run_rows(const DirectBlock& b, TilePlace at, int first_row) {
  constexpr int kMost = kTilePixels / kRows;
  constexpr Tiles<kStep, kRows, kBlocks, kMost> kTiles;
  at.source += first_row * b.source_row;
  at.output += first_row * b.output_row;
  if (at.residual != nullptr) at.residual += first_row * b.output_row;
  Runs(b.width, kMost).for_each([&](int x, int count) {
    TilePlace place = at;
    place.source += x * kStep;
    place.output += x * b.output_step;
    if (place.residual != nullptr) place.residual += x * b.output_step;
    kTiles.fn[count](b, place);
  });
}

// One panel of kBlocks blocks of output channels. Narrow maps take two rows at a time.
template <int kStep, int kBlocks>
void run_panel(const DirectBlock& b, const TilePlace& at) {
  int row = 0;
  if (b.width <= kTilePixels / 2) {
    for (; row + 2 <= b.rows; row += 2) run_rows<kStep, 2, kBlocks>(b, at, row);
  }
  for (; row < b.rows; ++row) run_rows<kStep, 1, kBlocks>(b, at, row);
}

template <int kStep>
void run_block(const DirectBlock& b) {
  const std::ptrdiff_t panel = std::ptrdiff_t{kTileBlocks} * kLanes * b.channels * b.tap_count;
  ChannelConstants constants;
  TilePlace at{b.source, b.weights, &constants, b.residual, b.output};
  for (int oc = 0; oc < b.out_channels; oc += kTileBlocks * kLanes) {
    const int count = b.out_channels - oc;
    gather_constants(b.epilogue, oc, count, constants);
    if (count > kLanes) {
      run_panel<kStep, 2>(b, at);
    } else {
      run_panel<kStep, 1>(b, at);
    }
    at.weights += panel;
    at.output += kTileBlocks * b.output_plane;
    if (at.residual != nullptr) at.residual += kTileBlocks * b.output_plane;
  }
}

}  // namespace

void direct_conv_f32(const DirectBlock& block) { run_block<kLanes>(block); }
void direct_conv_plain_f32(const DirectBlock& block) {
  if (block.step == 1) {
    run_block<1>(block);
  } else {
    run_block<2>(block);
  }
}

}  // namespace mini_infer::simd::MINI_ISA
