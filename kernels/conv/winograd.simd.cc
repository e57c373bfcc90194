#include "kernels/conv/winograd.simd.h"

#include <utility>

#include "kernels/conv/tile_stream.h"
#include "kernels/conv/winograd_axis.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// The elements of a tile, those that share a filter one after another.
template <class F>
struct ElementOrder {
  // Of one axis.
  template <class A>
  static constexpr int kFilterRows = A::kOut + A::kTaps - 1;
  template <class A>
  static constexpr int filter_row(int element) {
    return element < kFilterRows<A> ? element : kFilterRows<A> - 1;
  }
  static constexpr int kFilters = kFilterRows<typename F::Y> * kFilterRows<typename F::X>;
  static constexpr int filter(int e) {
    using X = typename F::X;
    return filter_row<typename F::Y>(e / kIn<X>) * kFilterRows<X> + filter_row<X>(e % kIn<X>);
  }

  int element[kElements<F>];
  constexpr ElementOrder() : element{} {
    int count = 0;
    for (int f = 0; f < kFilters; ++f) {
      for (int e = 0; e < kElements<F>; ++e) {
        if (filter(e) == f) element[count++] = e;
      }
    }
  }
};

// Walks over tiles in their order.
struct TileCursor {
  int image, z, class_y, ty, class_x, tx;
  static MINI_INLINE TileCursor at(const WinogradMap& map, std::ptrdiff_t tile) {
    TileCursor c;
    c.tx = static_cast<int>(tile % map.tiles_x);
    tile /= map.tiles_x;
    c.class_x = static_cast<int>(tile % map.dilation_w);
    tile /= map.dilation_w;
    c.ty = static_cast<int>(tile % map.tiles_y);
    tile /= map.tiles_y;
    c.class_y = static_cast<int>(tile % map.dilation_h);
    tile /= map.dilation_h;
    c.z = static_cast<int>(tile % map.slices);
    c.image = static_cast<int>(tile / map.slices);
    return c;
  }
  MINI_INLINE void next(const WinogradMap& map) {
    if (++tx < map.tiles_x) return;
    tx = 0;
    if (++class_x < map.dilation_w) return;
    class_x = 0;
    if (++ty < map.tiles_y) return;
    ty = 0;
    if (++class_y < map.dilation_h) return;
    class_y = 0;
    if (++z < map.slices) return;
    z = 0;
    ++image;
  }
  // First output of the tile.
  template <class F>
  MINI_INLINE int oy(const WinogradMap& map) const {
    return ty * F::Y::kOut * map.dilation_h + class_y;
  }
  template <class F>
  MINI_INLINE int ox(const WinogradMap& map) const {
    return tx * F::X::kOut * map.dilation_w + class_x;
  }
};

// Outputs of a tile that exist on one axis, from `first` on and `dilation` apart; at most kOut.
template <class F>
MINI_INLINE int outputs_within(int first, int dilation, int extent) {
  const int count = dilation == 1 ? extent - first : (extent - first + dilation - 1) / dilation;
  return count < F::kOut ? count : F::kOut;
}

// to[i * step] = the elements that F mixes of the inputs x[i * kStride * distance].
template <class F>
MINI_INLINE void mix(const float* x, std::ptrdiff_t distance, float* to, std::ptrdiff_t step) {
  Vec d[F::kMixed], t[F::kMixed];
#pragma GCC unroll 16
  for (int i = 0; i < F::kMixed; ++i) d[i] = load(x + i * F::kStride * distance);
  F::input(d, t);
#pragma GCC unroll 16
  for (int i = 0; i < F::kMixed; ++i) store(to + i * step, t[i]);
}

