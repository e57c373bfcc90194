#include "kernels/conv/expanded_conv.h"

#include <algorithm>
#include <vector>

#include "kernels/conv/conv_driver.h"

namespace mini_infer {
namespace {

// How many neighbouring groups make whole channel blocks on both sides, or all of them. The last
// merged group may have fewer.
std::int64_t merged_groups(const ConvShape& s, Isa isa) {
  const std::int64_t lanes = isa_lanes(isa), ic = s.ic / s.groups, oc = s.oc / s.groups;
  std::int64_t merge = 1;
  while (merge < s.groups && (ic * merge % lanes != 0 || oc * merge % lanes != 0)) ++merge;
  return merge;
}

class ExpandedConv final : public ConvAlgorithm {
 public:
  ExpandedConv(const ConvShape& shape, Isa isa)
      : shape_(shape),
        merge_(merged_groups(shape, isa)),
        direct_(make_merged_conv(shape, merge_, isa)) {}

  const char* name() const noexcept override { return "conv/expanded_groups"; }
  std::size_t packed_floats() const noexcept override { return direct_->packed_floats(); }
  std::size_t scratch_bytes(int threads) const noexcept override {
    return direct_->scratch_bytes(threads);
  }
  ConvSplit split(int threads) const noexcept override { return direct_->split(threads); }
  void run(const ConvArgs& args) const noexcept override { direct_->run(args); }

  // w: [oc][ic][taps] of each group -> [oc][merge * ic][taps], zero where a filter of one group
  // meets a channel of another.
  void pack(const float* w, float* packed, int threads) const noexcept override {
    const std::int64_t taps = shape_.kh * shape_.kw, ic = shape_.ic / shape_.groups;
    const std::int64_t oc = shape_.oc / shape_.groups, row = merge_ * ic * taps;
    std::vector<float> dense(static_cast<std::size_t>(shape_.oc * row), 0.f);
    for (std::int64_t o = 0; o < shape_.oc; ++o) {
      const std::int64_t group = o / oc % merge_;
      std::copy_n(w + o * ic * taps, ic * taps, dense.data() + o * row + group * ic * taps);
    }
    direct_->pack(dense.data(), packed, threads);
  }

 private:
  ConvShape shape_;
  std::int64_t merge_;
  std::unique_ptr<ConvAlgorithm> direct_;
};

}  // namespace

const char* expanded_conv_declines(const ConvShape& s, Isa isa) {
  constexpr std::int64_t kMostMerged = 8, kMostChannels = 32;
  if (s.groups == 1) return "it has no groups";
  if (s.oc / s.groups > kMostChannels) return "a matrix product for each group has no zeros";
  if (merged_groups(s, isa) > kMostMerged) return "too many groups would share a channel block";
  return nullptr;
}

ConvShape merge_groups(ConvShape shape, std::int64_t merged) {
  shape.groups = ceil_div(shape.groups, merged);
  return shape;
}

ConvShape expanded_shape(const ConvShape& shape, Isa isa) {
  return merge_groups(shape, merged_groups(shape, isa));
}

std::unique_ptr<ConvAlgorithm> make_expanded_conv(const ConvShape& shape, Isa isa) {
  return std::make_unique<ExpandedConv>(shape, isa);
}

}  // namespace mini_infer
