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
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_driver.h"
#include "kernels/conv/strassen.simd.h"
#include "kernels/kernel_context.h"
#include "kernels/thread_scratch.h"

namespace mini_infer {
namespace {

constexpr int kPanelBlocks = 2;
constexpr std::int64_t kLeastPairs = 28, kMostPairs = 224;  // of a run
constexpr std::int64_t kTilePairs = 7;  // of one where threads would have nothing to do

// What a product has of W11, W12, W21 and W22.
constexpr float kWeightSums[kStrassenProducts][4] = {{1, 0, 0, 0},  {0, 0, 1, 0}, {1, -1, 0, 1},
                                                     {-1, 1, 0, 0}, {0, 0, 0, 1}, {0, -1, 0, 1},
                                                     {-1, 1, 1, -1}};

// e where the norm is in [2^e, 2^(e + 1)), from its square; 0 where it is none or not finite.
int exponent_of(double squares) {
  return squares > 0 && std::isfinite(squares) ? std::ilogb(std::sqrt(squares)) : 0;
}
float power_of_two(int exponent) { return std::ldexp(1.f, exponent); }

class StrassenConv final : public ConvAlgorithm {
 public:
  StrassenConv(const ConvShape& shape, Isa isa)
      : s_(shape),
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
    float* const in_scales = packed + kStrassenProducts * half_ic_ * half_oc_;
    float* const out_scales = in_scales + s_.ic;
    find_scales(w, in_scales, out_scales);
    // Of W divided by the scales, which is exact.
    const auto quarter = [&](int index, std::int64_t o, std::int64_t i) {
      o += index % 2 * half_oc_;
      i += index / 2 * half_ic_;
      const double scale = double{out_scales[o]} * in_scales[i];
      return scale == 0 ? 0. : w[o * s_.ic + i] / scale;
    };
    const std::int64_t panel = kPanelBlocks * lanes_;
    const auto pack_panel = [&](std::int64_t first) {
      float* to = packed + first * kStrassenProducts * half_ic_;
      for (const auto& factors : kWeightSums) {
        const auto sum = [&](std::int64_t o, std::int64_t i, std::int64_t) {
          double total = 0;
          for (int q = 0; q < 4; ++q) {
            if (factors[q] != 0) total += factors[q] * quarter(q, first + o, i);
          }
          return static_cast<float>(total);
        };
        to = pack_panels(sum, std::min(panel, half_oc_ - first), half_ic_, 1, lanes_, kPanelBlocks,
                         to, 1);
      }
    };
    parallel_for(threads, panels(), static_cast<double>(8 * panel * half_ic_),
                 [&](Range range, int) {
                   for (std::int64_t p = range.begin; p < range.end; ++p) pack_panel(p * panel);
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
  void find_scales(const float* w, float* in, float* out) const noexcept {
    constexpr int kMostExponent = 100;
    std::fill_n(in, s_.ic, 0.f);  // sums of squares first
    for (std::int64_t o = 0; o < s_.oc; ++o, w += s_.ic) {
      double squares = 0;
      for (std::int64_t i = 0; i < s_.ic; ++i) squares += double{w[i]} * w[i];
      out[o] = power_of_two(std::clamp(exponent_of(squares), -kMostExponent, kMostExponent));
      for (std::int64_t i = 0; i < s_.ic; ++i) in[i] += w[i] / out[o] * (w[i] / out[o]);
    }
    const int most = exponent_of(*std::max_element(in, in + s_.ic));
    for (std::int64_t i = 0; i < s_.ic; ++i) {
      if (in[i] == 0) continue;
      in[i] = power_of_two(std::clamp(exponent_of(in[i]) - most, -kMostExponent, 0));
    }
  }

  // Where output pixels from `first` on read a plane of the input, in floats.
  void find_pixels(std::int64_t first, std::int64_t count, int* places) const {
    std::int64_t oy = first / s_.ow, ox = first % s_.ow;
    for (std::int64_t p = 0; p < count; ++p) {
      *places++ = static_cast<int>((oy * s_.stride_h * s_.iw + ox * s_.stride_w) * lanes_);
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
    sums.input_plane = s_.ih * s_.iw * lanes_;
    sums.input = args.input + run.image * (s_.ic / lanes_) * sums.input_plane;
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
    const std::int64_t oc = index * kPanelBlocks * lanes_, plane = s_.oh * s_.ow * lanes_;
    const std::int64_t out = (run.image * s_.oc + oc) / lanes_ * plane + run.upper * lanes_;
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
    p.output_plane = plane;
    p.output_lower = (run.lower - run.upper) * lanes_;
    p.epilogue = make_epilogue(args, oc);
    panel_kernel_(p);
  }

  ConvShape s_;
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
  return std::make_unique<StrassenConv>(shape, isa);
}

}  // namespace mini_infer
