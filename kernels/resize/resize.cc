// Resize and Upsample.                          onnx.ai/onnx/operators/onnx__Resize.html
//
// Opset 1 (Upsample): attributes height_scale and width_scale; 7: attribute scales; 9 and Resize
// 10: input 1 scales; Resize 11 on: inputs x, roi, scales, sizes; 18: attribute axes.
#include <algorithm>
#include <cmath>

#include "graph/ir/constants.h"
#include "kernels/movement/params.h"
#include "kernels/resize/resample.h"

namespace mini_infer {
namespace {

// The parameters of a node as far as they are known.
struct Params {
  std::vector<float> scales;  // empty: not given
  std::optional<std::vector<Dim>> sizes;
  std::vector<float> roi;         // all starts, then all ends
  std::vector<std::size_t> axes;  // that scales, sizes and roi are about
  bool known = true;              // false: an input comes at run time only
};

std::vector<float> floats_of(const Tensor* tensor) {
  const auto values = tensor != nullptr ? numbers(*tensor) : std::nullopt;
  return values ? std::vector<float>(values->begin(), values->end()) : std::vector<float>();
}

std::size_t scales_input(const AttributeReader& c) {
  return c.node().op_type == "Upsample" || c.node().opset < 11 ? 1 : 2;
}

// Contexts of inference and preparation differ in how they name a shape.
std::optional<std::int64_t> elements_of(const InferContext& c, std::size_t i) {
  return tracked_elements(c.shape(i));
}
std::optional<std::int64_t> elements_of(const PrepareContext& c, std::size_t i) {
  return c.shape(i).elements();
}
std::optional<std::vector<Dim>> dims_of(const InferContext& c, std::size_t i) {
  if (c.contents(i) == nullptr) return std::nullopt;
  return *c.contents(i);
}
std::optional<std::vector<Dim>> dims_of(const PrepareContext& c, std::size_t i) {
  const auto ints = c.ints_of(i);
  if (!ints) return std::nullopt;
  return std::vector<Dim>(ints->begin(), ints->end());
}

template <class Context>
Status read_scales(const Context& c, Params& p) {
  const bool upsample = c.node().op_type == "Upsample";
  if (upsample && c.opset() < 7) {
    if (!c.has("height_scale") || !c.has("width_scale")) {
      return invalid_model("height_scale and width_scale must be given");
    }
    p.scales = {1, 1, c.number("height_scale", 1), c.number("width_scale", 1)};
    return ok();
  }
  if (upsample && c.opset() < 9) {
    p.scales = c.floats("scales");
    return ok();
  }
  const std::size_t input = scales_input(c);
  if (!c.has_input(input) || elements_of(c, input) == 0) return ok();
  p.scales = floats_of(c.constant(input));
  if (p.scales.empty()) p.known = false;
  return ok();
}

template <class Context>
Result<Params> read_params(const Context& c, std::size_t rank) {
  Params p;
  MINI_TRY(read_scales(c, p));
  if (scales_input(c) == 2) {
    const bool crops = c.string("coordinate_transformation_mode", "") == "tf_crop_and_resize";
    if (crops && c.has_input(1)) {
      p.roi = floats_of(c.constant(1));
      if (p.roi.empty()) p.known = false;
    }
    if (c.has_input(3) && elements_of(c, 3) != 0) {
      p.sizes = dims_of(c, 3);
      if (!p.sizes) p.known = false;
    }
  }
  MINI_TRY_ASSIGN(p.axes, normalize_axes(c.has("axes") ? c.ints("axes") : all_axes(rank), rank));
  if (!p.known) return p;
  if (p.scales.empty() == !p.sizes) return invalid_model("either scales or sizes must be given");
  const std::size_t count = p.sizes ? p.sizes->size() : p.scales.size();
  if (count != p.axes.size() || (!p.roi.empty() && p.roi.size() != 2 * count)) {
    return invalid_model("scales ", p.scales, ", sizes and roi ", p.roi, " must fit ",
                         p.axes.size(), " axes");
  }
  for (const float scale : p.scales) {
    if (!(scale > 0 && scale < 1e6f))
      return invalid_model("scales ", p.scales, " are not positive");
  }
  return p;
}

float roi_extent(const Params& p, std::size_t i) {
  return p.roi.empty() ? 1.f : p.roi[i + p.axes.size()] - p.roi[i];
}

// The one scale of all axes that keeps the aspect ratio, or no value for the policy "stretch".
Result<std::optional<float>> common_scale(const AttributeReader& c, const Params& p,
                                          const SymShape& x) {
  const std::string policy = c.string("keep_aspect_ratio_policy", "stretch");
  if (policy == "stretch" || !p.sizes) return std::optional<float>();
  if (policy != "not_larger" && policy != "not_smaller") {
    return invalid_model("keep_aspect_ratio_policy '", policy, "'");
  }
  std::optional<float> common;
  for (std::size_t i = 0; i < p.axes.size(); ++i) {
    const Dim &size = (*p.sizes)[i], &extent = x[p.axes[i]];
    if (!size.known() || !extent.known() || extent.value() <= 0) {
      return not_implemented("keep_aspect_ratio_policy of an extent that is not known");
    }
    const float scale = static_cast<float>(size.value()) / static_cast<float>(extent.value());
    if (!common) common = scale;
    common = policy == "not_larger" ? std::min(*common, scale) : std::max(*common, scale);
  }
  return common;
}

// Extent after scaling by a known factor.
std::optional<Dim> scaled(const Dim& extent, float scale) {
  if (extent.known()) {
    const double out = std::floor(static_cast<float>(extent.value()) * scale);
    return out < 9e15 ? std::optional(Dim(static_cast<std::int64_t>(out))) : std::nullopt;
  }
  if (scale == std::floor(scale)) return extent * Dim(static_cast<std::int64_t>(scale));
  const float inverse = 1 / scale;
  if (inverse != std::floor(inverse)) return std::nullopt;
  return floor_div(extent, static_cast<std::int64_t>(inverse));
}

Status infer(InferContext& c) {
  MINI_TRY(c.expect_inputs(1, 4));
  MINI_TRY(resize_rule(c).status());
  c.set_output(0, c.dtype(0));
  const SymShape* x = c.shape(0);
  if (x == nullptr) return ok();
  c.set_output(0, c.dtype(0), unknown_shape(c, 0, x->rank()));
  MINI_TRY_ASSIGN(const Params p, read_params(c, x->rank()));
  if (!p.known) return ok();
  const auto common = common_scale(c, p, *x);
  if (!common.ok()) {
    return common.status().code() == Code::kNotImplemented ? ok() : common.status();
  }
  SymShape out = *x;
  for (std::size_t i = 0; i < p.axes.size(); ++i) {
    Dim& extent = out[p.axes[i]];
    if (*common) {
      extent = static_cast<std::int64_t>(
          std::floor(static_cast<double>(**common) * static_cast<double>(extent.value()) + 0.5));
    } else if (p.sizes) {
      extent = (*p.sizes)[i];
    } else {
      const auto dim = scaled(extent, p.scales[i] * roi_extent(p, i));
      extent = dim.value_or(c.unknown(0, p.axes[i]));
    }
    if (extent.known() && extent.value() < 0) return invalid_model("an output extent is negative");
  }
  c.set_output(0, c.dtype(0), out);
  return ok();
}

Result<PreparedKernel> prepare(PrepareContext& c) {
  MINI_TRY_ASSIGN(const Shape out, known_output(c));
  const Shape& x = c.shape(0);
  MINI_TRY_ASSIGN(const Params p, read_params(c, x.rank()));
  if (!p.known) return not_implemented("scales, sizes or roi that are not constant");
  MINI_TRY_ASSIGN(const auto common, common_scale(c, p, SymShape(x)));
  ResizeProblem problem{.dtype = c.dtype(0)};
  MINI_TRY_ASSIGN(problem.rule, resize_rule(c));
  for (std::size_t i = 0; i < x.rank(); ++i) problem.axes.push_back({.in = x[i], .out = out[i]});
  for (std::size_t i = 0; i < p.axes.size(); ++i) {
    ResizeAxis& axis = problem.axes[p.axes[i]];
    axis.scale = common    ? *common
                 : p.sizes ? static_cast<float>(axis.out) / static_cast<float>(axis.in)
                           : p.scales[i];
    if (!p.roi.empty()) {
      axis.roi_start = p.roi[i];
      axis.roi_end = p.roi[i + p.axes.size()];
    }
  }
  if (problem.rule.coordinates == Coordinates::kTfCropAndResize) {
    // An axis that has no region of interest of its own stays as it is.
    for (ResizeAxis& axis : problem.axes) axis.crops = axis.roi_start != 0 || axis.roi_end != 1;
  }
  if (c.layout(0) == Layout::kBlocked) {
    const std::int64_t blocks = (x[1] + c.lanes() - 1) / c.lanes();
    problem.axes[1] = {.in = blocks, .out = blocks};
    problem.inner = c.lanes();
  }
  return prepare_resample(c, std::move(problem));
}

// Float maps whose batch and channels stay.
LayoutChoice layout(const LayoutQuery& q) {
  LayoutChoice choice{std::vector(q.inputs.size(), Layout::kPlain), {Layout::kPlain}};
  const Value &x = q.graph.value(q.node.inputs[0]), &y = q.graph.value(q.node.outputs[0]);
  if (q.inputs[0] != Layout::kBlocked || x.dtype != DType::kFloat32) return choice;
  if (!x.shape || !y.shape || x.shape->rank() < 3 || y.shape->rank() != x.shape->rank()) {
    return choice;
  }
  const std::string coordinates =
      AttributeReader(q.node).string("coordinate_transformation_mode", "");
  if (coordinates == "tf_crop_and_resize") return choice;
  if ((*x.shape)[0] != (*y.shape)[0] || (*x.shape)[1] != (*y.shape)[1]) return choice;
  choice.inputs[0] = choice.outputs[0] = Layout::kBlocked;
  return choice;
}

}  // namespace

MINI_DEFINE_OP(Resize, {.type = "Resize",
                        .since = {10, 11, 13, 18, 19},
                        .infer = infer,
                        .prepare = prepare,
                        .layout = layout})
MINI_DEFINE_OP(Upsample, {.type = "Upsample",
                          .since = {1, 7, 9, 10},
                          .infer = infer,
                          .prepare = prepare,
                          .layout = layout})

}  // namespace mini_infer
