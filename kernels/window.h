// Sliding windows over spatial axes: what convolution and pooling operators share.
#pragma once

#include <array>
#include <cstdint>

#include "graph/ir/op_def.h"

namespace mini_infer {

enum class AutoPad : std::uint8_t { kNotSet, kSameUpper, kSameLower, kValid };

// The attributes of a window, one entry for each spatial axis.
struct Window {
  Ints kernel, strides, dilations;
  Ints pads_begin, pads_end;  // zero until resolve_pads() where auto_pad is set
  AutoPad auto_pad = AutoPad::kNotSet;
  bool ceil_mode = false;

  std::size_t rank() const { return kernel.size(); }
  // Elements between the first and the last tap, both included.
  std::int64_t extent(std::size_t axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }
};

// Reads strides, dilations, pads, auto_pad and ceil_mode for a window whose taps are `kernel`, and
// checks kernel_shape against `kernel` where both are there.
Result<Window> read_window(const AttributeReader& node, const Ints& kernel);
// The same for operators whose attribute kernel_shape tells the taps.
Result<Window> read_window(const AttributeReader& node);

// Extent of the output along a spatial axis of extent `in`; no value where it is no expression.
std::optional<Dim> window_output(const Window& window, std::size_t axis, const Dim& in);

// Three spatial axes as numbers; axes that the node lacks come first and have extent 1.
inline constexpr std::size_t kMostAxes = 3;
struct WindowAxes {
  std::array<std::int64_t, kMostAxes> in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1};
  std::array<std::int64_t, kMostAxes> stride{1, 1, 1}, dilation{1, 1, 1};
  std::array<std::int64_t, kMostAxes> pad_begin{}, pad_end{};

  std::int64_t in_plane() const { return in[0] * in[1] * in[2]; }
  std::int64_t out_plane() const { return out[0] * out[1] * out[2]; }
  std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

// The same window with the axes that do nothing (extent 1 all over) in front: a map of h x 1
// becomes one row. The order of elements in memory stays.
WindowAxes without_unit_axes(const WindowAxes& axes);

// Computes what auto_pad asks for, for an input [N,C,spatial...], and checks that the windows fit.
Status resolve_pads(Window& window, const Shape& input);

// The window over an input [N,C,spatial...], with auto_pad resolved and the output's extents.
Result<WindowAxes> window_axes(Window window, const Shape& input);
// The same without the output's extents.
WindowAxes axes_of(const Window& window, const Shape& input);

}  // namespace mini_infer
