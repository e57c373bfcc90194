// The activation that a fused operator applies to its result, as its attributes tell it.
#pragma once

#include "graph/ir/op_def.h"
#include "kernels/activation.h"

namespace mini_infer {

struct FusedActivation {
  ActivationParams params;
  bool per_channel_slope = false;  // "PRelu": the slopes are an input of the node
};

// Reads `activation` ("" or missing: none) and `activation_params`, for example "Clip" and [0, 6].
// com.microsoft's FusedGemm has activation_alpha and activation_beta in place of the list. `prefix`
// comes before the names.
Result<FusedActivation> read_activation(const AttributeReader& node,
                                        const std::string& prefix = "");

// The function itself, in double: what vector kernels are compared with.
double activate(const ActivationParams& activation, double x);

}  // namespace mini_infer
