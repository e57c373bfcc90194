// The operators of ops.def, by domain, type and opset.
#pragma once

#include <span>

#include "graph/ir/op_def.h"

namespace mini_infer {

// Constant after the first call; thread-safe.
const OpLookup& op_registry();
std::span<const OpDef* const> all_ops();

}  // namespace mini_infer
