// What the drivers of the convolution algorithms share: the epilogue as kernels read it, and how
// work is divided.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/epilogue.h"
#include "kernels/kernel_context.h"

namespace mini_infer {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Bytes of a core's second-level cache, or a usual size where the system does not tell.
std::int64_t l2_cache_bytes();

// Multiply-adds of each lane of a unit in the time that a byte of weights takes to come: the first
// megabytes from the L3 cache, what is more from memory.
struct WeightCost {
  double near, far;
};
WeightCost weight_cost();

// The epilogue for the output channels from `first` on.
ConvEpilogue make_epilogue(const ConvArgs& args, std::int64_t first);

// Tiles of `tile` outputs in one class of `extent` outputs modulo the dilation.
constexpr std::int64_t winograd_tiles(std::int64_t extent, std::int64_t dilation,
                                      std::int64_t tile) {
  return ceil_div(ceil_div(extent, dilation), tile);
}

// Inputs of one axis that `tile` outputs of a kernel with `taps` taps read, which is also how many
// elements a transformed tile has there; stride 1 or 2.
constexpr std::int64_t winograd_elements(std::int64_t tile, std::int64_t taps,
                                         std::int64_t stride) {
  return tile * stride + taps - stride;
}

// The stride along the axes that the kernel has several taps on.
constexpr std::int64_t winograd_stride(const ConvShape& s) {
  return s.kw > 1 ? s.stride_w : s.stride_h;
}

// Groups of pixels of an image within which Strassen's algorithm pairs them. Two for larger maps:
// of two threads, each then reads and writes its half of the map, as in other layers.
constexpr std::int64_t strassen_groups(std::int64_t pixels) { return pixels < 112 ? 1 : 2; }

// Into how many chunks the `panels` of every one of `blocks` blocks are divided so that `threads`
// threads get about equal work.
std::int64_t panel_chunks(std::int64_t blocks, std::int64_t panels, int threads);

// The split into the fewest units that keep `threads` threads busy. Each of `parts` parts (images,
// groups) has `fewest` to `most` blocks, and each block `panels` panels of channels.
ConvSplit split_output(std::int64_t parts, std::int64_t fewest, std::int64_t most,
                       std::int64_t panels, int threads);

// [first, last) of chunk i of n over `count` things.
struct Span {
  std::int64_t first, last;
  std::int64_t count() const { return last - first; }
};
constexpr Span chunk_of(std::int64_t count, std::int64_t i, std::int64_t n) {
  return {count * i / n, count * (i + 1) / n};
}

// Rows of the kernel that output row `oy` meets within the image.
Span kernel_rows_inside(const ConvShape& shape, std::int64_t oy);
// Whether direct convolution leaves the others out: not of narrow maps, of which two rows share a
// register tile.
bool skips_rows_of_kernel(const ConvShape& shape);

// weight(o, i, t) -> [panels][ic blocks][taps][lanes that exist][panel width], for `oc` filters of
// `ic` channels; the last panel is as wide as the blocks it has. Lanes past the last output channel
// are zero. Returns the end of what was written.
template <class Weight>
float* pack_panels(const Weight& weight, std::int64_t oc, std::int64_t ic, std::int64_t taps,
                   int lanes, int panel_blocks, float* packed, int threads) {
  const std::int64_t padded = ceil_div(oc, lanes) * lanes,
                     panel = std::int64_t{panel_blocks} * lanes;
  const auto pack_panel = [&](std::int64_t first, float* out) {
    const std::int64_t width = std::min(panel, padded - first), real = std::min(width, oc - first);
    for (std::int64_t block = 0; block < ic; block += lanes) {
      const std::int64_t block_end = std::min(ic, block + lanes);
      for (std::int64_t t = 0; t < taps; ++t) {
        for (std::int64_t c = block; c < block_end; ++c, out += width) {
          for (std::int64_t o = 0; o < real; ++o) out[o] = weight(first + o, c, t);
          std::fill(out + real, out + width, 0.f);
        }
      }
    }
  };
  const std::int64_t filter = ic * taps;
  parallel_for(threads, ceil_div(oc, panel), static_cast<double>(panel * filter),
               [&](Range panels, int) {
                 for (std::int64_t p = panels.begin; p < panels.end; ++p) {
                   pack_panel(p * panel, packed + p * panel * filter);
                 }
               });
  return packed + padded * filter;
}
// Size of what pack_panels writes.
std::int64_t packed_panel_floats(std::int64_t oc, std::int64_t ic, std::int64_t taps, int lanes);

}  // namespace mini_infer
