#include "kernels/conv/direct.simd.h"

#include <utility>

#include "kernels/conv/tile_stream.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// What one tile needs beyond the block.
struct TilePlace {
  const float* source;
  const float* weights;  // the panel
  const ChannelConstants* constants;
  const float* residual;
  float* output;
  int channels;  // from source on
  RowTaps taps;
  bool first, last;  // chunk of channels; sums of the earlier ones are in the output
  WeightsAhead ahead;
};

using TileFn = void(const DirectBlock&, const TilePlace&);

[[gnu::noinline]] void finish_stored_tile(const DirectBlock& b, const TilePlace& at, int blocks,
                                          int rows, int pixels) {
  // Pixels that are not neighbours are ended one by one.
  const int runs = b.output_step == kLanes ? 1 : pixels;
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < runs; ++i) {
      const std::ptrdiff_t offset = r * b.output_row + i * b.output_step;
      finish_stored(b.epilogue, at.residual != nullptr ? at.residual + offset : nullptr,
                    at.output + offset, blocks, pixels / runs, b.output_plane);
    }
  }
}

// acc = the bias, or the sums of earlier chunks. A residual that is added before the activation may
// be the output itself: the first of several chunks adds it.
template <int kBlocks, int kRows, int kPixels>
MINI_INLINE void start(const DirectBlock& b, const TilePlace& at,
                       Vec (&acc)[kBlocks][kRows][kPixels]) {
  const bool residual_now = !at.last && b.epilogue.residual_first;
  const float* const sums = !at.first ? at.output : residual_now ? at.residual : nullptr;
#pragma GCC unroll 4
  for (int j = 0; j < kBlocks; ++j) {
    const Vec bias = at.first ? load(at.constants->bias + j * kLanes) : zero();
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int i = 0; i < kPixels; ++i) acc[j][r][i] = bias;
      if (sums == nullptr) continue;
      const float* const row = sums + j * b.output_plane + r * b.output_row;
#pragma GCC unroll 16
      for (int i = 0; i < kPixels; ++i) acc[j][r][i] = acc[j][r][i] + load(row + i * b.output_step);
    }
  }
}

// Ends the pixels, or stores their sums for the next chunk.
template <int kBlocks, int kRows, int kPixels>
MINI_INLINE void end(const DirectBlock& b, const TilePlace& at,
                     Vec (&acc)[kBlocks][kRows][kPixels]) {
  const bool add = at.residual != nullptr && (at.first || !b.epilogue.residual_first);
#pragma GCC unroll 4
  for (int j = 0; j < kBlocks; ++j) {
    const Vec slope = load(at.constants->slopes + j * kLanes);
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
      const std::ptrdiff_t offset = j * b.output_plane + r * b.output_row;
      float* const output = at.output + offset;
      if (at.last) {
        finish(b.epilogue, slope, acc[j][r], add ? at.residual + offset : nullptr, output,
               b.output_step);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < kPixels; ++i) store(output + i * b.output_step, acc[j][r][i]);
      }
    }
  }
}

// From so many blocks of channels on, their pixels are fetched ahead.
constexpr int kManyBlocks = 16;

template <int kStep, int kRows, int kPixels, int kBlocks, bool kHalf>
[[gnu::noinline]] void tile(const DirectBlock& b, const TilePlace& at) {
  Vec acc[kBlocks][kRows][kPixels];
  start<kBlocks, kRows, kPixels>(b, at, acc);
  const float* plane = at.source;
  const float* weights = at.weights;
  WeightsAhead ahead = at.ahead;
  const std::ptrdiff_t* const first_tap = b.taps + at.taps.first;
  const std::ptrdiff_t* const taps_end = first_tap + at.taps.count;
  if constexpr (kStep != kLanes) {  // plain: one channel a tap
    for (const std::ptrdiff_t* tap = first_tap; tap != taps_end;
         ++tap, weights += kBlocks * kLanes) {
      multiply_add<kStep, kRows, kPixels, kBlocks, kHalf>(plane + *tap, b.source_row, weights, acc);
    }
  } else {
    const bool scattered = b.tap_count == 1 && at.channels >= kManyBlocks * kLanes;
    const int before = at.taps.first * kBlocks * kLanes;
    const int behind = (b.tap_count - at.taps.first - at.taps.count) * kBlocks * kLanes;
    for (int left = at.channels; left > 0; left -= kLanes, plane += b.source_plane) {
      const int lanes = left < kLanes ? left : kLanes;
      if (scattered) prefetch_pixels<kStep, kRows, kPixels>(plane + b.source_plane, b.source_row);
      weights += before * lanes;
      for (const std::ptrdiff_t* tap = first_tap; tap != taps_end; ++tap) {
        multiply_channels<kStep, kRows, kPixels, kBlocks, kHalf>(plane + *tap, b.source_row, lanes,
                                                                 weights, ahead, acc);
      }
      weights += behind * lanes;
    }
  }
  end<kBlocks, kRows, kPixels>(b, at, acc);
  if (at.last && b.epilogue.kind == EpilogueKind::kOther)
    finish_stored_tile(b, at, kBlocks, kRows, kPixels);
}

