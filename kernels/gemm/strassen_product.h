// Products with constant right operands by Strassen's algorithm.
#pragma once

#include <optional>

#include "kernels/gemm/product.h"

namespace mini_infer {

// y = activation(a b + bias) for the inputs 0 and 1 of float32, `column_bias` an input of [n] or
// < 0; no value where Strassen's algorithm cannot compute it, or takes longer.
//
// Its sums mix rows of A: what is large in one row is noise in another. Only for products whose
// rows of A have norms alike.
std::optional<PreparedKernel> strassen_product(const PrepareContext& c, const Product& p,
                                               const ActivationParams& activation, int column_bias);

}  // namespace mini_infer
