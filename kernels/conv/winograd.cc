// Winograd convolution of NCHWc, any kernel with stride 1 and any dilation, 3x3 with stride 2, see
// conv_algorithm.h.
//
// A kernel of other extents than the algorithm's is a sum of parts of those extents (the last are
// filled up with zeros), each on an input that is shifted against the others. Parts are like more
// input channels: [part][ic] below.
//
//   for each group, block of tiles                           V and a panel's products stay in L2
//     V[e][ic] = B' x B                                      e: the elements of a tile
//     for each panel of 2 * c output channels
//       for each e: M[e] = V[e] * U[filter of e]             matrix products over input channels
//       y = activation(A' M A + bias + residual)
//
// Many tiles: threads take blocks. Few tiles: all are one block, threads share V; they take its
// channel blocks and then panels, and where these are few, some of the tiles only. Two threads
// rather transform the input twice: V is several times what it is made of, and comes from afar.
//
// Lavin and Gray, arXiv 1509.09308; points: Barabasz et al., arXiv 1803.10986.
#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_driver.h"
#include "kernels/conv/conv_groups.h"
#include "kernels/conv/expanded_conv.h"
#include "kernels/conv/winograd.simd.h"
#include "kernels/conv/winograd_points.h"
#include "kernels/kernel_context.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kPanelBlocks = 2;
constexpr std::int64_t kCacheLineFloats = 16;
// V and products of one block of tiles, at most, whatever it would save.
constexpr std::int64_t kMostBlockBytes = 48 << 20;
// Costs of traffic(), a byte that is written past the L2 cache and read back being one. Streams of
// reads are fetched ahead, so that most of their time is hidden; weights of more than kNearWeights
// times the L2 cache come from memory at each block.
constexpr double kCacheShare = 0.6, kNearWeights = 4, kNearRead = 0.04, kFarRead = 0.2;
constexpr double kWrite = 0.65, kStreamedRead = 0.05;
// Smaller blocks than this leave register tiles half empty.
constexpr std::int64_t kFewestTiles = 12;
// But half a register tile is better than a thread without work.
constexpr std::int64_t kStarvedTiles = 6;
// Fewer tiles than this for each thread: the transformed weights would be read too often.
constexpr std::int64_t kLeastTiles = 24;

// Input channels of all parts of a kernel: more would leave F(4,3)'s bound, which is less strict
// along one axis, or make V very large.
constexpr std::int64_t kMostPartChannels4 = 640, kMostRowChannels4 = 4096;
constexpr std::int64_t kMostPartChannels2 = 16384;

// Of the kernel in parts of 3x3; 0 for one part.
std::int64_t part_channels(const ConvShape& s, Isa isa) {
  const std::int64_t parts = s.depth.kernel * ceil_div(s.kh, 3) * ceil_div(s.kw, 3);
  return parts == 1 ? 0 : parts * (s.ic / s.groups) * merged_groups(s, isa);
}

// Along one axis: F(out, taps).
struct Axis {
  std::int64_t out = 1, taps = 1, stride = 1;
  std::span<const float> points;
  std::int64_t in() const { return winograd_elements(out, taps, stride); }
  std::int64_t filter_rows() const { return out + taps - 1; }
};

// What F(4,3) along both axes or one, F(2,3), with stride 1 and 2, and F(2,5) differ in.
struct Variant {
  const char* name;
  Axis y, x;
  simd::winograd4_input_f32_fn* input;
  simd::winograd4_output_f32_fn* output;
  std::int64_t elements() const { return y.in() * x.in(); }
  std::int64_t filter_elements() const { return y.filter_rows() * x.filter_rows(); }
};

std::span<const float> points_of(int tile, int taps, std::int64_t stride) {
  if (taps == 5) return kSixPoints;
  if (stride == 2) return tile == 4 ? std::span<const float>(kStrided4Points) : kStrided2Points;
  return tile == 4 ? std::span<const float>(kSixPoints) : kFourPoints;
}