// Tiles of 1..kMost pixels.
template <int kStep, int kRows, int kBlocks, bool kHalf, int kMost>
struct Tiles {
  TileFn* fn[kMost + 1] = {};
  template <int... kPixels>
  constexpr explicit Tiles(std::integer_sequence<int, kPixels...>)
      : fn{nullptr, &tile<kStep, kRows, kPixels + 1, kBlocks, kHalf>...} {}
  constexpr Tiles() : Tiles(std::make_integer_sequence<int, kMost>()) {}
};

// One panel of output channels, and its tiles so far.
struct Panel {
  TilePlace at;
  const float* next;  // the panel after it, which tiles that meet so many taps fetch
  int fetching_taps;
  int tiles, done;  // of those
  int streamed;     // tiles of a row that are a stream
};

// Ends the vectors of a stream. kResidual: one is added before the activation.
template <class Activation, bool kResidual>
struct StreamEnd {
  Activation activation;
  const ChannelConstants* constants;
  const float* residual;
  float* output;
  std::ptrdiff_t plane, step;

  MINI_INLINE Vec start(int j) const { return load(constants->bias + j * kLanes); }
  MINI_INLINE void operator()(int j, std::ptrdiff_t pixel, Vec sum) const {
    const std::ptrdiff_t offset = j * plane + pixel * step;
    if constexpr (kResidual) sum = sum + load(residual + offset);
    store(output + offset, activation(sum, load(constants->slopes + j * kLanes)));
  }
};

// What a stream reads.
template <int kStep>
auto stream_inputs(const DirectBlock& b, const TilePlace& at) {
  if constexpr (kStep == kLanes) {
    return BlockedInputs{b.source_plane, at.channels, 1};
  } else {
    return PlainInputs<kStep>{b.taps, b.tap_count};
  }
}

// Tiles of a row that are a stream.
template <int kStep, int kBlocks>
int tiles_of_stream(const DirectBlock& b, const TilePlace& at) {
  const bool whole = at.first && at.last && (kStep != kLanes || b.tap_count == 1);
  if (kStep != kLanes && at.residual != nullptr) return 0;  // stems hardly ever have one
  if (!whole || !stream_ends(b.epilogue, at.residual)) return 0;
  return streamed_tiles<kBlocks>(stream_inputs<kStep>(b, at), b.width);
}

template <int kStep, int kBlocks, bool kHalf>
void stream_tiles_of_row(const DirectBlock& b, const TilePlace& at, const TileStream& s) {
  with_stream_end<kStep == kLanes>(
      b.epilogue, at.residual, [&](const auto& activation, auto residual) {
        using End = StreamEnd<std::decay_t<decltype(activation)>, residual>;
        stream_tiles<kBlocks, kHalf>(
            stream_inputs<kStep>(b, at), s,
            End{activation, at.constants, at.residual, at.output, b.output_plane, b.output_step});
      });
  if (b.epilogue.kind == EpilogueKind::kOther)
    finish_stored_tile(b, at, kBlocks, 1, s.tiles * kStreamPixels<kBlocks>);
}

template <int kStep, int kBlocks, bool kHalf>
void stream_row(const DirectBlock& b, const TilePlace& row, Panel& panel) {
  const bool inwards = b.inwards && b.rows == 1;
  const Runs pieces = stream_pieces(b.epilogue, panel.streamed);
  const float* const source = row.source + (kStep == kLanes ? b.taps[0] : 0);
  pieces.for_each(
      [&](int first, int count) {
        const std::ptrdiff_t pixel = std::ptrdiff_t{first} * kStreamPixels<kBlocks>;
        TilePlace at = row;
        at.output += pixel * b.output_step;
        if (at.residual != nullptr) at.residual += pixel * b.output_step;
        const TileStream s{
            source + pixel * kStep,      row.weights, panel.next, count, panel.tiles, panel.done,
            inwards && pieces.count == 1};
        panel.done += count;
        stream_tiles_of_row<kStep, kBlocks, kHalf>(b, at, s);
      },
      inwards);
}

