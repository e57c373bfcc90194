#pragma once

#include <vector>

#include "kernels/resize/taps.h"

namespace mini_infer {

struct NearestPlan {
  std::vector<Taps> maps;  // one for each axis
  std::vector<std::int64_t> in_extents;
  std::int64_t inner = 1;   // elements that stay together
  std::int64_t rows = 1;    // product of all output extents but the last axis'
  std::int64_t factor = 0;  // the last axis repeats each element so often; 0: any map
};

NearestPlan make_nearest(std::vector<Taps> maps, std::vector<std::int64_t> in_extents,
                         std::int64_t inner);
void run_nearest(const KernelContext& k, const NearestPlan& plan, DType dtype, const void* x,
                 void* y);

}  // namespace mini_infer
