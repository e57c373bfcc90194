// Division of extents that are products of numbers and symbols.
#pragma once

#include <optional>
#include <vector>

#include "graph/ir/dim.h"

namespace mini_infer {

// Product of `dims` divided by the product of `divisors`, equal factors cancelled:
// [N,64,7,7] / [N] = 3136. No value when numbers are left on both sides and do not divide.
std::optional<Dim> divide_extents(const std::vector<Dim>& dims, const std::vector<Dim>& divisors);

}  // namespace mini_infer
