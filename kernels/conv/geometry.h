// A convolution over up to three spatial axes, as numbers.
#pragma once

#include "kernels/conv/border.h"
#include "kernels/window.h"

namespace mini_infer {

// x: [n][ic][in], w: [oc][ic/groups][kernel], y: [n][oc][out]. A transposed convolution keeps these
// meanings for its own x and y, with w: [ic][oc/groups][kernel].
struct ConvGeometry : WindowAxes {
  std::int64_t n = 1, ic = 1, oc = 1, groups = 1;
  Border border = Border::kZero;

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
