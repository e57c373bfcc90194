#include "kernels/window.h"

#include <algorithm>

#include "graph/ir/text.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kMostExtent = std::int64_t{1} << 31;

Result<Ints> read_list(const AttributeReader& node, const char* name, std::size_t size,
                       std::int64_t fallback, std::int64_t least) {
  Ints values = node.ints(name);
  MINI_TRY(Status(node.status()));
  if (values.empty()) return Ints(size, fallback);
  if (values.size() != size) {
    return invalid_model(name, " ", values, " has ", values.size(),
                         " entries; the input's rank asks for ", size);
  }
  for (const std::int64_t value : values) {
    if (value < least || value >= kMostExtent) {
      return invalid_model(name, " ", values, ": every entry must be at least ", least);
    }
  }
  return values;
}

Result<AutoPad> read_auto_pad(const AttributeReader& node) {
  const std::string name = node.string("auto_pad", "NOTSET");
  if (name == "NOTSET" || name.empty()) return AutoPad::kNotSet;
  if (name == "SAME_UPPER") return AutoPad::kSameUpper;
  if (name == "SAME_LOWER") return AutoPad::kSameLower;
  if (name == "VALID") return AutoPad::kValid;
  return invalid_model("auto_pad is '", name,
                       "'; it must be NOTSET, SAME_UPPER, SAME_LOWER or VALID");
}

bool is_same(AutoPad pad) { return pad == AutoPad::kSameUpper || pad == AutoPad::kSameLower; }

}  // namespace

Result<Window> read_window(const AttributeReader& node, const Ints& kernel) {
  const std::size_t rank = kernel.size();
  Window window;
  window.kernel = kernel;
  for (const std::int64_t taps : kernel) {
    if (taps < 1 || taps >= kMostExtent) {
      return invalid_model("the kernel's extents are ", kernel, "; they must be positive");
    }
  }
  const Ints shape = node.ints("kernel_shape");
  if (!shape.empty() && shape != kernel) {
    return invalid_model("kernel_shape ", shape, " contradicts the weights, whose kernel is ",
                         kernel);
  }
  MINI_TRY_ASSIGN(window.strides, read_list(node, "strides", rank, 1, 1));
  MINI_TRY_ASSIGN(window.dilations, read_list(node, "dilations", rank, 1, 1));
  MINI_TRY_ASSIGN(const Ints pads, read_list(node, "pads", 2 * rank, 0, 0));
  MINI_TRY_ASSIGN(window.auto_pad, read_auto_pad(node));
  window.pads_begin.assign(rank, 0);
  window.pads_end.assign(rank, 0);
  if (window.auto_pad == AutoPad::kNotSet) {
    for (std::size_t axis = 0; axis < rank; ++axis) {
      window.pads_begin[axis] = pads[axis];
      window.pads_end[axis] = pads[rank + axis];
    }
  }
  window.ceil_mode = node.integer("ceil_mode", 0) != 0;
  MINI_TRY(Status(node.status()));
  return window;
}

Result<Window> read_window(const AttributeReader& node) {
  const Ints kernel = node.ints("kernel_shape");
  MINI_TRY(Status(node.status()));
  if (kernel.empty()) return invalid_model("the attribute kernel_shape is missing");
  return read_window(node, kernel);
}

std::optional<Dim> window_output(const Window& w, std::size_t axis, const Dim& in) {
  if (is_same(w.auto_pad)) return ceil_div(in, w.strides[axis]);
  const std::int64_t stride = w.strides[axis], extent = w.extent(axis);
  const std::int64_t pads = w.pads_begin[axis] + w.pads_end[axis];
  // VALID rounds down whatever ceil_mode is: ceil((in - extent + 1) / stride).
  if (!w.ceil_mode || w.auto_pad == AutoPad::kValid) {
    return floor_div(in + Dim(pads - extent), stride) + 1;
  }
  const Dim out = ceil_div(in + Dim(pads - extent), stride) + 1;
  // A window that would start in the padding at the end does not count.
  if (in.known()) {
    const bool starts_past_end = (out.value() - 1) * stride >= in.value() + w.pads_begin[axis];
    return starts_past_end ? out - 1 : out;
  }
  if (w.pads_end[axis] + stride <= extent) return out;  // no window can start there
  return std::nullopt;
}

Status resolve_pads(Window& w, const Shape& input) {
  if (input.rank() != w.rank() + 2) {
    return invalid_model("the input has shape ", input, "; a window over ", w.rank(),
                         " axes needs rank ", w.rank() + 2);
  }
  for (std::size_t axis = 0; axis < w.rank(); ++axis) {
    const std::int64_t in = input[axis + 2], stride = w.strides[axis], extent = w.extent(axis);
    if (is_same(w.auto_pad)) {
      const std::int64_t out = (in + stride - 1) / stride;
      const std::int64_t pads = std::max<std::int64_t>((out - 1) * stride + extent - in, 0);
      const std::int64_t less = pads / 2, more = pads - less;
      w.pads_begin[axis] = w.auto_pad == AutoPad::kSameUpper ? less : more;
      w.pads_end[axis] = pads - w.pads_begin[axis];
    }
    const std::int64_t padded = in + w.pads_begin[axis] + w.pads_end[axis];
    if (padded < extent && !(w.ceil_mode && padded + stride > extent)) {
      return invalid_model("spatial axis ", axis, " of the input ", input, " is ", padded,
                           " long with its pads; the window needs ", extent);
    }
  }
  return ok();
}

WindowAxes axes_of(const Window& window, const Shape& input) {
  WindowAxes axes;
  for (std::size_t axis = 0; axis < window.rank(); ++axis) {
    const std::size_t to = kMostAxes - window.rank() + axis;
    axes.in[to] = input[axis + 2];
    axes.kernel[to] = window.kernel[axis];
    axes.stride[to] = window.strides[axis];
    axes.dilation[to] = window.dilations[axis];
    axes.pad_begin[to] = window.pads_begin[axis];
    axes.pad_end[to] = window.pads_end[axis];
  }
  return axes;
}

WindowAxes without_unit_axes(const WindowAxes& axes) {
  WindowAxes result;
  std::size_t to = kMostAxes;
  for (std::size_t axis = kMostAxes; axis-- > 0;) {
    if (axes.in[axis] == 1 && axes.out[axis] == 1 && axes.kernel[axis] == 1 &&
        axes.pad_begin[axis] == 0 && axes.pad_end[axis] == 0) {
      continue;
    }
    --to;
    result.in[to] = axes.in[axis];
    result.out[to] = axes.out[axis];
    result.kernel[to] = axes.kernel[axis];
    result.stride[to] = axes.stride[axis];
    result.dilation[to] = axes.dilation[axis];
    result.pad_begin[to] = axes.pad_begin[axis];
    result.pad_end[to] = axes.pad_end[axis];
  }
  return result;
}

Result<WindowAxes> window_axes(Window window, const Shape& input) {
  if (window.rank() < 1 || window.rank() > kMostAxes) {
    return not_implemented("a window over ", window.rank(), " spatial axes (1 to ", kMostAxes,
                           " are)");
  }
  MINI_TRY(resolve_pads(window, input));
  WindowAxes axes = axes_of(window, input);
  for (std::size_t axis = 0; axis < window.rank(); ++axis) {
    // Known extents always have a number for a result.
    axes.out[kMostAxes - window.rank() + axis] =
        window_output(window, axis, input[axis + 2])->value();
  }
  return axes;
}

}  // namespace mini_infer
