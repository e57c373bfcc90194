// 1x1 convolutions of NCHWc by one level of Strassen's algorithm, see conv_algorithm.h and
// strassen.simd.h.
//
//   for each image, group of pixels, run of pairs   shared out between threads, with the chunks of
//     the seven sums of its input                   panels
//     for each panel of output channels             of both halves
//       the seven products, each with the epilogue of the outputs that it completes
//
// A pair is a pixel of the first half of a group and one of the second. What is paired is the same
// for all numbers of threads, as it decides how sums are rounded; runs are not.
//
// Sums mix pixels, input channels and output channels. So that what is large in one channel does
// not swallow what is small in another, channels are first multiplied by powers of two, which is
// exact: rows of weights to norms of about 1, and then input channels so that what they add to all
// rows has the norm of the largest.
#include "kernels/conv/strassen.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/conv/conv_driver.h"
#include "kernels/conv/strassen.simd.h"
#include "kernels/kernel_context.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {
namespace {

constexpr int kPanelBlocks = 2;
constexpr std::int64_t kMostPanel = 32;  // output channels
constexpr std::int64_t kPanelsTogether = 4;
constexpr int kMostExponent = 100;                          // of a scale
constexpr std::int64_t kLeastPairs = 28, kMostPairs = 224;  // of a run
constexpr std::int64_t kTilePairs = 7;  // of one where threads would have nothing to do

// e where the norm is in [2^e, 2^(e + 1)), from its square; 0 where it is none or not finite.
int exponent_of(double squares) {
  return squares > 0 && std::isfinite(squares) ? std::ilogb(std::sqrt(squares)) : 0;
}
float power_of_two(int exponent) { return std::ldexp(1.f, exponent); }

// Where pixels and blocks of c channels are, in floats from one to the next.
struct MapLayout {
  std::int64_t step, plane;
};

class StrassenConv final : public StrassenAlgorithm {
 public:
  StrassenConv(const ConvShape& shape, MapLayout in, MapLayout out, Isa isa)
      : s_(shape),
        in_(in),
        out_(out),
        lanes_(isa_lanes(isa)),
        sums_kernel_(simd::strassen_sums_f32.get(isa)),
        panel_kernel_(simd::strassen_panel_f32.get(isa)),
        half_ic_(shape.ic / 2),
        half_oc_(shape.oc / 2),
        groups_(strassen_groups(shape.oh * shape.ow)),
        pairs_(ceil_div(ceil_div(shape.oh * shape.ow, groups_), 2)),
        run_pairs_(std::min(pairs_, most_pairs())),
        // Not a multiple of a page: what is written to all sums at once would be in one set.
        product_sums_(half_ic_ * run_pairs_ + 16) {}

  const char* name() const noexcept override { return "conv/strassen"; }

  // [panels][products][ic / 2][2 * c], the scales of input channels, those of output channels.
  std::size_t packed_floats() const noexcept override {
    return static_cast<std::size_t>(kStrassenProducts * half_ic_ * half_oc_ + s_.ic + s_.oc);
  }

  void pack(const float* w, float* packed, int threads) const noexcept override {
    pack_weights({w, s_.ic, 1}, packed, threads);
  }

  void pack_weights(const StrassenWeights& w, float* packed, int threads) const noexcept override {
    float* const in_scales = packed + kStrassenProducts * half_ic_ * half_oc_;
    float* const out_scales = in_scales + s_.ic;
    find_scales(w, in_scales, out_scales);
    // Some panels at a time, where the weights of their outputs are neighbours in memory.
    const std::int64_t together = w.output_stride == 1 ? kPanelsTogether : 1;
    const std::int64_t groups = ceil_div(panels(), together);
    const double work = static_cast<double>(8 * together * kPanelBlocks * lanes_ * half_ic_);
    parallel_for(threads, groups, work, [&](Range range, int) {
      for (std::int64_t g = range.begin; g < range.end; ++g) {
        const Span group{g * together, std::min(panels(), (g + 1) * together)};
        pack_panels_of(w, in_scales, out_scales, group, packed);
      }
    });
  }

  std::size_t scratch_bytes(int threads) const noexcept override {
    return static_cast<std::size_t>(scratch_of_threads(thread_floats(), threads)) * sizeof(float);
  }

  ConvSplit split(int threads) const noexcept override {
    const std::int64_t fewest = ceil_div(pairs_, run_pairs_);
    return split_output(s_.n * groups_, fewest, std::max(fewest, pairs_ / kTilePairs), panels(),
                        threads);
  }

