#include "kernels/conv/strassen.simd.h"

#include <utility>

#include "kernels/conv/tile_stream.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// What becomes of a product.
struct Step {
  int add;               // this part is added to it; < 0: none
  int to;                // the sum is this part; < 0: it is the output
  int pixels, channels;  // which half of the output it is about
};

constexpr Step kSteps[kStrassenProducts] = {{-1, 0, 0, 0}, {0, -1, 0, 0}, {0, 1, 0, 1},
                                            {1, 2, 0, 1},  {2, -1, 0, 1}, {1, 3, 1, 0},
                                            {3, -1, 1, 0}};

// One tile of a product.
struct TilePlace {
  const Step* step;
  const float* source;
  int pair;
  const float* weights;
  const ChannelConstants* constants;
  const float* scales;
  WeightsAhead ahead;
};

using TileFn = void(const StrassenPanel&, const TilePlace&);

// Where pairs from `pair` on are in a part, for block j of output channels.
MINI_INLINE float* part_of(const StrassenPanel& p, int part, int j, int pair) {
  return p.parts + (std::ptrdiff_t{part * kTileBlocks + j} * p.pairs + pair) * kLanes;
}

// And in the output, for block 0.
MINI_INLINE std::ptrdiff_t output_offset(const StrassenPanel& p, int pixels, int channels,
                                         int pair) {
  return channels * (p.half / kLanes) * p.output_plane + pixels * p.output_lower +
         pair * p.output_step;
}

// What end() leaves to be done in memory.
MINI_INLINE void end_stored(const StrassenPanel& p, std::ptrdiff_t offset, int blocks, int pixels) {
  if (p.epilogue.kind != EpilogueKind::kOther) return;
  const float* const residual = p.residual != nullptr ? p.residual + offset : nullptr;
  if (p.output_step == kLanes) {
    finish_stored(p.epilogue, residual, p.output + offset, blocks, pixels, p.output_plane);
  } else {
    finish_stored(p.epilogue, residual, p.output + offset, pixels, blocks, p.output_step);
  }
}

// Ends pixels of block j, all of whose products are in sums.
template <int kPixels>
MINI_INLINE void end(const StrassenPanel& p, const ChannelConstants& constants, const float* scales,
                     int j, std::ptrdiff_t offset, Vec (&sums)[kPixels]) {
  const Vec scale = load(scales + j * kLanes), bias = load(constants.bias + j * kLanes);
#pragma GCC unroll 16
  for (int i = 0; i < kPixels; ++i) sums[i] = fma(sums[i], scale, bias);
  finish(p.epilogue, load(constants.slopes + j * kLanes), sums,
         p.residual != nullptr ? p.residual + offset : nullptr, p.output + offset, p.output_step);
}

template <int kPixels, int kBlocks>
[[gnu::noinline]] void tile(const StrassenPanel& p, const TilePlace& at) {
  Vec acc[kBlocks][1][kPixels];
#pragma GCC unroll 2
  for (int j = 0; j < kBlocks; ++j) {
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) acc[j][0][i] = zero();
  }
  const float* source = at.source;
  const float* weights = at.weights;
  WeightsAhead ahead = at.ahead;
  const std::ptrdiff_t plane = std::ptrdiff_t{p.pairs} * kLanes;
  for (int left = p.channels; left > 0; left -= kLanes, source += plane) {
    const int lanes = left < kLanes ? left : kLanes;
    multiply_channels<kLanes, 1, kPixels, kBlocks, false>(source, 0, lanes, weights, ahead, acc);
  }
  const Step& step = *at.step;
  const std::ptrdiff_t offset = output_offset(p, step.pixels, step.channels, at.pair);
#pragma GCC unroll 2
  for (int j = 0; j < kBlocks; ++j) {
    if (step.add >= 0) {
      const float* const part = part_of(p, step.add, j, at.pair);
#pragma GCC unroll 16
      for (int i = 0; i < kPixels; ++i) acc[j][0][i] = acc[j][0][i] + load(part + i * kLanes);
    }
    if (step.to < 0) {
      end(p, *at.constants, at.scales, j, offset + j * p.output_plane, acc[j][0]);
      continue;
    }
    float* const part = part_of(p, step.to, j, at.pair);
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) store(part + i * kLanes, acc[j][0][i]);
  }
  if (step.to < 0) end_stored(p, offset, kBlocks, kPixels);
}

// Ends the vectors of a stream of a product: adds them to a part, stores them as one.
template <bool kAdd>
struct PartEnd {
  const float* add;
  float* to;
  std::ptrdiff_t block;

