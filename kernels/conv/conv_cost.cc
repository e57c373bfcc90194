#include "kernels/conv/conv_cost.h"

#include <algorithm>
#include <cmath>

#include "kernels/conv/conv_driver.h"

namespace mini_infer {
namespace {

// Pixels of a full register tile, as kernels/conv/tile.h has them.
std::int64_t tile_pixels(int lanes) { return lanes == 16 ? 14 : lanes == 8 ? 6 : 8; }

// How much longer `width` pixels take than full tiles would: fewer than 4 pixels wait for the
// latency of multiply-adds.
double tile_loss(std::int64_t width, int lanes) {
  const double pixels =
      static_cast<double>(width) / static_cast<double>(ceil_div(width, tile_pixels(lanes)));
  return std::max(1.0, 4 / pixels);
}

// The time of products that read so many weights once, which are fetched ahead: half of what is
// shorter shows where both are as long.
double with_weights(double products, double floats, Isa isa) {
  constexpr double kNearBytes = 2 << 20;
  const WeightCost cost = weight_cost();
  const double bytes = floats * sizeof(float), near = std::min(bytes, kNearBytes);
  return std::hypot(products, isa_unit_lanes(isa) * (cost.near * near + cost.far * (bytes - near)));
}

// Of transformed inputs that the L2 cache does not have, not even of the smallest block of tiles:
// each panel of output channels reads them again.
double spilt_cost(double tiles, double tile_bytes, double panels, Isa isa) {
  constexpr double kFewestTiles = 12;
  const double fits = static_cast<double>(l2_cache_bytes()) / (kFewestTiles * tile_bytes);
  const double spilt = std::max(0.0, 1 - fits) * tiles * tile_bytes;
  return spilt * (1 + panels) * weight_cost().far * isa_unit_lanes(isa);
}

// What the busier of two threads would do where they can share panels of channels only, 1 for half.
double strassen_load(const ConvShape& s, int lanes) {
  constexpr std::int64_t kPanelBlocks = 2;
  if (s.n * strassen_groups(s.oh * s.ow) > 1) return 1;
  const std::int64_t blocks = s.oc / 2 / lanes, panels = ceil_div(blocks, kPanelBlocks);
  return static_cast<double>(std::min(ceil_div(panels, 2) * kPanelBlocks, blocks)) * 2 /
         static_cast<double>(blocks);
}

double padded_channels(std::int64_t channels, int lanes) {
  return static_cast<double>(ceil_div(channels, lanes) * lanes);
}

// The share of products with rows of the kernel that are computed.
double computed_rows(const ConvShape& s) {
  if (!skips_rows_of_kernel(s)) return 1;
  std::int64_t rows = 0;
  for (std::int64_t oy = 0; oy < s.oh; ++oy) rows += kernel_rows_inside(s, oy).count();
  return static_cast<double>(rows) / static_cast<double>(s.oh * s.kh);
}

}  // namespace

// A load of input for each multiply-add.
double depthwise_conv_cost(const ConvShape& s, Isa isa) {
  return 3 * padded_channels(s.oc, isa_lanes(isa)) *
         static_cast<double>(s.n * s.oh * s.ow * s.kh * s.kw);
}

// In vector operations: 6 products of an output instead of 9, and 4 additions, which are free where
// they have units of their own. Without multiply-adds a product is two operations. AVX2 has too few
// registers for the filter. Maps that the L2 cache does not have want to be read along rows.
double depthwise_winograd_conv_cost(const ConvShape& s, Isa isa) {
  const int lanes = isa_lanes(isa);
  const double direct = depthwise_conv_cost(s, isa);
  const double bytes =
      padded_channels(s.ic, lanes) * sizeof(float) * static_cast<double>(s.n * s.ih * s.iw);
  if (lanes == 8 || bytes > 0.75 * static_cast<double>(l2_cache_bytes())) return 1.1 * direct;
  const double product = isa_has_multiply_add(isa) ? 1 : 2;
  const double additions = isa_adds_apart(isa) ? 0 : 4;
  const double paired = static_cast<double>(s.ow / 2 * 2) * (6 * product + additions);
  const bool third_tap_outside = s.ow + 1 - s.pad_left >= s.iw;
  const double last = s.ow % 2 == 0 ? 0 : (third_tap_outside ? 6 : 9) * product;
  return direct * (paired + last) / (9 * product * static_cast<double>(s.ow));
}

double direct_conv_cost(const ConvShape& s, Isa isa) {
  const int lanes = isa_lanes(isa);
  const bool flat = s.kh == 1 && s.kw == 1;
  // Two rows of narrow maps share a tile.
  const std::int64_t width = flat ? s.oh * s.ow : s.ow <= tile_pixels(lanes) / 2 ? 2 * s.ow : s.ow;
  const double oc = padded_channels(s.oc, isa_unit_lanes(isa));
  const double weights = oc * static_cast<double>(ceil_div(s.ic, s.groups) * s.kh * s.kw);
  // Stores, and what the end of a tile leaves unused; the parts of Strassen's outputs include it.
  constexpr double kOutput = 2.5;
  const auto pixels = static_cast<double>(s.n * s.oh * s.ow);
  return with_weights(
      pixels * (weights * computed_rows(s) * tile_loss(width, lanes) + kOutput * oc), weights, isa);
}

double strassen_conv_cost(const ConvShape& s, Isa isa) {
  // The sums of an input, which may come from the L2 cache or from further away, and the parts of
  // an output: mostly stores, in multiply-adds. Weights are fetched ahead where enough pixels meet
  // each of them.
  constexpr double kNearInput = 8, kFarInput = 11, kOutput = 7, kFarWeight = 1.5;
  const auto n = static_cast<double>(s.n), pixels = static_cast<double>(s.oh * s.ow);
  const auto ic = static_cast<double>(s.ic), oc = static_cast<double>(s.oc);
  const bool far = ic * pixels * sizeof(float) > static_cast<double>(l2_cache_bytes());
  const std::int64_t pairs = ceil_div(s.oh * s.ow, 2);
  const double meets = static_cast<double>(pairs) * tile_loss(pairs, isa_lanes(isa));
  const double products = ic * oc * 7 / 4 * std::max(meets, kFarWeight * isa_unit_lanes(isa)) *
                          strassen_load(s, isa_lanes(isa));
  // The caches keep up with units of up to 8 floats.
  const double slower = isa_unit_lanes(isa) == 16 ? 1.75 : 1;
  const double sums = slower * pixels * ((far ? kFarInput : kNearInput) * ic + kOutput * oc);
  return with_weights(n * (products + sums), ic * oc, isa);
}

double winograd_conv_cost(const ConvShape& s, int tile, int taps, Isa isa) {
  // Vector operations of the transforms of a tile, in multiply-adds, by tile and stride.
  struct Transforms {
    double input, output;
  };
  static constexpr Transforms kWork[2][2] = {{{150, 120}, {250, 200}}, {{400, 350}, {800, 700}}};
  static constexpr Transforms kWork5{400, 200}, kWorkOneAxis[2] = {{30, 30}, {30, 25}};
  const std::int64_t stride = winograd_stride(s);
  const bool one_axis = s.kh == 1 || s.kw == 1;
  const Transforms& work = one_axis    ? kWorkOneAxis[stride == 2]
                           : taps == 5 ? kWork5
                                       : kWork[tile == 4][stride == 2];
  const int lanes = isa_lanes(isa);
  struct Axis {
    std::int64_t tiles, parts;
    double elements, filter;
  };
  const auto axis = [&](std::int64_t kernel, std::int64_t out, std::int64_t dilation) {
    if (kernel == 1) return Axis{out, 1, 1, 1};
    return Axis{dilation * winograd_tiles(out, dilation, tile), ceil_div(kernel, taps),
                static_cast<double>(winograd_elements(tile, taps, stride)),
                static_cast<double>(tile + taps - 1)};
  };
  const Axis y = axis(s.kh, s.oh, s.dilation_h), x = axis(s.kw, s.ow, s.dilation_w);
  const std::int64_t tiles = s.n * s.depth.out * y.tiles * x.tiles;
  const double elements = y.elements * x.elements, filter = y.filter * x.filter;
  const double oc = padded_channels(s.oc, isa_unit_lanes(isa));
  const auto parts = static_cast<double>(s.depth.kernel * y.parts * x.parts);
  const double ic = padded_channels(s.ic, lanes) * parts;
  const double filters = oc * static_cast<double>(ceil_div(s.ic, s.groups)) * parts;
  // Beginning and end of a register tile of a product, in vectors: felt where channels are few.
  constexpr double kTileEnds = 40;
  const auto products = static_cast<double>(ceil_div(tiles, tile_pixels(lanes)) * s.groups *
                                            ceil_div(ceil_div(s.oc, s.groups), 2 * lanes));
  const double computed =
      static_cast<double>(tiles) *
          (elements * filters * tile_loss(tiles, lanes) + work.input * ic + work.output * oc) +
      elements * products * kTileEnds * lanes;
  const double panels = static_cast<double>(ceil_div(s.oc, 2 * lanes));
  return with_weights(computed, filter * filters, isa) +
         spilt_cost(static_cast<double>(tiles), elements * ic * sizeof(float), panels, isa);
}

double row_conv_cost(const ConvGeometry& g) { return 1.5 * g.macs(); }

// Few filters leave the tiles of the product half empty, and each unrolled input serves few of
// them.
double im2col_conv_cost(const ConvGeometry& g) {
  constexpr std::int64_t kTileFilters = 8;
  constexpr double kUnroll = 8;
  const double unrolled = static_cast<double>(g.n * g.groups * g.depth() * g.out_plane());
  const double filters = static_cast<double>(ceil_div(g.group_oc(), kTileFilters) * kTileFilters);
  return unrolled * (filters + (g.taps() > 1 ? kUnroll : 0));
}

}  // namespace mini_infer
