// Two files of what should be the same model, run on the same random inputs.
#pragma once

#include <mini_infer/status.h>

#include <string>

#include "tools/model_inputs.h"

namespace mini_infer::tools {

struct ModelCheck {
  int runs = 0;
  double largest_difference = 0;
  std::string skipped;  // why nothing was run: the original does not run on random inputs
  std::string
      problem;  // empty where all outputs agree; otherwise which differ, and where it starts
};

// Runs both on `runs` random inputs and compares the outputs that both have, with the tolerance of
// `mini-infer test --atol auto`. Both run as they are written, without passes. Open extents
// that `shapes` leaves open are 1, or the first of a few larger ones that the original runs with.
Result<ModelCheck> check_models(const std::string& original, const std::string& changed,
                                const ShapeMap& shapes, int runs);

}  // namespace mini_infer::tools