  MINI_INLINE Vec start(int /*j*/) const { return zero(); }
  MINI_INLINE void operator()(int j, std::ptrdiff_t pair, Vec sum) const {
    const std::ptrdiff_t offset = j * block + pair * kLanes;
    if constexpr (kAdd) sum = sum + load(add + offset);
    store(to + offset, sum);
  }
};

// The same where they are the output then. kResidual: one is added before the activation.
template <class Activation, bool kResidual>
struct OutputEnd {
  Activation activation;
  const ChannelConstants* constants;
  const float* scales;
  const float* add;
  std::ptrdiff_t block;
  const float* residual;
  float* output;
  std::ptrdiff_t plane, step;

  MINI_INLINE Vec start(int /*j*/) const { return zero(); }
  MINI_INLINE void operator()(int j, std::ptrdiff_t pair, Vec sum) const {
    const int channels = j * kLanes;
    sum = fma(sum + load(add + j * block + pair * kLanes), load(scales + channels),
              load(constants->bias + channels));
    const std::ptrdiff_t offset = j * plane + pair * step;
    if constexpr (kResidual) sum = sum + load(residual + offset);
    store(output + offset, activation(sum, load(constants->slopes + channels)));
  }
};

// Tiles from pair at.pair on whose sums are parts of the output.
template <int kBlocks>
void stream_parts(const StrassenPanel& p, const TilePlace& at, const BlockedInputs& inputs,
                  const TileStream& s) {
  const std::ptrdiff_t block = std::ptrdiff_t{p.pairs} * kLanes;
  float* const to = part_of(p, at.step->to, 0, at.pair);
  if (at.step->add < 0)
    return stream_tiles<kBlocks, false>(inputs, s, PartEnd<false>{nullptr, to, block});
  stream_tiles<kBlocks, false>(inputs, s,
                               PartEnd<true>{part_of(p, at.step->add, 0, at.pair), to, block});
}

// And those that are the output.
template <int kBlocks>
void stream_outputs(const StrassenPanel& p, const TilePlace& at, const BlockedInputs& inputs,
                    const TileStream& s) {
  const std::ptrdiff_t offset = output_offset(p, at.step->pixels, at.step->channels, at.pair);
  with_stream_end(p.epilogue, p.residual, [&](const auto& activation, auto residual) {
    using End = OutputEnd<std::decay_t<decltype(activation)>, residual>;
    stream_tiles<kBlocks, false>(
        inputs, s,
        End{activation, at.constants, at.scales, part_of(p, at.step->add, 0, at.pair),
            std::ptrdiff_t{p.pairs} * kLanes, p.residual != nullptr ? p.residual + offset : nullptr,
            p.output + offset, p.output_plane, p.output_step});
  });
  end_stored(p, offset, kBlocks, s.tiles * kStreamPixels<kBlocks>);
}

// Tiles of 1..kTilePixels pixels.
template <int kBlocks>
struct Tiles {
  TileFn* fn[kTilePixels + 1] = {};
  template <int... kPixels>
  constexpr explicit Tiles(std::integer_sequence<int, kPixels...>)
      : fn{nullptr, &tile<kPixels + 1, kBlocks>...} {}
  constexpr Tiles() : Tiles(std::make_integer_sequence<int, kTilePixels>()) {}
};

// Y22 = part 3 + part 2 - part 1
void end_last_quarter(const StrassenPanel& p, const ChannelConstants& constants) {
  constexpr int kCount = 4;
  const int blocks = p.out_channels / kLanes;
  const float* const scales = p.scales + p.half;
  const auto run = [&]<int kPixels>(std::integral_constant<int, kPixels>, int j, int pair) {
    Vec sums[kPixels];
#pragma GCC unroll 4
    for (int i = 0; i < kPixels; ++i) {
      const auto part = [&](int index) { return load(part_of(p, index, j, pair + i)); };
      sums[i] = part(3) + (part(2) - part(1));
    }
    end(p, constants, scales, j, output_offset(p, 1, 1, pair) + j * p.output_plane, sums);
  };
  for (int j = 0; j < blocks; ++j) {
    int pair = 0;
    for (; pair + kCount <= p.whole; pair += kCount)
      run(std::integral_constant<int, kCount>{}, j, pair);
    for (; pair < p.whole; ++pair) run(std::integral_constant<int, 1>{}, j, pair);
  }
  end_stored(p, output_offset(p, 1, 1, 0), blocks, p.whole);
}

