// Versions that let sampling place its samples in other ways.
#include <algorithm>
#include <cmath>

#include "graph/ir/text.h"
#include "graph/passes/lower_opset_steps.h"
#include "graph/passes/match.h"
#include "graph/passes/opset_step.h"

namespace mini_infer::undo {
namespace {

// Larger ones are not calculated with.
constexpr std::int64_t kMostExtent = std::int64_t{1} << 40, kMostKernel = 1 << 16;

ValueId add_scales(Graph& graph, NodeId id, const std::vector<double>& scales) {
  const Shape shape = {static_cast<std::int64_t>(scales.size())};
  return add_floats(graph, name_of(graph, id, "scales"), shape, scales);
}

bool is_empty(const Graph& graph, ValueId value) {
  const Tensor* tensor = graph.constant(value);
  return value == kNoValue || (tensor != nullptr && tensor->elements() == 0);
}

// The scales of a Resize that has sizes. Before opset 11, extents were rounded down from the scaled
// ones: no value where that would give others.
std::optional<std::vector<double>> scales_of_sizes(const Graph& graph, NodeId id) {
  const auto sizes = known_ints(graph, graph.input(id, 3));
  const auto& shape = graph.value(graph.input(id, 0)).shape;
  if (!sizes || !shape || sizes->size() != shape->rank()) return std::nullopt;
  std::vector<double> scales;
  for (std::size_t i = 0; i < sizes->size(); ++i) {
    if (!(*shape)[i].known() || (*shape)[i].value() <= 0) return std::nullopt;
    if ((*sizes)[i] > kMostExtent) return std::nullopt;
    const auto extent = static_cast<float>((*shape)[i].value());
    const float scale = static_cast<float>((*sizes)[i]) / extent;
    if (static_cast<std::int64_t>(std::floor(extent * scale)) != (*sizes)[i]) return std::nullopt;
    scales.push_back(static_cast<double>(scale));
  }
  return scales;
}

// Scales that repeat pixels, however the samples between them are placed.
bool repeats_pixels(const std::vector<double>& scales) {
  return std::all_of(scales.begin(), scales.end(),
                     [](double scale) { return scale >= 1 && scale == std::floor(scale); });
}

// Whether samples lie at i / scale, and the nearest is the one before, as opset 10 has it.
std::string placed_as_before(const AttributeReader& node, const std::vector<double>* scales) {
  const std::string mode = node.string("mode", "nearest");
  const std::string place = node.string("coordinate_transformation_mode", "half_pixel");
  const std::string nearest = node.string("nearest_mode", "round_prefer_floor");
  if (mode == "linear" && place == "asymmetric") return "";
  if (mode != "nearest") {
    return cat("its mode is \"", mode, "\" with coordinates \"", place, "\"");
  }
  if (place == "asymmetric" && nearest == "floor") return "";
  const bool half = place == "half_pixel" || place == "pytorch_half_pixel";
  const bool rounds = nearest == "round_prefer_floor" || nearest == "round_prefer_ceil";
  if (half && rounds && scales != nullptr && repeats_pixels(*scales)) return "";
  return cat("its coordinates are \"", place, "\", its nearest_mode \"", nearest, "\"");
}

}  // namespace

std::string resize_without_symmetry(Graph& graph, NodeId id) {
  const auto* place = graph.attribute<std::string>(id, "coordinate_transformation_mode");
  const bool symmetric = place != nullptr && *place == "half_pixel_symmetric";
  return symmetric ? "its coordinates are \"half_pixel_symmetric\"" : "";
}

// Scales or sizes of some axes are those of all, the others as they are.
std::string resize_all_axes(Graph& graph, NodeId id) {
  const auto axes = take<Ints>(graph, id, "axes");
  if (!axes) return "";
  const auto& shape = graph.value(graph.input(id, 0)).shape;
  if (!shape) return "the rank of its input is not known";
  if (!is_empty(graph, graph.input(id, 1))) return "it has a region of some axes";
  const bool by_sizes = !is_empty(graph, graph.input(id, 3));
  const auto scales = known_numbers(graph, graph.input(id, 2));
  const auto sizes = known_ints(graph, graph.input(id, 3));
  if ((by_sizes ? sizes ? sizes->size() : 0 : scales ? scales->size() : 0) != axes->size()) {
    return cat("its ", by_sizes ? "sizes" : "scales", " must be constant");
  }
  std::vector<double> all_scales(shape->rank(), 1);
  std::vector<Dim> all_sizes(shape->begin(), shape->end());
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const auto axis = normal_axis((*axes)[i], shape->rank());
    if (!axis) return "an axis is out of range";
    if (by_sizes) all_sizes[*axis] = (*sizes)[i];
    if (!by_sizes) all_scales[*axis] = (*scales)[i];
  }
  if (!by_sizes) {
    graph.set_input(id, 2, add_scales(graph, id, all_scales));
    return "";
  }
  Ints extents;
  for (const Dim& dim : all_sizes) {
    if (!dim.known()) return cat("extent ", dim.str(), " is not known");
    extents.push_back(dim.value());
  }
  graph.set_input(id, 3, add_ints(graph, name_of(graph, id, "sizes"), extents));
  return "";
}

