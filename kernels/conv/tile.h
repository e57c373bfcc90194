// Register tiles shared by the convolution kernels. Included by *.simd.cc only.
#pragma once

#include <type_traits>

#include "kernels/conv/epilogue.h"
#include "kernels/conv/piece_order.h"
#include "kernels/simd/activate.simd.h"
#include "kernels/simd/vec.h"
#include "kernels/simd/weights_ahead.h"

namespace mini_infer::simd::MINI_ISA {

// The tile of kTilePixels x kTileBlocks accumulators that leaves registers for weights and one
// broadcast.
inline constexpr int kTileBlocks = 2;
#if defined(__AVX512F__)
inline constexpr int kTilePixels = 14;
#elif defined(__aarch64__)
inline constexpr int kTilePixels = 10;
#else
inline constexpr int kTilePixels = 6;
#endif

// Bias and slopes of kTileBlocks blocks of output channels, completed to whole vectors.
struct alignas(64) ChannelConstants {
  float bias[kTileBlocks * kLanes];
  float slopes[kTileBlocks * kLanes];
};

// values[0 .. count) of a block of channels, which may be none; zero in the other lanes.
MINI_INLINE Vec load_channels(const float* values, int count) {
  if (count >= kLanes) return load(values);
  return count > 0 ? load(values, count) : zero();
}
// Of the block of `count` channels from `first` on.
MINI_INLINE Vec bias_of(const ConvEpilogue& e, int first, int count) {
  return e.bias == nullptr ? zero() : load_channels(e.bias + first, count);
}
MINI_INLINE Vec slopes_of(const ConvEpilogue& e, int first, int count) {
  return e.slopes == nullptr ? broadcast(e.activation.alpha)
                             : load_channels(e.slopes + first, count);
}

MINI_INLINE void gather_constants(const ConvEpilogue& e, int first, int count,
                                  ChannelConstants& out) {
  for (int i = 0; i < kTileBlocks * kLanes; i += kLanes) {
    store(out.bias + i, bias_of(e, first + i, count - i));
    store(out.slopes + i, slopes_of(e, first + i, count - i));
  }
}

// The activations that are computed on registers.
struct Clamp {
  Vec low, high;
  MINI_INLINE Clamp(float least, float most) : low(broadcast(least)), high(broadcast(most)) {}
  MINI_INLINE explicit Clamp(const ConvEpilogue& e) : Clamp(e.low, e.high) {}
  static MINI_INLINE Clamp none() { return {-__builtin_inff(), __builtin_inff()}; }
  MINI_INLINE Vec operator()(Vec x, Vec /*slope*/) const { return min_nan(max_nan(x, low), high); }
};
struct Slope {
  MINI_INLINE Vec operator()(Vec x, Vec slope) const { return select(x < zero(), x * slope, x); }
};
struct HardSwish {
  Vec alpha, beta, one = broadcast(1.f);
  MINI_INLINE explicit HardSwish(const ConvEpilogue& e)
      : alpha(broadcast(e.activation.alpha)), beta(broadcast(e.activation.beta)) {}
  MINI_INLINE Vec operator()(Vec x, Vec /*slope*/) const {
    return x * min_nan(max_nan(fma(x, alpha, beta), zero()), one);
  }
};
// body(activation), but for kOther.
template <class Body>
MINI_INLINE void with_activation(const ConvEpilogue& e, Body&& body) {
  if (e.kind == EpilogueKind::kClamp) {
    body(Clamp(e));
  } else if (e.kind == EpilogueKind::kSlope) {
    body(Slope{});
  } else if (e.kind == EpilogueKind::kHardSwish) {
    body(HardSwish(e));
  }
}

// x = activation(x), for the kinds that are computed on registers.
template <int kCount>
MINI_INLINE void activate_tile(const ConvEpilogue& e, Vec slope, Vec (&x)[kCount]) {
  with_activation(
      e, [&](const auto& activation) __attribute__((always_inline)) {
#pragma GCC unroll 32
        for (int i = 0; i < kCount; ++i) x[i] = activation(x[i], slope);
      });
}

// output[pixel] = activation(acc[pixel] + residual[pixel]), or with the residual added last, for
// kCount pixels of a channel block that are `step` floats apart. kOther is left to finish_stored().
template <int kCount>
MINI_INLINE void finish(const ConvEpilogue& e, Vec slope, Vec (&acc)[kCount], const float* residual,
                        float* output, std::ptrdiff_t step = kLanes) {
  if (residual != nullptr && e.residual_first) {
#pragma GCC unroll 32
    for (int i = 0; i < kCount; ++i) acc[i] = acc[i] + load(residual + i * step);
  }
  activate_tile(e, slope, acc);
  if (residual != nullptr && !e.residual_first && e.kind != EpilogueKind::kOther) {
#pragma GCC unroll 32
    for (int i = 0; i < kCount; ++i) acc[i] = acc[i] + load(residual + i * step);
  }
#pragma GCC unroll 32
  for (int i = 0; i < kCount; ++i) store(output + i * step, acc[i]);
}

// The rest of finish() for kOther, on `rows` runs of `count` pixels in memory, `stride` floats
// apart. Called when no accumulator is live.
MINI_INLINE void finish_stored(const ConvEpilogue& e, const float* residual, float* output,
                               int rows, int count, std::ptrdiff_t stride) {
  const std::ptrdiff_t size = std::ptrdiff_t{count} * kLanes;
  activate_rows_f32(e.activation, output, rows, size, stride);
  if (residual == nullptr || e.residual_first) return;
  for (int r = 0; r < rows; ++r) {
    for (std::ptrdiff_t i = r * stride; i < r * stride + size; i += kLanes)
      store(output + i, load(output + i) + load(residual + i));
  }
}

// What a panel of output channels is: its blocks, and whether the last of them exists to at most a
// half. CPUs that take a wide vector in two passes then save the second one.
// body(blocks, half) as constants, for the first panel of `channels` output channels.
template <class Body>
MINI_INLINE void with_panel(int channels, Body&& body) {
  using std::integral_constant;
  constexpr integral_constant<int, 1> kOne;
  constexpr integral_constant<int, 2> kTwo;
  static_assert(kTileBlocks == 2);
  if constexpr (kHalfPays) {
    const int last = channels > kLanes ? channels - kLanes : channels;
    if (2 * last <= kLanes) {
      if (channels > kLanes) return body(kTwo, std::true_type{});
      return body(kOne, std::true_type{});
    }
  }
  if (channels > kLanes) return body(kTwo, std::false_type{});
  body(kOne, std::false_type{});
}

// acc[pixel][block] += source[pixel] * weights[block], for one input channel. kRows rows of kPixels
// pixels. kHalf: of the last block, half the lanes. Its products read the pixel again, as part of
// the instruction: on Zen 4 a broadcast of its own takes longer than half a block does (14 pixels
// of one and a half blocks: 23.5 cycles, or 21.1).
template <int kStep, int kRows, int kPixels, int kBlocks, bool kHalf>
MINI_INLINE void multiply_add(const float* source, std::ptrdiff_t source_row, const float* weights,
                              Vec (&acc)[kBlocks][kRows][kPixels]) {
  constexpr int kWhole = kHalf ? kBlocks - 1 : kBlocks;
  const float* const again = kHalf ? same_address(source) : source;
  Vec w[kBlocks];
#pragma GCC unroll 4
  for (int j = 0; j < kBlocks; ++j) w[j] = load(weights + j * kLanes);
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) {
      const std::ptrdiff_t at = r * source_row + i * kStep;
      if constexpr (kWhole > 0) {
        const Vec x = broadcast(source[at]);
#pragma GCC unroll 4
        for (int j = 0; j < kWhole; ++j) acc[j][r][i] = fma(x, w[j], acc[j][r][i]);
      }
      if constexpr (kHalf) acc[kWhole][r][i] = fma_low(again[at], w[kWhole], acc[kWhole][r][i]);
    }
  }
}