// One product of all pairs, whose sums of X are given.
template <int kBlocks>
void run_product(const StrassenPanel& p, TilePlace& at, const float* sums, const float* next) {
  static constexpr Tiles<kBlocks> kTiles;
  const int pairs = at.step->pixels == 1 ? p.whole : p.pairs;
  const BlockedInputs inputs{std::ptrdiff_t{p.pairs} * kLanes, p.channels, 1};
  const bool output = at.step->to < 0;
  int streamed = streamed_tiles<kBlocks>(inputs, pairs);
  if (output && !stream_ends(p.epilogue, p.residual)) streamed = 0;
  const int before = streamed * kStreamPixels<kBlocks>;
  const Runs runs(pairs - before, kTilePixels);
  const int all = streamed + runs.count;
  if constexpr (kStreams) {
    stream_pieces(p.epilogue, streamed).for_each([&](int first, int count) {
      at.pair = first * kStreamPixels<kBlocks>;
      const TileStream s{
          sums + std::ptrdiff_t{at.pair} * kLanes, at.weights, next, count, all, first, false};
      (output ? stream_outputs<kBlocks> : stream_parts<kBlocks>)(p, at, inputs, s);
    });
  }
  int done = streamed;
  runs.for_each([&](int pair, int count) {
    at.pair = before + pair;
    at.source = sums + std::ptrdiff_t{at.pair} * kLanes;
    at.ahead = WeightsAhead::of_tile<kBlocks * kLanes>(next, p.channels, all, done++);
    kTiles.fn[count](p, at);
  });
}

template <int kBlocks>
void run_panel(const StrassenPanel& p) {
  ChannelConstants constants[2];
  for (int half = 0; half < 2; ++half)
    gather_constants(p.epilogue, half * p.half, p.out_channels, constants[half]);
  TilePlace at{};
  at.weights = p.weights;
  for (int product = 0; product < kStrassenProducts; ++product) {
    at.step = &kSteps[product];
    at.constants = &constants[at.step->channels];
    at.scales = p.scales + at.step->channels * p.half;
    const float* const sums = p.sums + product * p.product_sums;
    const float* const next = at.weights + std::ptrdiff_t{p.channels} * kBlocks * kLanes;
    run_product<kBlocks>(p, at, sums, next);
    at.weights = next;
  }
  end_last_quarter(p, constants[1]);
}

}  // namespace

void strassen_sums_f32(const StrassenSums& s) {
  const std::ptrdiff_t half = s.blocks * s.input_plane;
  for (int block = 0; block < s.blocks; ++block) {
    const float* const left = s.input + block * s.input_plane;
    const float* const right = left + half;
    const Vec left_scale = load(s.scales + block * kLanes),
              right_scale = load(s.scales + (s.blocks + block) * kLanes);
    float* to = s.sums + std::ptrdiff_t{block} * s.pairs * kLanes;
    const auto put = [&](int product, Vec sum) { store(to + product * s.product_sums, sum); };
    for (int i = 0; i < s.whole; ++i, to += kLanes) {
      const int upper = s.upper[i], lower = s.lower[i];
      // The next blocks of channels are on other pages.
      __builtin_prefetch(left + s.input_plane + upper);
      __builtin_prefetch(left + s.input_plane + lower);
      __builtin_prefetch(right + s.input_plane + upper);
      __builtin_prefetch(right + s.input_plane + lower);
      const Vec x11 = load(left + upper) * left_scale, x12 = load(right + upper) * right_scale;
      const Vec x21 = load(left + lower) * left_scale, x22 = load(right + lower) * right_scale;
      const Vec lower_sum = x21 + x22, corner = lower_sum - x11;
      put(0, x11);
      put(1, x12);
      put(2, corner);
      put(3, lower_sum);
      put(4, x12 - corner);
      put(5, x11 - x21);
      put(6, x22);
    }
    if (s.whole == s.pairs) continue;
    const int upper = s.upper[s.whole];  // has no counterpart
    const Vec x11 = load(left + upper) * left_scale, x12 = load(right + upper) * right_scale;
    put(0, x11);
    put(1, x12);
    put(2, zero() - x11);
    put(3, zero());
    put(4, x12 + x11);
  }
}

void strassen_panel_f32(const StrassenPanel& panel) {
  if (panel.out_channels > kLanes) {
    run_panel<2>(panel);
  } else {
    run_panel<1>(panel);
  }
}

}  // namespace mini_infer::simd::MINI_ISA
