// How nodes go back by one version of their operator: the functions that lower_opset.def names.
// Each rewrites the node and returns nothing, or says why it cannot ("its axes must be constant").
// `node` is in the version that is undone.
#pragma once

#include <string>

#include "graph/ir/graph.h"

namespace mini_infer::undo {

inline constexpr std::string (*nothing)(Graph&, NodeId) = nullptr;

// --- lower_opset_arguments.cc: inputs that were attributes, axes that could not be negative
std::string never(Graph& graph, NodeId node);
std::string positive_axis(Graph& graph, NodeId node);
std::string positive_axes(Graph& graph, NodeId node);
std::string positive_slice_axes(Graph& graph, NodeId node);
std::string positive_scan_axes(Graph& graph, NodeId node);
std::string positive_indices(Graph& graph, NodeId node);
std::string axes_to_attribute(Graph& graph, NodeId node);
std::string reduced_axes(Graph& graph, NodeId node);
std::string split_to_attribute(Graph& graph, NodeId node);
std::string split_without_count(Graph& graph, NodeId node);
std::string slice_to_attributes(Graph& graph, NodeId node);
std::string k_to_attribute(Graph& graph, NodeId node);
std::string pads_to_attributes(Graph& graph, NodeId node);
std::string pads_of_all_axes(Graph& graph, NodeId node);
std::string pads_without_wrap(Graph& graph, NodeId node);
std::string bounds_to_attributes(Graph& graph, NodeId node);
std::string ratio_to_attribute(Graph& graph, NodeId node);
std::string scales_to_attribute(Graph& graph, NodeId node);
std::string transform_axis_to_attribute(Graph& graph, NodeId node);
std::string allowed_zeros(Graph& graph, NodeId node);

// --- lower_opset_operators.cc: what operators could not do, and how others do it
std::string decompose(Graph& graph, NodeId node);
std::string without_mask(Graph& graph, NodeId node);
std::string without_indices(Graph& graph, NodeId node);
std::string without_statistics(Graph& graph, NodeId node);
std::string parameters_of_one_dtype(Graph& graph, NodeId node);
std::string exponent_of_same_dtype(Graph& graph, NodeId node);
std::string scale_of_same_dtype(Graph& graph, NodeId node);
std::string scales_of_float32(Graph& graph, NodeId node);
std::string one_scale(Graph& graph, NodeId node);
std::string dtype_of_zero_point(Graph& graph, NodeId node);
std::string cast_to_known_dtype(Graph& graph, NodeId node);
std::string zero_c(Graph& graph, NodeId node);
std::string branches_of_one_shape(Graph& graph, NodeId node);
std::string at_least_one_carried(Graph& graph, NodeId node);
std::string without_padded_keys(Graph& graph, NodeId node);
std::string equal_shapes(Graph& graph, NodeId node);
std::string sum_by_adds(Graph& graph, NodeId node);
std::string softmax_over_rest(Graph& graph, NodeId node);
std::string slice_shape(Graph& graph, NodeId node);
std::string no_new_reduction(Graph& graph, NodeId node);
std::string scatter_as_before(Graph& graph, NodeId node);

// --- lower_opset_sampling.cc
std::string resize_without_symmetry(Graph& graph, NodeId node);
std::string resize_all_axes(Graph& graph, NodeId node);
std::string fill_roi_and_scales(Graph& graph, NodeId node);
std::string place_samples_as_before(Graph& graph, NodeId node);
std::string resize_to_upsample(Graph& graph, NodeId node);
std::string ceil_by_pads(Graph& graph, NodeId node);
std::string grid_modes_as_before(Graph& graph, NodeId node);
std::string roi_pixels_as_before(Graph& graph, NodeId node);

}  // namespace mini_infer::undo
