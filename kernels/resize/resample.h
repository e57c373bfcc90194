// The loops of Resize and Upsample, whatever the opset.
#pragma once

#include <optional>
#include <vector>

#include "kernels/resize/taps.h"

namespace mini_infer {

// Input viewed as [axes[0].in, axes[1].in, ..., inner], output likewise. Neighbouring axes that
// stay as they are may be merged, and the last ones put into `inner`.
struct ResizeProblem {
  ResizeRule rule;
  std::vector<ResizeAxis> axes;
  std::int64_t inner = 1;
  DType dtype = DType::kFloat32;
};

// A kernel that reads input 0 and writes output 0.
Result<PreparedKernel> prepare_resample(const PrepareContext& c, ResizeProblem problem);

}  // namespace mini_infer
