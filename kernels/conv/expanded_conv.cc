#include "kernels/conv/expanded_conv.h"

#include <algorithm>
#include <vector>

#include "kernels/conv/conv_driver.h"

namespace mini_infer {
namespace {

class ExpandedConv final : public ConvAlgorithm {
 public:
  ExpandedConv(const ConvShape& shape, std::int64_t merged, std::unique_ptr<ConvAlgorithm> conv,
               const char* name)
      : shape_(shape), merged_(merged), conv_(std::move(conv)), name_(name) {}

  const char* name() const noexcept override { return name_; }
  std::size_t packed_floats() const noexcept override { return conv_->packed_floats(); }
  std::size_t scratch_bytes(int threads) const noexcept override {
    return conv_->scratch_bytes(threads);
  }
  ConvSplit split(int threads) const noexcept override { return conv_->split(threads); }
  void run(const ConvArgs& args) const noexcept override { conv_->run(args); }

  // w: [oc][ic][taps] of each group -> [oc][merged * ic][taps], zero where a filter of one group
  // meets a channel of another.
  void pack(const float* w, float* packed, int threads) const noexcept override {
    const std::int64_t taps = shape_.depth.kernel * shape_.kh * shape_.kw,
                       ic = shape_.ic / shape_.groups;
    const std::int64_t oc = shape_.oc / shape_.groups, row = merged_ * ic * taps;
    std::vector<float> dense(static_cast<std::size_t>(shape_.oc * row), 0.f);
    for (std::int64_t o = 0; o < shape_.oc; ++o) {
      const std::int64_t group = o / oc % merged_;
      std::copy_n(w + o * ic * taps, ic * taps, dense.data() + o * row + group * ic * taps);
    }
    conv_->pack(dense.data(), packed, threads);
  }

 private:
  ConvShape shape_;
  std::int64_t merged_;
  std::unique_ptr<ConvAlgorithm> conv_;
  const char* name_;
};

}  // namespace

std::int64_t merged_groups(const ConvShape& s, Isa isa) {
  const std::int64_t lanes = isa_lanes(isa), ic = s.ic / s.groups, oc = s.oc / s.groups;
  std::int64_t merge = 1;
  while (merge < s.groups && (ic * merge % lanes != 0 || oc * merge % lanes != 0)) ++merge;
  return merge;
}

ConvShape expanded_shape(const ConvShape& shape, Isa isa) {
  ConvShape expanded = shape;
  expanded.groups = ceil_div(shape.groups, merged_groups(shape, isa));
  return expanded;
}

std::unique_ptr<ConvAlgorithm> expand_groups(const ConvShape& shape, Isa isa, MakeMerged* make,
                                             const char* name) {
  const std::int64_t merged = merged_groups(shape, isa);
  auto conv = make(shape, merged, isa);
  if (merged == 1) return conv;
  if (name == nullptr) name = conv->name();
  return std::make_unique<ExpandedConv>(shape, merged, std::move(conv), name);
}

const char* expanded_conv_declines(const ConvShape& s, Isa isa) {
  constexpr std::int64_t kMostMerged = 8, kMostChannels = 32;
  if (s.groups == 1) return "it has no groups";
  const std::int64_t merged = merged_groups(s, isa), oc = s.oc / s.groups;
  // Winograd's algorithm saves as much as four (3x3) or two (5x5) groups of zeros cost, and its
  // tiles are full.
  const bool winograd = s.kh == s.kw && (s.kh == 3 || s.kh == 5);
  // A matrix product for each group has no zeros, but half empty tiles where it has few rows.
  const bool few = merged * oc <= 2 * isa_lanes(isa);
  if (merged > (few ? kMostMerged : winograd && s.kh == 3 ? 4 : 2)) {
    return "too many groups would share a channel block";
  }
  if (oc > kMostChannels && !winograd) return "a matrix product for each group has no zeros";
  return nullptr;
}

std::unique_ptr<ConvAlgorithm> make_expanded_conv(const ConvShape& shape, Isa isa) {
  return expand_groups(shape, isa, make_merged_direct, "conv/expanded_groups");
}

}  // namespace mini_infer