// Channels in a turn of the loop below. Its length must not be a constant: GCC 12 would unroll it
// before it knows registers, and then moves accumulators between them.
inline constexpr int kTurn = 8;

// The same for `lanes` input channels of one block; the weights that come next are fetched first.
template <int kStep, int kRows, int kPixels, int kBlocks, bool kHalf>
MINI_INLINE void multiply_channels(const float* source, std::ptrdiff_t source_row, int lanes,
                                   const float*& weights, WeightsAhead& ahead,
                                   Vec (&acc)[kBlocks][kRows][kPixels]) {
#pragma GCC unroll kTurn
  for (int k = 0; k < lanes; ++k, weights += kBlocks * kLanes) {
    ahead.fetch();
    multiply_add<kStep, kRows, kPixels, kBlocks, kHalf>(source + k, source_row, weights, acc);
  }
}

// Of the next block of channels: blocks of a map are on pages of their own, and the hardware looks
// ahead on a few of them only.
template <int kStep, int kRows, int kPixels>
MINI_INLINE void prefetch_pixels(const float* source, std::ptrdiff_t source_row) {
  constexpr int kLine = kStep < 16 ? 16 / kStep : 1;  // pixels
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; i += kLine)
      __builtin_prefetch(source + r * source_row + i * kStep);
  }
}

// `width` cut into runs of at most `most` pixels, as equal as can be.
struct Runs {
  int count, least, longer;
  MINI_INLINE Runs(int width, int most)
      : count((width + most - 1) / most),
        least(count > 0 ? width / count : 0),
        longer(count > 0 ? width % count : 0) {}
  // body(first, pixels); inwards: see piece_order.h.
  template <class Body>
  MINI_INLINE void for_each(Body&& body, bool inwards = false) const {
    for (int step = 0; step < count; ++step) {
      const int i = piece_at(step, count, inwards);
      body(i * least + (i < longer ? i : longer), least + (i < longer ? 1 : 0));
    }
  }
};

}  // namespace mini_infer::simd::MINI_ISA
