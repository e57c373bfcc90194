// The activation functions of recurrent operators, by name.
#pragma once

#include <string_view>
#include <vector>

#include "kernels/activation.h"
#include "kernels/op.h"

namespace mini_infer {

// Those of each direction in turn, from the attributes activations, activation_alpha and
// activation_beta; `defaults` are the names for one direction.
Result<std::vector<ActivationParams>> read_activations(
    const AttributeReader& a, const std::vector<std::string_view>& defaults,
    std::int64_t directions);

}  // namespace mini_infer
