// Tiles of neighbouring pixels, each ended while the next one is multiplied: a core stores and
// activates a whole tile more slowly than it multiplies, but one vector beside each step of
// products takes no time at all. So a tile has half as many accumulators as registers could hold,
// and the other half keeps the tile before. Sums are the same bits as those of one tile after the
// other. Included by *.simd.cc only.
#pragma once

#include "kernels/conv/tile.h"

namespace mini_infer::simd::MINI_ISA {

// Where the accumulators of half a tile are enough for the latency of multiply-adds.
#if defined(__AVX512F__)
inline constexpr bool kStreams = true;
#else
inline constexpr bool kStreams = false;
#endif

template <int kBlocks>
inline constexpr int kStreamPixels = kTilePixels / kBlocks;
// Steps of products beside which the vectors of a tile are ended.
inline constexpr int kStreamSteps = kLanes;
// Deeper products hardly feel their ends, and read their weights twice as often as a tile does.
inline constexpr int kStreamMostDepth = 255;

// Inputs in blocks of channels `plane` floats apart, `parts` times `channels`.
struct BlockedInputs {
  static constexpr int kStep = kLanes;
  std::ptrdiff_t plane;
  int channels, parts;

  MINI_INLINE std::ptrdiff_t depth() const { return std::ptrdiff_t{channels} * parts; }
  MINI_INLINE int run() const { return channels; }
  // Of the first kStreamSteps.
  MINI_INLINE const float* step(const float* source, int k) const { return source + k; }
  // Products of all that come after them.
  template <bool kHalf, int kPixels, int kBlocks>
  MINI_INLINE void multiply_rest(const float* source, const float* weights, WeightsAhead& ahead,
                                 Vec (&acc)[kBlocks][1][kPixels]) const {
    int left = channels - kLanes;
    for (int part = 0; part < parts; ++part, left = channels) {
      for (; left > 0; left -= kLanes) {
        source += plane;
        const int lanes = left < kLanes ? left : kLanes;
        multiply_channels<kLanes, 1, kPixels, kBlocks, kHalf>(source, 0, lanes, weights, ahead,
                                                              acc);
      }
    }
  }
};

// Inputs at taps of plain rows.
template <int kStep_>
struct PlainInputs {
  static constexpr int kStep = kStep_;
  const std::ptrdiff_t* taps;
  int count;