Variant variant_of(const ConvShape& s, int tile, int taps, Isa isa) {
  Variant v{};
  const std::int64_t stride = winograd_stride(s);
  const Axis axis{tile, taps, stride, points_of(tile, taps, stride)};
  v.name = taps == 5 ? "conv/winograd2x5" : tile == 4 ? "conv/winograd4x3" : "conv/winograd2x3";
  if (s.kh > 1) v.y = axis;
  if (s.kw > 1) v.x = axis;
  const auto take = [&](const auto& input, const auto& output) {
    v.input = input.get(isa);
    v.output = output.get(isa);
  };
  if (taps == 5) {
    take(simd::winograd5_input_f32, simd::winograd5_output_f32);
  } else if (tile == 2 && stride == 1) {
    take(simd::winograd2_input_f32, simd::winograd2_output_f32);
  } else if (tile == 2) {
    take(simd::strided2_input_f32, simd::strided2_output_f32);
  } else if (s.kh > 1 && s.kw > 1 && stride == 1) {
    take(simd::winograd4_input_f32, simd::winograd4_output_f32);
  } else if (s.kh > 1 && s.kw > 1) {
    take(simd::strided4_input_f32, simd::strided4_output_f32);
  } else if (s.kw > 1 && stride == 1) {
    take(simd::winograd4_row_input_f32, simd::winograd4_row_output_f32);
  } else if (s.kw > 1) {
    take(simd::strided4_row_input_f32, simd::strided4_row_output_f32);
  } else if (stride == 1) {
    take(simd::winograd4_column_input_f32, simd::winograd4_column_output_f32);
  } else {
    take(simd::strided4_column_input_f32, simd::strided4_column_output_f32);
  }
  return v;
}

// G[j][i] = p_j^i / product over k != j of (p_j - p_k); the row of infinity takes the last tap.
// With stride 2 this is for taps 0 and 2, and one more row takes tap 1.
std::vector<double> weight_transform(const Axis& axis) {
  std::vector<double> g;
  for (const double p : axis.points) {
    double value = 1;
    for (const double other : axis.points) value /= other == p ? 1 : p - other;
    for (std::int64_t tap = 0; tap < axis.taps; ++tap) {
      const bool met = tap % axis.stride == 0;
      g.push_back(met ? value : 0);
      if (met) value *= p;
    }
  }
  const auto take_tap = [&](std::int64_t taken) {
    for (std::int64_t tap = 0; tap < axis.taps; ++tap) g.push_back(tap == taken ? 1 : 0);
  };
  take_tap(axis.taps - 1);
  if (axis.stride == 2) take_tap(1);
  return g;
}

// A stride that no power of two divides: transforms write and read all e at once, which must not
// fall into one cache set.
std::int64_t spread(std::int64_t floats) {
  return (ceil_div(floats, kCacheLineFloats) | 1) * kCacheLineFloats;
}

class WinogradConv final : public ConvAlgorithm {
 public:
  WinogradConv(const ConvShape& shape, std::int64_t merged, int tile, int taps, Isa isa)
      : s_(shape),
        groups_(shape, merged),
        lanes_(isa_lanes(isa)),
        variant_(variant_of(shape, tile, taps, isa)),
        filters_(simd::winograd_filters_f64.get(isa)),
        elements_(variant_.elements()),
        filter_elements_(variant_.filter_elements()),
        ic_blocks_(ceil_div(groups_.ic, lanes_)),
        parts_x_(ceil_div(shape.kw, variant_.x.taps)),
        parts_y_(ceil_div(shape.kh, variant_.y.taps)),
        parts_(shape.depth.kernel * parts_y_ * parts_x_),
        tiles_y_(winograd_tiles(shape.oh, shape.dilation_h, variant_.y.out)),
        tiles_x_(winograd_tiles(shape.ow, shape.dilation_w, variant_.x.out)),
        tiles_(shape.n * shape.depth.out * shape.dilation_h * tiles_y_ * shape.dilation_w *
               tiles_x_) {
    choose_blocks();
  }

  const char* name() const noexcept override { return variant_.name; }

  std::size_t packed_floats() const noexcept override {
    return static_cast<std::size_t>(groups_.count * group_packed());
  }

  // [groups][panels][f][part][ic][panel width], f: the elements of a filter
  void pack(const float* w, float* packed, int threads) const noexcept override {
    const std::vector<double> gy = weight_transform(variant_.y), gx = weight_transform(variant_.x);
    const double work =
        static_cast<double>(9 * kPanelBlocks * lanes_ * filter_elements_ * depth(0));
    parallel_for(threads, groups_.count * panels(), work, [&](Range range, int) {
      for (std::int64_t u = range.begin; u < range.end; ++u) {
        const std::int64_t group = u / panels();
        pack_panel(gy, gx, w + group * groups_.oc * groups_.ic * kernel_taps(), group, u % panels(),
                   packed + group * group_packed());
      }
    });
  }