// The input of one tile, B' x B, to v[e] with e = y * kIn<X> + x. What is mixed on both axes comes
// first; it stays in registers where there are 32.
template <class F>
MINI_INLINE void transform_tile(const float* x, std::ptrdiff_t row, std::ptrdiff_t column, float* v,
                                std::ptrdiff_t v_element) {
  using Y = typename F::Y;
  using X = typename F::X;
  constexpr int ny = Y::kMixed, nx = X::kMixed;
  const std::ptrdiff_t v_row = kIn<X> * v_element;
  Vec rows[ny][nx];
#pragma GCC unroll 16
  for (int i = 0; i < nx; ++i) {
    Vec d[ny], t[ny];
#pragma GCC unroll 16
    for (int y = 0; y < ny; ++y) d[y] = load(x + y * Y::kStride * row + i * X::kStride * column);
    Y::input(d, t);
#pragma GCC unroll 16
    for (int y = 0; y < ny; ++y) rows[y][i] = t[y];
  }
#pragma GCC unroll 16
  for (int y = 0; y < ny; ++y) {
    Vec t[nx];
    X::input(rows[y], t);
#pragma GCC unroll 16
    for (int i = 0; i < nx; ++i) store(v + y * v_row + i * v_element, t[i]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < kPlain<X>; ++i)
    mix<Y>(x + (2 * i + 1) * column, row, v + (nx + i) * v_element, v_row);
#pragma GCC unroll 16
  for (int y = 0; y < kPlain<Y>; ++y) {
    const float* const between = x + (2 * y + 1) * row;
    float* const to = v + (ny + y) * v_row;
    mix<X>(between, column, to, v_element);
#pragma GCC unroll 16
    for (int i = 0; i < kPlain<X>; ++i)
      store(to + (nx + i) * v_element, load(between + (2 * i + 1) * column));
  }
}

// Copies the window at (iy, ix), with the border outside of the image.
template <class F>
[[gnu::noinline]] void copy_window(const WinogradMap& map, const float* plane, int iy, int ix,
                                   float* window) {
  for (int y = 0; y < kIn<typename F::Y>; ++y, iy += map.dilation_h) {
    const std::int64_t row = border_source(map.border, iy, map.ih);
    for (int i = 0, x = ix; i < kIn<typename F::X>; ++i, x += map.dilation_w, window += kLanes) {
      const std::int64_t column = border_source(map.border, x, map.iw);
      const bool inside = row >= 0 && column >= 0;
      store(window, inside ? load(plane + (row * map.iw + column) * kLanes) : zero());
    }
  }
}

// What the tile after the next one reads anew.
template <class F>
MINI_INLINE void prefetch_tile(const float* x, std::ptrdiff_t row, std::ptrdiff_t column) {
  using X = typename F::X;
  constexpr int kLineColumns = kLanes < 16 ? 16 / kLanes : 1, kStep = X::kOut * X::kStride;
#pragma GCC unroll 16
  for (int y = 0; y < kIn<typename F::Y>; ++y) {
#pragma GCC unroll 16
    for (int i = 0; i < kStep; i += kLineColumns) {
      __builtin_prefetch(x + y * row + (kIn<X> + kStep + i) * column);
    }
  }
}

template <class F>
[[gnu::noinline]] void clear_tile(float* v, std::ptrdiff_t v_element) {
  for (int e = 0; e < kElements<F>; ++e) store(v + e * v_element, zero());
}

// kDilated = false: neighbouring columns, which saves the addresses a register each.
template <class F, bool kDilated>
void transform_tiles(const WinogradInput& in) {
  using Y = typename F::Y;
  using X = typename F::X;
  const std::ptrdiff_t column = (kDilated ? in.map.dilation_w : 1) * std::ptrdiff_t{kLanes};
  alignas(64) float window[kElements<F> * kLanes];
  const std::ptrdiff_t row = std::ptrdiff_t{in.map.iw} * kLanes;
  for (int block = 0; block < in.blocks; ++block) {
    TileCursor tile = TileCursor::at(in.map, in.first_tile);
    float* v = in.v + block * in.v_block;
    for (int t = 0; t < in.tiles; ++t, v += kLanes, tile.next(in.map)) {
      const int slice = in.first_slice + tile.z * in.slice_step;
      if (slice < 0 || slice >= in.slices) {
        clear_tile<F>(v, in.v_element);
        continue;
      }
      const float* plane = in.input + tile.image * in.image_stride +
                           (std::ptrdiff_t{block} * in.slices + slice) * in.map.ih * row;
      const int iy = tile.oy<F>(in.map) * Y::kStride - in.map.pad_top;
      const int ix = tile.ox<F>(in.map) * X::kStride - in.map.pad_left;
      const bool inside = iy >= 0 && ix >= 0 && iy + (kIn<Y> - 1) * in.map.dilation_h < in.map.ih &&
                          ix + (kIn<X> - 1) * in.map.dilation_w < in.map.iw;
      if (inside) {
        prefetch_tile<F>(plane + iy * row + std::ptrdiff_t{ix} * kLanes, in.map.dilation_h * row,
                         column);
        transform_tile<F>(plane + iy * row + std::ptrdiff_t{ix} * kLanes, in.map.dilation_h * row,
                          column, v, in.v_element);
      } else {
        copy_window<F>(in.map, plane, iy, ix, window);
        transform_tile<F>(window, kIn<X> * kLanes, kLanes, v, in.v_element);
      }
    }
  }
}

template <class F>
void transform_input(const WinogradInput& in) {
  if constexpr (F::X::kStride == 1) {
    if (in.map.dilation_w != 1) return transform_tiles<F, true>(in);
  }
  transform_tiles<F, false>(in);
}

// products[block][tile] = v[tile] * weights, for one e.
using ProductFn = void(const float* v, const WinogradOutput& out, const float* weights,
                       float* products, WeightsAhead ahead);

// kFar: pixels of the next block of channels are fetched ahead.
template <int kPixels, int kBlocks, bool kHalf, bool kFar>
[[gnu::noinline]] void product_tile(const float* v, const WinogradOutput& out, const float* weights,
                                    float* products, WeightsAhead ahead) {
  Vec acc[kBlocks][1][kPixels];
#pragma GCC unroll 4
  for (int j = 0; j < kBlocks; ++j) {
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) acc[j][0][i] = zero();
  }
  const std::ptrdiff_t v_block = out.v_block;
  for (int part = 0; part < out.parts; ++part) {
    for (int left = out.channels; left > 0; left -= kLanes, v += v_block) {
      const int lanes = left < kLanes ? left : kLanes;
      if constexpr (kFar) prefetch_pixels<kLanes, 1, kPixels>(v + v_block, 0);
      multiply_channels<kLanes, 1, kPixels, kBlocks, kHalf>(v, 0, lanes, weights, ahead, acc);
    }
  }
  const std::ptrdiff_t products_block = std::ptrdiff_t{out.tiles} * kLanes;
#pragma GCC unroll 4
  for (int j = 0; j < kBlocks; ++j) {
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i)
      store(products + j * products_block + i * kLanes, acc[j][0][i]);
  }
}

