// What a caller gives and a model asks, compared: inputs by name, dtype and shape, operators by
// name. All problems come at once.
#pragma once

#include <mini_infer/session.h>

#include <span>
#include <vector>

#include "engine/plan.h"
#include "graph/ir/op_def.h"

namespace mini_infer {

// Puts named inputs in the order of `wanted`; an error lists unknown and missing names.
Result<std::vector<Tensor>> order_inputs(const std::vector<ValueInfo>& wanted,
                                         const TensorMap& given);
// dtype, rank and extents of every input.
Status check_inputs(const std::vector<ValueInfo>& wanted, std::span<const Tensor> given);
// Names every operator of the graph and its subgraphs that is not implemented, with the node that
// uses it first.
Status check_operators(const Graph& graph, const OpLookup& ops);

PlanInfo describe_plan(const Plan& plan, const std::vector<PassReport>& load_passes);

}  // namespace mini_infer
