// A convolution over up to three spatial axes, as numbers.
#pragma once

#include <array>
#include <cstdint>

namespace mini_infer {

// x: [n][ic][in], w: [oc][ic/groups][kernel], y: [n][oc][out]; axes that the node lacks come first
// and have extent 1. A transposed convolution keeps these meanings for its own x and y, with
// w: [ic][oc/groups][kernel].
struct ConvGeometry {
  std::int64_t n = 1, ic = 1, oc = 1, groups = 1;
  std::array<std::int64_t, 3> in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1};
  std::array<std::int64_t, 3> stride{1, 1, 1}, dilation{1, 1, 1};
  std::array<std::int64_t, 3> pad_begin{}, pad_end{};

  std::int64_t in_plane() const { return in[0] * in[1] * in[2]; }
  std::int64_t out_plane() const { return out[0] * out[1] * out[2]; }
  std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  std::int64_t group_ic() const { return ic / groups; }
  std::int64_t group_oc() const { return oc / groups; }
  // Input channels times taps of one output.
  std::int64_t depth() const { return group_ic() * taps(); }
  double macs() const {
    return static_cast<double>(n * oc) * static_cast<double>(out_plane()) *
           static_cast<double>(depth());
  }
};

}  // namespace mini_infer