  std::size_t scratch_bytes(int threads) const noexcept override {
    const Plan p = plan(threads);
    const std::int64_t floats = shared_v(p) + scratch_of_threads(thread_floats(p), threads);
    return static_cast<std::size_t>(floats) * sizeof(float);
  }

  ConvSplit split(int threads) const noexcept override {
    const Plan p = plan(threads);
    return p.shared ? shared_split(panels(), threads) : block_split(p);
  }

  void run(const ConvArgs& args) const noexcept override {
    const Plan p = plan(args.threads);
    if (p.shared) {
      run_shared(args, p);
    } else {
      run_blocks(args, p);
    }
  }

 private:
  struct Plan {
    bool shared;
    std::int64_t block_tiles, blocks, chunks;  // chunks of panels: units of a block
    std::int64_t group;                        // panels computed before their products are used
    std::int64_t v_element, products_element;  // floats between elements e
  };

  // Scratch of all threads together: V that they share, and a gap.
  std::int64_t shared_v(const Plan& p) const {
    return p.shared ? elements_ * p.v_element + kScratchGap : 0;
  }
  // Scratch of one: products, and V if it has its own.
  std::int64_t thread_floats(const Plan& p) const {
    return elements_ * ((p.shared ? 0 : p.v_element) + p.products_element);
  }

  // What moving data costs when blocks have `tiles` tiles and `panels` panels are computed before
  // their products are used, in bytes written past the L2 cache and read back.
  double traffic(std::int64_t tiles, std::int64_t group) const {
    const auto bytes = [&](std::int64_t blocks) {
      return static_cast<double>(elements_ * blocks * lanes_ * tiles) * sizeof(float);
    };
    const double v = bytes(v_blocks()), products = bytes(kPanelBlocks * group);
    const double u = static_cast<double>(group_packed()) * sizeof(float);
    const double l2 = static_cast<double>(l2_cache_bytes());
    const double groups = static_cast<double>(ceil_div(panels(), group));
    double moved = u * (u <= kNearWeights * l2 ? kNearRead : kFarRead);
    if (const double excess = v + products - kCacheShare * l2; excess > 0) {
      const double spilt = std::min(excess / v, 1.0);
      moved += spilt * v * (kWrite + kStreamedRead * groups);
      if (products > kCacheShare / 2 * l2) moved += products * groups;
    }
    return moved * static_cast<double>(ceil_div(tiles_, tiles));
  }

  // Blocks and panels at once that move the fewest bytes, for one thread.
  void choose_blocks() {
    double least = std::numeric_limits<double>::infinity();
    for (std::int64_t blocks = 1; blocks <= ceil_div(tiles_, kFewestTiles); ++blocks) {
      const std::int64_t tiles = ceil_div(tiles_, blocks);
      for (std::int64_t group = 1; group < 2 * panels(); group *= 2) {
        const std::int64_t bytes = elements_ * (v_blocks() + kPanelBlocks * group) * lanes_ *
                                   tiles * static_cast<std::int64_t>(sizeof(float));
        if (bytes > kMostBlockBytes && (tiles > kFewestTiles || group > 1)) continue;
        const double moved = traffic(tiles, group);
        if (moved >= least) continue;
        least = moved;
        blocks_ = blocks;
        group_ = std::min(group, panels());
      }
    }
  }

  Plan plan(int threads) const {
    Plan p{};
    p.blocks = blocks_;
    p.chunks = 1;
    p.group = group_;
    if (groups_.count > 1) {
      const std::int64_t fewest_tiles = groups_.count < threads ? kStarvedTiles : kLeastTiles;
      const std::int64_t most = std::max(p.blocks, tiles_ / fewest_tiles);
      p.blocks = groups_.split(1, p.blocks, most, 1, threads).blocks / groups_.count;
    } else if (threads > 1 && p.blocks < 4 * threads) {
      const std::int64_t most = tiles_ / kLeastTiles / threads * threads;
      p.blocks = std::min(ceil_div(p.blocks, threads) * threads, most);
      if (most == 0 && threads == 2) {
        const ConvSplit units = shared_split(panels(), threads);
        p.blocks = units.blocks;
        p.chunks = units.chunks;
      } else if (most == 0) {
        p.shared = true;
        p.blocks = 1;
      }
    }
    p.block_tiles = ceil_div(tiles_, p.blocks);
    p.blocks = ceil_div(tiles_, p.block_tiles);
    p.v_element = spread(v_blocks() * p.block_tiles * lanes_);
    p.products_element = spread(p.group * kPanelBlocks * p.block_tiles * lanes_);
    return p;
  }