  void run(const ConvArgs& args) const noexcept override {
    const ConvSplit shares = split(args.threads);
    const std::int64_t runs = shares.blocks / (s_.n * groups_), chunks = shares.chunks;
    const double work = conv_work(s_) / static_cast<double>(shares.units());
    parallel_for(args.threads, shares.units(), work, [&](Range range, int thread) {
      float* const scratch =
          reinterpret_cast<float*>(args.scratch) + scratch_offset(thread_floats(), thread);
      std::int64_t summed = -1;
      for (std::int64_t u = range.begin; u < range.end; ++u) {
        const PairRun pairs = run_of(u / chunks, runs);
        if (summed != u / chunks) make_sums(args, pairs, scratch);
        summed = u / chunks;
        const Span chunk = chunk_of(panels(), u % chunks, chunks);
        for (std::int64_t p = chunk.first; p < chunk.last; ++p) run_panel(args, pairs, p, scratch);
      }
    });
  }

 private:
  // Neighbouring pairs of a group.
  struct PairRun {
    std::int64_t image, upper, lower;  // the first pixel of each half
    std::int64_t count, whole;         // pairs, and those with a pixel in both halves
  };
  PairRun run_of(std::int64_t block, std::int64_t runs) const {
    const std::int64_t group = block / runs;
    const Span pixels = chunk_of(s_.oh * s_.ow, group % groups_, groups_);
    const std::int64_t half = ceil_div(pixels.count(), 2);
    const Span pairs = chunk_of(half, block % runs, runs);
    const std::int64_t lower = pixels.first + half + pairs.first;
    return {group / groups_, pixels.first + pairs.first, lower, pairs.count(),
            std::min(pairs.count(), pixels.last - lower)};
  }

  // As many as have their sums in the L2 cache.
  std::int64_t most_pairs() const {
    const std::int64_t pair =
        kStrassenProducts * half_ic_ * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t most = std::clamp(l2_cache_bytes() / 2 / pair, kLeastPairs, kMostPairs);
    return ceil_div(pairs_, ceil_div(pairs_, most));
  }
  std::int64_t panels() const { return ceil_div(half_oc_, kPanelBlocks * lanes_); }

  // Scratch of a thread: [sums][parts][places of pixels, as int]
  std::int64_t sums_floats() const { return kStrassenProducts * product_sums_; }
  std::int64_t parts_floats() const { return strassen_parts_floats(run_pairs_, lanes_); }
  std::int64_t thread_floats() const { return sums_floats() + parts_floats() + 2 * run_pairs_; }

  // Rows of W / (out * in) have norms in [1, 2), and columns norms near that of the largest. What
  // meets zeros only becomes zero.
  void find_scales(const StrassenWeights& w, float* in, float* out) const noexcept {
    std::fill_n(in, s_.ic, 0.f);  // sums of squares first
    constexpr std::int64_t kMany = 256, kFew = 16;
    if (w.output_stride == 1) {
      for (std::int64_t o = 0; o < s_.oc; o += kMany) add_norms<kMany, true>(w, o, in, out);
    } else {
      for (std::int64_t o = 0; o < s_.oc; o += kFew) add_norms<kFew, false>(w, o, in, out);
    }
    const int most = exponent_of(*std::max_element(in, in + s_.ic));
    for (std::int64_t i = 0; i < s_.ic; ++i) {
      if (in[i] == 0) continue;
      in[i] = power_of_two(std::clamp(exponent_of(in[i]) - most, -kMostExponent, 0));
    }
  }

  // The scales of output channels from `first` on, and what they add to the squares of the columns.
  template <std::int64_t kTogether, bool kNeighbours>
  void add_norms(const StrassenWeights& w, std::int64_t first, float* in, float* out) const {
    constexpr int kParts = 8;  // of a sum; channels are a multiple of them
    const std::int64_t rows = std::min(kTogether, s_.oc - first);
    const std::int64_t stride = kNeighbours ? 1 : w.output_stride;
    const auto column = [&](std::int64_t i) {
      return w.data + first * w.output_stride + i * w.input_stride;
    };
    double squares[kTogether] = {};
    for (std::int64_t i = 0; i < s_.ic; ++i) {
      const float* const from = column(i);
      for (std::int64_t o = 0; o < rows; ++o)
        squares[o] += double{from[o * stride]} * from[o * stride];
    }
    for (std::int64_t o = 0; o < rows; ++o) {
      const int exponent = std::clamp(exponent_of(squares[o]), -kMostExponent, kMostExponent);
      out[first + o] = power_of_two(exponent);
      squares[o] = power_of_two(-exponent);
    }
    for (std::int64_t i = 0; i < s_.ic; ++i) {
      const float* const from = column(i);
      float parts[kParts] = {};
      for (std::int64_t o = 0; o < rows; o += kParts) {
        for (int k = 0; k < kParts; ++k) {
          const auto x = static_cast<float>(from[(o + k) * stride] * squares[o + k]);
          parts[k] += x * x;
        }
      }
      in[i] += std::accumulate(parts, parts + kParts, 0.f);
    }
  }