template <int kBlocks, bool kHalf>
struct ProductTiles {
  // Maps whose elements are far have enough tiles for whole register tiles.
  static constexpr int kLeastFar = kTilePixels / 2 + 1;
  ProductFn* fn[2][kTilePixels + 1] = {};  // by far and pixels
  template <int... kPixels>
  constexpr explicit ProductTiles(std::integer_sequence<int, kPixels...>)
      : fn{{nullptr, &product_tile<kPixels + 1, kBlocks, kHalf, false>...},
           {nullptr, &product_tile<kPixels + 1, kBlocks, kHalf, (kPixels + 1 >= kLeastFar)>...}} {}
  constexpr ProductTiles() : ProductTiles(std::make_integer_sequence<int, kTilePixels>()) {}
};

struct ProductEnd {
  float* products;
  std::ptrdiff_t block;

  MINI_INLINE Vec start(int /*j*/) const { return zero(); }
  MINI_INLINE void operator()(int j, std::ptrdiff_t tile, Vec sum) const {
    store(products + j * block + tile * kLanes, sum);
  }
};

// What the inverse transform of one block of output channels shares.
struct InverseBlock {
  Vec bias, slope;
  const float* residual;  // null, or like output
  float* output;          // of image 0
};

// Ends the first `width` pixels of a row of a tile, `step` floats apart.
template <int kCount>
MINI_INLINE void finish_row(const ConvEpilogue& e, Vec slope, Vec (&y)[kCount], int width,
                            const float* residual, float* output, std::ptrdiff_t step) {
  if (width == kCount) {
    finish(e, slope, y, residual, output, step);
    return;
  }
  alignas(64) float pixels[kCount * kLanes];
#pragma GCC unroll 4
  for (int i = 0; i < kCount; ++i) store(pixels + i * kLanes, y[i]);
  for (int i = 0; i < width; ++i) {
    Vec pixel[1] = {load(pixels + i * kLanes)};
    finish(e, slope, pixel, residual != nullptr ? residual + i * step : nullptr, output + i * step);
  }
}