  MINI_INLINE std::ptrdiff_t depth() const { return count; }
  MINI_INLINE int run() const { return count; }
  MINI_INLINE const float* step(const float* source, int k) const { return source + taps[k]; }
  template <bool kHalf, int kPixels, int kBlocks>
  MINI_INLINE void multiply_rest(const float* source, const float* weights, WeightsAhead&,
                                 Vec (&acc)[kBlocks][1][kPixels]) const {
    for (int k = kStreamSteps; k < count; ++k, weights += kBlocks * kLanes)
      multiply_add<kStep, 1, kPixels, kBlocks, kHalf>(source + taps[k], 0, weights, acc);
  }
};

// How many tiles of a row of `width` pixels are a stream. The pixels behind them are enough for a
// tile of their own.
template <int kBlocks, class Inputs>
MINI_INLINE int streamed_tiles(const Inputs& inputs, int width) {
  constexpr int kLeastTiles = 3, kPixels = kStreamPixels<kBlocks>;
  if (!kStreams || inputs.run() < kStreamSteps || inputs.depth() > kStreamMostDepth) return 0;
  const int tiles = width / kPixels - (width % kPixels != 0);
  return tiles < kLeastTiles ? 0 : tiles;
}

// A run of tiles.
struct TileStream {
  const float* source;  // of the first pixel
  const float* weights;
  const float* next;    // weights that are fetched meanwhile, as many
  int tiles;            // here
  int all_tiles, done;  // that fetch weights, and those of them that were before
  bool inwards;         // see piece_order.h
};

// end.start(block) is what sums begin with, end(block, pixel, sum) is called for each vector.
template <int kBlocks, bool kHalf, class Inputs, class End>
[[gnu::noinline]] void stream_tiles(const Inputs& inputs_here, const TileStream& s,
                                    const End& end_here) {
  constexpr int kPixels = kStreamPixels<kBlocks>, kVectors = kBlocks * kPixels;
  static_assert(kVectors <= kStreamSteps || !kStreams);
  const Inputs inputs = inputs_here;
  const End end = end_here;
  Vec before[kBlocks][1][kPixels];
  std::ptrdiff_t pixel_before = 0;
  const auto end_vector = [&](int v) __attribute__((always_inline)) {
    const int j = v % kBlocks, i = v / kBlocks;
    end(j, pixel_before + i, not_earlier(before[j][0][i]));
  };
  for (int t = 0; t < s.tiles; ++t) {
    const std::ptrdiff_t pixel = std::ptrdiff_t{piece_at(t, s.tiles, s.inwards)} * kPixels;
    const float* const source = s.source + pixel * Inputs::kStep;
    const float* weights = s.weights;
    WeightsAhead ahead =
        WeightsAhead::of_tile<kBlocks * kLanes>(s.next, inputs.depth(), s.all_tiles, s.done + t);
    Vec acc[kBlocks][1][kPixels];
    MINI_UNROLL
    for (int j = 0; j < kBlocks; ++j) {
      const Vec start = end.start(j);
      MINI_UNROLL
      for (int i = 0; i < kPixels; ++i) acc[j][0][i] = start;
    }
    const auto multiply = [&](int k) __attribute__((always_inline)) {
      ahead.fetch();
      multiply_add<Inputs::kStep, 1, kPixels, kBlocks, kHalf>(inputs.step(source, k), 0, weights,
                                                              acc);
      weights += kBlocks * kLanes;
    };
    if (t == 0) {
      for (int k = 0; k < kStreamSteps; ++k) multiply(k);
    } else {
      MINI_UNROLL
      for (int k = 0; k < kStreamSteps; ++k) {
        multiply(k);
        if (k < kVectors) end_vector(k);
      }
    }
    inputs.template multiply_rest<kHalf>(source, weights, ahead, acc);
    MINI_UNROLL
    for (int j = 0; j < kBlocks; ++j) {
      MINI_UNROLL
      for (int i = 0; i < kPixels; ++i) before[j][0][i] = acc[j][0][i];
    }
    pixel_before = pixel;
  }
  MINI_UNROLL
  for (int v = 0; v < kVectors; ++v) end_vector(v);
}

// The runs of tiles that are streams of their own. What is stored before it is activated is
// activated a few tiles later, from the L1 cache.
MINI_INLINE Runs stream_pieces(const ConvEpilogue& e, int tiles) {
  constexpr int kStoredTiles = 8;
  const int most = e.kind == EpilogueKind::kOther ? kStoredTiles : tiles;
  return Runs(tiles, tiles > 0 ? most : 1);
}

// Whether with_stream_end() can end a convolution. What it leaves is finish_stored(), for kOther.
MINI_INLINE bool stream_ends(const ConvEpilogue& e, const float* residual) {
  if (residual == nullptr) return true;
  if (e.kind == EpilogueKind::kOther) return true;
  return e.residual_first && e.kind == EpilogueKind::kClamp;
}

// body(activation, residual): what is done with a sum, and, as a constant, whether the residual is
// added before. kResidual: there may be one.
template <bool kResidual = true, class Body>
MINI_INLINE void with_stream_end(const ConvEpilogue& e, const float* residual, Body&& body) {
  if (e.kind == EpilogueKind::kSlope) return body(Slope{}, std::false_type{});
  if (e.kind == EpilogueKind::kHardSwish) return body(HardSwish(e), std::false_type{});
  const Clamp clamp = e.kind == EpilogueKind::kOther ? Clamp::none() : Clamp(e);
  if constexpr (kResidual) {
    if (residual != nullptr && e.residual_first) return body(clamp, std::true_type{});
  }
  body(clamp, std::false_type{});
}

}  // namespace mini_infer::simd::MINI_ISA