template <int kStep, int kRows, int kBlocks, bool kHalf>
void run_rows(const DirectBlock& b, Panel& panel, int first_row) {
  constexpr int kMost = kTilePixels / kRows;
  constexpr Tiles<kStep, kRows, kBlocks, kHalf, kMost> kTiles;
  TilePlace at = panel.at;
  at.source += first_row * b.source_row;
  at.output += first_row * b.output_row;
  if (at.residual != nullptr) at.residual += first_row * b.output_row;
  const std::ptrdiff_t depth = std::ptrdiff_t{at.channels} * at.taps.count;
  const bool fetches = at.taps.count == panel.fetching_taps;
  int streamed = 0;
  if constexpr (kStreams && kRows == 1) {
    streamed = panel.streamed * kStreamPixels<kBlocks>;
    if (streamed > 0) stream_row<kStep, kBlocks, kHalf>(b, at, panel);
  }
  const auto run_tile = [&](int pixel, int count) {
    const int x = streamed + pixel;
    TilePlace place = at;
    place.source += x * kStep;
    place.output += x * b.output_step;
    if (place.residual != nullptr) place.residual += x * b.output_step;
    place.ahead = {panel.next, 0};
    if (fetches) {
      place.ahead =
          WeightsAhead::of_tile<kBlocks * kLanes>(panel.next, depth, panel.tiles, panel.done++);
    }
    kTiles.fn[count](b, place);
  };
  if (b.width > streamed)
    Runs(b.width - streamed, kMost).for_each(run_tile, b.inwards && b.rows == 1);
}

// Neighbouring rows that meet the same taps.
struct RowRun {
  int first, count;
  RowTaps taps;
  int pairs;  // narrow maps take two rows at a time
  MINI_INLINE int pieces() const { return count - pairs; }
};

MINI_INLINE RowRun row_run(const DirectBlock& b, int first) {
  RowRun run{first, b.rows - first, {0, b.tap_count}, 0};
  if (b.row_taps != nullptr) {
    run.taps = b.row_taps[first];
    run.count = 1;
    while (first + run.count < b.rows && b.row_taps[first + run.count] == run.taps) ++run.count;
  }
  if (b.width <= kTilePixels / 2) run.pairs = run.count / 2;
  return run;
}

template <int kStep, int kBlocks, bool kHalf>
void run_row_run(const DirectBlock& b, Panel& panel, const RowRun& run) {
  panel.at.taps = run.taps;
  for (int step = 0; step < run.pieces(); ++step) {
    const int i = piece_at(step, run.pieces(), b.inwards);
    if (i < run.pairs) {
      run_rows<kStep, 2, kBlocks, kHalf>(b, panel, run.first + 2 * i);
    } else {
      run_rows<kStep, 1, kBlocks, kHalf>(b, panel, run.first + run.pairs + i);
    }
  }
}

template <int kStep, int kBlocks, bool kHalf>
void run_chunk(const DirectBlock& b, Panel& panel) {
  panel.streamed = tiles_of_stream<kStep, kBlocks>(b, panel.at);
  const int rest = b.width - panel.streamed * kStreamPixels<kBlocks>;
  const int row_tiles = panel.streamed + (rest + kTilePixels - 1) / kTilePixels;
  panel.fetching_taps = panel.tiles = panel.done = 0;
  RowRun run{};
  for (int row = 0; row < b.rows; row += run.count) {
    run = row_run(b, row);
    if (run.taps.count < panel.fetching_taps) continue;
    if (run.taps.count > panel.fetching_taps) panel.tiles = 0;
    panel.fetching_taps = run.taps.count;
    panel.tiles += run.pairs + (run.count - 2 * run.pairs) * row_tiles;
  }
  // The longest first: while they compute, the weights come.
  for (const bool longest : {true, false}) {
    for (int row = 0; row < b.rows; row += run.count) {
      run = row_run(b, row);
      if ((run.taps.count == panel.fetching_taps) == longest)
        run_row_run<kStep, kBlocks, kHalf>(b, panel, run);
    }
  }
}

// All pixels meet one chunk of channels after the other, so that its weights stay in the L2 cache.
template <int kStep, int kBlocks, bool kHalf>
void run_panel(const DirectBlock& b, Panel panel) {
  TilePlace& at = panel.at;
  const int chunk = b.chunk > 0 ? b.chunk : b.channels;
  for (int done = 0; done < b.channels; done += chunk) {
    at.channels = b.channels - done < chunk ? b.channels - done : chunk;
    at.first = done == 0;
    at.last = done + chunk >= b.channels;
    panel.next = at.weights + std::ptrdiff_t{kBlocks} * kLanes * at.channels * b.tap_count;
    run_chunk<kStep, kBlocks, kHalf>(b, panel);
    at.weights = panel.next;
    at.source += at.channels / kLanes * b.source_plane;
  }
}

template <int kStep>
void run_block(const DirectBlock& b) {
  const std::ptrdiff_t panel_floats =
      std::ptrdiff_t{kTileBlocks} * kLanes * b.channels * b.tap_count;
  ChannelConstants constants;
  Panel panel{};
  panel.at = {b.source,   b.weights, &constants, b.residual, b.output,
              b.channels, {},        true,       true,       {}};
  TilePlace& at = panel.at;
  for (int oc = 0; oc < b.out_channels; oc += kTileBlocks * kLanes) {
    const int count = b.out_channels - oc;
    gather_constants(b.epilogue, oc, count, constants);
    with_panel(count, [&](auto blocks, auto half) { run_panel<kStep, blocks, half>(b, panel); });
    at.weights += panel_floats;
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
