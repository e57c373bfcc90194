// --rtol and --atol: which differences are allowed.
#pragma once

#include <mini_infer/session.h>

#include <CLI/CLI.hpp>

#include "tools/compare.h"

namespace mini_infer::tools {

struct ToleranceOptions {
  double rtol = 1e-3;
  double atol = 1e-7;
  // At least this fraction of the largest absolute value expected in a tensor, see Magnitude.
  enum class Magnitude {
    kNone,      // atol as it is
    kRounding,  // 1e-6: float32 sums in another order differ by that
    kAuto,      // auto_factor(): trained models, other kernels
  };
  Magnitude magnitude = Magnitude::kRounding;
};

// --rtol and --atol; what `options.magnitude` is at first is the default of --atol.
void add_tolerance_options(CLI::App& command, ToleranceOptions& options);

// 1e-2 for models that hold quantised operators or half-precision tensors, where the reference
// itself rounds; otherwise 1e-4.
double auto_factor(const ModelInfo& model);

// For an output of `model` that should be `want`.
Tolerance tolerance_for(const ToleranceOptions& options, const ModelInfo& model,
                        const Tensor& want);

}  // namespace mini_infer::tools
