#include "kernels/conv/conv_node.h"

#include <algorithm>

namespace mini_infer {
namespace {

// The spatial extents of weights [*,*,spatial...].
Ints spatial(const Shape& w) { return Ints(w.begin() + 2, w.end()); }

// The kernel of a node in inference: from the weights, or from kernel_shape; empty when unknown.
Ints kernel_of(const InferContext& c, std::size_t w) {
  if (const SymShape* shape = c.shape(w); shape != nullptr && shape->rank() > 2) {
    if (const auto known = shape->concrete()) return spatial(*known);
  }
  return c.ints("kernel_shape");
}

Status check_ranks(const Shape& x, const Shape& w) {
  if (x.rank() < 3 || x.rank() != w.rank()) {
    return invalid_model("the input has shape ", x, " and the weights ", w,
                         "; both need the same rank, at least 3");
  }
  if (x.rank() > kMostAxes + 2) {
    return not_implemented("a convolution over ", x.rank() - 2, " spatial axes (at most ",
                           kMostAxes, ")");
  }
  return ok();
}

// A transposed convolution's attributes; the paddings as the node gives them.
struct TransposedWindow {
  Window window;
  Ints output_padding;
  Ints output_shape;  // empty, or the spatial extents
};

Result<TransposedWindow> read_transposed_window(const AttributeReader& node, const Ints& kernel) {
  TransposedWindow t;
  MINI_TRY_ASSIGN(t.window, read_window(node, kernel));
  const std::size_t rank = kernel.size();
  t.output_padding = node.ints("output_padding", Ints(rank, 0));
  t.output_shape = node.ints("output_shape");
  MINI_TRY(Status(node.status()));
  if (t.output_padding.empty()) t.output_padding.assign(rank, 0);
  if (t.output_shape.size() == rank + 2) {
    t.output_shape.erase(t.output_shape.begin(), t.output_shape.begin() + 2);
  }
  const auto sane = [](std::int64_t v) { return v >= 0 && v < (std::int64_t{1} << 31); };
  if (t.output_padding.size() != rank || !std::ranges::all_of(t.output_padding, sane)) {
    return invalid_model("output_padding ", t.output_padding, " must have ", rank,
                         " entries of at least 0");
  }
  if (!t.output_shape.empty() &&
      (t.output_shape.size() != rank || !std::ranges::all_of(t.output_shape, sane))) {
    return invalid_model("output_shape ", t.output_shape, " must have ", rank,
                         " entries of at least 0");
  }
  return t;
}

bool is_same(const TransposedWindow& t) {
  return t.window.auto_pad == AutoPad::kSameUpper || t.window.auto_pad == AutoPad::kSameLower;
}

Dim transposed_output(const TransposedWindow& t, std::size_t axis, const Dim& in) {
  if (!t.output_shape.empty()) return t.output_shape[axis];
  const Window& w = t.window;
  if (is_same(t)) return in * Dim(w.strides[axis]);
  return (in - 1) * Dim(w.strides[axis]) +
         Dim(w.extent(axis) + t.output_padding[axis] - w.pads_begin[axis] - w.pads_end[axis]);
}

// Attribute "border" of the internal FusedConv: a mode of Pad.
Result<Border> read_border(const AttributeReader& node, const WindowAxes& axes) {
  if (node.node().domain != kInternalDomain) return Border::kZero;
  const std::string mode = node.string("border", "constant");
  MINI_TRY(Status(node.status()));
  if (mode == "constant") return Border::kZero;
  if (mode != "reflect" && mode != "edge") {
    return invalid_model("border '", mode, "' is none of constant, reflect, edge");
  }
  const Border border = mode == "reflect" ? Border::kReflect : Border::kEdge;
  for (std::size_t axis = 0; axis < kMostAxes; ++axis) {
    const std::int64_t pad = std::max(axes.pad_begin[axis], axes.pad_end[axis]);
    const std::int64_t most = border == Border::kReflect ? axes.in[axis] - 1 : pad;
    if (axes.in[axis] < 1 || pad > most) {
      return invalid_model("mode ", mode, " pads by ", pad, " an axis of ", axes.in[axis],
                           " elements; there is nothing that far");
    }
  }
  return border;
}

bool is_float(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 ||
         dtype == DType::kBFloat16;
}

}  // namespace

Result<std::optional<SymShape>> infer_conv_shape(const InferContext& c, std::size_t x,
                                                 std::size_t w) {
  return infer_conv_shape(c, c.shape(x), w);
}

Result<std::optional<SymShape>> infer_conv_shape(const InferContext& c, const SymShape* in,
                                                 std::size_t w) {
  using Unknown = std::optional<SymShape>;
  const SymShape* weights = c.shape(w);
  if (in == nullptr && weights == nullptr) return Unknown();
  const std::size_t rank = in != nullptr ? in->rank() : weights->rank();
  if (rank < 3)
    return invalid_model("the input has rank ", rank, "; a convolution needs 3 or more");
  SymShape out;
  out.push_back(in != nullptr ? (*in)[0] : c.unknown(0, 0));
  out.push_back(weights != nullptr && weights->rank() > 0 ? (*weights)[0] : c.unknown(0, 1));
  const Ints kernel = kernel_of(c, w);
  for (std::size_t axis = 2; axis < rank; ++axis) out.push_back(c.unknown(0, axis));
  if (kernel.empty()) return std::optional(out);
  if (kernel.size() + 2 != rank) {
    return invalid_model("the input has rank ", rank, "; a kernel ", kernel, " needs rank ",
                         kernel.size() + 2);
  }
  MINI_TRY_ASSIGN(const Window window, read_window(c, kernel));
  if (in == nullptr) return std::optional(out);
  for (std::size_t axis = 0; axis < window.rank(); ++axis) {
    if (const auto extent = window_output(window, axis, (*in)[axis + 2])) out[axis + 2] = *extent;
  }
  return std::optional(out);
}

Result<std::optional<SymShape>> infer_conv_transpose_shape(const InferContext& c) {
  const SymShape* in = c.shape(0);
  const SymShape* weights = c.shape(1);
  if (in == nullptr) return std::optional<SymShape>();
  if (in->rank() < 3) {
    return invalid_model("the input has rank ", in->rank(), "; a convolution needs 3 or more");
  }
  SymShape out;
  out.push_back((*in)[0]);
  out.push_back(weights != nullptr && weights->rank() > 1
                    ? (*weights)[1] * Dim(c.integer("group", 1))
                    : c.unknown(0, 1));
  const Ints kernel = kernel_of(c, 1);
  for (std::size_t axis = 2; axis < in->rank(); ++axis) out.push_back(c.unknown(0, axis));
  if (kernel.empty()) return std::optional(out);
  if (kernel.size() + 2 != in->rank()) {
    return invalid_model("the input has rank ", in->rank(), "; a kernel ", kernel, " needs rank ",
                         kernel.size() + 2);
  }
  MINI_TRY_ASSIGN(const TransposedWindow t, read_transposed_window(c, kernel));
  for (std::size_t axis = 0; axis < kernel.size(); ++axis) {
    out[axis + 2] = transposed_output(t, axis, (*in)[axis + 2]);
  }
  return std::optional(out);
}

Result<ConvGeometry> read_conv_geometry(const PrepareContext& c, std::size_t x, std::size_t w) {
  return read_conv_geometry(c, c.shape(x), c.shape(w));
}

Result<ConvGeometry> read_conv_geometry(const PrepareContext& c, const Shape& in,
                                        const Shape& weights) {
  MINI_TRY(check_ranks(in, weights));
  ConvGeometry g;
  g.n = in[0];
  g.ic = in[1];
  g.oc = weights[0];
  g.groups = c.integer("group", 1);
  MINI_TRY(Status(c.status()));
  if (g.groups < 1 || g.oc % g.groups != 0 || g.ic % g.groups != 0 ||
      weights[1] != g.ic / g.groups || g.oc < 1 || g.ic < 1) {
    return invalid_model("the input has shape ", in, " and the weights ", weights, " with group ",
                         g.groups,
                         "; the weights must be [oc, channels / group, ...] and group "
                         "must divide oc and the channels");
  }
  MINI_TRY_ASSIGN(const Window window, read_window(c, spatial(weights)));
  MINI_TRY_ASSIGN(const WindowAxes axes, window_axes(window, in));
  MINI_TRY_ASSIGN(g.border, read_border(c, axes));
  static_cast<WindowAxes&>(g) = without_unit_axes(axes);
  return g;
}

Result<ConvGeometry> read_conv_transpose_geometry(const PrepareContext& c) {
  const Shape& in = c.shape(0);
  const Shape& weights = c.shape(1);
  MINI_TRY(check_ranks(in, weights));
  ConvGeometry g;
  g.n = in[0];
  g.ic = in[1];
  g.groups = c.integer("group", 1);
  MINI_TRY(Status(c.status()));
  if (g.groups < 1 || g.ic < 1 || g.ic % g.groups != 0 || weights[0] != g.ic || weights[1] < 1) {
    return invalid_model("the input has shape ", in, " and the weights ", weights, " with group ",
                         g.groups,
                         "; the weights must be [channels, oc / group, ...] and group "
                         "must divide the channels");
  }
  MINI_TRY_ASSIGN(TransposedWindow t, read_transposed_window(c, spatial(weights)));
  MINI_TRY(checked_bytes(DType::kInt8, Shape{weights[1], g.groups}).status());
  g.oc = weights[1] * g.groups;
  Window& window = t.window;
  Ints outs;
  for (std::size_t axis = 0; axis < window.rank(); ++axis) {
    const std::int64_t out = transposed_output(t, axis, in[axis + 2]).value();
    if (!t.output_shape.empty() || is_same(t)) {
      // What is left of the full output is cut off, half on each side; the odd element at the
      // beginning, except with SAME_UPPER.
      const std::int64_t full =
          (in[axis + 2] - 1) * window.strides[axis] + window.extent(axis) + t.output_padding[axis];
      const std::int64_t cut = std::max<std::int64_t>(full - out, 0), less = cut / 2;
      window.pads_begin[axis] = window.auto_pad == AutoPad::kSameUpper ? less : cut - less;
      window.pads_end[axis] = cut - window.pads_begin[axis];
    }
    if (out < 0) {
      return invalid_model("the output would be ", out, " long on spatial axis ", axis);
    }
    outs.push_back(out);
  }
  WindowAxes axes = axes_of(window, in);
  std::ranges::copy(outs, axes.out.end() - static_cast<std::ptrdiff_t>(outs.size()));
  static_cast<WindowAxes&>(g) = without_unit_axes(axes);
  return g;
}

Status check_channel_input(const PrepareContext& c, std::size_t i, const char* name,
                           std::int64_t count) {
  if (!c.has_input(i) || c.shape(i).elements() == count) return ok();
  return invalid_model("input ", i, " '", name, "' has shape ", c.shape(i), "; it needs ", count,
                       " elements, one for each output channel");
}

Result<ConvEnd> read_conv_end(const PrepareContext& c, const ConvGeometry& g) {
  MINI_TRY_ASSIGN(ConvEnd end, read_conv_end(c, g.oc, kBias, kSlopes));
  if (c.has_input(kResidual)) {
    if (c.shape(kResidual) != c.output_shape()) {
      return invalid_model("the addend has shape ", c.shape(kResidual),
                           "; it must be the output's ", c.output_shape());
    }
    end.residual = kResidual;
  }
  return end;
}

Result<ConvEnd> read_conv_end(const PrepareContext& c, std::int64_t channels, int bias, int slopes,
                              const std::string& prefix) {
  ConvEnd end;
  MINI_TRY_ASSIGN(const FusedActivation activation, read_activation(c, prefix));
  end.activation = activation.params;
  const auto bias_input = static_cast<std::size_t>(bias);
  const auto slopes_input = static_cast<std::size_t>(slopes);
  MINI_TRY(check_channel_input(c, bias_input, "B", channels));
  if (c.has_input(bias_input)) end.bias = bias;
  if (activation.per_channel_slope) {
    if (!c.has_input(slopes_input))
      return invalid_model("activation PRelu needs slopes as input ", slopes);
    end.one_slope = c.shape(slopes_input).elements() == 1;
    if (!end.one_slope) MINI_TRY(check_channel_input(c, slopes_input, "slope", channels));
    end.slopes = slopes;
  }
  return end;
}

Result<bool> read_conv_scales(const PrepareContext& c, const ConvGeometry& g) {
  if (!c.has_input(kScales)) return false;
  if (c.shape(kScales).elements() != g.ic) {
    return invalid_model("the factors have shape ", c.shape(kScales), "; there must be ", g.ic,
                         ", one for each input channel");
  }
  if (g.n != 1 || g.groups != 1 || g.taps() != 1 || c.dtype(kX) != DType::kFloat32 ||
      c.constant(kW) == nullptr) {
    return not_implemented(
        "factors for input channels need one image, one group, a 1x1 kernel and ",
        "constant float32 weights");
  }
  return true;
}

Status check_conv_dtypes(const PrepareContext& c) {
  if (!is_float(c.dtype(kX))) {
    return not_implemented("a convolution of ", c.dtype(kX));
  }
  for (std::size_t i = 1; i < c.input_count(); ++i) {
    if (c.has_input(i) && c.dtype(i) != c.dtype(kX)) {
      return invalid_model("input ", i, " is ", c.dtype(i), ", the input x is ", c.dtype(kX),
                           "; they must be alike");
    }
  }
  return ok();
}

}  // namespace mini_infer