  // The sums of W / (out * in), which is exact, for some panels of output channels in both halves.
  void pack_panels_of(const StrassenWeights& w, const float* in, const float* out, Span panels,
                      float* packed) const {
    const std::int64_t panel = kPanelBlocks * lanes_;
    double of_out[2][kPanelsTogether * kMostPanel];
    const std::int64_t begin = panels.first * panel;
    const std::int64_t all = std::min(panels.last * panel, half_oc_) - begin;
    for (std::int64_t o = 0; o < all; ++o) {
      for (int half = 0; half < 2; ++half)
        of_out[half][o] = 1 / double{out[begin + o + half * half_oc_]};
    }
    for (std::int64_t i = 0; i < half_ic_; ++i) {
      for (std::int64_t first = 0; first < all; first += panel) {
        const std::int64_t count = std::min(panel, all - first);
        double quarters[4][kMostPanel];
        for (int q = 0; q < 4; ++q) {
          const std::int64_t channel = i + q / 2 * half_ic_;
          const double of_in = in[channel] == 0 ? 0 : 1 / double{in[channel]};
          read_weights(w, begin + first + q % 2 * half_oc_, channel, of_in, of_out[q % 2] + first,
                       count, quarters[q]);
        }
        put_sums(quarters, count, half_ic_ * count,
                 packed + (begin + first) * kStrassenProducts * half_ic_ + i * count);
      }
    }
  }

  // Weights of one input channel and outputs from `first` on.
  static void read_weights(const StrassenWeights& w, std::int64_t first, std::int64_t channel,
                           double of_in, const double* of_out, std::int64_t count, double* to) {
    constexpr std::int64_t kAhead = 8;  // channels, which may be on pages of their own
    const float* const from = w.data + first * w.output_stride + channel * w.input_stride;
    if (w.output_stride == 1) {
      __builtin_prefetch(from + kAhead * w.input_stride);
      __builtin_prefetch(from + kAhead * w.input_stride + 16);
      for (std::int64_t o = 0; o < count; ++o) to[o] = from[o] * (of_in * of_out[o]);
    } else {
      for (std::int64_t o = 0; o < count; ++o)
        to[o] = from[o * w.output_stride] * (of_in * of_out[o]);
    }
  }

  // What the products have of W11, W12, W21 and W22, `product` floats apart; see strassen.simd.h.
  static void put_sums(const double (&w)[4][kMostPanel], std::int64_t count, std::int64_t product,
                       float* to) {
    for (std::int64_t o = 0; o < count; ++o, ++to) {
      const double top = w[1][o] - w[0][o], right = w[3][o] - w[1][o];
      const double corner = right + w[0][o];
      to[0] = static_cast<float>(w[0][o]);
      to[product] = static_cast<float>(w[2][o]);
      to[2 * product] = static_cast<float>(corner);
      to[3 * product] = static_cast<float>(top);
      to[4 * product] = static_cast<float>(w[3][o]);
      to[5 * product] = static_cast<float>(right);
      to[6 * product] = static_cast<float>(w[2][o] - corner);
    }
  }

  // Where output pixels from `first` on read a plane of the input, in floats.
  void find_pixels(std::int64_t first, std::int64_t count, int* places) const {
    std::int64_t oy = first / s_.ow, ox = first % s_.ow;
    for (std::int64_t p = 0; p < count; ++p) {
      *places++ = static_cast<int>((oy * s_.stride_h * s_.iw + ox * s_.stride_w) * in_.step);
      if (++ox == s_.ow) {
        ox = 0;
        ++oy;
      }
    }
  }