// One row of the elements of a tile to F::kOut columns of outputs.
template <class F>
MINI_INLINE void inverse_row(const float* products, std::ptrdiff_t element, Vec (&y)[F::kOut]) {
  Vec m[F::kMixed];
#pragma GCC unroll 16
  for (int i = 0; i < F::kMixed; ++i) m[i] = load(products + i * element);
  F::output(m, y);
#pragma GCC unroll 16
  for (int i = 0; i < kPlain<F>; ++i) y[i] = y[i] + load(products + (F::kMixed + i) * element);
}

// y = A' m A of one tile, its first `height` rows and `width` columns ended at `at`.
template <class F, bool kDilated>
MINI_INLINE void inverse_tile(const WinogradOutput& out, const InverseBlock& block,
                              const float* products, int height, int width, std::ptrdiff_t at) {
  using Y = typename F::Y;
  using X = typename F::X;
  const std::ptrdiff_t row = std::ptrdiff_t{out.map.dilation_h} * out.map.ow * kLanes;
  const std::ptrdiff_t step = (kDilated ? out.map.dilation_w : 1) * std::ptrdiff_t{kLanes};
  const std::ptrdiff_t element = out.products_element, element_row = kIn<X> * element;
  Vec columns[X::kOut][Y::kMixed], pixels[Y::kOut][X::kOut];
#pragma GCC unroll 16
  for (int r = 0; r < Y::kMixed; ++r) {
    Vec t[X::kOut];
    inverse_row<X>(products + r * element_row, element, t);
#pragma GCC unroll 16
    for (int i = 0; i < X::kOut; ++i) columns[i][r] = t[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < X::kOut; ++i) {
    Vec t[Y::kOut];
    Y::output(columns[i], t);
#pragma GCC unroll 16
    for (int y = 0; y < Y::kOut; ++y) pixels[y][i] = t[y] + block.bias;
  }
#pragma GCC unroll 16
  for (int y = 0; y < Y::kOut; ++y) {
    if (y >= height) break;
    if constexpr (kPlain<Y> != 0) {
      Vec t[X::kOut];
      inverse_row<X>(products + (Y::kMixed + y) * element_row, element, t);
#pragma GCC unroll 16
      for (int i = 0; i < X::kOut; ++i) pixels[y][i] = pixels[y][i] + t[i];
    }
    const std::ptrdiff_t place = at + y * row;
    finish_row(out.epilogue, block.slope, pixels[y], width,
               block.residual != nullptr ? block.residual + place : nullptr, block.output + place,
               step);
  }
}

// The rows of a tile; pixels that are not neighbours are ended column by column.
[[gnu::noinline]] void finish_stored_tile(const WinogradOutput& out, const InverseBlock& block,
                                          int height, int width, std::ptrdiff_t at) {
  const int runs = out.map.dilation_w == 1 ? 1 : width;
  const std::ptrdiff_t row = std::ptrdiff_t{out.map.dilation_h} * out.map.ow * kLanes;
  for (int i = 0; i < runs; ++i, at += std::ptrdiff_t{out.map.dilation_w} * kLanes) {
    finish_stored(out.epilogue, block.residual != nullptr ? block.residual + at : nullptr,
                  block.output + at, height, width / runs, row);
  }
}

// All tiles of one block of output channels.
template <class F, bool kDilated>
[[gnu::noinline]] void inverse_block(const WinogradOutput& out, const float* products,
                                     const InverseBlock& block) {
  TileCursor tile = TileCursor::at(out.map, out.first_tile);
  const std::ptrdiff_t row = std::ptrdiff_t{out.map.ow} * kLanes;
  for (int t = 0; t < out.tiles; ++t, products += kLanes, tile.next(out.map)) {
    const int oy = tile.oy<F>(out.map), ox = tile.ox<F>(out.map);
    const int height = outputs_within<typename F::Y>(oy, out.map.dilation_h, out.map.oh);
    const int width = outputs_within<typename F::X>(ox, out.map.dilation_w, out.map.ow);
    if (height <= 0 || width <= 0) continue;  // a class with fewer tiles than the first
    const std::ptrdiff_t at = tile.image * out.output_image +
                              (std::ptrdiff_t{tile.z} * out.map.oh + oy) * row +
                              std::ptrdiff_t{ox} * kLanes;
    inverse_tile<F, kDilated>(out, block, products, height, width, at);
    if (out.epilogue.kind == EpilogueKind::kOther)
      finish_stored_tile(out, block, height, width, at);
  }
}

// products[block][tile] of one panel for one e; `next` are the weights that come after these.
template <int kBlocks, bool kHalf>
void multiply_panel(const WinogradOutput& out, const float* weights, const float* next, int e,
                    float* products) {
  constexpr ProductTiles<kBlocks, kHalf> kTiles;
  const float* v = out.v + e * out.v_element;
  const BlockedInputs inputs{out.v_block, out.channels, out.parts};
  const int streamed = streamed_tiles<kBlocks>(inputs, out.tiles);
  const int before = streamed * kStreamPixels<kBlocks>;
  const Runs runs(out.tiles - before, kTilePixels);
  int run = streamed;
  const int all = streamed + runs.count;
  if constexpr (kStreams) {
    if (streamed > 0) {
      stream_tiles<kBlocks, kHalf>(inputs, {v, weights, next, streamed, all, 0, false},
                                   ProductEnd{products, std::ptrdiff_t{out.tiles} * kLanes});
    }
  }
  runs.for_each([&](int first, int count) {
    first += before;
    kTiles.fn[out.far ? 1 : 0][count](
        v + first * kLanes, out, weights, products + first * kLanes,
        WeightsAhead::of_tile<kBlocks * kLanes>(next, inputs.depth(), all, run++));
  });
}

template <class F>
void transform_output(const WinogradOutput& out) {
  using Order = ElementOrder<F>;
  constexpr Order kOrder;
  constexpr int kFilters = Order::kFilters, kPanel = kTileBlocks * kLanes;
  const std::ptrdiff_t depth = std::ptrdiff_t{out.channels} * out.parts;
  const std::ptrdiff_t panel_floats = kFilters * depth * kPanel;
  const std::ptrdiff_t products_block = std::ptrdiff_t{out.tiles} * kLanes;
  const std::ptrdiff_t plane = std::ptrdiff_t{out.map.slices} * out.map.oh * out.map.ow * kLanes;
  const int group = out.panels_at_once * kPanel;
  for (int first = 0; first < out.out_channels; first += group) {
    const int last = first + group < out.out_channels ? first + group : out.out_channels;
    const auto weights_of = [&](int oc, int filter) {
      const int width = out.out_channels - oc > kLanes ? kPanel : kLanes;
      return out.weights + oc / kPanel * panel_floats + filter * depth * width;
    };
    for (int i = 0; i < kElements<F>; ++i) {
      const int e = kOrder.element[i], filter = Order::filter(e);
      const int next_filter =
          i + 1 < kElements<F> ? Order::filter(kOrder.element[i + 1]) : kFilters;
      for (int oc = first; oc < last; oc += kPanel) {
        const bool last_panel = oc + kPanel >= last;
        const float* next =
            weights_of(last_panel ? first : oc + kPanel, last_panel ? next_filter : filter);
        float* products =
            out.products + e * out.products_element + (oc - first) / kLanes * products_block;
        with_panel(out.out_channels - oc, [&](auto blocks, auto half) {
          multiply_panel<blocks, half>(out, weights_of(oc, filter), next, e, products);
        });
      }
    }
    for (int oc = first; oc < last; oc += kLanes) {
      const std::ptrdiff_t offset = oc / kLanes * plane;
      const int count = out.out_channels - oc;
      const InverseBlock block{bias_of(out.epilogue, oc, count), slopes_of(out.epilogue, oc, count),
                               out.residual != nullptr ? out.residual + offset : nullptr,
                               out.output + offset};
      const float* products = out.products + (oc - first) / kLanes * products_block;
      constexpr auto* kNeighbours = inverse_block<F, false>;
      constexpr auto* kScattered = inverse_block<F, F::X::kStride == 1>;
      (out.map.dilation_w == 1 ? kNeighbours : kScattered)(out, products, block);
    }
  }
}

// sums[o] = sum over i of g[i] * x[i * step][o], for `size` of them.
MINI_INLINE void combine(const double* g, int size, const double (*x)[kWinogradFilters], int step,
                         double (&sums)[kWinogradFilters]) {
  for (int o = 0; o < kWinogradFilters; ++o) sums[o] = g[0] * x[0][o];
  for (int i = 1; i < size; ++i) {
    for (int o = 0; o < kWinogradFilters; ++o) sums[o] += g[i] * x[i * step][o];
  }
}

}  // namespace

