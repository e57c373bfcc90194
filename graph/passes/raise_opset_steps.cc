// What changed in ONNX's operators so that a node must be written anew. Versions that only allow
// more (types, negative axes, optional inputs and attributes) are no steps.
#include <algorithm>
#include <cmath>

#include "graph/ir/constants.h"
#include "graph/passes/match.h"
#include "graph/passes/opset_step.h"
#include "graph/passes/raise_opset.h"

namespace mini_infer {
namespace {

// --- what steps share

bool drop(Graph& graph, NodeId id, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const auto at = graph.node(id).attributes.find(name);
    if (at != graph.node(id).attributes.end()) graph.node(id).attributes.erase(at);
  }
  return true;
}

// An attribute that became an input.
bool ints_to_input(Graph& graph, NodeId id, const char* attribute, std::size_t index) {
  const auto values = take<Ints>(graph, id, attribute);
  if (values) graph.set_input(id, index, add_ints(graph, name_of(graph, id, attribute), *values));
  return true;
}

bool axes_to_input(Graph& graph, NodeId id) { return ints_to_input(graph, id, "axes", 1); }

// --- arithmetic

// From 7 on operands broadcast as in numpy; before, `axis` said where the second one starts.
bool drop_broadcast(Graph& graph, NodeId id) {
  const auto axis = take<std::int64_t>(graph, id, "axis");
  drop(graph, id, {"broadcast"});
  const ValueId b = graph.input(id, 1);
  const auto rank = rank_of(graph, graph.input(id, 0)), b_rank = rank_of(graph, b);
  if (!axis) return true;
  if (!rank || !b_rank) return false;
  const auto first = normal_axis(*axis, *rank);
  if (*b_rank == 0 || (first && *first + *b_rank == *rank)) return true;
  if (!first || *first + *b_rank > *rank) return false;
  Ints added;
  for (std::size_t i = *b_rank; i < *rank - *first; ++i)
    added.push_back(static_cast<std::int64_t>(i));
  if (const Tensor* tensor = graph.constant(b)) {
    Shape shape = tensor->shape();
    for (std::size_t i = 0; i < added.size(); ++i) shape.push_back(1);
    const Tensor wide = tensor->reshaped(std::move(shape));
    graph.set_input(id, 1, graph.add_constant(name_of(graph, id, "operand"), wide));
    return true;
  }
  const NodeId unsqueeze = graph.add_node(id, "Unsqueeze", {b}, {{"axes", added}});
  graph.set_input(id, 1, graph.output(unsqueeze));
  return true;
}

// From 7 on slopes broadcast; before, they were one for each channel.
bool widen_slope(Graph& graph, NodeId id) {
  const auto rank = rank_of(graph, graph.input(id, 0));
  const Tensor* slope = graph.constant(graph.input(id, 1));
  if (slope == nullptr || !rank) return false;
  if (slope->elements() == 1 || slope->shape().rank() != 1 || *rank < 3) return true;
  Shape shape = slope->shape();
  for (std::size_t i = 2; i < *rank; ++i) shape.push_back(1);
  const Tensor wide = slope->reshaped(std::move(shape));
  graph.set_input(id, 1, graph.add_constant(name_of(graph, id, "slope"), wide));
  return true;
}

bool bounds_to_inputs(Graph& graph, NodeId id) {
  const ValueId x = graph.input(id, 0);
  std::size_t index = 1;
  for (const char* bound : {"min", "max"}) {
    const auto number = take<float>(graph, id, bound);
    const auto value =
        number ? add_scalar(graph, name_of(graph, id, bound), x, *number) : std::optional(kNoValue);
    if (!value) return false;
    if (*value != kNoValue) graph.set_input(id, index, *value);
    ++index;
  }
  return true;
}

bool ratio_to_input(Graph& graph, NodeId id) {
  if (const auto ratio = take<float>(graph, id, "ratio")) {
    const Tensor tensor = Tensor::scalar(*ratio);
    graph.set_input(id, 1, graph.add_constant(name_of(graph, id, "ratio"), tensor));
  }
  return true;
}

// From 13 on Softmax works over one axis; before, over all from `axis` on.
bool narrow_softmax(Graph& graph, NodeId id) {
  const ValueId x = graph.input(id, 0), y = graph.output(id);
  const auto rank = rank_of(graph, x);
  const auto* attribute = graph.attribute<std::int64_t>(id, "axis");
  const auto axis = rank ? normal_axis(attribute != nullptr ? *attribute : 1, *rank) : std::nullopt;
  if (!axis) return false;
  graph.node(id).attributes["axis"] = std::int64_t{-1};
  if (*axis + 1 == *rank) return true;
  const NodeId flat =
      graph.add_node(id, "Flatten", {x}, {{"axis", static_cast<std::int64_t>(*axis)}});
  const NodeId shape = graph.add_node(id, "Shape", {x});
  graph.set_input(id, 0, graph.output(flat));
  const ValueId rows = graph.add_value(name_of(graph, id, "rows"));
  graph.set_node_output(id, 0, rows);
  graph.add_node({.name = graph.node(id).name,
                  .op_type = "Reshape",
                  .inputs = {rows, graph.output(shape)},
                  .outputs = {y},
                  .opset = 13,
                  .rank = graph.node(id).rank});
  return true;
}

bool drop_is_test(Graph& graph, NodeId id) {
  return drop(graph, id, {"is_test", "consumed_inputs"});
}

bool drop_spatial(Graph& graph, NodeId id) {
  return take<std::int64_t>(graph, id, "spatial").value_or(1) == 1;
}

// Old exporters gave it those of BatchNormalization, which it never had.
bool drop_foreign_attributes(Graph& graph, NodeId id) {
  return drop(graph, id, {"is_test", "spatial", "consumed_inputs"});
}

// From 14 on there are three outputs; before, five, all but the first for training.
bool drop_training_outputs(Graph& graph, NodeId id) { return keep_first_output(graph, id); }

bool drop_recurrent_attributes(Graph& graph, NodeId id) {
  return drop(graph, id, {"output_sequence"});
}

// --- shapes

bool concat_axis(Graph& graph, NodeId id) {
  graph.node(id).attributes.try_emplace("axis", std::int64_t{1});
  return true;
}

bool cast_to_number(Graph& graph, NodeId id) {
  const auto* name = graph.attribute<std::string>(id, "to");
  if (name == nullptr) return graph.attribute<std::int64_t>(id, "to") != nullptr;
  constexpr std::pair<std::string_view, int> kNames[] = {
      {"FLOAT", 1},   {"UINT8", 2},   {"INT8", 3},   {"UINT16", 4}, {"INT16", 5},
      {"INT32", 6},   {"INT64", 7},   {"STRING", 8}, {"BOOL", 9},   {"FLOAT16", 10},
      {"DOUBLE", 11}, {"UINT32", 12}, {"UINT64", 13}};
  for (const auto& [text, number] : kNames) {
    if (*name != text) continue;
    graph.node(id).attributes["to"] = std::int64_t{number};
    return true;
  }
  return false;
}

bool shape_to_input(Graph& graph, NodeId id) { return ints_to_input(graph, id, "shape", 1); }

bool rename_paddings(Graph& graph, NodeId id) {
  if (auto pads = take<Ints>(graph, id, "paddings")) graph.node(id).attributes["pads"] = *pads;
  return true;
}

bool pads_to_inputs(Graph& graph, NodeId id) {
  const auto pads = take<Ints>(graph, id, "pads");
  if (!pads) return false;
  graph.set_input(id, 1, add_ints(graph, name_of(graph, id, "pads"), *pads));
  if (const auto number = take<float>(graph, id, "value")) {
    const auto value = add_scalar(graph, name_of(graph, id, "value"), graph.input(id, 0), *number);
    if (!value) return false;
    graph.set_input(id, 2, *value);
  }
  return true;
}

bool slice_to_inputs(Graph& graph, NodeId id) {
  return ints_to_input(graph, id, "starts", 1) && ints_to_input(graph, id, "ends", 2) &&
         ints_to_input(graph, id, "axes", 3);
}

bool split_to_input(Graph& graph, NodeId id) { return ints_to_input(graph, id, "split", 1); }

bool count_split_outputs(Graph& graph, NodeId id) {
  if (graph.input(id, 1) != kNoValue) return true;
  graph.node(id).attributes["num_outputs"] =
      static_cast<std::int64_t>(graph.node(id).outputs.size());
  return true;
}

bool k_to_input(Graph& graph, NodeId id) {
  const auto k = take<std::int64_t>(graph, id, "k");
  if (!k) return false;
  graph.set_input(id, 1, add_ints(graph, name_of(graph, id, "k"), {*k}));
  return true;
}

bool rename_scatter(Graph& graph, NodeId id) {
  graph.node(id).op_type = "ScatterElements";
  return true;
}

// --- sampling

bool upsample_scales(Graph& graph, NodeId id) {
  const auto height = take<float>(graph, id, "height_scale");
  const auto width = take<float>(graph, id, "width_scale");
  if (!height || !width) return graph.attribute<Floats>(id, "scales") != nullptr;
  graph.node(id).attributes["scales"] = Floats{1, 1, *height, *width};
  return true;
}

bool scales_to_input(Graph& graph, NodeId id) {
  const auto scales = take<Floats>(graph, id, "scales");
  if (!scales) return false;
  const auto count = static_cast<std::int64_t>(scales->size());
  graph.set_input(
      id, 1,
      graph.add_constant(name_of(graph, id, "scales"), Tensor::from<float>({count}, *scales)));
  return true;
}

bool upsample_to_resize(Graph& graph, NodeId id) {
  graph.node(id).op_type = "Resize";
  return true;
}

// From 11 on there is a region of interest, and ways to place the samples.
bool place_samples(Graph& graph, NodeId id) {
  const ValueId scales = graph.input(id, 1);
  graph.set_input(id, 1, kNoValue);
  graph.set_input(id, 2, scales);
  // The region has no elements, but before opset 13 it has to be there.
  const Tensor none(DType::kFloat32, {0});
  graph.set_input(id, 1, graph.add_constant(name_of(graph, id, "roi"), none));
  Attributes& attributes = graph.node(id).attributes;
  attributes["coordinate_transformation_mode"] = std::string("asymmetric");
  if (AttributeReader(graph.node(id)).string("mode", "nearest") == "nearest") {
    attributes["nearest_mode"] = std::string("floor");
  }
  return true;
}

bool rename_grid_modes(Graph& graph, NodeId id) {
  auto& mode = graph.node(id).attributes["mode"];
  const auto* text = std::get_if<std::string>(&mode);
  if (text != nullptr && *text == "bicubic") {
    mode = std::string("cubic");
  } else if (text == nullptr || *text == "bilinear") {
    mode = std::string("linear");
  }
  return true;
}

bool keep_roi_pixels(Graph& graph, NodeId id) {
  graph.node(id).attributes.try_emplace("coordinate_transformation_mode",
                                        std::string("output_half_pixel"));
  return true;
}

bool never(Graph&, NodeId) { return false; }

constexpr OpsetStep kSteps[] = {
    {"Add", 7, drop_broadcast},
    {"Sub", 7, drop_broadcast},
    {"Mul", 7, drop_broadcast},
    {"Div", 7, drop_broadcast},
    {"Pow", 7, drop_broadcast},
    {"And", 7, drop_broadcast},
    {"Or", 7, drop_broadcast},
    {"Xor", 7, drop_broadcast},
    {"Equal", 7, drop_broadcast},
    {"Greater", 7, drop_broadcast},
    {"Less", 7, drop_broadcast},
    {"Gemm", 7, [](Graph& g, NodeId id) { return drop(g, id, {"broadcast"}); }},
    {"PRelu", 7, widen_slope},
    {"Clip", 11, bounds_to_inputs},
    {"Dropout", 7, drop_is_test},
    {"Dropout", 12, ratio_to_input},
    {"Softmax", 13, narrow_softmax},
    {"LogSoftmax", 13, narrow_softmax},
    {"Hardmax", 13, narrow_softmax},
    {"BatchNormalization", 7, drop_is_test},
    {"BatchNormalization", 9, drop_spatial},
    {"BatchNormalization", 14, drop_training_outputs},
    {"InstanceNormalization", 6, drop_foreign_attributes},
    {"RNN", 7, drop_recurrent_attributes},
    {"GRU", 7, drop_recurrent_attributes},
    {"LSTM", 7, drop_recurrent_attributes},
    {"Concat", 4, concat_axis},
    {"Cast", 6, cast_to_number},
    {"Reshape", 5, shape_to_input},
    {"Pad", 2, rename_paddings},
    {"Pad", 11, pads_to_inputs},
    {"Slice", 10, slice_to_inputs},
    {"Split", 13, split_to_input},
    {"Split", 18, count_split_outputs},
    {"Squeeze", 13, axes_to_input},
    {"Unsqueeze", 13, axes_to_input},
    {"ReduceSum", 13, axes_to_input},
    {"ReduceL1", 18, axes_to_input},
    {"ReduceL2", 18, axes_to_input},
    {"ReduceLogSum", 18, axes_to_input},
    {"ReduceLogSumExp", 18, axes_to_input},
    {"ReduceMax", 18, axes_to_input},
    {"ReduceMean", 18, axes_to_input},
    {"ReduceMin", 18, axes_to_input},
    {"ReduceProd", 18, axes_to_input},
    {"ReduceSumSquare", 18, axes_to_input},
    {"TopK", 10, k_to_input},
    {"Scatter", 11, rename_scatter},
    {"Upsample", 7, upsample_scales},
    {"Upsample", 9, scales_to_input},
    {"Upsample", 10, upsample_to_resize},
    {"Resize", 11, place_samples},
    {"GridSample", 20, rename_grid_modes},
    {"RoiAlign", 16, keep_roi_pixels},
    // These changed their meaning, or were taken out.
    {"LpPool", 2, never},
    {"Tile", 6, never},
    {"Scan", 9, never},
    {"DFT", 20, never},
    {"GroupNormalization", 21, never},
    {"Affine", 10, never},
    {"ConstantFill", 10, never},
    {"Crop", 10, never},
    {"GivenTensorFill", 10, never},
    {"ImageScaler", 10, never},
    {"ParametricSoftplus", 10, never},
    {"Scale", 10, never},
    {"ScaledTanh", 10, never},
};

}  // namespace

std::span<const OpsetStep> opset_steps() { return kSteps; }

}  // namespace mini_infer
