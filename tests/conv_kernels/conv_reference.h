// A plain convolution in double precision, layouts, and one call that runs an algorithm on plain
// tensors.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/conv/conv_algorithm.h"

namespace mini_infer::conv_test {

// What a test computes, all plain and dense.
struct Problem {
  ConvShape shape;
  std::vector<float> x, w, bias, residual, slope;
  ConvResidual residual_place = ConvResidual::kNone;
  ActivationParams activation;
};

// Random numbers: x normal, w with He's scale, bias and residual where asked for.
struct ProblemOptions {
  bool with_bias = true;
  ConvResidual residual_place = ConvResidual::kNone;
  ActivationParams activation;
  bool with_slope = false;
  unsigned seed = 1;
};
Problem make_problem(const ConvShape& shape, const ProblemOptions& options);

// y and, for each element, the sum of the magnitudes that were added.
struct Reference {
  std::vector<double> y, magnitude;
};
Reference reference_conv(const Problem& p);
// The same for a transposed convolution; w is [ic][oc/groups][kh][kw].
Reference reference_transposed_conv(const Problem& p);

// [n][c][hw] -> [n][ceil(c / lanes)][hw][lanes], NaN in lanes that do not exist; and back.
std::vector<float> to_blocked(const std::vector<float>& x, std::int64_t n, std::int64_t c,
                              std::int64_t hw, int lanes);
std::vector<float> from_blocked(const float* x, std::int64_t n, std::int64_t c, std::int64_t hw,
                                int lanes);

// Runs `conv` on NCHWc input (or plain input), with scratch full of NaN; the output comes back
// plain. With several threads a residual before the activation lies where the output is written.
enum class InputLayout { kBlocked, kPlain };
std::vector<float> run_conv(const ConvAlgorithm& conv, const Problem& p, Isa isa, int threads,
                            InputLayout layout);

// Those with float kernels of their own.
std::vector<Isa> supported_isas();

}  // namespace mini_infer::conv_test
