#include "kernels/conv/conv_driver.h"

#include <unistd.h>

#include <algorithm>
#include <limits>

namespace mini_infer {

std::int64_t l2_cache_bytes() {
  constexpr std::int64_t kUsual = 1 << 20, kMost = 4 << 20;
#if defined(_SC_LEVEL2_CACHE_SIZE)
  static const std::int64_t bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes >= 128 << 10) return std::min(bytes, kMost);
#endif
  return kUsual;
}

WeightCost weight_cost() {
#if defined(__x86_64__)
  // Zen 4: 60 to 80 GB/s and 22 where there are 58 G multiply-adds/s. Zen 5: 40 and 40, 135.
  if (__builtin_cpu_is("amd")) {
    const bool to_zen4 = __builtin_cpu_is("amdfam17h") || __builtin_cpu_is("amdfam19h");
    return to_zen4 ? WeightCost{0.1, 0.3} : WeightCost{0.2, 0.2};
  }
#endif
  return {0.2, 0.4};  // an Intel Xeon (Cascade Lake): 20 GB/s and 10, 76
}

Span kernel_rows_inside(const ConvShape& s, std::int64_t oy) {
  const std::int64_t top = oy * s.stride_h - s.pad_top, below = s.ih - top;
  const std::int64_t first = top < 0 ? std::min(ceil_div(-top, s.dilation_h), s.kh) : 0;
  const std::int64_t last = below > 0 ? std::min(ceil_div(below, s.dilation_h), s.kh) : 0;
  return {first, std::max(first, last)};
}

bool skips_rows_of_kernel(const ConvShape& s) {
  constexpr std::int64_t kLeastWidth = 4;
  return s.border == Border::kZero && s.kh > 1 && s.ow >= kLeastWidth;
}

ConvEpilogue make_epilogue(const ConvArgs& args, std::int64_t first) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ConvEpilogue e{};
  e.kind = EpilogueKind::kClamp;
  e.residual_first = args.residual_place == ConvResidual::kBeforeActivation;
  e.low = -kInfinity;
  e.high = kInfinity;
  e.bias = args.bias == nullptr ? nullptr : args.bias + first;
  e.activation = args.activation;
  if (args.slope != nullptr) {
    e.kind = EpilogueKind::kSlope;
    e.slopes = args.slope + first;
    return e;
  }
  switch (args.activation.kind) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      e.low = 0.f;
      break;
    case Activation::kClip:
      e.low = args.activation.alpha;
      e.high = args.activation.beta;
      break;
    case Activation::kLeakyRelu:
      e.kind = EpilogueKind::kSlope;
      break;
    case Activation::kHardSwish:
      e.kind = EpilogueKind::kHardSwish;
      break;
    default:
      e.kind = EpilogueKind::kOther;
  }
  return e;
}

std::int64_t panel_chunks(std::int64_t blocks, std::int64_t panels, int threads) {
  if (threads <= 1) return 1;
  const auto balanced = [&](std::int64_t chunks) {
    const std::int64_t units = blocks * chunks;
    const std::int64_t idle = ceil_div(units, threads) * threads - units;
    return panels % chunks == 0 && idle * 20 <= units;
  };
  for (std::int64_t chunks = 1; chunks < panels; ++chunks) {
    if (balanced(chunks)) return chunks;
  }
  return panels;
}

ConvSplit split_output(std::int64_t parts, std::int64_t fewest, std::int64_t most,
                       std::int64_t panels, int threads) {
  // More blocks read the weights more often: only for a busiest thread that has much more to do
  // than others, and only where it then has much less.
  constexpr double kGoodLoad = 1.1, kWorthwhile = 1.1;
  const auto split = [&](std::int64_t blocks) {
    return ConvSplit{parts * blocks, panel_chunks(parts * blocks, panels, threads)};
  };
  ConvSplit best = split(fewest);
  const std::int64_t last = std::min(most, fewest + threads);
  for (std::int64_t blocks = fewest + 1; blocks <= last && best.load(threads) > kGoodLoad;
       ++blocks) {
    const ConvSplit next = split(blocks);
    if (next.load(threads) * kWorthwhile < best.load(threads)) best = next;
  }
  return best;
}

std::int64_t packed_panel_floats(std::int64_t oc, std::int64_t ic, std::int64_t taps, int lanes) {
  return ceil_div(oc, lanes) * lanes * ic * taps;
}

}  // namespace mini_infer