  // Filters of one panel of a group, all of its input channels. w and packed are the group's.
  void pack_panel(const std::vector<double>& gy, const std::vector<double>& gx, const float* w,
                  std::int64_t group, std::int64_t panel, float* packed) const {
    const std::int64_t channels = groups_.in_channels(group), first = panel * kPanelBlocks * lanes_;
    const std::int64_t k = depth(group);
    const std::int64_t real = std::min(groups_.out_channels(group) - first, kPanelBlocks * lanes_);
    if (real <= 0) return;
    const std::int64_t width = ceil_div(real, lanes_) * lanes_;
    WinogradFilters f{};
    const auto set = [](WinogradFilters::Axis& to, const std::vector<double>& g, const Axis& axis) {
      to = {g.data(), static_cast<int>(axis.filter_rows()), static_cast<int>(axis.taps)};
    };
    set(f.y, gy, variant_.y);
    set(f.x, gx, variant_.x);
    f.width = static_cast<int>(width);
    f.element = k * width;
    for (std::int64_t i = 0; i < k; ++i) {
      for (std::int64_t o = 0; o < real; ++o) {
        const float* const filter = w + ((first + o) * groups_.ic + i % channels) * kernel_taps();
        read_part(filter, i / channels, o, f);
      }
      f.packed = packed + first * filter_elements_ * k + i * width;
      filters_(f);
    }
  }

  // Taps of one part of a filter [kd][kh][kw], as output channel o.
  void read_part(const float* filter, std::int64_t part, std::int64_t o, WinogradFilters& f) const {
    const Offset at = offset(part);
    filter += at.z * s_.kh * s_.kw;
    for (std::int64_t y = 0; y < variant_.y.taps; ++y) {
      for (std::int64_t x = 0; x < variant_.x.taps; ++x) {
        const bool exists = at.y + y < s_.kh && at.x + x < s_.kw;
        f.taps[y * variant_.x.taps + x][o] =
            exists ? static_cast<double>(filter[(at.y + y) * s_.kw + at.x + x]) : 0;
      }
    }
  }

  void run_blocks(const ConvArgs& args, const Plan& p) const {
    const std::int64_t count = block_split(p).units();
    const double work = conv_work(s_) / static_cast<double>(count);
    parallel_for(args.threads, count, work, [&](Range units, int thread) {
      float* const v =
          reinterpret_cast<float*>(args.scratch) + scratch_offset(thread_floats(p), thread);
      float* const products = v + elements_ * p.v_element;
      std::int64_t transformed = -1;
      for (std::int64_t u = units.begin; u < units.end; ++u) {
        const std::int64_t block = u / p.chunks;
        const ConvUnit unit = conv_unit(block, p.blocks, groups_.count);
        const Span tiles = chunk_of(tiles_, unit.block, p.blocks);
        const Span blocks{0, parts_ * ceil_div(groups_.in_channels(unit.group), lanes_)};
        if (transformed != block) transform_input(args, p, unit.group, tiles, blocks, v);
        transformed = block;
        multiply(args, p, unit.group, tiles, chunk_of(panels(), u % p.chunks, p.chunks), v,
                 products);
      }
    });
  }

  void run_shared(const ConvArgs& args, const Plan& p) const {
    float* const v = reinterpret_cast<float*>(args.scratch);
    const auto for_units = [&](std::int64_t count, double work, auto&& body) {
      const ConvSplit shares = shared_split(count, args.threads);
      work /= static_cast<double>(shares.units());
      parallel_for(args.threads, shares.units(), work, [&](Range units, int thread) {
        for (std::int64_t u = units.begin; u < units.end; ++u) {
          body(chunk_of(tiles_, u / shares.chunks, shares.blocks),
               chunk_of(count, u % shares.chunks, shares.chunks), thread);
        }
      });
    };
    const double transform_work = static_cast<double>(v_blocks() * tiles_ * elements_ * lanes_) * 4;
    for_units(v_blocks(), transform_work, [&](Span tiles, Span blocks, int) {
      transform_input(args, p, 0, tiles, blocks, v + tiles.first * lanes_);
    });
    for_units(panels(), conv_work(s_), [&](Span tiles, Span some, int thread) {
      float* const products = v + shared_v(p) + scratch_offset(thread_floats(p), thread);
      multiply(args, p, 0, tiles, some, v + tiles.first * lanes_, products);
    });
  }