// They may be left out since; before, they had to be there without elements.
std::string fill_roi_and_scales(Graph& graph, NodeId id) {
  const Tensor none(DType::kFloat32, {0});
  for (const std::size_t i : {1U, 2U}) {
    if (graph.input(id, i) != kNoValue) continue;
    const char* what = i == 1 ? "roi" : "scales";
    graph.set_input(id, i, graph.add_constant(name_of(graph, id, what), none));
  }
  return "";
}

std::string place_samples_as_before(Graph& graph, NodeId id) {
  const bool by_sizes = !is_empty(graph, graph.input(id, 3));
  const ValueId given = graph.input(id, 2);
  const auto scales = by_sizes ? scales_of_sizes(graph, id) : known_numbers(graph, given);
  if (by_sizes && !scales) return "its sizes are not those of a known scale";
  std::string reason =
      placed_as_before(AttributeReader(graph.node(id)), scales ? &*scales : nullptr);
  if (!reason.empty()) return reason;
  const ValueId kept = by_sizes ? add_scales(graph, id, *scales) : given;
  while (graph.node(id).inputs.size() > 1) {
    graph.remove_input(id, graph.node(id).inputs.size() - 1);
  }
  graph.set_input(id, 1, kept);
  for (const char* gone : {"coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside",
                           "extrapolation_value", "nearest_mode"}) {
    graph.node(id).attributes.erase(gone);
  }
  return "";
}

std::string resize_to_upsample(Graph& graph, NodeId id) {
  const auto scales = known_numbers(graph, graph.input(id, 1));
  if (!scales) return "its scales must be constant";
  if (std::any_of(scales->begin(), scales->end(), [](double scale) { return scale < 1; })) {
    return "it makes its input smaller";
  }
  graph.node(id).op_type = "Upsample";
  return "";
}

// A pool that rounds its extent up is one that pads more behind, where padding counts for nothing.
std::string ceil_by_pads(Graph& graph, NodeId id) {
  if (take<std::int64_t>(graph, id, "ceil_mode").value_or(0) == 0) return "";
  const AttributeReader node(graph.node(id));
  const auto &in = graph.value(graph.input(id, 0)).shape,
             &out = graph.value(graph.output(id)).shape;
  const Ints kernel = node.ints("kernel_shape");
  const std::size_t axes = kernel.size();
  const Ints strides = node.ints("strides", Ints(axes, 1));
  Ints pads = node.ints("pads", Ints(2 * axes, 0));
  const bool plain = node.string("auto_pad", "NOTSET") == "NOTSET" &&
                     node.integer("count_include_pad", 0) == 0 && strides.size() == axes &&
                     pads.size() == 2 * axes;
  if (!plain || !in || !out || in->rank() != axes + 2 || out->rank() != axes + 2) {
    return "its attribute 'ceil_mode' is 1";
  }
  for (std::size_t i = 0; i < axes; ++i) {
    const Dim &from = (*in)[i + 2], &to = (*out)[i + 2];
    if (!from.known() || !to.known()) {
      return cat("its attribute 'ceil_mode' is 1 and extent ", from.str(), " is not known");
    }
    if (strides[i] > kernel[i] || kernel[i] > kMostKernel || to.value() > kMostExtent) {
      return "its attribute 'ceil_mode' is 1";
    }
    const std::int64_t covered = (to.value() - 1) * strides[i] + kernel[i];
    const std::int64_t behind = std::max(pads[axes + i], covered - from.value() - pads[i]);
    if (behind >= kernel[i]) return "its attribute 'ceil_mode' is 1";
    pads[axes + i] = behind;
  }
  graph.node(id).attributes["pads"] = pads;
  return "";
}

std::string grid_modes_as_before(Graph& graph, NodeId id) {
  const auto rank = rank_of(graph, graph.input(id, 0));
  if (rank && *rank != 4) return cat("its input has rank ", *rank);
  const std::string mode = AttributeReader(graph.node(id)).string("mode", "linear");
  if (mode == "linear") graph.node(id).attributes["mode"] = std::string("bilinear");
  if (mode == "cubic") graph.node(id).attributes["mode"] = std::string("bicubic");
  return "";
}

std::string roi_pixels_as_before(Graph& graph, NodeId id) {
  const auto place = take<std::string>(graph, id, "coordinate_transformation_mode");
  if (place && *place == "output_half_pixel") return "";
  return "its regions lie half a pixel from where they lay before";
}

}  // namespace mini_infer::undo
