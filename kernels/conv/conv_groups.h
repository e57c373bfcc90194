// The channels of a convolution's groups.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/conv/conv_driver.h"

namespace mini_infer {

// Groups of a shape, `merged` neighbouring ones taken as one. The last may have fewer channels.
class ConvGroups {
 public:
  ConvGroups(const ConvShape& shape, std::int64_t merged)
      : ic(shape.ic / shape.groups * merged),
        oc(shape.oc / shape.groups * merged),
        count(ceil_div(shape.groups, merged)),
        all_ic_(shape.ic),
        all_oc_(shape.oc) {}

  // Channels of group g that exist.
  std::int64_t in_channels(std::int64_t g) const { return std::min(ic, all_ic_ - g * ic); }
  std::int64_t out_channels(std::int64_t g) const { return std::min(oc, all_oc_ - g * oc); }

  // How `images` images are divided, `fewest` to `most` blocks of pixels for each group, `panels`
  // panels of channels in each. A smaller last group is no unit of work like the others, so there
  // each thread takes some pixels of all groups.
  ConvSplit split(std::int64_t images, std::int64_t fewest, std::int64_t most, std::int64_t panels,
                  int threads) const {
    if (count * oc == all_oc_) return split_output(images * count, fewest, most, panels, threads);
    ConvSplit split = split_output(images, fewest, most, 1, threads);
    split.blocks *= count;
    return split;
  }

  std::int64_t ic, oc, count;

 private:
  std::int64_t all_ic_, all_oc_;
};

// A unit of the above: block u of images * blocks * groups, groups innermost, so that threads have
// pixels of their own wherever there are blocks for each.
struct ConvUnit {
  std::int64_t image, block, group;
};
constexpr ConvUnit conv_unit(std::int64_t u, std::int64_t blocks, std::int64_t groups) {
  return {u / groups / blocks, u / groups % blocks, u % groups};
}

}  // namespace mini_infer