  ConvSplit block_split(const Plan& p) const { return {groups_.count * p.blocks, p.chunks}; }

  // Of V in one block.
  ConvSplit shared_split(std::int64_t panels, int threads) const {
    return split_output(1, 1, tiles_ / kStarvedTiles, panels, threads);
  }

  // The first tap of a part.
  struct Offset {
    std::int64_t z, y, x;
  };
  Offset offset(std::int64_t part) const {
    return {part / parts_x_ / parts_y_, part / parts_x_ % parts_y_ * variant_.y.taps,
            part % parts_x_ * variant_.x.taps};
  }
  std::int64_t kernel_taps() const { return s_.depth.kernel * s_.kh * s_.kw; }
  // Input channels of a group in all parts.
  std::int64_t depth(std::int64_t group) const { return parts_ * groups_.in_channels(group); }
  std::int64_t v_blocks() const { return parts_ * ic_blocks_; }
  // Of a whole group.
  std::int64_t panels() const { return ceil_div(groups_.oc, kPanelBlocks * lanes_); }
  std::int64_t group_packed() const {
    return packed_panel_floats(groups_.oc, depth(0), filter_elements_, lanes_);
  }

  WinogradMap map() const {
    return {static_cast<int>(s_.ih),         static_cast<int>(s_.iw),
            static_cast<int>(s_.oh),         static_cast<int>(s_.ow),
            static_cast<int>(s_.pad_top),    static_cast<int>(s_.pad_left),
            static_cast<int>(s_.dilation_h), static_cast<int>(s_.dilation_w),
            static_cast<int>(tiles_y_),      static_cast<int>(tiles_x_),
            static_cast<int>(s_.depth.out),  s_.border};
  }

  // Some of the blocks [part][ic block] of V.
  void transform_input(const ConvArgs& args, const Plan& p, std::int64_t group, Span tiles,
                       Span blocks, float* v) const {
    const std::int64_t plane = s_.depth.in * s_.ih * s_.iw * lanes_;
    WinogradInput in{};
    in.image_stride = ceil_div(s_.ic, lanes_) * plane;
    in.slices = static_cast<int>(s_.depth.in);
    in.slice_step = static_cast<int>(s_.depth.stride);
    in.first_tile = tiles.first;
    in.tiles = static_cast<int>(tiles.count());
    in.v_element = p.v_element;
    in.v_block = p.block_tiles * lanes_;
    const std::int64_t ic_blocks = ceil_div(groups_.in_channels(group), lanes_);
    for (std::int64_t b = blocks.first; b < blocks.last; b += in.blocks) {
      const std::int64_t part = b / ic_blocks, ic_block = b % ic_blocks;
      const Offset at = offset(part);
      in.first_slice = static_cast<int>(at.z * s_.depth.dilation - s_.depth.pad_front);
      in.map = map();
      in.map.pad_top -= static_cast<int>(at.y * s_.dilation_h);
      in.map.pad_left -= static_cast<int>(at.x * s_.dilation_w);
      in.input = args.input + (group * ic_blocks_ + ic_block) * plane;
      in.blocks = static_cast<int>(std::min(ic_blocks - ic_block, blocks.last - b));
      in.v = v + b * in.v_block;
      variant_.input(in);
    }
  }