// Rows first, then columns.
void winograd_filters_f64(const WinogradFilters& f) {
  const WinogradFilters::Axis &ay = f.y, &ax = f.x;
  for (int y = 0; y < ay.rows; ++y) {
    double row[kWinogradTaps][kWinogradFilters];
    for (int x = 0; x < ax.size; ++x)
      combine(ay.transform + y * ay.size, ay.size, f.taps + x, ax.size, row[x]);
    for (int x = 0; x < ax.rows; ++x) {
      double sums[kWinogradFilters];
      combine(ax.transform + x * ax.size, ax.size, row, 1, sums);
      float* const to = f.packed + (y * ax.rows + x) * f.element;
      for (int o = 0; o < f.width; ++o) to[o] = static_cast<float>(sums[o]);
    }
  }
}

#define MINI_WINOGRAD(name, rows, columns)                                                     \
  void name##_input_f32(const WinogradInput& in) { transform_input<Axes<rows, columns>>(in); } \
  void name##_output_f32(const WinogradOutput& out) { transform_output<Axes<rows, columns>>(out); }
MINI_WINOGRAD(winograd4, F4x3, F4x3)
MINI_WINOGRAD(winograd4_row, F1x1, F4x3)
MINI_WINOGRAD(winograd4_column, F4x3, F1x1)
MINI_WINOGRAD(winograd2, F2x3, F2x3)
MINI_WINOGRAD(winograd5, F2x5, F2x5)
MINI_WINOGRAD(strided4, F4x3Strided, F4x3Strided)
MINI_WINOGRAD(strided4_row, F1x1, F4x3Strided)
MINI_WINOGRAD(strided4_column, F4x3Strided, F1x1)
MINI_WINOGRAD(strided2, F2x3Strided, F2x3Strided)
#undef MINI_WINOGRAD

}  // namespace mini_infer::simd::MINI_ISA