  void make_sums(const ConvArgs& args, const PairRun& run, float* scratch) const {
    int* const places = reinterpret_cast<int*>(scratch + sums_floats() + parts_floats());
    find_pixels(run.upper, run.count, places);
    find_pixels(run.lower, run.whole, places + run.count);
    StrassenSums sums{};
    sums.input_plane = in_.plane;
    sums.input = args.input + run.image * (s_.ic / lanes_) * in_.plane;
    sums.upper = places;
    sums.lower = places + run.count;
    sums.pairs = static_cast<int>(run.count);
    sums.whole = static_cast<int>(run.whole);
    sums.blocks = static_cast<int>(half_ic_ / lanes_);
    sums.scales = args.weights + kStrassenProducts * half_ic_ * half_oc_;
    sums.sums = scratch;
    sums.product_sums = product_sums_;
    sums_kernel_(sums);
  }

  void run_panel(const ConvArgs& args, const PairRun& run, std::int64_t index,
                 float* scratch) const {
    const std::int64_t oc = index * kPanelBlocks * lanes_;
    const std::int64_t out = (run.image * s_.oc + oc) / lanes_ * out_.plane + run.upper * out_.step;
    StrassenPanel p{};
    p.sums = scratch;
    p.product_sums = product_sums_;
    p.pairs = static_cast<int>(run.count);
    p.whole = static_cast<int>(run.whole);
    p.channels = static_cast<int>(half_ic_);
    p.weights = args.weights + oc * kStrassenProducts * half_ic_;
    p.out_channels = static_cast<int>(std::min<std::int64_t>(half_oc_ - oc, kPanelBlocks * lanes_));
    p.half = static_cast<int>(half_oc_);
    p.scales = args.weights + kStrassenProducts * half_ic_ * half_oc_ + s_.ic + oc;
    p.parts = scratch + sums_floats();
    p.residual = args.residual == nullptr ? nullptr : args.residual + out;
    p.output = args.output + out;
    p.output_plane = out_.plane;
    p.output_step = out_.step;
    p.output_lower = (run.lower - run.upper) * out_.step;
    p.epilogue = make_epilogue(args, oc);
    panel_kernel_(p);
  }

  ConvShape s_;
  MapLayout in_, out_;
  int lanes_;
  simd::strassen_sums_f32_fn* sums_kernel_;
  simd::strassen_panel_f32_fn* panel_kernel_;
  std::int64_t half_ic_, half_oc_;
  std::int64_t groups_;     // of pixels, of an image
  std::int64_t pairs_;      // of a group, at most
  std::int64_t run_pairs_;  // of a run, at most
  std::int64_t product_sums_;
};

}  // namespace

const char* strassen_conv_declines(const ConvShape& s, Isa isa) {
  const int lanes = isa_lanes(isa);
  if (s.kh != 1 || s.kw != 1) return "the kernel is not 1x1";
  if (s.groups != 1) return "it has groups";
  if (s.pad_top != 0 || s.pad_left != 0 || s.pad_bottom != 0 || s.pad_right != 0) {
    return "it has a border";
  }
  if (s.ic % (2 * lanes) != 0 || s.oc % (2 * lanes) != 0) {
    return "half of the channels are not whole blocks";
  }
  if (s.oh * s.ow < 2) return "one pixel has no halves";
  if (s.ih * s.iw * lanes > std::numeric_limits<int>::max()) return "the map is too large";
  return nullptr;
}

std::unique_ptr<ConvAlgorithm> make_strassen_conv(const ConvShape& shape, Isa isa) {
  const int lanes = isa_lanes(isa);
  const auto blocked = [&](std::int64_t pixels) { return MapLayout{lanes, pixels * lanes}; };
  return std::make_unique<StrassenConv>(shape, blocked(shape.ih * shape.iw),
                                        blocked(shape.oh * shape.ow), isa);
}

ConvShape strassen_product_shape(std::int64_t m, std::int64_t n, std::int64_t k) {
  return {.ic = k, .ih = m, .iw = 1, .oc = n, .oh = m, .ow = 1};
}

std::unique_ptr<StrassenAlgorithm> make_strassen_product(std::int64_t m, std::int64_t n,
                                                         std::int64_t k, Isa isa) {
  const int lanes = isa_lanes(isa);
  const auto rows = [&](std::int64_t length) { return MapLayout{length, lanes}; };
  return std::make_unique<StrassenConv>(strassen_product_shape(m, n, k), rows(k), rows(n), isa);
}

}  // namespace mini_infer