  void multiply(const ConvArgs& args, const Plan& p, std::int64_t group, Span tiles, Span panels,
                const float* v, float* products) const {
    const std::int64_t plane = s_.depth.out * s_.oh * s_.ow * lanes_, k = depth(group);
    const std::int64_t first = panels.first * kPanelBlocks * lanes_;  // of the group's
    const std::int64_t count =
        std::min(groups_.out_channels(group), panels.last * kPanelBlocks * lanes_) - first;
    const std::int64_t first_oc = group * groups_.oc + first, offset = first_oc / lanes_ * plane;
    WinogradOutput out{};
    out.map = map();
    out.v = v;
    out.v_element = p.v_element;
    out.v_block = p.block_tiles * lanes_;
    out.channels = static_cast<int>(groups_.in_channels(group));
    out.parts = static_cast<int>(parts_);
    out.far = p.v_element * static_cast<std::int64_t>(sizeof(float)) > l2_cache_bytes() / 2;
    out.first_tile = tiles.first;
    out.tiles = static_cast<int>(tiles.count());
    out.weights = args.weights + group * group_packed() + first * filter_elements_ * k;
    out.out_channels = static_cast<int>(count);
    out.panels_at_once = static_cast<int>(p.group);
    out.products = products;
    out.products_element = p.products_element;
    out.residual = args.residual == nullptr ? nullptr : args.residual + offset;
    out.output = args.output + offset;
    out.output_image = ceil_div(s_.oc, lanes_) * plane;
    out.epilogue = make_epilogue(args, first_oc);
    variant_.output(out);
  }

  ConvShape s_;
  ConvGroups groups_;
  int lanes_;
  Variant variant_;
  simd::winograd_filters_f64_fn* filters_;
  std::int64_t elements_, filter_elements_, ic_blocks_, parts_x_, parts_y_, parts_;
  std::int64_t tiles_y_, tiles_x_, tiles_;
  std::int64_t blocks_ = 1, group_ = 1;
};

// What F(4,3) and F(2,3) decline alike.
const char* winograd3_declines(const ConvShape& s, Isa isa) {
  const std::int64_t stride = winograd_stride(s);
  if (s.stride_h != (s.kh > 1 ? stride : 1) || s.stride_w != (s.kw > 1 ? stride : 1)) {
    return "strides of the axes differ";
  }
  if (stride > 2) return "the stride is not 1 or 2";
  if (stride == 2 && (s.dilation_h != 1 || s.dilation_w != 1)) return "stride 2 and dilation";
  const auto extent_differs = [](std::int64_t kernel) { return kernel != 1 && kernel != 3; };
  if (stride == 2 && (extent_differs(s.kh) || extent_differs(s.kw))) return "stride 2 and not 3x3";
  if (s.border != Border::kZero && (s.kh != 3 || s.kw != 3)) {
    return "a mirrored border and not 3x3";
  }
  if (merged_groups(s, isa) > 1) return expanded_conv_declines(s, isa);
  return nullptr;
}

}  // namespace

const char* winograd2_conv_declines(const ConvShape& s, Isa isa) {
  if (s.kh == 1 || s.kw == 1) return "the kernel has one row or column";
  if (part_channels(s, isa) > kMostPartChannels2) return "the kernel has too many parts";
  return winograd3_declines(s, isa);
}
const char* winograd4_conv_declines(const ConvShape& s, Isa isa) {
  if (s.kh == 1 && s.kw == 1) return "the kernel has one tap";
  const bool one_axis = s.kh == 1 || s.kw == 1;
  if (part_channels(s, isa) > (one_axis ? kMostRowChannels4 : kMostPartChannels4))
    return "errors of so many parts add up";
  return winograd3_declines(s, isa);
}
const char* winograd5_conv_declines(const ConvShape& s, Isa isa) {
  if (s.kh != 5 || s.kw != 5) return "the kernel is not 5x5";
  if (s.stride_h != 1 || s.stride_w != 1) return "the stride is not 1";
  if (merged_groups(s, isa) > 1) return expanded_conv_declines(s, isa);
  return nullptr;
}

template <int kTile, int kTaps>
std::unique_ptr<ConvAlgorithm> make_merged_winograd(const ConvShape& shape, std::int64_t merged,
                                                    Isa isa) {
  return std::make_unique<WinogradConv>(shape, merged, kTile, kTaps, isa);
}

std::unique_ptr<ConvAlgorithm> make_winograd4_conv(const ConvShape& shape, Isa isa) {
  return expand_groups(shape, isa, make_merged_winograd<4, 3>);
}
std::unique_ptr<ConvAlgorithm> make_winograd2_conv(const ConvShape& shape, Isa isa) {
  return expand_groups(shape, isa, make_merged_winograd<2, 3>);
}
std::unique_ptr<ConvAlgorithm> make_winograd5_conv(const ConvShape& shape, Isa isa) {
  return expand_groups(shape, isa, make_merged_winograd<2, 5>);
}

}  // namespace mini_infer
