// The equation of an Einsum, "bij,bjk->bik", taken apart.
#pragma once

#include <string>
#include <vector>

#include "kernels/op.h"

namespace mini_infer {

// A letter, or kEllipsis + d for the d-th axis from the back that an ellipsis stands for.
using Label = int;
inline constexpr Label kEllipsis = 256;
using Labels = std::vector<Label>;

struct Equation {
  std::vector<Labels> inputs;
  Labels output;
};

// `ranks` are those of the inputs: they say how many axes each ellipsis stands for.
Result<Equation> parse_equation(const std::string& text, const std::vector<std::size_t>& ranks);

}  // namespace mini_infer
