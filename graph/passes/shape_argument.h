// Symbolic shapes as the constant arguments that shape-taking operators understand.
#pragma once

#include <optional>

#include "graph/ir/attribute.h"
#include "graph/ir/dim.h"

namespace mini_infer {

// The shape input of a Reshape (without allowzero) from `in` to `out`: numbers, 0 where an extent
// is that of the input at the same place, and -1 for one other symbol. No value when that is not
// enough.
std::optional<Ints> reshape_argument(const SymShape& in, const SymShape& out);

}  // namespace mini_infer
