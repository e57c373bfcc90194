// Comparing a tensor with the one that was expected.
#pragma once

#include <mini_infer/tensor.h>

#include <optional>
#include <string>

namespace mini_infer::tools {

// Values agree when |got - want| <= atol + rtol * |want|. NaN agrees with NaN, infinity with the
// same infinity; text and integers with tolerances 0 must be equal.
struct Tolerance {
  double rtol = 1e-3;
  double atol = 1e-7;
};

struct Comparison {
  // Empty when the tensors agree; otherwise what differs, where, and by how much.
  std::string problem;
  double largest_difference = 0;  // over finite values
};

// How far apart two tensors of numbers with equal shapes are.
struct Difference {
  double max_abs = 0;  // infinite where one has NaN or infinity and the other has not
  double max_rel = 0;  // of elements expected to be at least 1e-3 of the largest; relative to them
  double cosine = 1;   // of the angle between the two as vectors; 1 for two of zeros
};
Difference measure(const Tensor& got, const Tensor& want);

Comparison compare(const Tensor& got, const Tensor& want, const Tolerance& tolerance);
// The largest absolute finite value; 0 for text.
double largest_magnitude(const Tensor& tensor);

}  // namespace mini_infer::tools
