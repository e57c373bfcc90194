// Versions that made inputs of attributes, or let axes count from the end.
#include <algorithm>
#include <numeric>

#include "graph/ir/text.h"
#include "graph/passes/lower_opset_steps.h"
#include "graph/passes/match.h"
#include "graph/passes/opset_step.h"

namespace mini_infer::undo {
namespace {

std::string computed(std::string_view what) {
  return cat("its ", what, " must be constant; simplify folds what can be");
}
constexpr const char* kNoRank = "the rank of its input is not known";

// The first inputs stay; then optional ones that are left out have no place at the end.
void keep_inputs(Graph& graph, NodeId id, std::size_t count) {
  const std::vector<ValueId>& inputs = graph.node(id).inputs;
  while (inputs.size() > count || (!inputs.empty() && inputs.back() == kNoValue)) {
    const ValueId gone = inputs.back();
    graph.remove_input(id, inputs.size() - 1);
    if (gone != kNoValue) remove_unused(graph, gone);
  }
}

// An input becomes an attribute; one that is left out, none.
std::string to_ints(Graph& graph, NodeId id, std::size_t index, const char* attribute) {
  const ValueId value = graph.input(id, index);
  if (value == kNoValue) return "";
  auto values = known_ints(graph, value);
  if (!values) return computed(attribute);
  graph.node(id).attributes[attribute] = std::move(*values);
  return "";
}

std::string to_float(Graph& graph, NodeId id, std::size_t index, const char* attribute) {
  const ValueId value = graph.input(id, index);
  if (value == kNoValue) return "";
  const auto number = scalar_constant(graph, value);
  if (!number) return computed(attribute);
  graph.node(id).attributes[attribute] = static_cast<float>(*number);
  return "";
}

// The inputs from `first` on become attributes.
std::string all_to_ints(Graph& graph, NodeId id, std::size_t first,
                        std::initializer_list<const char*> attributes) {
  std::size_t index = first;
  for (const char* attribute : attributes) {
    std::string reason = to_ints(graph, id, index++, attribute);
    if (!reason.empty()) return reason;
  }
  keep_inputs(graph, id, first);
  return "";
}

// Axes of a tensor of that rank, from the front.
std::string count_from_front(Ints& axes, std::optional<std::size_t> rank) {
  for (std::int64_t& axis : axes) {
    if (axis >= 0) continue;
    if (!rank) return kNoRank;
    axis += static_cast<std::int64_t>(*rank);
    if (axis < 0) return "an axis is out of range";
  }
  return "";
}

// What a Slice takes of an axis, one by one.
Ints taken_indices(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t extent) {
  const std::int64_t least = step > 0 ? 0 : -1, most = step > 0 ? extent : extent - 1;
  const auto place = [&](std::int64_t at) {
    return std::clamp(at < 0 ? at + extent : at, least, most);
  };
  step = std::clamp(step, -extent - 1, extent + 1);
  Ints indices;
  const std::int64_t last = place(end);
  for (std::int64_t i = place(start); step > 0 ? i < last : i > last; i += step) {
    indices.push_back(i);
  }
  return indices;
}

// Gather takes what a Slice takes in other steps than 1, which leave `slice`.
std::string gather_steps(Graph& graph, NodeId id, SliceArguments& slice) {
  constexpr std::int64_t kMostIndices = 1 << 20;
  for (std::size_t i = slice.steps.size(); i-- > 0;) {
    if (slice.steps[i] == 1) continue;
    const ValueId x = graph.input(id, 0);
    const auto rank = rank_of(graph, x);
    const auto axis = rank ? normal_axis(slice.axes[i], *rank) : std::nullopt;
    const Dim extent = axis ? (*graph.value(x).shape)[*axis] : Dim(std::string("?"));
    if (!extent.known() || extent.value() > kMostIndices || slice.steps[i] == 0) {
      return cat("its step is ", slice.steps[i], " along an extent of ", extent.str());
    }
    const Ints indices =
        taken_indices(slice.starts[i], slice.ends[i], slice.steps[i], extent.value());
    const NodeId gather =
        graph.add_node(id, "Gather", {x, add_ints(graph, name_of(graph, id, "indices"), indices)},
                       {{"axis", static_cast<std::int64_t>(*axis)}});
    Value& taken = graph.value(graph.output(gather));
    taken.dtype = graph.value(x).dtype;
    taken.shape = graph.value(x).shape;
    (*taken.shape)[*axis] = static_cast<std::int64_t>(indices.size());
    graph.set_input(id, 0, graph.output(gather));
    for (Ints* part : {&slice.starts, &slice.ends, &slice.axes, &slice.steps}) {
      part->erase(part->begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return "";
}

// The axes that are added count in Unsqueeze and OneHot.
std::optional<std::size_t> counted_rank(const Graph& graph, NodeId id, const Ints& axes) {
  const auto rank = rank_of(graph, graph.input(id, 0));
  const std::string& type = graph.node(id).op_type;
  return rank && (type == "Unsqueeze" || type == "OneHot") ? *rank + axes.size() : rank;
}

}  // namespace

std::string never(Graph&, NodeId) { return "it meant something else before"; }

std::string positive_axis(Graph& graph, NodeId id) {
  Attributes& attributes = graph.node(id).attributes;
  const auto at = attributes.find("axis");
  const std::int64_t* axis =
      at == attributes.end() ? nullptr : std::get_if<std::int64_t>(&at->second);
  // -1 was what these meant without the attribute.
  const std::string& type = graph.node(id).op_type;
  if (axis == nullptr || ((type == "OneHot" || type == "TopK") && *axis == -1)) return "";
  Ints axes{*axis};
  std::string reason = count_from_front(axes, counted_rank(graph, id, axes));
  at->second = axes[0];
  return reason;
}

std::string positive_axes(Graph& graph, NodeId id) {
  Attributes& attributes = graph.node(id).attributes;
  const auto at = attributes.find("axes");
  Ints* axes = at == attributes.end() ? nullptr : std::get_if<Ints>(&at->second);
  if (axes == nullptr) return "";
  std::string reason = count_from_front(*axes, counted_rank(graph, id, *axes));
  std::sort(axes->begin(), axes->end());
  return reason;
}

std::string positive_slice_axes(Graph& graph, NodeId id) {
  auto axes = known_ints(graph, graph.input(id, 3));
  const auto negative = [](std::int64_t axis) { return axis < 0; };
  if (!axes || std::none_of(axes->begin(), axes->end(), negative)) return "";
  std::string reason = count_from_front(*axes, rank_of(graph, graph.input(id, 0)));
  graph.set_input(id, 3, add_ints(graph, name_of(graph, id, "axes"), *axes));
  return reason;
}

std::string positive_scan_axes(Graph& graph, NodeId id) {
  for (const char* name : {"scan_input_axes", "scan_output_axes"}) {
    const Ints* axes = graph.attribute<Ints>(id, name);
    if (axes != nullptr &&
        std::any_of(axes->begin(), axes->end(), [](auto axis) { return axis < 0; }))
      return "its axes count from the end";
  }
  return "";
}

// Indices that are computed are not known to be negative; those that are constants are.
std::string positive_indices(Graph& graph, NodeId id) {
  const ValueId x = graph.input(id, 0);
  const Tensor* tensor = graph.constant(graph.input(id, 1));
  auto indices = tensor != nullptr ? integers(*tensor) : std::nullopt;
  const auto negative = [](std::int64_t index) { return index < 0; };
  if (!indices || std::none_of(indices->begin(), indices->end(), negative))
    return positive_axis(graph, id);
  const auto* attribute = graph.attribute<std::int64_t>(id, "axis");
  const auto rank = rank_of(graph, x);
  const auto axis = rank ? normal_axis(attribute != nullptr ? *attribute : 0, *rank) : std::nullopt;
  if (!axis || !(*graph.value(x).shape)[*axis].known()) {
    return "an index counts from an end that is not known";
  }
  const std::int64_t extent = (*graph.value(x).shape)[*axis].value();
  for (std::int64_t& index : *indices) index += index < 0 ? extent : 0;
  const Tensor front = Tensor::from<std::int64_t>(tensor->shape(), *indices);
  graph.set_input(id, 1, graph.add_constant(name_of(graph, id, "indices"), front));
  return positive_axis(graph, id);
}

std::string axes_to_attribute(Graph& graph, NodeId id) {
  return all_to_ints(graph, id, 1, {"axes"});
}

// No axes are all, unless the node says that they are none.
std::string reduced_axes(Graph& graph, NodeId id) {
  const bool noop = take<std::int64_t>(graph, id, "noop_with_empty_axes").value_or(0) != 0;
  std::string reason = axes_to_attribute(graph, id);
  const Ints* axes = graph.attribute<Ints>(id, "axes");
  if (!reason.empty() || (axes != nullptr && !axes->empty())) return reason;
  graph.node(id).attributes.erase("axes");
  return noop ? "it reduces no axis" : "";
}

std::string split_to_attribute(Graph& graph, NodeId id) {
  return all_to_ints(graph, id, 1, {"split"});
}

// Parts were equal before; now the last may be smaller.
std::string split_without_count(Graph& graph, NodeId id) {
  if (!take<std::int64_t>(graph, id, "num_outputs")) return "";
  const auto rank = rank_of(graph, graph.input(id, 0));
  const auto* attribute = graph.attribute<std::int64_t>(id, "axis");
  const auto axis = rank ? normal_axis(attribute != nullptr ? *attribute : 0, *rank) : std::nullopt;
  if (!axis) return kNoRank;
  const Dim extent = (*graph.value(graph.input(id, 0)).shape)[*axis];
  const auto parts = static_cast<std::int64_t>(graph.node(id).outputs.size());
  if (!extent.known()) return cat("extent ", extent.str(), " may have no ", parts, " equal parts");
  const std::int64_t size = (extent.value() + parts - 1) / parts;
  if (size * parts == extent.value()) return "";
  Ints sizes(static_cast<std::size_t>(parts), size);
  sizes.back() = extent.value() - size * (parts - 1);
  if (sizes.back() < 0) return cat(extent.value(), " elements have no ", parts, " parts");
  graph.set_input(id, 1, add_ints(graph, name_of(graph, id, "split"), sizes));
  return "";
}

std::string slice_to_attributes(Graph& graph, NodeId id) {
  if (graph.input(id, 4) == kNoValue) return all_to_ints(graph, id, 1, {"starts", "ends", "axes"});
  auto slice = slice_arguments(graph, id);
  if (!slice) return computed("starts, ends, axes and steps");
  const ValueId whole = graph.input(id, 0);
  std::string reason = gather_steps(graph, id, *slice);
  if (!reason.empty()) return reason;
  const ValueId x = graph.input(id, 0);
  if (slice->axes.empty() && x != whole) {
    take_description(graph, graph.output(id), x);
    bypass(graph, id, x);
    return "";
  }
  keep_inputs(graph, id, 1);
  Attributes& attributes = graph.node(id).attributes;
  attributes["starts"] = slice->starts;
  attributes["ends"] = slice->ends;
  attributes["axes"] = slice->axes;
  return "";
}

std::string k_to_attribute(Graph& graph, NodeId id) {
  const auto k = known_ints(graph, graph.input(id, 1));
  if (!k || k->size() != 1) return computed("k");
  graph.node(id).attributes["k"] = k->front();
  keep_inputs(graph, id, 1);
  return "";
}

std::string pads_to_attributes(Graph& graph, NodeId id) {
  std::string reason = to_float(graph, id, 2, "value");
  return reason.empty() ? all_to_ints(graph, id, 1, {"pads"}) : reason;
}

// Pads of some axes are pads of all, the others with none.
std::string pads_of_all_axes(Graph& graph, NodeId id) {
  if (graph.input(id, 3) == kNoValue) return "";
  const auto rank = rank_of(graph, graph.input(id, 0));
  auto axes = known_ints(graph, graph.input(id, 3));
  const auto pads = known_ints(graph, graph.input(id, 1));
  if (!rank) return kNoRank;
  if (!axes || !pads || pads->size() != 2 * axes->size()) return computed("pads or axes");
  std::string reason = count_from_front(*axes, rank);
  if (!reason.empty()) return reason;
  Ints all(2 * *rank, 0);
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const auto axis = static_cast<std::size_t>((*axes)[i]);
    if (axis >= *rank) return "an axis is out of range";
    all[axis] = (*pads)[i];
    all[*rank + axis] = (*pads)[axes->size() + i];
  }
  graph.set_input(id, 1, add_ints(graph, name_of(graph, id, "pads"), all));
  keep_inputs(graph, id, 3);
  return "";
}

std::string pads_without_wrap(Graph& graph, NodeId id) {
  const auto* mode = graph.attribute<std::string>(id, "mode");
  return mode != nullptr && *mode == "wrap" ? "its mode is \"wrap\"" : "";
}

std::string bounds_to_attributes(Graph& graph, NodeId id) {
  std::string reason = to_float(graph, id, 1, "min");
  if (reason.empty()) reason = to_float(graph, id, 2, "max");
  if (reason.empty()) keep_inputs(graph, id, 1);
  return reason;
}

std::string ratio_to_attribute(Graph& graph, NodeId id) {
  const ValueId training = graph.input(id, 2);
  const auto trains = scalar_constant(graph, training);
  if (training != kNoValue && (!trains || *trains != 0)) return "it may train";
  std::string reason = to_float(graph, id, 1, "ratio");
  if (reason.empty()) keep_inputs(graph, id, 1);
  return reason;
}

std::string scales_to_attribute(Graph& graph, NodeId id) {
  const auto scales = known_numbers(graph, graph.input(id, 1));
  if (!scales) return computed("scales");
  graph.node(id).attributes["scales"] = Floats(scales->begin(), scales->end());
  keep_inputs(graph, id, 1);
  return "";
}

// Without an input the last axis but one is meant; before, the second.
std::string transform_axis_to_attribute(Graph& graph, NodeId id) {
  const ValueId value = graph.input(id, 2);
  const auto axis = value == kNoValue ? std::optional(Ints{-2}) : known_ints(graph, value);
  if (!axis || axis->size() != 1) return computed("axis");
  Ints axes = *axis;
  std::string reason = count_from_front(axes, rank_of(graph, graph.input(id, 0)));
  graph.node(id).attributes["axis"] = axes[0];
  if (reason.empty()) keep_inputs(graph, id, 2);
  return reason;
}

// Zeros took over the extent of the input, always.
std::string allowed_zeros(Graph& graph, NodeId id) {
  if (take<std::int64_t>(graph, id, "allowzero").value_or(0) == 0) return "";
  const auto shape = known_ints(graph, graph.input(id, 1));
  if (!shape) return "its shape must be constant, or it may hold zeros";
  const bool zero = std::find(shape->begin(), shape->end(), 0) != shape->end();
  return zero ? cat("its shape ", *shape, " holds zeros") : "";
}

}  // namespace mini_infer::undo
